//! The conversation pane: who it is with, what is wrong, the timeline, and at the bottom the composer or what has to be
//! decided first.

use egui::{Align, Align2, Event, Id, Layout, Rect, Role, Sense, Ui, UiBuilder, WidgetInfo, pos2, vec2};
use sotto_driver::{ContactId, ContactState};

use crate::{
    action::{Action, Dialog, Place},
    composer::{self, ComposerState},
    cx::Cx,
    icons::Icon,
    theme::{regular, semibold},
    timeline::{self, TimelineState},
    view::Conversation,
    widgets::{self, Kind},
};

/// What the pane remembers from frame to frame.
#[derive(Default)]
pub struct ConversationState {
    /// The rows.
    pub timeline: TimelineState,
    /// What is written.
    pub composer: ComposerState,
    /// There is one pane: the header leads back to the list.
    pub one_pane: bool,
    /// What was chosen and is not loaded, and since when in seconds of egui's clock.
    opening: Option<(ContactId, f64)>,
}

impl ConversationState {
    /// A conversation was chosen: until its rows come, skeletons stand for them.
    pub fn open(&mut self, chat: ContactId, now_secs: f64) {
        self.opening = Some((chat, now_secs));
        self.composer.focus();
    }

    /// Saves what is written and forgets the rest: before a lock, another profile, the end.
    pub fn close(&mut self, actions: &mut Vec<Action>) {
        self.composer.leave(actions);
        self.timeline.forget();
        self.opening = None;
    }
}

/// Shows the pane in all of the space that is left.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut ConversationState) {
    let view = cx.view;
    let loaded = view.timeline.as_ref().map(|timeline| timeline.chat);
    state.opening = state.opening.filter(|(chat, _)| loaded != Some(*chat));
    let chat = state.opening.map(|(chat, _)| chat).or(loaded);
    let conversation = chat.and_then(|chat| view.conversations.iter().find(|other| other.id == chat));
    let area = ui.available_rect_before_wrap();
    ui.advance_cursor_after_rect(area);
    ui.painter().rect_filled(area, 0.0, cx.theme.colors.background);
    let Some(conversation) = conversation else {
        state.close(cx.actions);
        widgets::wipe_undo(ui.ctx(), composer::id());
        return nothing_chosen(ui, cx, area);
    };
    if typed_over_timeline(ui) {
        state.composer.focus();
    }
    let mut rest = area;
    header(ui, cx, conversation, state.one_pane, cut_top(&mut rest, cx.theme.sizes.header));
    strips(ui, cx, conversation, &mut rest);
    if bottom(ui, cx, conversation, state, &mut rest) {
        state.timeline.jump();
    }
    let mut middle = child(ui, rest, "timeline");
    match state.opening {
        Some((_, since)) => skeletons(&mut middle, cx, since, rest),
        None => timeline::show(&mut middle, cx, &mut state.timeline),
    }
    if state.opening.is_none() && view.timeline.as_ref().is_some_and(|timeline| timeline.rows.is_empty()) {
        nothing_said(ui, cx, conversation, rest);
    }
}

/// Who reads and begins to type means the composer.
fn typed_over_timeline(ui: &Ui) -> bool {
    ui.memory(|memory| memory.has_focus(timeline::id()))
        && ui.input(|input| input.events.iter().any(|event| matches!(event, Event::Text(_) | Event::Paste(_))))
}

fn cut_top(rest: &mut Rect, height: f32) -> Rect {
    let top = Rect::from_min_size(rest.min, vec2(rest.width(), height));
    rest.min.y = top.bottom().min(rest.bottom());
    top
}

fn cut_bottom(rest: &mut Rect, height: f32) -> Rect {
    let bottom = Rect::from_min_max(pos2(rest.left(), (rest.bottom() - height).max(rest.top())), rest.max);
    rest.max.y = bottom.top();
    bottom
}

/// A part of the pane, clipped to its place.
fn child(ui: &mut Ui, rect: Rect, salt: &str) -> Ui {
    let mut child = ui.new_child(UiBuilder::new().id_salt(salt).max_rect(rect));
    child.set_clip_rect(rect.intersect(ui.clip_rect()));
    child
}

