//! Wheel, keys, pointer: what moves the timeline, selects in it, and opens a row's menu.

use std::sync::Arc;

use egui::{Event, Key as K, Pos2, Rect, Response, Sense, Ui, pos2, vec2};
use sotto_driver::ContentId;

use super::{
    DRAG_STEP, Drawn, Frame,
    selection::{Point, Said, Selection},
};
use crate::{
    action::{Action, Dialog},
    cx::Cx,
    view::{Row, RowKind},
};

impl Frame<'_> {
    pub(super) fn move_by_hand(&mut self, response: &Response, cx: &mut Cx<'_>) {
        if response.contains_pointer() {
            let points = self.ui.input(|input| input.smooth_scroll_delta().y);
            self.scroll_by(points);
        }
        if response.has_focus() {
            self.move_by_keys(cx);
        }
        if response.dragged()
            && let Some(pointer) = response.interact_pointer_pos()
        {
            self.scroll_while_dragging(pointer);
        }
    }

    /// Moves everything down by so many points, keeping what is less than a pixel for later.
    fn scroll_by(&mut self, points: f32) {
        if points == 0.0 {
            return;
        }
        let exact = points * self.pixels_per_point() + self.state.remainder;
        self.state.remainder = exact - exact.trunc();
        self.state.window.scroll(exact.trunc() as i64);
    }

    fn move_by_keys(&mut self, cx: &mut Cx<'_>) {
        let page = (self.area.height() - 48.0).max(48.0);
        let keys = [K::PageUp, K::PageDown, K::Home, K::End, K::ArrowUp, K::ArrowDown, K::Enter];
        let pressed: Vec<K> = self.ui.input(|input| keys.into_iter().filter(|key| input.key_pressed(*key)).collect());
        for key in pressed {
            self.state.pointed = false;
            match key {
                K::PageUp => self.scroll_by(page),
                K::PageDown => self.scroll_by(-page),
                K::Home => self.state.window.scroll(self.state.window.hidden_above().max(0)),
                K::End => self.state.jump(),
                K::ArrowUp => self.step(-1),
                K::ArrowDown => self.step(1),
                _ => self.ask_why(self.state.cursor, cx),
            }
        }
        if self.ui.input(|input| input.events.iter().any(|event| matches!(event, Event::Copy))) {
            self.copy(self.state.cursor, cx);
        }
    }

    /// Gives the keyboard to the row above or below.
    fn step(&mut self, by: isize) {
        let last = self.state.rows.len().checked_sub(1);
        let visible = self.state.window.visible();
        let here = self.state.cursor.and_then(|id| self.state.window.index_of(id));
        let next = match here.filter(|index| visible.contains(index)) {
            Some(index) => index.checked_add_signed(by),
            None => visible.end.checked_sub(1),
        };
        let (Some(next), Some(last)) = (next, last) else { return };
        let index = next.min(last);
        self.state.cursor = Some(self.state.rows[index].id);
        self.state.window.reveal(index);
    }

    fn scroll_while_dragging(&mut self, pointer: Pos2) {
        let above = (self.area.top() - pointer.y).max(0.0);
        let below = (pointer.y - self.area.bottom()).max(0.0);
        if above > 0.0 || below > 0.0 {
            self.scroll_by((above - below).clamp(-DRAG_STEP_MAX, DRAG_STEP_MAX) / 4.0);
            self.ui.ctx().request_repaint_after(DRAG_STEP);
        }
    }

    /// Follows the pointer that selects.
    pub(super) fn select(&mut self, response: &Response, drawn: &[Drawn]) {
        let over = response.hover_pos().and_then(|at| drawn.iter().find(|drawn| drawn.rect.contains(at)));
        if over.is_some_and(|drawn| drawn.body.is_some()) {
            self.ui.ctx().set_cursor_icon(egui::CursorIcon::Text);
        }
        // A quick click is pressed and let go within one frame.
        let here = response.is_pointer_button_down_on() || response.clicked();
        if here && self.ui.input(|input| input.pointer.primary_pressed()) {
            response.request_focus();
            self.state.pointed = true;
            self.state.cursor = None;
            let (origin, shift) = self.ui.input(|input| (input.pointer.press_origin(), input.modifiers.shift));
            self.begin(origin, drawn, shift);
        }
        if response.dragged_by(egui::PointerButton::Primary) {
            self.extend(response.interact_pointer_pos(), drawn);
        }
        let point = response.interact_pointer_pos().and_then(|at| self.point(at, drawn));
        let Some((point, text)) = point else { return };
        if response.triple_clicked() {
            self.state.selection = Some(Selection::whole(point.id, text));
        } else if response.double_clicked() {
            self.state.selection = Some(Selection::word(point, text));
        }
    }

    fn begin(&mut self, at: Option<Pos2>, drawn: &[Drawn], shift: bool) {
        if shift && self.state.selection.is_some() {
            return self.extend(at, drawn);
        }
        let point = at.and_then(|at| self.point(at, drawn));
        self.state.selection = point.map(|(point, text)| Selection::new(point, text));
    }

    fn extend(&mut self, at: Option<Pos2>, drawn: &[Drawn]) {
        let Some((point, text)) = at.and_then(|at| self.point(at, drawn)) else { return };
        match &mut self.state.selection {
            Some(selection) => {
                let rows = self.state.rows.iter();
                let loaded: Vec<Said> = rows.filter_map(|row| text_of(row).map(|text| (row.id, text))).collect();
                selection.extend(point, &loaded);
            }
            None => self.state.selection = Some(Selection::new(point, text)),
        }
    }

    /// The character nearest to a place on the screen.
    fn point(&self, at: Pos2, drawn: &[Drawn]) -> Option<(Point, Arc<str>)> {
        let distance = |rect: Rect| (rect.top() - at.y).max(at.y - rect.bottom()).max(0.0);
        let messages = drawn.iter().filter_map(|drawn| drawn.body.as_ref().map(|body| (drawn, body)));
        let (drawn, body) = messages.min_by(|(a, _), (b, _)| distance(a.rect).total_cmp(&distance(b.rect)))?;
        let row = &self.state.rows[drawn.index];
        Some((Point { id: row.id, char: body.char_at(drawn.rect, at) }, text_of(row)?))
    }

    /// A row's menu, at the second button.
    pub(super) fn menu(&mut self, response: &Response, drawn: &[Drawn], cx: &mut Cx<'_>) {
        if response.secondary_clicked() {
            let at = response.interact_pointer_pos();
            let row = at.and_then(|at| drawn.iter().find(|drawn| drawn.rect.contains(at)));
            self.state.menu = row.map(|drawn| self.state.rows[drawn.index].id);
        }
        let Some(id) = self.state.menu else { return };
        let Some(own) = self.row(id).map(|row| matches!(row.kind, RowKind::Message { own: true, .. })) else { return };
        let selected = self.state.has_selection();
        let mut copy = false;
        let mut why = false;
        response.context_menu(|ui| {
            ui.set_min_width(MENU);
            copy = ui.button(if selected { "Copy selection" } else { "Copy" }).clicked();
            why = own && ui.button("Where is this message?").clicked();
        });
        if copy {
            self.copy(Some(id), cx);
        }
        if why {
            self.ask_why(Some(id), cx);
        }
    }

    /// Copies what is selected, else a whole row.
    fn copy(&mut self, id: Option<ContentId>, cx: &mut Cx<'_>) {
        let selected = self.state.selection.as_ref().filter(|selection| !selection.is_empty()).map(Selection::text);
        let row = || self.row(id?).and_then(text_of).map(|text| text.to_string());
        if let Some(text) = selected.or_else(row) {
            cx.act(Action::Copy(text));
        }
    }

    fn ask_why(&self, id: Option<ContentId>, cx: &mut Cx<'_>) {
        let Some(row) = id.and_then(|id| self.row(id)) else { return };
        if matches!(row.kind, RowKind::Message { own: true, .. }) {
            cx.act(Action::Why { chat: self.timeline.chat, message: row.id });
            cx.act(Action::Open(Dialog::Why));
        }
    }

    fn row(&self, id: ContentId) -> Option<&Row> {
        self.state.rows.iter().find(|row| row.id == id)
    }

    /// How far in what is loaded, at the right edge; can be dragged.
    pub(super) fn scroll_bar(&mut self, cx: &Cx<'_>) {
        let (viewport, total) = (self.state.window.viewport(), self.state.window.total());
        if total <= viewport || viewport == 0 {
            return;
        }
        let track = Rect::from_min_max(pos2(self.area.right() - BAR_HIT, self.area.top()), self.area.max);
        let height = (track.height() * viewport as f32 / total as f32).max(BAR_MIN);
        let way = (track.height() - height).max(1.0);
        let hidden = (total - viewport) as f32;
        let share = (self.state.window.hidden_above() as f32 / hidden).clamp(0.0, 1.0);
        let handle = Rect::from_min_size(pos2(track.right() - 8.0, track.top() + share * way), vec2(6.0, height));
        // The wheel and the keys do the same: it has no place in the order of Tab.
        let response = self.ui.interact(handle.expand2(vec2(4.0, 0.0)), self.ui.scope_id().with("bar"), Sense::DRAG);
        if response.dragged() {
            let pixels = response.drag_delta().y / way * hidden;
            self.scroll_by(-pixels / self.pixels_per_point());
        }
        if shown(self.ui, &response) {
            let strength = if response.hovered() || response.dragged() { 0.6 } else { 0.35 };
            self.ui.painter().rect_filled(handle, 3.0, cx.theme.colors.dim.gamma_multiply(strength));
        }
    }
}

/// The bar is seen while the pointer is in the timeline.
fn shown(ui: &Ui, response: &Response) -> bool {
    response.dragged() || ui.rect_contains_pointer(ui.clip_rect())
}

fn text_of(row: &Row) -> Option<Arc<str>> {
    match &row.kind {
        RowKind::Message { text, .. } => Some(Arc::clone(text)),
        RowKind::Notice(_) => None,
    }
}

// Points.
/// A drag out of the timeline scrolls by at most four times less than this a step.
const DRAG_STEP_MAX: f32 = 200.0;
const BAR_HIT: f32 = 14.0;
const BAR_MIN: f32 = 32.0;
const MENU: f32 = 180.0;
