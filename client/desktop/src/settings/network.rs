//! The relays, the proxy, the contact address.

use egui::{Id, Ui};

use crate::{
    action::{Action, Dialog},
    cx::Cx,
    view::Account,
    widgets::{self, Field, Kind},
};

/// Addresses that are being changed; none as long as they are the account's.
#[derive(Default)]
pub(super) struct NetworkState {
    relays: Option<String>,
    proxy: Option<String>,
}

/// Draws this part of the settings.
pub(super) fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut NetworkState) {
    let view = cx.view;
    let Some(account) = &view.account else { return };
    for (name, standing) in &view.network.relays {
        ui.horizontal(|ui| {
            widgets::body(ui, cx.theme, name);
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                widgets::small(ui, cx.theme, standing);
            });
        });
    }
    if let Some(problem) = &view.network.problem {
        widgets::danger(ui, cx.theme, problem);
    }
    relays(ui, cx, account, state);
    proxy(ui, cx, account, state);
    address(ui, cx, account);
}

fn relays(ui: &mut Ui, cx: &mut Cx<'_>, account: &Account, state: &mut NetworkState) {
    widgets::caption(ui, cx.theme, "Relays, the preferred one first, with commas between");
    let present = account.relays.join(", ");
    if let Some(typed) = changed(ui, cx, "Relays", "relay.example.org", "Change relays", &present, &mut state.relays) {
        let relays = typed.split([',', ' ']).map(str::trim).filter(|relay| !relay.is_empty());
        cx.act(Action::SetRelays(relays.map(str::to_owned).collect()));
    }
}

fn proxy(ui: &mut Ui, cx: &mut Cx<'_>, account: &Account, state: &mut NetworkState) {
    widgets::caption(ui, cx.theme, "SOCKS5 proxy, for example Tor's; empty for a direct connection");
    let present = account.proxy.clone().unwrap_or_default();
    if let Some(typed) = changed(ui, cx, "Proxy", "127.0.0.1:9050", "Change proxy", &present, &mut state.proxy) {
        let proxy = typed.trim();
        cx.act(Action::SetProxy((!proxy.is_empty()).then(|| proxy.to_owned())));
    }
}

/// A field with a button that shows once something else is typed. Answers what was set.
fn changed(
    ui: &mut Ui,
    cx: &Cx<'_>,
    label: &str,
    hint: &str,
    button: &str,
    present: &str,
    state: &mut Option<String>,
) -> Option<String> {
    let mut typed = state.clone().unwrap_or_else(|| present.to_owned());
    let field =
        Field { id: Id::unique(("settings", label)), label, hint, text: &mut typed, password: false, error: None };
    widgets::field(ui, cx.theme, field);
    let differs = typed.trim() != present;
    let set = differs && widgets::button(ui, cx.theme, Kind::Primary, button).clicked();
    *state = (!set && typed != present).then(|| typed.clone());
    set.then_some(typed)
}

fn address(ui: &mut Ui, cx: &mut Cx<'_>, account: &Account) {
    let theme = cx.theme;
    let on = account.address_on;
    if widgets::switch(ui, theme, "People with my link can ask to talk to me", on).clicked() {
        cx.act(Action::SwitchAddress(!on));
    }
    if widgets::row_button(ui, theme, Some(crate::icons::Icon::Retry), "Make a new link", "", false).clicked() {
        cx.act(Action::Open(Dialog::ConfirmReset));
    }
}