fn header(ui: &mut Ui, cx: &mut Cx<'_>, conversation: &Conversation, one_pane: bool, rect: Rect) {
    let (colors, sizes) = (&cx.theme.colors, &cx.theme.sizes);
    ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, (1.0, colors.border));
    let mut ui = child(ui, rect.shrink2(vec2(sizes.space[2], 0.0)), "header");
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        if widgets::icon_button(ui, cx.theme, Icon::Info, "Details").clicked() {
            cx.act(Action::ToggleDetails);
        }
        if widgets::icon_button(ui, cx.theme, Icon::Search, "Search").clicked() {
            cx.act(Action::Focus(Place::Search));
        }
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            if one_pane && widgets::icon_button(ui, cx.theme, Icon::Back, "Back to chats").clicked() {
                cx.act(Action::Back);
            }
            ui.add_space(sizes.space[0]);
            who(ui, cx, conversation);
        });
    });
}

/// Avatar, name, shield and state: one button that leads to the details, and one that leads to the safety number.
fn who(ui: &mut Ui, cx: &mut Cx<'_>, conversation: &Conversation) {
    let (colors, sizes) = (&cx.theme.colors, &cx.theme.sizes);
    widgets::avatar(ui, cx.theme, &conversation.name, conversation.id.as_bytes(), AVATAR);
    ui.add_space(sizes.space[0]);
    let room = vec2((ui.available_width() - sizes.space[1]).max(0.0), sizes.header - 8.0);
    let (rect, response) = ui.allocate_exact_size(room, Sense::hover());
    let (state, busy) = state_words(conversation);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{}, {state}", conversation.name)));
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    let name = elided(&painter, &conversation.name, semibold(sizes.body), colors.text, rect.width() - SHIELD - 12.0);
    let at = pos2(rect.left(), rect.center().y - name.size().y - 0.5);
    let shield = pos2(at.x + name.size().x + 6.0 + SHIELD / 2.0, at.y + name.size().y / 2.0);
    painter.galley(at, name, colors.text);
    let color = if busy { colors.accent } else { colors.secondary };
    let state = elided(&painter, state, regular(sizes.caption), color, rect.width());
    painter.galley(pos2(rect.left(), rect.center().y + 2.5), state, color);
    shield_button(ui, cx, conversation, shield);
}

fn shield_button(ui: &Ui, cx: &mut Cx<'_>, conversation: &Conversation, center: egui::Pos2) {
    let colors = &cx.theme.colors;
    let (icon, color, words) = if conversation.verified {
        (Icon::ShieldFilled, colors.success, "Verified: you compared the safety number")
    } else {
        (Icon::Shield, colors.dim, "Not verified: compare the safety number")
    };
    let side = cx.theme.sizes.hit;
    let response =
        ui.interact(Rect::from_center_size(center, vec2(side, side)), ui.scope_id().with("shield"), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, words));
    icon.paint_at(ui.painter(), center, SHIELD, color);
    widgets::focus_ring(ui, cx.theme, &response, cx.theme.sizes.radius[1]);
    if response.on_hover_text(words).clicked() {
        cx.act(Action::Open(Dialog::Verify(conversation.id)));
    }
}

/// What is said under the name, and whether it is about now.
fn state_words(conversation: &Conversation) -> (&'static str, bool) {
    if conversation.typing {
        return ("typing…", true);
    }
    let words = match conversation.state {
        ContactState::Connecting => "Preparing your request",
        ContactState::Requested => "Request sent, not answered yet",
        ContactState::Incoming => "Wants to talk to you",
        ContactState::Connected if conversation.held => "Sending is paused",
        ContactState::Connected => "End-to-end encrypted",
        ContactState::Declined => "You declined their request",
        ContactState::Blocked => "Blocked",
        ContactState::LinkDead => "Their link leads nowhere",
        ContactState::Unreachable => "Cannot be reached",
        ContactState::LinkForged => "Their link was forged or damaged",
    };
    (words, false)
}

