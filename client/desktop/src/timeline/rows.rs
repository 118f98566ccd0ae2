//! Rows taken over from the view, and their heights.

use std::{collections::HashSet, sync::Arc, time::Duration};

use sotto_driver::ContentId;

use super::{
    Frame, MARGIN, bidi,
    dress::{self, Foot},
    pen,
    window::Slot,
};
use crate::{
    cx::Cx,
    theme::Theme,
    view::{Anchor, Row},
};

/// All that heights of rows depend on besides the rows.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Key {
    /// The width and the scale: a change measures everything anew.
    layout: (i64, u32),
    today: i32,
    unread: Option<(ContentId, u64)>,
    foot: Option<(ContentId, Foot)>,
    ends: (bool, bool),
}

/// A body's height.
pub(super) struct Measured {
    revision: u32,
    layout: (i64, u32),
    pixels: i64,
    /// Its lines, where it has right-to-left letters.
    pub(super) lines: Option<Arc<[bidi::Line]>>,
}

impl Frame<'_> {
    /// Takes the view's rows over, if anything about them changed.
    pub(super) fn take_over(&mut self, cx: &Cx<'_>) {
        let (viewport, margin) = (self.pixels(self.area.height()), self.pixels(MARGIN));
        let foot = dress::foot(&self.timeline.rows, self.conversation, &cx.view.network, cx.view.clock.now);
        if let Some(millis) = dress::until_slow(&self.timeline.rows, cx.view.clock.now) {
            self.ui.ctx().request_repaint_after(Duration::from_millis(millis));
        }
        let key = Key {
            layout: (self.pixels(self.area.width()), self.pixels_per_point().to_bits()),
            today: self.calendar.day_number(cx.view.clock.now),
            unread: self.timeline.unread,
            foot,
            ends: (self.timeline.at_start, self.timeline.at_end),
        };
        let same_rows = Arc::ptr_eq(&self.state.rows, &self.timeline.rows);
        if !same_rows || self.state.key != Some(key) {
            self.rebuild(key, cx.theme);
        }
        if !same_rows {
            self.state.asked = None;
        }
        self.state.window.resize(viewport, margin);
    }

    fn rebuild(&mut self, key: Key, theme: &Theme) {
        let rows = Arc::clone(&self.timeline.rows);
        let dresses = dress::dress(self.timeline, key.foot, |millis| self.calendar.day_number(millis));
        let pen = pen(self.ui, self.area, &self.calendar, theme);
        let slot = |(row, dress): (&Row, &dress::Dress)| {
            let known = self.state.measured.get(&row.id);
            let measured = known.is_some_and(|known| known.revision == row.revision && known.layout == key.layout);
            let body = known.map_or_else(|| self.pixels(pen.estimate(row)), |known| known.pixels);
            Slot {
                id: row.id,
                lead: self.pixels(dress.lead()),
                body: body + self.pixels(dress.foot_height()),
                measured,
            }
        };
        let slots = rows.iter().zip(&dresses).map(slot).collect();
        if self.state.measured.len() > rows.len() + KEPT_MAX {
            let loaded: HashSet<ContentId> = rows.iter().map(|row| row.id).collect();
            self.state.measured.retain(|id, _| loaded.contains(id));
        }
        self.state.window.replace(slots, self.timeline.at_end);
        (self.state.rows, self.state.dresses, self.state.key) = (rows, dresses, Some(key));
    }

    /// Looks where the view wishes to, once for each wish.
    pub(super) fn look(&mut self, theme: &Theme) {
        let (number, anchor) = self.timeline.look_at;
        if self.state.looked != Some(number) && !self.state.rows.is_empty() {
            self.state.looked = Some(number);
            match anchor {
                Anchor::Around(id) | Anchor::Before(id) | Anchor::After(id) => self.look_around(id, theme),
                Anchor::Newest => self.state.window.show_newest(),
            }
        }
        if self.state.wants_newest && self.timeline.at_end {
            self.state.wants_newest = false;
            self.state.window.show_newest();
        }
    }

    /// Puts a row a quarter below the upper edge. Heights around it are measured first, or it would slip.
    fn look_around(&mut self, id: ContentId, theme: &Theme) {
        let Some(index) = self.state.window.index_of(id) else { return };
        let viewport = self.state.window.viewport();
        for below in [true, false] {
            let mut filled = 0;
            let mut at = Some(index);
            while let Some(here) = at.filter(|here| *here < self.state.rows.len() && filled < viewport) {
                self.measure_row(here, theme);
                filled += self.state.window.slots()[here].lead + self.state.window.slots()[here].body;
                at = if below { Some(here + 1) } else { here.checked_sub(1) };
            }
        }
        self.state.window.show(id, viewport / 4);
    }

    /// Measures what is seen, and with what is left of the budget what is near.
    pub(super) fn measure(&mut self, theme: &Theme) {
        let mut left = A_FRAME_MAX;
        while let Some(index) = self.unmeasured_visible() {
            if left == 0 {
                return self.ui.ctx().request_repaint();
            }
            left -= 1;
            self.measure_row(index, theme);
        }
        let visible = self.state.window.visible();
        let near = visible.end..(visible.end + AHEAD).min(self.state.rows.len());
        let near = near.chain((visible.start.saturating_sub(AHEAD)..visible.start).rev());
        let slots = self.state.window.slots();
        let ahead: Vec<usize> = near.filter(|index| !slots[*index].measured).take(left.min(AHEAD_A_FRAME)).collect();
        for index in ahead {
            self.measure_row(index, theme);
        }
    }

    fn unmeasured_visible(&self) -> Option<usize> {
        let slots = self.state.window.slots();
        self.state.window.visible().find(|index| !slots[*index].measured)
    }

    fn measure_row(&mut self, index: usize, theme: &Theme) {
        let Some(key) = self.state.key.filter(|_| !self.state.window.slots()[index].measured) else { return };
        let row = &self.state.rows[index];
        let pen = pen(self.ui, self.area, &self.calendar, theme);
        let lines = pen.lines(row);
        let pixels = self.pixels(pen.height(row, lines.as_deref()));
        let foot = self.pixels(self.state.dresses[index].foot_height());
        let measured = Measured { revision: row.revision, layout: key.layout, pixels, lines };
        self.state.measured.insert(row.id, measured);
        self.state.window.set_body(index, pixels + foot);
    }
}

/// New heights measured in one frame at most.
const A_FRAME_MAX: usize = 64;
/// Of these, for rows out of sight, and how far out.
const AHEAD_A_FRAME: usize = 8;
const AHEAD: usize = 40;
/// Heights kept of rows that are not loaded now.
const KEPT_MAX: usize = 4096;
