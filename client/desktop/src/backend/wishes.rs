//! What a person wishes, done: each wish becomes an intent, a look at the database, or a setting.

use sotto_driver::{ClientError, ContactId, ContentId, Intent};

use super::{
    desk::{Desk, Done, Held},
    open::Open,
    why,
    window::Window,
};
use crate::{
    action::{Action, Card},
    update::Update,
    view::{Anchor, Hit, Search},
};

/// Hits that are shown.
const HITS_MAX: usize = 50;
/// Signs of a hit before the word that was looked for, and in all.
const HIT_CHARS_BEFORE: usize = 30;
const HIT_CHARS: usize = 120;

impl Desk {
    pub(super) async fn act(&mut self, action: Action) {
        match action {
            // The window's own.
            Action::Open(_)
            | Action::Back
            | Action::ToggleDetails
            | Action::Focus(_)
            | Action::Copy(_)
            | Action::Toast(_)
            | Action::Quit => {}
            Action::CreateProfile { name, relay, passphrase, proxy } => {
                self.create(&name, &relay, passphrase, proxy.as_deref()).await;
            }
            Action::Unlock(text) => self.unlock(text),
            Action::Lock => self.lock().await,
            Action::SwitchProfile(profile) => self.switch(profile).await,
            Action::NewProfile => self.another().await,
            Action::AddPassphrase(text) => self.add_passphrase(text).await,
            Action::NewRecoveryKey => self.new_recovery_key().await,
            Action::DismissCard(card) => self.dismiss(card),
            Action::PreviewLink(link) => self.preview_pasted(&link),
            Action::ReadPicture(source) => self.read_picture(source),
            Action::ChoosePicture => self.choose_picture(),
            Action::DropPreview => self.drop_preview(),
            Action::Connect { text } => self.connect(text).await,
            Action::Accept(contact) => self.intend(Intent::Accept { contact }, &contact).await,
            Action::Decline(contact) => self.leave(Intent::Decline { contact }, &contact).await,
            Action::Block(contact) => self.intend(Intent::Block { contact }, &contact).await,
            Action::Compare(contact) => self.compare(contact),
            Action::Verify(contact) => self.verify(contact).await,
            Action::GoOn(contact, offered) => self.go_on(contact, offered).await,
            Action::Invite { once } => self.invite(once),
            Action::ResetAddress => self.reset_address().await,
            Action::SwitchAddress(on) => self.switch_address(on).await,
            Action::Select(chat) => self.select(chat),
            Action::Deselect => self.deselect(),
            Action::MoveWindow(anchor) => self.move_window(anchor),
            Action::Send { chat, text } => self.send(chat, text).await,
            Action::SaveDraft { chat, text } => self.save_draft(chat, text).await,
            Action::Typing { chat, active } => self.typing(chat, active).await,
            Action::MarkRead(contact) => self.mark_read(contact).await,
            Action::Retry => self.retry().await,
            Action::Why { chat: _, message } => self.why(message),
            Action::Search(query) => self.search(query),
            Action::SetTheme(theme) => self.prefer(|preferences| preferences.theme = theme),
            Action::SetZoom(zoom) => self.prefer(|preferences| preferences.zoom = zoom.clamp(80, 200)),
            Action::SetReducedMotion(reduced) => self.prefer(|preferences| preferences.reduced_motion = reduced),
            Action::SetName(name) => self.set_name(name).await,
            Action::SetProxy(proxy) => self.set_proxy(proxy).await,
            Action::SetRelays(relays) => self.set_relays(relays).await,
            Action::WindowFocused(focused) => self.window_focused(focused),
        }
    }

    pub(super) fn open(&mut self) -> Option<&mut Open> {
        match &mut self.held {
            Held::Open(open) => Some(open),
            Held::Nothing | Held::Unfinished(_) | Held::Locked(..) => None,
        }
    }