/// What is wrong, from the least to the worst, under the header.
fn strips(ui: &mut Ui, cx: &mut Cx<'_>, conversation: &Conversation, rest: &mut Rect) {
    let (view, colors, sizes) = (cx.view, &cx.theme.colors, &cx.theme.sizes);
    if !view.network.online {
        let rect = cut_top(rest, sizes.strip);
        ui.painter().rect_filled(rect, 0.0, colors.sidebar);
        let words = offline_words(view.network.waiting);
        let response = ui.interact(rect, ui.scope_id().with("offline"), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &words));
        let font = regular(sizes.caption);
        ui.painter().text(rect.center(), Align2::CENTER_CENTER, words, font, colors.secondary);
        if let Some(problem) = &view.network.problem {
            response.on_hover_text(problem);
        }
    }
    if let Some(trouble) = &view.network.storage {
        banner(ui, cx, Icon::Warning, trouble, &[], cut_top(rest, sizes.banner));
    }
    if conversation.held {
        let words = format!("{}'s identity is in doubt. Sending is paused.", conversation.name);
        let rect = cut_top(rest, sizes.banner);
        match banner(ui, cx, Icon::Shield, &words, &["Review", "Go on"], rect) {
            Some(0) => cx.act(Action::Open(Dialog::Verify(conversation.id))),
            Some(_) => cx.act(Action::GoOn(conversation.id, conversation.offered)),
            None => {}
        }
    }
}

fn offline_words(waiting: u64) -> String {
    match waiting {
        0 => "Offline".to_owned(),
        1 => "Offline. 1 message waiting".to_owned(),
        more => format!("Offline. {more} messages waiting"),
    }
}

/// An amber band with words to press at its right; which was pressed.
fn banner(ui: &mut Ui, cx: &Cx<'_>, icon: Icon, words: &str, choices: &[&str], rect: Rect) -> Option<usize> {
    let (colors, sizes) = (&cx.theme.colors, &cx.theme.sizes);
    ui.painter().rect_filled(rect, 0.0, colors.warning_background);
    icon.paint_at(ui.painter(), pos2(rect.left() + 27.0, rect.center().y), 18.0, colors.warning_text);
    let mut pressed = None;
    let mut right = rect.right() - sizes.space[3];
    for (index, label) in choices.iter().enumerate() {
        let font = semibold(sizes.small);
        let galley = ui.painter().layout_no_wrap((*label).to_owned(), font, colors.warning_text);
        let size = vec2(galley.size().x + sizes.space[3], sizes.hit);
        let hit = Rect::from_min_size(pos2(right - size.x, rect.center().y - size.y / 2.0), size);
        let response = ui.interact(hit, ui.scope_id().with(("banner", *label)), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, *label));
        ui.painter().galley(hit.center() - galley.size() / 2.0, galley, colors.warning_text);
        widgets::focus_ring(ui, cx.theme, &response, sizes.radius[1]);
        if response.on_hover_cursor(egui::CursorIcon::PointingHand).clicked() {
            pressed = Some(index);
        }
        right = hit.left();
    }
    let said = ui.interact(rect, ui.scope_id().with(("banner", words)), Sense::hover());
    said.widget_info(|| WidgetInfo::labeled(Role::Label, true, words));
    let left = rect.left() + 48.0;
    let text = elided(ui.painter(), words, regular(sizes.small), colors.warning_text, right - left - 8.0);
    let at = pos2(left, rect.center().y - text.size().y / 2.0);
    let cut = text.elided;
    ui.painter().galley(at, text, colors.warning_text);
    if cut {
        said.on_hover_text(words);
    }
    pressed
}

