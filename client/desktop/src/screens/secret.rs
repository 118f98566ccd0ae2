//! What opens a profile, as it is chosen and shown: a passphrase with its strength, the recovery key, once.

use egui::{Context, CornerRadius, Id, Rect, Sense, Ui, vec2};

use super::{
    said::{entered, exact},
    strength::{CHARS_MIN, Strength},
};
use crate::{
    action::{Action, Card, SecretText},
    cx::Cx,
    widgets::{self, Field, Kind},
};

/// The longest passphrase that is typed without a copy left behind by a text that grew.
const PASSPHRASE_BYTES: usize = 512;
/// The bar under the field.
const BAR: f32 = 4.0;
const FIELD: &str = "new-passphrase";

/// A passphrase that is being chosen.
pub(super) struct PassphraseState {
    text: SecretText,
    shown: bool,
    focused: bool,
}

impl Default for PassphraseState {
    fn default() -> Self {
        Self { text: roomy(), shown: false, focused: false }
    }
}

impl PassphraseState {
    /// Whether it may be used.
    pub(super) fn is_enough(&self) -> bool {
        self.text.chars().count() >= CHARS_MIN
    }

    /// What was entered; the field's history is gone then.
    pub(super) fn entered(&self, ctx: &Context) -> SecretText {
        widgets::wipe_undo(ctx, Id::unique(FIELD));
        self.text.clone()
    }
}

/// A text with room to type into.
pub(super) fn roomy() -> SecretText {
    SecretText::new(String::with_capacity(PASSPHRASE_BYTES))
}

/// The field, the bar and its word; whether it was finished by Enter.
pub(super) fn new_passphrase_field(ui: &mut Ui, cx: &Cx<'_>, state: &mut PassphraseState) -> bool {
    let theme = cx.theme;
    let field = Field {
        id: Id::unique(FIELD),
        label: "Passphrase",
        hint: "Four random words are good",
        text: &mut state.text,
        password: !state.shown,
        error: None,
    };
    let field = widgets::field(ui, theme, field);
    if !field.has_focus() {
        // Also while it is shown.
        widgets::wipe_undo(ui.ctx(), Id::unique(FIELD));
    }
    if !state.focused {
        field.request_focus();
        state.focused = true;
    }
    let done = entered(&field);
    strength_bar(ui, cx, Strength::of(&state.text));
    if widgets::link(ui, theme, if state.shown { "Hide it" } else { "Show it" }).clicked() {
        state.shown = !state.shown;
    }
    done
}

fn strength_bar(ui: &mut Ui, cx: &Cx<'_>, strength: Strength) {
    let colors = &cx.theme.colors;
    let (bar, _) = ui.allocate_exact_size(vec2(ui.available_width(), BAR), Sense::empty());
    let radius = CornerRadius::same((BAR / 2.0) as u8);
    ui.painter().rect_filled(bar, radius, colors.quiet_button);
    let color = if strength >= Strength::Fair { colors.success } else { colors.danger };
    let filled = Rect::from_min_size(bar.min, vec2(bar.width() * strength.share(), BAR));
    ui.painter().rect_filled(filled, radius, color);
    ui.add_space(cx.theme.sizes.space[1]);
    widgets::dim(ui, cx.theme, strength.label());
}

/// The dialog that adds a passphrase to what opens the profile.
pub(super) fn passphrase(ctx: &Context, cx: &mut Cx<'_>, state: &mut PassphraseState) {
    let theme = cx.theme;
    let mut done = false;
    let dismissed = widgets::dialog(ctx, theme, "Add a passphrase", |ui| {
        widgets::paragraph(
            ui,
            theme,
            "It opens this profile where the system's keyring cannot. Nobody can restore it for you.",
        );
        done |= new_passphrase_field(ui, cx, state);
        let enough = state.is_enough();
        let add = |ui: &mut Ui| widgets::button_wide(ui, theme, Kind::Primary, "Add passphrase");
        done |= ui.add_enabled_ui(enough, add).inner.clicked();
    });
    if done && state.is_enough() {
        cx.act(Action::AddPassphrase(state.entered(ctx)));
        cx.act(Action::Back);
    } else if dismissed {
        cx.act(Action::Back);
    }
}

/// The dialog that makes a recovery key and shows it once.
pub(super) fn recovery_key(ctx: &Context, cx: &mut Cx<'_>) {
    let theme = cx.theme;
    let view = cx.view;
    let mut act = None;
    let dismissed = widgets::dialog(ctx, theme, "Recovery key", |ui| {
        let why = "It opens this profile when the passphrase is forgotten or the keyring is lost. Keep it on paper, away from \
                   this computer. A new one makes the old one useless.";
        widgets::paragraph(ui, theme, why);
        let Some(key) = &view.recovery_key else {
            if widgets::button_wide(ui, theme, Kind::Primary, "Make a recovery key").clicked() {
                act = Some(Action::NewRecoveryKey);
            }
            return;
        };
        widgets::card(ui, theme, |ui| exact(ui, cx, key, theme.sizes.heading));
        widgets::dim(ui, theme, "It is shown this once.");
        if widgets::button_wide(ui, theme, Kind::Primary, "I have written it down").clicked() {
            act = Some(Action::DismissCard(Card::RecoveryKey));
        }
    });
    match act {
        Some(Action::DismissCard(card)) => {
            cx.act(Action::DismissCard(card));
            cx.act(Action::Back);
        }
        Some(action) => cx.act(action),
        None if dismissed => cx.act(Action::Back),
        None => {}
    }
}
