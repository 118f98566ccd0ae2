//! Where rows stand on the screen. Pure: heights, ids and wheel steps in, places out, all in whole physical pixels.
//!
//! ```text
//!            ┌ lead: gap, day chip, unread line; changes with the neighbours
//!     slot ──┤
//!            └ body: bubble or notice; its upper edge is what stands still
//! ```
//!
//! One row is *held*: its body's upper edge has a place in the viewport, and everything else follows from heights. Rows
//! that appear, go, load or change height anywhere else move it by 0 px. At the newest row the lower edge of all is held
//! instead, so that what arrives is seen. There is never emptiness below the rows, and after a scroll none above them
//! while there are enough to fill the viewport.

use std::{collections::HashMap, hash::Hash, ops::Range};

use super::heights::Heights;

/// One row's share of the height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot<Id> {
    /// Whose.
    pub(crate) id: Id,
    /// Above its body, in pixels.
    pub(crate) lead: i64,
    /// Its body, in pixels.
    pub(crate) body: i64,
    /// Whether the body was measured, or is an estimate.
    pub(crate) measured: bool,
}

/// What stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    /// The lower edge of all rows, at the viewport's.
    Newest,
    /// The upper edge of a body, this far below the viewport's.
    Body { index: usize, y: i64 },
}

/// Rows in a viewport.
#[derive(Clone, Debug)]
pub(crate) struct Window<Id> {
    slots: Vec<Slot<Id>>,
    heights: Heights,
    hold: Hold,
    viewport: i64,
    /// Whether the last row is the newest there is.
    at_end: bool,
    /// Kept free below the last row.
    margin: i64,
}

impl<Id> Default for Window<Id> {
    fn default() -> Self {
        let hold = Hold::Newest;
        Self { slots: Vec::new(), heights: Heights::default(), hold, viewport: 0, at_end: true, margin: 0 }
    }
}

impl<Id: Copy + Eq + Hash> Window<Id> {
    pub(crate) fn slots(&self) -> &[Slot<Id>] {
        &self.slots
    }

    pub(crate) fn viewport(&self) -> i64 {
        self.viewport
    }

    /// The height of all rows.
    pub(crate) fn total(&self) -> i64 {
        self.heights.total() + self.margin
    }

    /// Whether the newest row is held at the lower edge.
    pub(crate) fn at_newest(&self) -> bool {
        self.at_end && self.hold == Hold::Newest
    }

    /// Changes the viewport's height and what is kept free below the rows.
    pub(crate) fn resize(&mut self, viewport: i64, margin: i64) {
        (self.viewport, self.margin) = (viewport, margin);
        self.close_gap_below();
    }

    /// Takes other rows over. What stood still stands still; where it went itself, the nearest of those that stayed does,
    /// those below it first. Where none stayed, the newest are shown.
    pub(crate) fn replace(&mut self, slots: Vec<Slot<Id>>, at_end: bool) {
        let held = self.survivor(&slots);
        self.heights = Heights::new(slots.iter().map(|slot| slot.lead + slot.body).collect());
        self.slots = slots;
        let newest = self.at_newest() && at_end;
        self.at_end = at_end;
        self.hold = match held {
            Some((index, y)) if !newest => Hold::Body { index, y },
            _ => Hold::Newest,
        };
        self.close_gap_below();
    }

    /// A body was measured.
    pub(crate) fn set_body(&mut self, index: usize, body: i64) {
        let slot = &mut self.slots[index];
        (slot.body, slot.measured) = (body, true);
        let height = slot.lead + body;
        self.heights.set(index, height);
        self.close_gap_below();
    }

    /// Where a body's upper edge stands, below the viewport's.
    pub(crate) fn body_y(&self, index: usize) -> i64 {
        self.origin() + self.heights.above(index) + self.slots[index].lead
    }

    /// The rows that are seen, if only in part.
    pub(crate) fn visible(&self) -> Range<usize> {
        let origin = self.origin();
        match (self.heights.at(-origin), self.heights.at(self.viewport - 1 - origin)) {
            (Some(first), Some(last)) => first..last + 1,
            _ => 0..0,
        }
    }

