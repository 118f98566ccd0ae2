//! Jump to any conversation or command by a few letters: Ctrl+K.

use egui::{Context, Id, Key, Modifiers, ScrollArea, Ui};
use sotto_driver::ContactId;

use crate::{
    action::Action,
    cx::Cx,
    icons::Icon,
    keyboard::{BINDINGS, Binding, Command},
    widgets::{self, Field},
};

/// What the palette remembers while it is open.
#[derive(Default)]
pub struct PaletteState {
    query: String,
    /// Which entry Enter takes.
    at: usize,
    begun: bool,
}

/// One thing to choose.
enum Entry<'a> {
    Chat(ContactId, &'a str),
    Command(&'static Binding),
}

/// Draws the palette over the window.
pub fn show(ctx: &Context, cx: &mut Cx<'_>, state: &mut PaletteState, open: Option<ContactId>) {
    let entries = entries(cx, &state.query, open);
    let taken = keys(ctx, state, entries.len());
    let mut chosen = taken.then_some(state.at);
    let (theme, before) = (cx.theme, state.query.clone());
    let dismissed = widgets::modal(ctx, theme, "Jump to", |ui, width| {
        egui::Frame::new().inner_margin(12).show(ui, |ui| {
            ui.set_width(width - 24.0);
            field(ui, cx, state);
            ui.add_space(8.0);
            ScrollArea::vertical().max_height(360.0).min_scrolled_height(360.0).show(ui, |ui| {
                ui.set_width(ui.available_width());
                for (place, entry) in entries.iter().enumerate() {
                    let row = row(ui, cx, entry, place == state.at);
                    if row.clicked() {
                        chosen = Some(place);
                    }
                    if place == state.at {
                        row.scroll_to_me(None);
                    }
                }
                if entries.is_empty() {
                    widgets::centered(ui, theme, "Nothing by that name.");
                    ui.add_space(12.0);
                }
            });
        });
    });
    if state.query != before {
        state.at = 0;
    }
    if let Some(entry) = chosen.and_then(|place| entries.get(place)) {
        take(cx, entry, open);
    } else if dismissed {
        cx.act(Action::Back);
    }
}

fn field(ui: &mut Ui, cx: &Cx<'_>, state: &mut PaletteState) {
    let id = Id::unique("palette");
    let field = Field {
        id,
        label: "Jump to a chat or command",
        hint: "Jump to a chat or command",
        text: &mut state.query,
        password: false,
        error: None,
    };
    let field = widgets::field(ui, cx.theme, field);
    if !std::mem::replace(&mut state.begun, true) {
        field.request_focus();
    }
}

/// Moves the choice; answers whether it was taken. The keys are gone then: the field must not see them.
fn keys(ctx: &Context, state: &mut PaletteState, count: usize) -> bool {
    ctx.input_mut(|input| {
        if input.consume_key(Modifiers::NONE, Key::ArrowDown) {
            state.at = (state.at + 1).min(count.saturating_sub(1));
        }
        if input.consume_key(Modifiers::NONE, Key::ArrowUp) {
            state.at = state.at.saturating_sub(1);
        }
        state.at = state.at.min(count.saturating_sub(1));
        input.consume_key(Modifiers::NONE, Key::Enter)
    })
}

fn entries<'a>(cx: &Cx<'a>, query: &str, open: Option<ContactId>) -> Vec<Entry<'a>> {
    let view = cx.view;
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let fits = |name: &str| {
        let name = name.to_lowercase();
        words.iter().all(|word| name.contains(word))
    };
    let chats = view.conversations.iter().filter(|conversation| fits(&conversation.name)).take(CHATS_MAX);
    let offered = |binding: &&Binding| {
        binding.command != Command::Palette && fits(binding.name) && binding.command.wish(view, open).is_some()
    };
    let commands = BINDINGS.iter().filter(offered).map(Entry::Command);
    chats.map(|chat| Entry::Chat(chat.id, &chat.name)).chain(commands).collect()
}

fn row(ui: &mut Ui, cx: &Cx<'_>, entry: &Entry<'_>, on: bool) -> egui::Response {
    match entry {
        Entry::Chat(_, name) => widgets::row_button(ui, cx.theme, Some(Icon::Chats), name, "", on),
        Entry::Command(binding) => {
            widgets::row_button(ui, cx.theme, Some(Icon::Command), binding.name, binding.keys, on)
        }
    }
}

fn take(cx: &mut Cx<'_>, entry: &Entry<'_>, open: Option<ContactId>) {
    cx.act(Action::Back);
    match entry {
        Entry::Chat(chat, _) => cx.act(Action::Select(*chat)),
        Entry::Command(binding) => {
            if let Some(action) = binding.command.wish(cx.view, open) {
                cx.act(action);
            }
        }
    }
}

/// More chats than these need another letter.
const CHATS_MAX: usize = 8;