    /// Carries out an intent; what went wrong is said at the bottom. Says whether it was done.
    pub(super) async fn intent(&mut self, intent: Intent) -> bool {
        let Some(open) = self.open() else { return false };
        let answer = open.client.intent(intent).await;
        match answer {
            Ok(_) => true,
            Err(error) => {
                self.fail(&error);
                false
            }
        }
    }

    /// An intent about a contact, whose row is drawn anew.
    pub(super) async fn intend(&mut self, intent: Intent, contact: &ContactId) {
        self.intent(intent).await;
        if let Some(open) = self.open() {
            open.stale.chats.insert(*contact);
        }
        self.show_now();
    }

    /// An intent after which a conversation is gone.
    async fn leave(&mut self, intent: Intent, contact: &ContactId) {
        if self.open().is_some_and(|open| open.window.as_ref().is_some_and(|window| window.chat() == *contact)) {
            self.deselect();
        }
        self.intend(intent, contact).await;
    }

    async fn verify(&mut self, contact: ContactId) {
        let number = self.open().and_then(|open| open.list.get(&contact).map(|found| found.safety_number.clone()));
        let Some(number) = number else { return };
        self.intend(Intent::Verify { contact, number }, &contact).await;
    }

    fn select(&mut self, chat: ContactId) {
        let Some(open) = self.open() else { return };
        let unread = open.list.get(&chat).map_or(0, |conversation| conversation.unread);
        open.wish += 1;
        let window = Window::open(&open.client, chat, unread, open.wish);
        match window {
            Ok(window) => {
                let timeline = window.timeline();
                open.window = Some(window);
                self.tell([Update::Timeline(Some(timeline))]);
            }
            Err(error) => self.fail(&error),
        }
    }

    fn deselect(&mut self) {
        if let Some(open) = self.open() {
            open.window = None;
        }
        self.tell([Update::Timeline(None)]);
    }

    fn move_window(&mut self, anchor: Anchor) {
        let Some(open) = self.open() else { return };
        let Some(window) = &mut open.window else { return };
        let moved = window.go(&open.client, anchor);
        open.wish = window.wish();
        let timeline = window.timeline();
        match moved {
            Ok(()) => self.tell([Update::Timeline(Some(timeline))]),
            Err(error) => self.fail(&error),
        }
    }

    /// What could not be sent becomes the draft again.
    async fn send(&mut self, chat: ContactId, text: String) {
        let kept = text.clone();
        let sent = self.intent(Intent::Send { contact: chat, text, idempotency_key: None }).await;
        self.save_draft(chat, if sent { String::new() } else { kept }).await;
        let Some(open) = self.open() else { return };
        open.stale.chats.insert(chat);
        open.stale.network = true;
        if let Some(window) = open.window.as_ref().filter(|window| sent && window.chat() == chat) {
            if window.at_end() {
                open.stale.window = true;
            } else {
                self.move_window(Anchor::Newest);
            }
        }
        self.show_now();
    }

    async fn save_draft(&mut self, contact: ContactId, text: String) {
        let Some(open) = self.open() else { return };
        if open.list.get(&contact).is_none_or(|conversation| conversation.draft == text) {
            return;
        }
        if self.intent(Intent::SetDraft { contact, text: text.clone() }).await
            && let Some(open) = self.open()
        {
            if let Some(conversation) = open.list.get_mut(&contact) {
                conversation.draft = text;
            }
            open.stale.order = true;
        }
    }

    /// Whether it was told matters to nobody.
    async fn typing(&mut self, contact: ContactId, active: bool) {
        if let Some(open) = self.open() {
            let _lost = open.client.intent(Intent::Typing { contact, active }).await;
        }
    }

    async fn mark_read(&mut self, contact: ContactId) {
        let unread = self.open().and_then(|open| open.list.get(&contact).map(|conversation| conversation.unread));
        if unread.is_some_and(|unread| unread > 0) {
            self.intend(Intent::MarkRead { contact }, &contact).await;
        }
    }