/// The composer, or what stands in its place. Whether something was sent.
fn bottom(
    ui: &mut Ui,
    cx: &mut Cx<'_>,
    conversation: &Conversation,
    state: &mut ConversationState,
    rest: &mut Rect,
) -> bool {
    match conversation.state {
        ContactState::Connecting | ContactState::Requested | ContactState::Connected => {
            let height = state.composer.height(ui, cx.theme, rest.width());
            let mut ui = child(ui, cut_bottom(rest, height), "composer");
            composer::show(&mut ui, cx, conversation, &mut state.composer)
        }
        ContactState::Incoming => request_bar(ui, cx, conversation, rest),
        ContactState::Declined => {
            let words = "You declined this request. They do not know.";
            ended_bar(ui, cx, words, "Accept after all", Action::Accept(conversation.id), rest)
        }
        ContactState::Blocked => {
            let words = format!("You blocked {}. Nothing they send reaches you.", conversation.name);
            said_bar(ui, cx, &words, rest)
        }
        ContactState::LinkDead => {
            let words =
                "This link leads nowhere: it was used up, reset or switched off. Nothing was sent. Ask for a new one.";
            ended_bar(ui, cx, words, "Use another link", Action::Open(Dialog::AddContact), rest)
        }
        ContactState::Unreachable => {
            let words =
                format!("{}'s mailbox is gone. What you wrote is kept here. Ask for a new link.", conversation.name);
            ended_bar(ui, cx, &words, "Use another link", Action::Open(Dialog::AddContact), rest)
        }
        ContactState::LinkForged => {
            let words = "What this link led to was forged or damaged. Nothing was sent. Get the link again, from them directly.";
            ended_bar(ui, cx, words, "Use another link", Action::Open(Dialog::AddContact), rest)
        }
    }
}

/// Their request: what they wrote, and three answers.
fn request_bar(ui: &mut Ui, cx: &mut Cx<'_>, conversation: &Conversation, rest: &mut Rect) -> bool {
    let said = conversation.request_text.as_ref().map_or(".".to_owned(), |text| format!(": “{text}”"));
    let words = format!("{} wants to talk to you{said} They see nothing of you until you accept.", conversation.name);
    let mut ui = bar(ui, cx, &words, true, rest);
    let gap = cx.theme.sizes.space[2];
    let width = (ui.available_width() - 2.0 * gap) / 3.0;
    ui.spacing_mut().item_spacing.x = gap;
    ui.horizontal(|ui| {
        let choices = [
            (Kind::Primary, "Accept", Action::Accept(conversation.id)),
            (Kind::Quiet, "Decline", Action::Decline(conversation.id)),
            (Kind::Quiet, "Block", Action::Open(Dialog::ConfirmBlock(conversation.id))),
        ];
        for (kind, label, action) in choices {
            let part = vec2(width, BUTTON);
            let pressed = ui.allocate_ui(part, |ui| widgets::button_wide(ui, cx.theme, kind, label).clicked());
            if pressed.inner {
                cx.act(action);
            }
        }
    });
    false
}

fn ended_bar(ui: &mut Ui, cx: &mut Cx<'_>, words: &str, label: &str, action: Action, rest: &mut Rect) -> bool {
    let mut ui = bar(ui, cx, words, true, rest);
    if widgets::button(&mut ui, cx.theme, Kind::Quiet, label).clicked() {
        cx.act(action);
    }
    false
}

fn said_bar(ui: &mut Ui, cx: &Cx<'_>, words: &str, rest: &mut Rect) -> bool {
    bar(ui, cx, words, false, rest);
    false
}

/// A bar with words in it, as high as they need; what is left of it is for buttons.
fn bar(ui: &mut Ui, cx: &Cx<'_>, words: &str, buttons: bool, rest: &mut Rect) -> Ui {
    let (colors, space) = (&cx.theme.colors, cx.theme.sizes.space[3]);
    let mut job = egui::text::LayoutJob::single_section(
        words.to_owned(),
        egui::TextFormat {
            line_height: Some(LINE),
            ..egui::TextFormat::simple(regular(cx.theme.sizes.small), colors.secondary)
        },
    );
    job.wrap = egui::text::TextWrapping::wrap_at_width(rest.width() - 2.0 * space);
    job.wrap.max_rows = BAR_ROWS_MAX;
    let galley = ui.painter().layout_job(job);
    let below = if buttons { BUTTON + 10.0 } else { 0.0 };
    let rect = cut_bottom(rest, (galley.size().y + below + 2.0 * space).ceil());
    ui.painter().hline(rect.x_range(), rect.top() + 0.5, (1.0, colors.border));
    let said = Rect::from_min_size(rect.min + vec2(space, space), galley.size());
    let response = ui.interact(said, ui.scope_id().with("bar words"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, words));
    ui.painter().galley(said.min, galley, colors.secondary);
    let buttons = Rect::from_min_max(pos2(said.left(), said.bottom() + 10.0), rect.max - vec2(space, space));
    child(ui, buttons.expand(2.0), "bar").new_child(UiBuilder::new().max_rect(buttons))
}

