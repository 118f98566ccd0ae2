//! What becomes of a wish: the window grants what concerns it alone, the rest goes to the backend.

use egui::Context;
use sotto_driver::ContactId;

use super::{App, close};
use crate::{
    action::{Action, Dialog, Place},
    view::{Stage, Toast},
};

impl App {
    /// Grants one wish.
    pub(super) fn grant(&mut self, ctx: &Context, action: Action) {
        match &action {
            Action::Open(dialog) => return self.open_dialog(dialog.clone()),
            Action::Back => return self.back(ctx),
            Action::ToggleDetails => {
                self.details = !self.details && self.open.is_some();
                return;
            }
            Action::Focus(place) => return self.focus(ctx, *place),
            Action::Copy(text) => {
                ctx.copy_text(text.clone());
                self.view.say(Toast { text: "Copied.".to_owned(), error: false });
                return;
            }
            Action::Toast(toast) => {
                self.view.say(toast.clone());
                return;
            }
            Action::Select(chat) => self.choose(ctx, Some(*chat)),
            Action::Deselect => self.choose(ctx, None),
            // There is nothing to close, or nowhere else to go.
            Action::Lock if self.view.stage != Stage::Open => return,
            Action::SwitchProfile(path) if self.view.stage == Stage::Open && self.is_here(path) => return,
            Action::Lock | Action::SwitchProfile(_) | Action::NewProfile if self.view.stage == Stage::Open => {
                self.put_down();
                self.shut(ctx);
            }
            // Seen at once: the backend keeps them, and says them again.
            Action::SetTheme(theme) => self.view.preferences.theme = *theme,
            Action::SetZoom(percent) => self.view.preferences.zoom = *percent,
            Action::SetReducedMotion(reduced) => self.view.preferences.reduced_motion = *reduced,
            Action::Quit => close(ctx),
            _ => {}
        }
        self.backend.send(action);
    }

    fn is_here(&self, profile: &std::path::Path) -> bool {
        self.view.profiles.iter().any(|known| known.current && known.path == profile)
    }

    fn open_dialog(&mut self, dialog: Dialog) {
        // A jump to another command leaves the palette; other dialogs stay below the new one.
        self.dialogs.retain(|open| *open != Dialog::Palette && *open != dialog);
        self.dialogs.push(dialog);
    }

    /// Unwinds one layer: dialog, search, details, conversation.
    fn back(&mut self, ctx: &Context) {
        if self.dialogs.pop().is_some() {
            if self.dialogs.is_empty() {
                self.settings = crate::settings::SettingsState::default();
            }
        } else if self.list.leave_search() {
            self.backend.send(Action::Search(String::new()));
            crate::widgets::wipe_undo(ctx, crate::list::search_id());
        } else if self.conversation.timeline.clear_selection() {
            // What was selected is the uppermost layer of the conversation.
        } else if self.details {
            self.details = false;
        } else if self.open.is_some() {
            self.choose(ctx, None);
            self.backend.send(Action::Deselect);
        }
    }

    fn choose(&mut self, ctx: &Context, chat: Option<ContactId>) {
        if self.open == chat {
            return;
        }
        self.choosing = true;
        self.open = chat;
        match chat {
            Some(chat) => {
                self.conversation.open(chat, ctx.input(|input| input.time));
                // Whoever opens a conversation means to write next.
                self.conversation.composer.focus();
            }
            None => {
                self.details = false;
                self.view.timeline = None;
            }
        }
    }

    /// Before the profile is closed: what is written is kept, the rest is forgotten.
    pub(super) fn put_down(&mut self) {
        let mut actions = Vec::new();
        self.conversation.close(&mut actions);
        for action in actions {
            self.backend.send(action);
        }
    }

    fn focus(&mut self, ctx: &Context, place: Place) {
        match place {
            Place::Search => {
                // Avatars alone have no field, and a single pane may show a conversation instead.
                self.list_width = self.list_width.max(self.theme.sizes.list_min);
                if ctx.content_rect().width() < self.theme.sizes.one_pane && self.open.is_some() {
                    self.choose(ctx, None);
                    self.backend.send(Action::Deselect);
                }
                self.list.focus_search(ctx);
            }
            Place::List => {
                let first = self.view.conversations.first().map(|conversation| conversation.id);
                self.list.focus_row(ctx, first);
            }
            Place::Composer => self.conversation.composer.focus(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use egui::{Id, text_edit::TextEditState};

    use super::*;
    use crate::{
        backend::Backend,
        composer,
        update::Update,
        view::{Account, Locked, Profile, View},
    };

    fn open() -> View {
        let id = ContactId::from([1; 32]);
        let account = Account {
            id,
            name: "Alice".to_owned(),
            relays: Vec::new(),
            proxy: None,
            address_on: true,
            has_passphrase: true,
        };
        let profile = Profile { label: "Alice".to_owned(), path: "/home/alice".into(), current: true };
        View { stage: Stage::Open, account: Some(account), profiles: vec![profile], ..View::default() }
    }

    fn remembers(ctx: &Context, id: Id) -> bool {
        TextEditState::load(ctx, id).is_some()
    }

    #[test]
    fn a_lock_hides_everything_before_the_backend_has_answered() {
        let ctx = Context::default();
        let (backend, mut counterpart) = Backend::pair();
        let mut app = App::with_view(&ctx, backend, open());
        let fields = [composer::id(), crate::list::search_id(), Id::unique("new-passphrase")];
        for id in fields {
            TextEditState::default().store(&ctx, id);
        }
        app.grant(&ctx, Action::Lock);
        assert!(matches!(counterpart.actions.try_recv(), Ok(Action::Lock)));
        assert!(app.view.stage == Stage::Starting && app.view.account.is_none() && app.view.profiles.is_empty());
        assert!(fields.iter().all(|id| !remembers(&ctx, *id)));

        // What was on its way is not drawn, and one lock is enough.
        counterpart.tell([Update::Stage(Stage::Open), Update::Account(open().account)]);
        app.listen();
        app.grant(&ctx, Action::Lock);
        assert!(app.view.stage == Stage::Starting && app.view.account.is_none());
        assert!(counterpart.actions.try_recv().is_err());

        counterpart.tell([Update::Stage(Stage::Locked(Locked::default()))]);
        app.listen();
        assert_eq!(app.view.stage, Stage::Locked(Locked::default()));
        let opened =
            [Update::Stage(Stage::Open), Update::Conversations(Arc::default()), Update::Account(open().account)];
        counterpart.tell(opened);
        app.listen();
        assert!(app.view.stage == Stage::Open && app.view.account.is_some());
    }

    #[test]
    fn going_where_one_is_already_closes_nothing() {
        let ctx = Context::default();
        let (backend, mut counterpart) = Backend::pair();
        let mut app = App::with_view(&ctx, backend, open());
        app.grant(&ctx, Action::SwitchProfile("/home/alice".into()));
        assert!(app.view.stage == Stage::Open && counterpart.actions.try_recv().is_err());
        app.grant(&ctx, Action::SwitchProfile("/home/alice/second".into()));
        assert!(app.view.stage == Stage::Starting && counterpart.actions.try_recv().is_ok());
    }
}
