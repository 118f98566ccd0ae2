//! What takes the whole window, and the dialogs about people and keys: first run, lock, add a contact, verify, profiles.
//!
//! Each has a state of its own, here and nowhere else, so that closing one forgets what was typed into it.

mod add_contact;
mod broken;
mod cards;
mod confirm;
mod first_run;
mod invitation;
mod page;
mod profiles;
mod ready;
mod said;
mod secret;
mod strength;
mod unlock;
mod verify;

pub use cards::cards;

use tracing::debug;

use crate::{
    action::{Action, Dialog},
    cx::Cx,
    view::{Stage, View},
};

/// What is being entered.
#[derive(Default)]
pub struct Screens {
    first_run: first_run::FirstRunState,
    ready: ready::ReadyState,
    unlock: unlock::UnlockState,
    add_contact: add_contact::AddContactState,
    invitation: invitation::InvitationState,
    verify: verify::VerifyState,
    passphrase: secret::PassphraseState,
    /// The dialog that was drawn last.
    drawn: Option<Dialog>,
    /// The screen that was drawn last.
    screen: &'static str,
    /// Whether the present preview has opened its dialog already.
    previewed: bool,
}

impl Screens {
    /// Draws the screen that takes the whole window, if there is one: then nothing else may be drawn.
    pub fn whole_window(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) -> bool {
        let view = cx.view;
        if !matches!(view.stage, Stage::Locked(_)) {
            self.unlock = unlock::UnlockState::default();
        }
        if view.stage != Stage::Open && self.drawn.is_some() {
            self.forget(None);
        }
        if view.stage == Stage::Open && self.first_run.take_made() {
            self.ready.begin();
        }
        self.note(view);
        match &view.stage {
            // The background alone: it is over before anything could be read.
            Stage::Starting => {}
            Stage::FirstRun(first_run) => first_run::show(ui, cx, first_run, &mut self.first_run),
            Stage::Locked(locked) => unlock::show(ui, cx, locked, &mut self.unlock),
            Stage::Broken(trouble) => broken::show(ui, cx, trouble),
            Stage::Open if self.ready.is_due() => ready::show(ui, cx, &mut self.ready),
            Stage::Open => return false,
        }
        true
    }

    /// Tells the log which screen comes, for whoever waits for it; nothing that is on it.
    fn note(&mut self, view: &View) {
        let screen = match &view.stage {
            Stage::Starting => "starting",
            Stage::FirstRun(_) => "first run",
            Stage::Locked(_) => "locked",
            Stage::Broken(_) => "broken",
            Stage::Open if !self.ready.is_due() => "window",
            Stage::Open if view.invitation.is_some() => "ready",
            Stage::Open => "nearly ready",
        };
        if self.screen != screen {
            self.screen = screen;
            debug!(screen, "drawn");
        }
    }

    /// Draws the dialog if it is one of these. To be called in each frame of an open profile, also without a dialog: what was
    /// typed into one that is closed is forgotten then.
    pub fn dialog(&mut self, ctx: &egui::Context, cx: &mut Cx<'_>, open: Option<&Dialog>) -> bool {
        if self.drawn.as_ref() != open {
            if self.drawn.is_some() {
                crate::widgets::forget_typed(ctx);
            }
            self.turn_to(cx, open);
        }
        let Some(dialog) = open else {
            self.follow_link(cx);
            return false;
        };
        // What is looked at here need not open a dialog once this one is put away.
        self.previewed = cx.view.preview.is_some();
        match dialog {
            Dialog::AddContact => add_contact::show(ctx, cx, &mut self.add_contact),
            Dialog::Invitation => invitation::show(ctx, cx, &mut self.invitation),
            Dialog::Verify(contact) => verify::show(ctx, cx, contact, &mut self.verify),
            Dialog::ConfirmBlock(contact) => confirm::block(ctx, cx, contact),
            Dialog::ConfirmReset => confirm::reset(ctx, cx),
            Dialog::Profiles => profiles::show(ctx, cx),
            Dialog::Passphrase => secret::passphrase(ctx, cx, &mut self.passphrase),
            Dialog::RecoveryKey => secret::recovery_key(ctx, cx),
            Dialog::Why | Dialog::Palette | Dialog::Help | Dialog::Settings => return false,
        }
        true
    }

    /// Leaves one dialog, which forgets what it held, and enters another.
    fn turn_to(&mut self, cx: &mut Cx<'_>, open: Option<&Dialog>) {
        match &self.drawn {
            Some(Dialog::AddContact) => cx.act(Action::DropPreview),
            Some(Dialog::Verify(_)) => cx.act(Action::Compare(None)),
            _ => {}
        }
        if let Some(Dialog::Verify(contact)) = open {
            cx.act(Action::Compare(Some(*contact)));
        }
        self.forget(open);
    }

    /// Forgets what dialogs held; `open` is the one that is drawn now.
    fn forget(&mut self, open: Option<&Dialog>) {
        self.add_contact = add_contact::AddContactState::default();
        self.invitation = invitation::InvitationState::default();
        self.verify = verify::VerifyState::default();
        self.passphrase = secret::PassphraseState::default();
        self.drawn = open.cloned();
    }

    /// A link that came from elsewhere, an argument or a picture, opens its dialog once.
    fn follow_link(&mut self, cx: &mut Cx<'_>) {
        let there = cx.view.preview.is_some();
        if there && !self.previewed {
            cx.act(Action::Open(Dialog::AddContact));
        }
        self.previewed = there;
    }
}

#[cfg(test)]
mod tests {
    use egui::{Id, text_edit::TextEditState};

    use super::*;
    use crate::theme::Theme;

    #[test]
    fn a_dialog_that_is_left_keeps_nothing_to_undo_to() {
        let (ctx, view, theme, mut actions) = (egui::Context::default(), View::default(), Theme::light(), Vec::new());
        let mut cx = Cx { view: &view, theme: &theme, actions: &mut actions };
        let mut screens = Screens { drawn: Some(Dialog::Passphrase), ..Screens::default() };
        let field = Id::unique("new-passphrase");
        TextEditState::default().store(&ctx, field);
        screens.dialog(&ctx, &mut cx, None);
        assert!(TextEditState::load(&ctx, field).is_none());
    }
}
