//! The conversations: what to search for, which to show, one row each. Only the rows that are seen are laid out.

mod hits;
mod preview;
mod row;

use egui::{Align, Id, Layout, Popup, Rect, ScrollArea, Ui, vec2};
use sotto_driver::ContactId;

use crate::{
    action::{Action, Dialog},
    cx::Cx,
    icons::Icon,
    keyboard::Command,
    screens,
    when::Calendar,
    widgets,
};

/// What the list remembers between frames.
#[derive(Default)]
pub struct ListState {
    /// The conversation that is open; the app sets it.
    pub open: Option<ContactId>,
    /// What is searched for.
    query: String,
    /// What the backend was asked to search for.
    asked: String,
    /// Only conversations with something new.
    unread_only: bool,
    /// The open conversation whose row was brought into view.
    shown: Option<ContactId>,
}

impl ListState {
    /// Gives the keyboard to the search field.
    pub fn focus_search(&self, ctx: &egui::Context) {
        ctx.memory_mut(|memory| memory.request_focus(search_id()));
    }

    /// Gives the keyboard to a row: the open one's, or else the first.
    pub fn focus_row(&self, ctx: &egui::Context, first: Option<ContactId>) {
        if let Some(contact) = self.open.or(first) {
            ctx.memory_mut(|memory| memory.request_focus(row::id(&contact)));
        }
    }

    /// Forgets what is searched for. Answers whether there was anything.
    pub fn leave_search(&mut self) -> bool {
        !std::mem::take(&mut self.query).is_empty()
    }
}

/// Draws the list over the whole of `ui`; avatars alone where it is narrow.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut ListState) {
    let theme = cx.theme;
    let narrow = ui.max_rect().width() < theme.sizes.list_snap;
    ui.spacing_mut().item_spacing = vec2(theme.sizes.space[1], 0.0);
    header(ui, cx, narrow);
    if !narrow {
        search(ui, cx, state);
    }
    if !state.query.is_empty() && !narrow {
        hits::show(ui, cx, &state.query);
        return;
    }
    if !narrow {
        filters(ui, cx, state);
    }
    cards(ui, cx, narrow);
    rows(ui, cx, state, narrow);
}

fn header(ui: &mut Ui, cx: &mut Cx<'_>, narrow: bool) {
    let theme = cx.theme;
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), theme.sizes.header), egui::Sense::hover());
    let inner = rect.shrink2(vec2(if narrow { 0.0 } else { theme.sizes.space[3] }, 0.0));
    ui.scope_builder(egui::UiBuilder::new().max_rect(inner).layout(Layout::left_to_right(Align::Center)), |ui| {
        if narrow {
            ui.with_layout(Layout::top_down(Align::Center), |ui| {
                ui.add_space(theme.sizes.space[1]);
                add_button(ui, cx);
            });
            return;
        }
        widgets::heading(ui, theme, "Chats");
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 0.0;
            ui.add_space(-theme.sizes.space[1]);
            let more = widgets::icon_button(ui, theme, Icon::More, "More");
            add_button(ui, cx);
            Popup::menu(&more).show(|ui| menu(ui, cx));
        });
    });
}

fn add_button(ui: &mut Ui, cx: &mut Cx<'_>) {
    if widgets::icon_button(ui, cx.theme, Icon::Add, "Add a contact").clicked() {
        cx.act(Action::Open(Dialog::AddContact));
    }
}

fn menu(ui: &mut Ui, cx: &mut Cx<'_>) {
    ui.set_width(220.0);
    let entries = [
        (Icon::Link, "My link", "", Command::Invitation),
        (Icon::People, "Profiles", "", Command::Profiles),
        (Icon::Settings, "Settings", "Ctrl ,", Command::Settings),
        (Icon::Help, "Keys", "Ctrl /", Command::Help),
        (Icon::Lock, "Lock", "Ctrl L", Command::Lock),
    ];
    for (icon, name, keys, command) in entries {
        if widgets::row_button(ui, cx.theme, Some(icon), name, keys, false).clicked() {
            if let Some(action) = command.wish(cx.view, None) {
                cx.act(action);
            }
            ui.close();
        }
    }
}

