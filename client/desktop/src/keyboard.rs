//! What the keys do. One table: the window reads it, the help shows it, the palette offers it.

use egui::{Context, Key, KeyboardShortcut, Modifiers};
use sotto_driver::ContactId;

use crate::{
    action::{Action, Dialog, Place},
    preferences::ThemeChoice,
    view::{Anchor, View},
};

/// Something that can be asked for without a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Jump to any conversation or command.
    Palette,
    /// Find in everything.
    Search,
    /// Somebody new.
    AddContact,
    /// Our own link.
    Invitation,
    /// Write.
    Composer,
    /// To the newest message.
    Newest,
    /// Who this is.
    Details,
    /// The conversation above.
    Previous,
    /// The conversation below.
    Next,
    /// The unread conversation above.
    PreviousUnread,
    /// The unread conversation below.
    NextUnread,
    /// One of the first nine, from 0.
    Nth(usize),
    /// The profiles.
    Profiles,
    /// The settings.
    Settings,
    /// The keys.
    Help,
    /// Close the database.
    Lock,
    /// The other theme.
    SwitchTheme,
    /// Larger.
    ZoomIn,
    /// Smaller.
    ZoomOut,
    /// 100 %.
    ZoomReset,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// What is done.
    pub command: Command,
    /// What it is called.
    pub name: &'static str,
    /// The keys as they are written; empty for none.
    pub keys: &'static str,
    /// The keys as they are read.
    shortcut: Option<KeyboardShortcut>,
}

/// What is asked for, by the keys pressed in this frame. They are taken: no field sees them.
#[must_use]
pub fn pressed(ctx: &Context) -> Vec<Command> {
    ctx.input_mut(|input| {
        let mut commands = Vec::new();
        for binding in BINDINGS {
            if binding.shortcut.is_some_and(|shortcut| input.consume_shortcut(&shortcut)) {
                commands.push(binding.command);
            }
        }
        for (place, key) in DIGITS.into_iter().enumerate() {
            if input.consume_shortcut(&KeyboardShortcut::new(Modifiers::COMMAND, key)) {
                commands.push(Command::Nth(place));
            }
        }
        // `Ctrl +` needs Shift on most keyboards, `Ctrl =` is the same key without.
        if input.consume_shortcut(&KeyboardShortcut::new(Modifiers::COMMAND, Key::Equals)) {
            commands.push(Command::ZoomIn);
        }
        commands
    })
}

impl Command {
    /// The wish behind it; none where there is nothing to do. `open` is the conversation that is shown.
    #[must_use]
    pub fn wish(self, view: &View, open: Option<ContactId>) -> Option<Action> {
        let preferences = &view.preferences;
        Some(match self {
            Self::Palette => Action::Open(Dialog::Palette),
            Self::Search => Action::Focus(Place::Search),
            Self::AddContact => Action::Open(Dialog::AddContact),
            Self::Invitation => Action::Open(Dialog::Invitation),
            Self::Composer => open.map(|_| Action::Focus(Place::Composer))?,
            Self::Newest => open.map(|_| Action::MoveWindow(Anchor::Newest))?,
            Self::Details => open.map(|_| Action::ToggleDetails)?,
            Self::Previous => Action::Select(neighbour(view, open, Way::Up, false)?),
            Self::Next => Action::Select(neighbour(view, open, Way::Down, false)?),
            Self::PreviousUnread => Action::Select(neighbour(view, open, Way::Up, true)?),
            Self::NextUnread => Action::Select(neighbour(view, open, Way::Down, true)?),
            Self::Nth(place) => Action::Select(view.conversations.get(place)?.id),
            Self::Profiles => Action::Open(Dialog::Profiles),
            Self::Settings => Action::Open(Dialog::Settings),
            Self::Help => Action::Open(Dialog::Help),
            Self::Lock => Action::Lock,
            Self::SwitchTheme => Action::SetTheme(match preferences.theme {
                ThemeChoice::Dark => ThemeChoice::Light,
                ThemeChoice::System | ThemeChoice::Light => ThemeChoice::Dark,
            }),
            Self::ZoomIn => Action::SetZoom(preferences.zoom.saturating_add(ZOOM_STEP).min(ZOOM_MAX)),
            Self::ZoomOut => Action::SetZoom(preferences.zoom.saturating_sub(ZOOM_STEP).max(ZOOM_MIN)),
            Self::ZoomReset => Action::SetZoom(100),
        })
    }

