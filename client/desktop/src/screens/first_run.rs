//! The first screens: a name, then a passphrase where the system has no keyring to hold the key.

use egui::{CornerRadius, Ui};

use sotto_driver::{NAME_BYTES_MAX, RelayAddress};

use super::{
    page::Page,
    said::{entered, sentence, trouble},
    secret,
};
use crate::{
    action::{Action, SecretText},
    cx::Cx,
    theme::semibold,
    view::FirstRun,
    widgets::{self, Field, Kind},
};

/// Said over a relay that came with a link.
const OF_LINK: &str = "Your relay. This is the one in the link you opened, chosen by whoever gave it to you";

/// What is being entered.
#[derive(Default)]
pub(super) struct FirstRunState {
    step: Step,
    name: String,
    /// As typed; none while the proposed one stands.
    relay: Option<String>,
    /// As typed; none while the proposed one stands.
    proxy: Option<String>,
    /// Whether the relay and the proxy are shown.
    network: bool,
    passphrase: secret::PassphraseState,
    /// What is wrong with the name or the relay, once it was tried.
    name_error: Option<&'static str>,
    relay_error: Option<String>,
    /// The step whose first field has had the keyboard.
    focused: Option<Step>,
    /// A profile was asked for.
    made: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Name,
    Passphrase,
}

impl FirstRunState {
    /// Whether a profile was made here; everything typed is forgotten then.
    pub(super) fn take_made(&mut self) -> bool {
        std::mem::take(self).made
    }

    fn arrives(&mut self) -> bool {
        self.focused.replace(self.step) != Some(self.step)
    }
}

/// Draws the step.
pub(super) fn show(ui: &mut Ui, cx: &mut Cx<'_>, first: &FirstRun, state: &mut FirstRunState) {
    match state.step {
        Step::Name => name(ui, cx, first, state),
        Step::Passphrase => passphrase(ui, cx, first, state),
    }
}

fn name(ui: &mut Ui, cx: &mut Cx<'_>, first: &FirstRun, state: &mut FirstRunState) {
    let theme = cx.theme;
    let middle = theme.sizes.space[2];
    let mut done = false;
    let mut page = Page::begin(ui, theme, 1);
    page.content(|ui| {
        if !state.network {
            ui.add_space(theme.sizes.space[5]);
        }
        emblem(ui, cx);
        widgets::title(ui, theme, "Welcome to Sotto");
        let promise =
            "Private messages that only you and your friends can read. No phone number, no e-mail, no account.";
        widgets::centered(ui, theme, promise);
        ui.add_space(middle);
        let field = Field {
            id: egui::Id::unique("name"),
            label: "Your name",
            hint: "Your name",
            text: &mut state.name,
            password: false,
            error: state.name_error,
        };
        let field = widgets::field(ui, theme, field);
        if state.focused != Some(Step::Name) {
            field.request_focus();
        }
        done |= entered(&field);
        widgets::dim(ui, theme, "Told only to people you accept");
        done |= network(ui, cx, first, state);
        trouble(ui, cx, first.trouble.as_ref());
    });
    state.arrives();
    page.actions(|ui| {
        let label = if first.busy {
            "Creating…"
        } else if first.keyring {
            "Create"
        } else {
            "Continue"
        };
        done |=
            ui.add_enabled_ui(!first.busy, |ui| widgets::button_wide(ui, theme, Kind::Primary, label)).inner.clicked();
    });
    if done && !first.busy && is_name_step_whole(first, state) {
        if first.keyring {
            create(cx, first, state, None);
        } else {
            state.step = Step::Passphrase;
        }
    }
}

/// The relay where nobody who is trusted proposed one; else behind a link, with the proxy. A proxy that is proposed is seen.
fn network(ui: &mut Ui, cx: &mut Cx<'_>, first: &FirstRun, state: &mut FirstRunState) -> bool {
    let theme = cx.theme;
    let mut done = false;
    let all = state.network || first.proxy.is_some();
    if all || first.relay.is_none() || first.relay_of_link || state.relay_error.is_some() {
        let whose = match (&state.relay, first.relay_of_link) {
            (typed, true) if typed.is_none() || *typed == first.relay => OF_LINK,
            _ => "Your relay, as its host gave it to you",
        };
        widgets::caption(ui, theme, whose);
        let relay = state.relay.get_or_insert_with(|| first.relay.clone().unwrap_or_default());
        let field = Field {
            id: egui::Id::unique("relay"),
            label: "Relay",
            hint: "sotto://…",
            text: relay,
            password: false,
            error: state.relay_error.as_deref(),
        };
        done |= entered(&widgets::field(ui, theme, field));
    }
    if all {
        widgets::caption(ui, theme, "A SOCKS5 proxy, if you need one");
        let proxy = state.proxy.get_or_insert_with(|| first.proxy.clone().unwrap_or_default());
        let field = Field {
            id: egui::Id::unique("proxy"),
            label: "Proxy",
            hint: "socks5://127.0.0.1:9050",
            text: proxy,
            password: false,
            error: None,
        };
        done |= entered(&widgets::field(ui, theme, field));
    } else if widgets::link(ui, theme, "Network").clicked() {
        state.network = true;
    }
    done
}