    /// Moves everything down by so many pixels, as far as there is something to be seen.
    pub(crate) fn scroll(&mut self, pixels: i64) {
        let origin = self.origin();
        let lowest = self.viewport - self.total();
        // A gap above that an expired row left may stay, but it does not grow.
        let highest = lowest.max(0).max(origin);
        let wanted = (origin + pixels).clamp(lowest.min(highest), highest);
        if wanted <= lowest && self.at_end {
            self.hold = Hold::Newest;
        } else {
            self.hold_at(wanted);
        }
        self.close_gap_below();
    }

    /// Holds what is seen first now, so that it is what stands still when something changes.
    pub(crate) fn settle(&mut self) {
        if self.hold != Hold::Newest {
            self.hold_at(self.origin());
        }
    }

    /// Holds the newest row from now on.
    pub(crate) fn show_newest(&mut self) {
        self.hold = Hold::Newest;
    }

    /// Puts a row, with what leads it in, this far below the viewport's upper edge.
    pub(crate) fn show(&mut self, id: Id, y: i64) -> bool {
        let Some(index) = self.index_of(id) else { return false };
        self.hold = Hold::Body { index, y: y + self.slots[index].lead };
        self.close_gap_above();
        self.close_gap_below();
        true
    }

    /// Moves as little as needed to show a row whole.
    pub(crate) fn reveal(&mut self, index: usize) {
        let slot = self.slots[index];
        let upper = self.body_y(index) - slot.lead;
        let lower = upper + slot.lead + slot.body + self.margin;
        if upper < 0 || slot.lead + slot.body > self.viewport {
            self.scroll(-upper);
        } else if lower > self.viewport {
            self.scroll(self.viewport - lower);
        }
    }

    pub(crate) fn index_of(&self, id: Id) -> Option<usize> {
        self.slots.iter().position(|slot| slot.id == id)
    }

    /// How far the viewport's lower edge is above the rows'.
    pub(crate) fn below(&self) -> i64 {
        self.origin() + self.total() - self.viewport
    }

    /// How far the viewport's upper edge is below the rows'.
    pub(crate) fn hidden_above(&self) -> i64 {
        -self.origin()
    }

    /// Where the upper edge of all rows stands, below the viewport's.
    fn origin(&self) -> i64 {
        match self.hold {
            Hold::Newest => self.viewport - self.total(),
            Hold::Body { index, y } => y - self.slots[index].lead - self.heights.above(index),
        }
    }

    /// Holds the first body whose upper edge is seen; where none is, the one that fills the viewport.
    fn hold_at(&mut self, origin: i64) {
        let Some(first) = self.heights.at(-origin) else { return };
        let y = |index: usize| origin + self.heights.above(index) + self.slots[index].lead;
        let seen = first + usize::from(y(first) < 0);
        let index = if seen < self.slots.len() && y(seen) < self.viewport { seen } else { first };
        self.hold = Hold::Body { index, y: y(index) };
    }

    fn close_gap_below(&mut self) {
        if self.hold != Hold::Newest && self.below() < 0 {
            if self.at_end {
                self.hold = Hold::Newest;
            } else {
                self.hold_at(self.viewport - self.total());
            }
        }
    }

    fn close_gap_above(&mut self) {
        if self.origin() > 0 {
            self.hold_at(0);
        }
    }

    /// Which row of others holds the place from now on, and where it stands now.
    fn survivor(&self, others: &[Slot<Id>]) -> Option<(usize, i64)> {
        let held = match self.hold {
            Hold::Newest => self.slots.len().checked_sub(1)?,
            Hold::Body { index, .. } => index,
        };
        let places: HashMap<Id, usize> = others.iter().enumerate().map(|(place, slot)| (slot.id, place)).collect();
        let stays = |index: &usize| places.contains_key(&self.slots[*index].id);
        let index = (held..self.slots.len()).find(stays).or_else(|| (0..held).rev().find(stays))?;
        Some((places[&self.slots[index].id], self.body_y(index)))
    }
}

#[cfg(test)]
mod tests;