    /// Whether it makes sense where no profile is open, or while a dialog is.
    #[must_use]
    pub fn anywhere(self) -> bool {
        matches!(self, Self::ZoomIn | Self::ZoomOut | Self::ZoomReset)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

/// The conversation next to the open one; the first or the last where none is open.
fn neighbour(view: &View, open: Option<ContactId>, way: Way, unread: bool) -> Option<ContactId> {
    let all = &view.conversations;
    let fits = |place: &usize| !unread || all[*place].unread > 0;
    let at = open.and_then(|open| all.iter().position(|conversation| conversation.id == open));
    let place = match (at, way) {
        (Some(at), Way::Up) => (0..at).rev().find(fits),
        (Some(at), Way::Down) => (at + 1..all.len()).find(fits),
        (None, Way::Up) => (0..all.len()).rev().find(fits),
        (None, Way::Down) => (0..all.len()).find(fits),
    };
    place.map(|place| all[place].id)
}

const fn keys(command: Command, name: &'static str, keys: &'static str, modifiers: Modifiers, key: Key) -> Binding {
    Binding { command, name, keys, shortcut: Some(KeyboardShortcut::new(modifiers, key)) }
}

const fn named(command: Command, name: &'static str) -> Binding {
    Binding { command, name, keys: "", shortcut: None }
}

const CTRL: Modifiers = Modifiers::COMMAND;
const CTRL_SHIFT: Modifiers = Modifiers::COMMAND.plus(Modifiers::SHIFT);
const ALT: Modifiers = Modifiers::ALT;
const ALT_SHIFT: Modifiers = Modifiers::ALT.plus(Modifiers::SHIFT);

/// Every command with a key or a place in the palette. Those with more modifiers come first: a shortcut also matches where
/// Shift is held besides.
pub const BINDINGS: &[Binding] = &[
    keys(Command::Palette, "Jump to a chat or command", "Ctrl K", CTRL, Key::K),
    keys(Command::Search, "Search everything", "Ctrl F", CTRL, Key::F),
    keys(Command::AddContact, "Add a contact", "Ctrl N", CTRL, Key::N),
    named(Command::Invitation, "Show my link"),
    keys(Command::PreviousUnread, "Unread chat above", "Alt Shift ↑", ALT_SHIFT, Key::ArrowUp),
    keys(Command::NextUnread, "Unread chat below", "Alt Shift ↓", ALT_SHIFT, Key::ArrowDown),
    keys(Command::Previous, "Chat above", "Alt ↑", ALT, Key::ArrowUp),
    keys(Command::Next, "Chat below", "Alt ↓", ALT, Key::ArrowDown),
    keys(Command::Composer, "Write a message", "Ctrl Shift T", CTRL_SHIFT, Key::T),
    keys(Command::Newest, "Go to the newest message", "Ctrl J", CTRL, Key::J),
    keys(Command::Details, "Show or hide details", "Ctrl D", CTRL, Key::D),
    named(Command::Profiles, "Profiles"),
    keys(Command::Lock, "Lock", "Ctrl L", CTRL, Key::L),
    keys(Command::Settings, "Settings", "Ctrl ,", CTRL, Key::Comma),
    named(Command::SwitchTheme, "Switch between light and dark"),
    keys(Command::ZoomIn, "Larger", "Ctrl +", CTRL, Key::Plus),
    keys(Command::ZoomOut, "Smaller", "Ctrl -", CTRL, Key::Minus),
    keys(Command::ZoomReset, "Normal size", "Ctrl 0", CTRL, Key::Num0),
    keys(Command::Help, "Keys", "Ctrl /", CTRL, Key::Slash),
];

const DIGITS: [Key; 9] =
    [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7, Key::Num8, Key::Num9];
/// Percent a step.
const ZOOM_STEP: u16 = 10;
/// Percent at least.
pub const ZOOM_MIN: u16 = 80;
/// Percent at most.
pub const ZOOM_MAX: u16 = 200;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use egui::{Event, RawInput};
    use sotto_driver::ContactState;

    use super::*;
    use crate::view::Conversation;

    fn person(byte: u8, unread: u64) -> Conversation {
        Conversation {
            id: ContactId::from([byte; 32]),
            name: format!("person {byte}"),
            state: ContactState::Connected,
            verified: false,
            held: false,
            offered: None,
            unread,
            last: None,
            draft: String::new(),
            typing: false,
            request_text: None,
            safety_number: String::new(),
        }
    }

    fn view() -> View {
        let conversations = Arc::new(vec![person(1, 0), person(2, 0), person(3, 4), person(4, 0)]);
        View { conversations, ..View::default() }
    }

    fn selected(command: Command, open: Option<u8>) -> Option<u8> {
        match command.wish(&view(), open.map(|byte| ContactId::from([byte; 32]))) {
            Some(Action::Select(chat)) => Some(chat.as_bytes()[0]),
            _ => None,
        }
    }

    fn pressed_with(modifiers: Modifiers, key: Key) -> Vec<Command> {
        let ctx = Context::default();
        let event = Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers };
        ctx.begin_pass(RawInput { events: vec![event], ..RawInput::default() });
        let commands = pressed(&ctx);
        ctx.end_pass().drop_without_applying_deltas();
        commands
    }