/// Whether name and relay can be used; what is wrong stands under the field.
fn is_name_step_whole(first: &FirstRun, state: &mut FirstRunState) -> bool {
    state.name_error = match state.name.trim() {
        "" => Some("Please enter a name; it need not be your real one"),
        name if name.len() > NAME_BYTES_MAX => Some("This name is too long: up to 64 letters fit"),
        _ => None,
    };
    let relay = state.relay.as_deref().or(first.relay.as_deref()).unwrap_or_default();
    state.relay_error = match relay.trim() {
        "" => Some("Please enter the address of your relay".to_owned()),
        relay => relay.parse::<RelayAddress>().err().map(|error| sentence(&error.to_string())),
    };
    state.name_error.is_none() && state.relay_error.is_none()
}

fn passphrase(ui: &mut Ui, cx: &mut Cx<'_>, first: &FirstRun, state: &mut FirstRunState) {
    let theme = cx.theme;
    let mut done = false;
    let mut page = Page::begin(ui, theme, 2);
    page.content(|ui| {
        ui.add_space(theme.sizes.space[5]);
        widgets::title(ui, theme, "Choose a passphrase");
        ui.add_space(theme.sizes.space[2]);
        let why = "It locks what is stored on this computer. Nobody can restore it for you.";
        widgets::centered(ui, theme, why);
        ui.add_space(theme.sizes.space[4]);
        done |= secret::new_passphrase_field(ui, cx, &mut state.passphrase);
        ui.add_space(theme.sizes.space[2]);
        trouble(ui, cx, first.trouble.as_ref());
    });
    let mut back = false;
    page.actions(|ui| {
        ui.add_enabled_ui(!first.busy, |ui| {
            let label = if first.busy { "Creating…" } else { "Create" };
            let ready = state.passphrase.is_enough();
            done |=
                ui.add_enabled_ui(ready, |ui| widgets::button_wide(ui, theme, Kind::Primary, label)).inner.clicked();
            back = widgets::button_wide(ui, theme, Kind::Quiet, "Back").clicked();
        });
    });
    if back {
        state.step = Step::Name;
        state.focused = None;
        state.passphrase = secret::PassphraseState::default();
        widgets::forget_typed(ui.ctx());
    } else if done && !first.busy && state.passphrase.is_enough() {
        let passphrase = state.passphrase.entered(ui.ctx());
        create(cx, first, state, Some(passphrase));
    }
}

fn create(cx: &mut Cx<'_>, first: &FirstRun, state: &mut FirstRunState, passphrase: Option<SecretText>) {
    let relay = state.relay.as_deref().or(first.relay.as_deref()).unwrap_or_default();
    let proxy = state.proxy.as_deref().or(first.proxy.as_deref()).unwrap_or_default().trim();
    cx.act(Action::CreateProfile {
        name: state.name.trim().to_owned(),
        relay: relay.trim().to_owned(),
        passphrase,
        proxy: (!proxy.is_empty()).then(|| proxy.to_owned()),
    });
    state.made = true;
}

/// The letter of the house in a disc.
pub(super) fn emblem(ui: &mut Ui, cx: &Cx<'_>) {
    let theme = cx.theme;
    let side = 1.5 * theme.sizes.avatar;
    let (rect, _) = ui.allocate_exact_size(egui::Vec2::splat(side), egui::Sense::empty());
    ui.painter().rect_filled(rect, CornerRadius::same((side / 2.0) as u8), theme.colors.accent);
    let font = semibold((side * 0.42).round());
    ui.painter().text(rect.center(), egui::Align2::CENTER_CENTER, "S", font, theme.colors.on_accent);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{theme::Theme, view::View};

    #[test]
    fn what_is_proposed_is_used_unless_something_else_is_typed() {
        let (view, theme, mut actions) = (View::default(), Theme::light(), Vec::new());
        let proxy = "socks5://127.0.0.1:9050";
        let first = FirstRun { proxy: Some(proxy.to_owned()), ..FirstRun::default() };
        for (typed, used) in
            [(None, Some(proxy)), (Some("socks5://[::1]:1"), Some("socks5://[::1]:1")), (Some(""), None)]
        {
            let mut state = FirstRunState { proxy: typed.map(str::to_owned), ..FirstRunState::default() };
            let mut cx = Cx { view: &view, theme: &theme, actions: &mut actions };
            create(&mut cx, &first, &mut state, None);
            let Some(Action::CreateProfile { proxy, .. }) = actions.pop() else { panic!("nothing was asked for") };
            assert_eq!(proxy.as_deref(), used);
        }
    }
}
