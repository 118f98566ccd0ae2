//! The timeline: a window of rows of one conversation, and the feel of the client.
//!
//! ```text
//! view::Timeline ─► dress ─► slots ─► window ─► places        heights measured by bubble, ≤ 64 new ones a frame
//!                                        ▲
//!              wheel, keys, drag, jumps ─┘
//! ```
//!
//! What is held in its place is held to the pixel (see [`window`]). What is drawn costs what is seen: rows out of sight are
//! neither laid out nor drawn. Near an end of the loaded rows more are asked for.

mod bidi;
mod block;
mod bubble;
mod dress;
#[cfg(test)]
mod fixtures;
mod hands;
mod heights;
mod rows;
mod selection;
#[cfg(test)]
mod tests;
mod window;

use std::{collections::HashMap, sync::Arc, time::Duration};

use egui::{Align2, EventFilter, Id, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};
use sotto_driver::{ContactId, ContentId};

use self::{
    bubble::{Body, Pen, Stand, status_word},
    dress::Dress,
    rows::{Key, Measured},
    selection::Selection,
    window::Window,
};
use crate::{
    action::Action,
    cx::Cx,
    icons::Icon,
    theme::{regular, semibold},
    view::{Anchor, Conversation, Row, RowKind, Timeline},
    when::Calendar,
    widgets::focus_ring,
};

/// What the timeline remembers from frame to frame: places and heights, and the texts of what is selected.
#[derive(Default)]
pub struct TimelineState {
    chat: Option<ContactId>,
    key: Option<Key>,
    rows: Arc<Vec<Row>>,
    dresses: Vec<Dress>,
    window: Window<ContentId>,
    measured: HashMap<ContentId, Measured>,
    /// The last wish of where to look that was followed.
    looked: Option<u64>,
    /// The newest rows are wanted, and not loaded yet.
    wants_newest: bool,
    /// What more rows were asked for, since the rows last changed.
    asked: Option<Anchor>,
    /// What was marked as read: the newest row then, and how many were unread.
    marked: Option<(ContentId, u64)>,
    /// Of a scroll, what is less than a pixel.
    remainder: f32,
    selection: Option<Selection>,
    /// The row that has the keyboard.
    cursor: Option<ContentId>,
    /// The row whose menu is open.
    menu: Option<ContentId>,
    /// The keyboard came with the pointer: no ring is needed to find it.
    pointed: bool,
}

/// The timeline's id, for whoever moves the keyboard.
#[must_use]
pub fn id() -> Id {
    Id::unique("timeline")
}

impl TimelineState {
    /// Shows the newest row, loading it first where it is not loaded.
    pub fn jump(&mut self) {
        self.wants_newest = true;
    }

    /// Whether any text is selected.
    #[must_use]
    pub fn has_selection(&self) -> bool {
        self.selection.as_ref().is_some_and(|selection| !selection.is_empty())
    }

    /// Lets the selection go. Whether there was one.
    pub fn clear_selection(&mut self) -> bool {
        self.selection.take().is_some_and(|selection| !selection.is_empty())
    }

    /// Forgets everything, texts included.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// How far the first loaded row that is seen stands below the upper edge, in physical pixels: for measurements.
    #[must_use]
    pub fn first_visible(&self) -> Option<(ContentId, i64)> {
        let first = self.window.visible().start;
        self.window.slots().get(first).map(|slot| (slot.id, self.window.body_y(first)))
    }
}

/// Shows the open conversation's rows in all of the space that is left.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut TimelineState) {
    let view = cx.view;
    let Some(timeline) = &view.timeline else { return state.forget() };
    if state.chat != Some(timeline.chat) {
        state.forget();
        state.chat = Some(timeline.chat);
    }
    let area = ui.available_rect_before_wrap();
    ui.advance_cursor_after_rect(area);
    let mut child = ui.new_child(egui::UiBuilder::new().max_rect(area));
    child.set_clip_rect(area.intersect(ui.clip_rect()));
    let conversation = view.conversations.iter().find(|conversation| conversation.id == timeline.chat);
    Frame { ui: &mut child, area, timeline, conversation, calendar: Calendar::new(&view.clock), state }.run(cx);
}