    async fn retry(&mut self) {
        if let Some(open) = self.open() {
            open.client.hurry().await;
            open.stale.network = true;
        }
    }

    fn why(&mut self, message: ContentId) {
        let Some(open) = self.open() else { return };
        open.why = Some(message);
        let found = why::why(&open.client, &message);
        match found {
            Ok(found) => self.tell([Update::Why(found)]),
            Err(error) => self.fail(&error),
        }
    }

    /// Looks for messages on a thread for that; of queries typed meanwhile only the last is looked for.
    fn search(&mut self, query: String) {
        let searching = self.searching;
        let Some(open) = self.open() else { return };
        open.query.clone_from(&query);
        if query.trim().is_empty() {
            return self.tell([Update::Search(None)]);
        }
        if searching {
            return;
        }
        let client = std::sync::Arc::clone(&open.client);
        self.searching = true;
        self.elsewhere(move || {
            let found = client.search(&query, HITS_MAX);
            let hits = found.map(|found| {
                let hit = |message: sotto_driver::MessageView| Hit {
                    chat: message.chat,
                    name: String::new(),
                    message: message.id,
                    text: piece(&message.text, &query),
                    time: message.time.millis(),
                };
                let mut hits: Vec<_> = found.into_iter().map(hit).collect();
                hits.sort_by_key(|hit| std::cmp::Reverse(hit.time));
                hits
            });
            Done::Found(query, hits)
        });
    }

    pub(super) fn found(&mut self, query: String, hits: Result<Vec<Hit>, ClientError>) {
        self.searching = false;
        let Some(open) = self.open() else { return };
        let wanted = open.query.clone();
        if wanted != query {
            return self.search(wanted);
        }
        match hits {
            Ok(mut hits) => {
                for hit in &mut hits {
                    hit.name = open.list.get(&hit.chat).map(|found| found.name.clone()).unwrap_or_default();
                }
                self.tell([Update::Search(Some(Search { query, hits }))]);
            }
            Err(error) => self.fail(&error),
        }
    }

    fn prefer(&mut self, change: impl FnOnce(&mut crate::preferences::Preferences)) {
        change(&mut self.preferences);
        self.save_preferences();
    }

    async fn set_name(&mut self, name: String) {
        if self.intent(Intent::SetName { name: name.trim().to_owned() }).await {
            self.account_changed();
            self.tell_profiles();
        }
    }

    pub(super) fn dismiss(&mut self, card: Card) {
        if card == Card::RecoveryKey {
            self.recovery = None;
            self.tell([Update::RecoveryKey(None)]);
        }
        if let Some(open) = self.open() {
            open.put_away(card);
        }
        self.preferences.note_put_away(&self.profile, card);
        self.save_preferences();
        self.show_now();
    }

    fn window_focused(&mut self, focused: bool) {
        self.focused = focused;
        if focused {
            self.quiet();
        }
    }
}

/// A piece of a text in which a word of the query is seen.
fn piece(text: &str, query: &str) -> String {
    let small = text.to_lowercase();
    let found = query.split_whitespace().find_map(|word| small.find(&word.to_lowercase())).unwrap_or(0);
    // Counted in signs: small letters may be longer than large ones.
    let before = small.get(..found).map_or(0, |before| before.chars().count());
    let skipped = before.saturating_sub(HIT_CHARS_BEFORE);
    let cut: String = text.chars().skip(skipped).take(HIT_CHARS).collect();
    let cut = cut.replace(['\n', '\r'], " ");
    if skipped > 0 { format!("…{cut}") } else { cut }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_shows_what_was_looked_for() {
        let text = format!("{}the Lighthouse stands\non a rock", "before ".repeat(40));
        let piece = piece(&text, "lighthouse");
        assert!(piece.starts_with('…') && piece.contains("the Lighthouse stands on a rock"), "{piece}");
        assert_eq!(super::piece("short", "ort"), "short");
    }
}