    #[test]
    fn the_next_chat_is_the_one_below_and_the_last_has_none() {
        assert_eq!(selected(Command::Next, Some(1)), Some(2));
        assert_eq!(selected(Command::Next, Some(4)), None);
        assert_eq!(selected(Command::Next, None), Some(1));
        assert_eq!(selected(Command::Previous, None), Some(4));
    }

    #[test]
    fn the_next_unread_chat_skips_the_others() {
        assert_eq!(selected(Command::NextUnread, Some(1)), Some(3));
        assert_eq!(selected(Command::NextUnread, Some(3)), None);
        assert_eq!(selected(Command::PreviousUnread, Some(4)), Some(3));
    }

    #[test]
    fn a_key_with_shift_is_not_the_one_without() {
        assert_eq!(pressed_with(ALT, Key::ArrowDown), [Command::Next]);
        assert_eq!(pressed_with(ALT_SHIFT, Key::ArrowDown), [Command::NextUnread]);
        assert_eq!(pressed_with(CTRL, Key::Num3), [Command::Nth(2)]);
        assert_eq!(pressed_with(CTRL_SHIFT, Key::Plus), [Command::ZoomIn]);
    }

    #[test]
    fn no_two_commands_share_a_key() {
        let keys: Vec<_> = BINDINGS.iter().filter_map(|binding| binding.shortcut).collect();
        for (place, shortcut) in keys.iter().enumerate() {
            assert!(!keys[..place].contains(shortcut), "{shortcut:?} is there twice");
        }
    }

    #[test]
    fn zoom_stays_between_its_ends() {
        let mut view = view();
        view.preferences.zoom = ZOOM_MAX;
        assert!(matches!(Command::ZoomIn.wish(&view, None), Some(Action::SetZoom(ZOOM_MAX))));
        view.preferences.zoom = ZOOM_MIN;
        assert!(matches!(Command::ZoomOut.wish(&view, None), Some(Action::SetZoom(ZOOM_MIN))));
    }
}