/// One frame.
struct Frame<'a> {
    ui: &'a mut Ui,
    area: Rect,
    timeline: &'a Timeline,
    conversation: Option<&'a Conversation>,
    calendar: Calendar,
    state: &'a mut TimelineState,
}

/// A row that was drawn: which, and where it can be hit.
struct Drawn {
    index: usize,
    rect: Rect,
    body: Option<Body>,
}

impl Frame<'_> {
    fn run(mut self, cx: &mut Cx<'_>) {
        self.take_over(cx);
        self.look(cx.theme);
        let response = self.ui.interact(self.area, id(), Sense::click_and_drag());
        self.name(&response);
        self.move_by_hand(&response, cx);
        self.measure(cx.theme);
        self.state.window.settle();
        let drawn = self.draw(cx, &response);
        self.select(&response, &drawn);
        self.menu(&response, &drawn, cx);
        self.scroll_bar(cx);
        self.jump_button(cx);
        self.ask_for_more(cx);
        self.mark_read(cx);
        self.ui.ctx().request_repaint_after(self.calendar.until_midnight());
    }

    fn name(&self, response: &Response) {
        response.widget_info(|| WidgetInfo::labeled(Role::ScrollView, true, "Messages"));
        if response.has_focus() {
            let filter = EventFilter { vertical_arrows: true, ..EventFilter::default() };
            self.ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
        }
    }

    fn pixels_per_point(&self) -> f32 {
        self.ui.pixels_per_point()
    }

    /// Points to whole pixels.
    fn pixels(&self, points: f32) -> i64 {
        (points * self.pixels_per_point()).round() as i64
    }

    /// A place in the window to one on the screen.
    fn y(&self, pixels: i64) -> f32 {
        self.area.top() + pixels as f32 / self.pixels_per_point()
    }

    fn draw(&mut self, cx: &mut Cx<'_>, response: &Response) -> Vec<Drawn> {
        let mut drawn = Vec::new();
        for index in self.state.window.visible() {
            let slot = self.state.window.slots()[index];
            if slot.measured {
                drawn.push(self.draw_row(cx, response, index));
            }
        }
        self.state.pointed &= response.has_focus();
        if response.has_focus() && self.state.cursor.is_none() && !self.state.pointed {
            focus_ring(self.ui, cx.theme, response, 0.0);
        }
        drawn
    }

    fn draw_row(&mut self, cx: &mut Cx<'_>, response: &Response, index: usize) -> Drawn {
        let row = &self.state.rows[index];
        let dress = self.state.dresses[index];
        let y = self.y(self.state.window.body_y(index));
        let pen = pen(self.ui, self.area, &self.calendar, cx.theme);
        draw_lead(&pen, row, dress, y);
        let lines = self.state.measured.get(&row.id).and_then(|measured| measured.lines.clone());
        let body = pen.message(row, lines.as_deref());
        let selected = self.state.selection.as_ref().and_then(|selection| selection.range(row.id));
        let focused = response.has_focus() && self.state.cursor == Some(row.id);
        let rect = pen.row(row, body.as_ref(), &Stand { y, dress, selected: selected.as_ref(), focused });
        let node = self.ui.interact(rect, response.id.with(row.id.as_bytes()), Sense::hover());
        node.widget_info(|| WidgetInfo::labeled(Role::Label, true, self.spoken(row)));
        if let Some(foot) = dress.foot {
            let id = row.id;
            self.draw_foot(cx, foot, id, rect);
        }
        Drawn { index, rect, body }
    }

    /// A row for those who hear it.
    fn spoken(&self, row: &Row) -> String {
        match &row.kind {
            RowKind::Notice(text) => text.clone(),
            RowKind::Message { own, status, text } => {
                let time = self.calendar.time(row.time);
                let name = self.conversation.map_or("", |conversation| conversation.name.as_str());
                if *own {
                    format!("You: {text}, {time}, {}", status_word(*status))
                } else {
                    format!("{name}: {text}, {time}")
                }
            }
        }
    }

    /// Under a bubble: why it waits, and what can be done.
    fn draw_foot(&mut self, cx: &mut Cx<'_>, foot: dress::Foot, message: ContentId, bubble: Rect) {
        let color = if foot == dress::Foot::Failed { cx.theme.colors.danger } else { cx.theme.colors.secondary };
        let font = regular(cx.theme.sizes.caption);
        let middle = bubble.bottom() + dress::FOOT / 2.0;
        let mut right = bubble.right();
        let why = self.word(cx, "Why?", message, pos2(right, middle));
        right = why.rect.left();
        if why.clicked() {
            cx.act(Action::Why { chat: self.timeline.chat, message });
            cx.act(Action::Open(crate::action::Dialog::Why));
        }
        if foot.retry() {
            let retry = self.word(cx, "Retry", message, pos2(right - DOT_GAP, middle));
            self.dot(cx, right - DOT_GAP / 2.0, middle);
            right = retry.rect.left();
            if retry.clicked() {
                cx.act(Action::Retry);
            }
        }
        self.dot(cx, right - DOT_GAP / 2.0, middle);
        self.ui.painter().text(pos2(right - DOT_GAP, middle), Align2::RIGHT_CENTER, foot.text(), font, color);
    }

    fn dot(&self, cx: &Cx<'_>, x: f32, y: f32) {
        let font = regular(cx.theme.sizes.caption);
        self.ui.painter().text(pos2(x, y), Align2::CENTER_CENTER, "·", font, cx.theme.colors.dim);
    }

    /// A word that can be pressed, its right edge given.
    fn word(&self, cx: &Cx<'_>, label: &str, message: ContentId, right: egui::Pos2) -> Response {
        let font = regular(cx.theme.sizes.caption);
        let color = cx.theme.colors.accent;
        let galley = self.ui.painter().layout_no_wrap(label.to_owned(), font, color);
        let rect = Rect::from_min_size(pos2(right.x - galley.size().x, right.y - galley.size().y / 2.0), galley.size());
        self.ui.painter().galley(rect.min, galley, color);
        let hit = rect.expand2(vec2(DOT_GAP / 2.0, (cx.theme.sizes.hit - rect.height()) / 2.0));
        let id = self.ui.scope_id().with((label, message.as_bytes()));
        let response = self.ui.interact(hit, id, Sense::click()).on_hover_cursor(egui::CursorIcon::PointingHand);
        response.widget_info(|| WidgetInfo::labeled(Role::Link, true, label));
        if response.has_focus() {
            let stroke = Stroke::new(cx.theme.sizes.ring, cx.theme.colors.focus);
            self.ui.painter().rect_stroke(rect.expand(3.0), cx.theme.sizes.radius[0], stroke, StrokeKind::Inside);
        }
        response.with_new_rect(rect)
    }

    /// Down to the newest, with how many are unread there.
    fn jump_button(&mut self, cx: &mut Cx<'_>) {
        let unread = self.conversation.map_or(0, |conversation| conversation.unread);
        let far = self.state.window.below() > self.pixels(FAR);
        if self.state.window.at_newest() || !(far || unread > 0 || !self.timeline.at_end) {
            return;
        }
        let (colors, sizes) = (&cx.theme.colors, &cx.theme.sizes);
        let center = self.area.right_bottom() - vec2(JUMP / 2.0 + sizes.space[4], JUMP / 2.0 + sizes.space[2]);
        let rect = Rect::from_center_size(center, vec2(JUMP, JUMP));
        let response = self.ui.interact(rect, self.ui.scope_id().with("jump"), Sense::click());
        let name = if unread > 0 { format!("Jump to newest, {unread} unread") } else { "Jump to newest".to_owned() };
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
        let painter = self.ui.painter();
        let fill = if response.hovered() { colors.hover } else { colors.background };
        painter.circle(center, JUMP / 2.0, fill, Stroke::new(1.0, colors.border));
        Icon::ArrowDown.paint_at(painter, center, 20.0, colors.secondary);
        focus_ring(self.ui, cx.theme, &response, JUMP / 2.0);
        if unread > 0 {
            let text = unread.min(999).to_string();
            let galley = painter.layout_no_wrap(text, semibold(sizes.tiny), colors.on_accent);
            let size = vec2((galley.size().x + 10.0).max(18.0), 18.0);
            let badge = Rect::from_center_size(rect.center_top(), size);
            painter.rect_filled(badge, 9.0, colors.accent);
            painter.galley(badge.center() - galley.size() / 2.0, galley, colors.on_accent);
        }
        if response.on_hover_text("Jump to newest (Ctrl+J)").clicked() {
            self.state.jump();
            self.ui.ctx().request_repaint();
        }
    }

    /// Near an end of what is loaded: more.
    fn ask_for_more(&mut self, cx: &mut Cx<'_>) {
        let rows = &self.state.rows;
        let visible = self.state.window.visible();
        let wish = if self.state.wants_newest && !self.timeline.at_end {
            Some(Anchor::Newest)
        } else if !self.timeline.at_start && visible.start < NEAR {
            rows.first().map(|row| Anchor::Before(row.id))
        } else if !self.timeline.at_end && rows.len() - visible.end < NEAR {
            rows.last().map(|row| Anchor::After(row.id))
        } else {
            None
        };
        if let Some(anchor) = wish.filter(|wish| self.state.asked != Some(*wish)) {
            self.state.asked = Some(anchor);
            cx.act(Action::MoveWindow(anchor));
        }
    }

    /// The newest is on the screen of a focused window.
    fn mark_read(&mut self, cx: &mut Cx<'_>) {
        let Some(conversation) = self.conversation.filter(|conversation| conversation.unread > 0) else { return };
        let Some(newest) = self.state.rows.last().filter(|_| self.state.window.at_newest()) else { return };
        let mark = (newest.id, conversation.unread);
        if self.state.marked != Some(mark) && self.ui.input(|input| input.focused) {
            self.state.marked = Some(mark);
            cx.act(Action::MarkRead(conversation.id));
        }
    }
}

fn pen<'a>(ui: &'a Ui, area: Rect, calendar: &'a Calendar, theme: &'a crate::theme::Theme) -> Pen<'a> {
    let width = (area.width() - 2.0 * SIDE).max(120.0);
    Pen { painter: ui.painter(), theme, calendar, left: area.left() + SIDE, width }
}

/// What stands above a body.
fn draw_lead(pen: &Pen<'_>, row: &Row, dress: Dress, y: f32) {
    let mut at = y - dress.lead();
    if dress.day {
        at += dress::DAY_GAP;
        pen.day(row.time, at);
        at += dress::DAY;
    }
    if let Some(count) = dress.unread {
        pen.unread(count, at + dress::UNREAD_GAP);
    }
}

/// How many rows from an end more are asked for.
const NEAR: usize = 40;
/// While a drag reaches out of the timeline, it scrolls on this often.
const DRAG_STEP: Duration = Duration::from_millis(16);

// Points.
/// Left and right of all rows.
const SIDE: f32 = 20.0;
/// Below the last row.
const MARGIN: f32 = 12.0;
const JUMP: f32 = 40.0;
/// So far above the newest, the way back has a button.
const FAR: f32 = 240.0;
const DOT_GAP: f32 = 12.0;