/// No conversation is open: the first steps, or a hint.
pub(crate) fn nothing_chosen(ui: &mut Ui, cx: &mut Cx<'_>, area: Rect) {
    let first = cx.view.conversations.is_empty();
    let height = if first { 264.0 } else { 128.0 };
    let rect = Rect::from_center_size(area.center(), vec2((area.width() - 48.0).min(320.0), height));
    let mut ui = child(ui, rect, "nothing");
    ui.vertical_centered(|ui| {
        Icon::Bubbles.paint_at(ui.painter(), pos2(rect.center().x, rect.top() + 36.0), 72.0, cx.theme.colors.dim);
        ui.add_space(84.0);
        if !first {
            widgets::centered(ui, cx.theme, "Choose a conversation, or find one with Ctrl+K.");
            return;
        }
        widgets::heading(ui, cx.theme, "Add your first contact");
        ui.add_space(cx.theme.sizes.space[1]);
        widgets::centered(ui, cx.theme, "Paste a link you were given, or give yours away.");
        ui.add_space(cx.theme.sizes.space[2]);
        if widgets::button_wide(ui, cx.theme, Kind::Primary, "Add a contact").clicked() {
            cx.act(Action::Open(Dialog::AddContact));
        }
        ui.add_space(cx.theme.sizes.space[0]);
        if widgets::button_wide(ui, cx.theme, Kind::Quiet, "Show my link").clicked() {
            cx.act(Action::Invite { once: false });
            cx.act(Action::Open(Dialog::Invitation));
        }
    });
}

/// A conversation without a message.
fn nothing_said(ui: &mut Ui, cx: &Cx<'_>, conversation: &Conversation, rest: Rect) {
    if conversation.state == ContactState::Incoming || rest.height() < 120.0 {
        return;
    }
    let rect = Rect::from_center_size(rest.center(), vec2((rest.width() - 48.0).min(320.0), 72.0));
    let mut ui = child(ui, rect, "empty");
    ui.vertical_centered(|ui| {
        widgets::centered(
            ui,
            cx.theme,
            &format!("Nothing said yet. Only you and {} can read what you write here.", conversation.name),
        );
    });
}

/// Where rows will be, once it takes long enough to be noticed.
fn skeletons(ui: &mut Ui, cx: &Cx<'_>, since: f64, rest: Rect) {
    let waited = ui.input(|input| input.time) - since;
    if waited < SKELETON_SECS {
        ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(SKELETON_SECS - waited));
        return;
    }
    let response = ui.interact(rest, Id::unique("loading messages"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, "Loading messages"));
    let mut bottom = rest.bottom() - 12.0;
    for (share, own) in [(0.42, false), (0.28, true), (0.5, true), (0.36, false), (0.22, false), (0.46, true)] {
        let size = vec2((rest.width() - 40.0) * share, 34.0);
        let left = if own { rest.right() - 20.0 - size.x } else { rest.left() + 20.0 };
        let rect = Rect::from_min_size(pos2(left, bottom - size.y), size);
        ui.painter().rect_filled(rect, cx.theme.sizes.radius[3].min(17.0), cx.theme.colors.hover);
        bottom = rect.top() - 10.0;
    }
}

fn elided(
    painter: &egui::Painter,
    text: &str,
    font: egui::FontId,
    color: egui::Color32,
    width: f32,
) -> std::sync::Arc<egui::Galley> {
    let mut job = egui::text::LayoutJob::simple_singleline(text.to_owned(), font, color);
    job.wrap = egui::text::TextWrapping::truncate_at_width(width.max(0.0));
    painter.layout_job(job)
}

/// A wait that is noticed.
const SKELETON_SECS: f64 = 0.15;
/// A request's text is short; what a hostile one adds is cut.
const BAR_ROWS_MAX: usize = 8;

// Points.
const AVATAR: f32 = 36.0;
const SHIELD: f32 = 15.0;
const BUTTON: f32 = 40.0;
const LINE: f32 = 20.0;