fn search(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut ListState) {
    let theme = cx.theme;
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 36.0), egui::Sense::hover());
    let rect = rect.shrink2(vec2(theme.sizes.space[2], 0.0));
    let field = widgets::search_field(ui, theme, rect, search_id(), "Search everything", &mut state.query);
    if state.query.is_empty() {
        let keys = if field.has_focus() { "" } else { "Ctrl F" };
        let place = rect.right_center() - vec2(16.0, 0.0);
        let font = crate::theme::regular(theme.sizes.tiny);
        ui.painter().text(place, egui::Align2::RIGHT_CENTER, keys, font, theme.colors.dim);
    } else {
        let place = Rect::from_center_size(rect.right_center() - vec2(20.0, 0.0), vec2(32.0, 32.0));
        ui.scope_builder(egui::UiBuilder::new().max_rect(place), |ui| {
            if widgets::toggle(ui, theme, Icon::Close, "Clear the search", vec2(32.0, 32.0), None).clicked() {
                state.query.clear();
            }
        });
    }
    if state.query != state.asked {
        state.asked.clone_from(&state.query);
        cx.act(Action::Search(state.query.clone()));
    }
}

fn filters(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut ListState) {
    let theme = cx.theme;
    let unread: u64 = cx.view.conversations.iter().map(|conversation| conversation.unread).sum();
    ui.add_space(6.0);
    ui.horizontal(|ui| {
        ui.add_space(theme.sizes.space[2]);
        if widgets::chip(ui, theme, "All", !state.unread_only).clicked() {
            state.unread_only = false;
        }
        let label = if unread == 0 { "Unread".to_owned() } else { format!("Unread {unread}") };
        if widgets::chip(ui, theme, &label, state.unread_only).clicked() {
            state.unread_only = true;
        }
    });
    ui.add_space(6.0);
}

fn cards(ui: &mut Ui, cx: &mut Cx<'_>, narrow: bool) {
    if narrow || cx.view.cards.is_empty() {
        return;
    }
    let margin = egui::Margin { left: 12, right: 12, top: 0, bottom: 8 };
    egui::Frame::new().inner_margin(margin).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = cx.theme.sizes.space[1];
        screens::cards(ui, cx);
    });
}

fn rows(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut ListState, narrow: bool) {
    let theme = cx.theme;
    let conversations = cx.view.conversations.clone();
    let seen = |place: &usize| {
        let conversation = &conversations[*place];
        !state.unread_only || conversation.unread > 0 || Some(conversation.id) == state.open
    };
    let places: Vec<usize> = (0..conversations.len()).filter(seen).collect();
    if places.is_empty() {
        nothing(ui, cx, conversations.is_empty(), narrow);
        return;
    }
    let calendar = Calendar::new(&cx.view.clock);
    let height = theme.sizes.row;
    ScrollArea::vertical().id_salt("conversations").auto_shrink(false).show_rows(
        ui,
        height,
        places.len(),
        |ui, range| {
            let top = ui.min_rect().top() - range.start as f32 * height;
            for place in places[range].iter().copied() {
                row::show(ui, cx, &conversations[place], &calendar, state.open, narrow);
            }
            if state.shown != state.open {
                state.shown = state.open;
                let row = places.iter().position(|place| Some(conversations[*place].id) == state.open);
                if let Some(row) = row {
                    let rect = ui.min_rect();
                    let y = top + row as f32 * height;
                    let rect = Rect::from_x_y_ranges(rect.x_range(), y..=y + height);
                    ui.scroll_to_rect(rect, None);
                }
            }
        },
    );
}

fn nothing(ui: &mut Ui, cx: &mut Cx<'_>, nobody: bool, narrow: bool) {
    if narrow {
        return;
    }
    let theme = cx.theme;
    if nobody && ui.ctx().content_rect().width() < theme.sizes.one_pane {
        // There is no other pane that could say where to begin.
        let area = ui.available_rect_before_wrap();
        return crate::conversation::nothing_chosen(ui, cx, area);
    }
    ui.add_space(theme.sizes.space[4]);
    let text = if nobody { "Nobody here yet." } else { "Nothing new." };
    widgets::centered(ui, theme, text);
}

/// Where the search field keeps its cursor.
#[must_use]
pub fn search_id() -> Id {
    Id::unique("search everything")
}
