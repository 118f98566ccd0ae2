//! One row: a bubble, or a quiet notice. The same layout measures and draws.

use std::{ops::Range, sync::Arc};

use egui::{
    Align, CornerRadius, Galley, Painter, Pos2, Rect, Stroke, StrokeKind, Vec2, pos2,
    text::{LayoutJob, TextWrapping},
    vec2,
};
use sotto_driver::MessageStatus;

use super::{
    bidi,
    block::{Block, Look},
    dress::{self, Dress},
};
use crate::{
    icons::Icon,
    theme::{Theme, regular},
    view::{Row, RowKind},
    when::Calendar,
};

/// What rows are drawn with, for one frame.
pub(super) struct Pen<'a> {
    pub(super) painter: &'a Painter,
    pub(super) theme: &'a Theme,
    pub(super) calendar: &'a Calendar,
    /// The left edge and the width that rows may use.
    pub(super) left: f32,
    pub(super) width: f32,
}

/// A row's body, laid out from its own upper left corner.
pub(super) struct Body {
    pub(super) block: Block,
    pub(super) size: Vec2,
    own: bool,
    time: Arc<Galley>,
}

/// How a body stands.
pub(super) struct Stand<'a> {
    /// The upper edge.
    pub(super) y: f32,
    pub(super) dress: Dress,
    /// What is selected of it.
    pub(super) selected: Option<&'a Range<usize>>,
    /// It has the keyboard.
    pub(super) focused: bool,
}

impl Pen<'_> {
    /// How a message's text looks.
    pub(super) fn look(&self, own: bool) -> Look {
        let colors = &self.theme.colors;
        let size = self.theme.sizes.body;
        Look {
            font: regular(size),
            line_height: (size * LINE).round(),
            color: if own { colors.on_bubble_out } else { colors.text },
            width_max: (self.width * SHARE).min(self.theme.sizes.bubble) - 2.0 * PADDING.x,
        }
    }

    /// Right-to-left lines of a text that has such letters.
    pub(super) fn lines(&self, row: &Row) -> Option<Arc<[bidi::Line]>> {
        let RowKind::Message { own, text, .. } = &row.kind else { return None };
        bidi::has_rtl(text).then(|| self.look(*own).lines(self.painter, text).into())
    }

    /// Lays a message out.
    pub(super) fn message(&self, row: &Row, lines: Option<&[bidi::Line]>) -> Option<Body> {
        let RowKind::Message { own, text, .. } = &row.kind else { return None };
        let look = self.look(*own);
        let block = Block::new(self.painter, text, lines, &look);
        let tiny = regular(self.theme.sizes.tiny);
        let time = self.painter.layout_no_wrap(self.calendar.time(row.time), tiny, look.color);
        let meta = time.size().x + if *own { TICKS } else { 0.0 };
        let text = block.size();
        let beside = block.last_line() + META_GAP + meta;
        let size = if beside <= look.width_max {
            vec2(text.x.max(beside), text.y)
        } else {
            vec2(text.x.max(meta), text.y + time.size().y)
        };
        Some(Body { block, size: (size + 2.0 * PADDING).ceil(), own: *own, time })
    }

    /// Lays a notice out.
    pub(super) fn notice(&self, text: &str) -> Arc<Galley> {
        let colors = &self.theme.colors;
        let mut job = LayoutJob::simple_format(
            text.to_owned(),
            egui::TextFormat {
                font_id: regular(self.theme.sizes.caption),
                color: colors.secondary,
                ..egui::TextFormat::default()
            },
        );
        job.wrap = TextWrapping::wrap_at_width((self.width * NOTICE_SHARE).max(40.0));
        job.halign = Align::Center;
        self.painter.layout_job(job)
    }

    /// The height of a row's body, without what is said under it. In points.
    pub(super) fn height(&self, row: &Row, lines: Option<&[bidi::Line]>) -> f32 {
        match &row.kind {
            RowKind::Message { .. } => self.message(row, lines).map_or(0.0, |body| body.size.y),
            RowKind::Notice(text) => (self.notice(text).size().y + 2.0 * NOTICE_PADDING.y).ceil(),
        }
    }

    /// About what `height` will be, without laying anything out.
    pub(super) fn estimate(&self, row: &Row) -> f32 {
        let RowKind::Message { own, text, .. } = &row.kind else { return 2.0 * NOTICE_PADDING.y + 14.0 };
        let look = self.look(*own);
        let a_line = (look.width_max / (self.theme.sizes.body * 0.52)).max(1.0);
        let lines: f32 = text.lines().map(|line| (line.len() as f32 / a_line).ceil().max(1.0)).sum();
        lines.max(1.0) * look.line_height + 2.0 * PADDING.y
    }

    /// Draws a row. The rectangle of its body.
    pub(super) fn row(&self, row: &Row, body: Option<&Body>, stand: &Stand<'_>) -> Rect {
        match (&row.kind, body) {
            (RowKind::Message { status, .. }, Some(body)) => self.draw_message(*status, body, stand),
            (RowKind::Message { .. }, None) => Rect::NOTHING,
            (RowKind::Notice(text), _) => self.draw_notice(text, stand),
        }
    }

    /// Where a body stands.
    pub(super) fn place(&self, body: &Body, y: f32) -> Rect {
        let x = if body.own { self.left + self.width - body.size.x } else { self.left };
        Rect::from_min_size(pos2(x, y), body.size)
    }

    fn draw_message(&self, status: MessageStatus, body: &Body, stand: &Stand<'_>) -> Rect {
        let colors = &self.theme.colors;
        let rect = self.place(body, stand.y);
        let (fill, text) =
            if body.own { (colors.bubble_out, colors.on_bubble_out) } else { (colors.bubble_in, colors.text) };
        let corners = corners(self.theme, body.own, stand.dress);
        self.painter.rect_filled(rect, corners, fill);
        let at = rect.min + PADDING;
        for highlight in stand.selected.map(|range| body.block.highlights(range)).unwrap_or_default() {
            let over =
                if body.own { colors.on_bubble_out.gamma_multiply(0.35) } else { colors.accent.gamma_multiply(0.35) };
            self.painter.rect_filled(highlight.translate(at.to_vec2()), 2.0, over);
        }
        body.block.paint(self.painter, at, text);
        self.draw_meta(status, body, rect);
        if stand.focused {
            self.ring(rect, corners);
        }
        rect
    }

    /// Time and ticks, at the lower right.
    fn draw_meta(&self, status: MessageStatus, body: &Body, rect: Rect) {
        let colors = &self.theme.colors;
        let color = if body.own { colors.on_bubble_out.gamma_multiply(0.75) } else { colors.dim };
        let right = rect.right() - PADDING.x - if body.own { TICKS } else { 0.0 };
        let at = pos2(right - body.time.size().x, rect.bottom() - PADDING.y - body.time.size().y + 1.0);
        self.painter.galley_with_override_text_color(at, Arc::clone(&body.time), color);
        if let Some((icon, bright)) = ticks(status).filter(|_| body.own) {
            let center = pos2(rect.right() - PADDING.x - TICKS_SIZE / 2.0 + 1.0, at.y + body.time.size().y / 2.0);
            icon.paint_at(self.painter, center, TICKS_SIZE, if bright { colors.on_bubble_out } else { color });
        }
    }

    fn draw_notice(&self, text: &str, stand: &Stand<'_>) -> Rect {
        let galley = self.notice(text);
        let size = galley.size() + 2.0 * NOTICE_PADDING;
        let rect = self.chip(size, stand.y, galley, NOTICE_PADDING.y);
        if stand.focused {
            self.ring(rect, CornerRadius::same(self.theme.sizes.radius[2] as u8));
        }
        rect
    }

    /// The day, in a chip.
    pub(super) fn day(&self, millis: u64, y: f32) {
        let font = regular(self.theme.sizes.caption);
        let mut job = LayoutJob::simple_singleline(self.calendar.day(millis), font, self.theme.colors.secondary);
        job.halign = Align::Center;
        let galley = self.painter.layout_job(job);
        let size = vec2(galley.size().x + 2.0 * NOTICE_PADDING.x, dress::DAY);
        let above = (dress::DAY - galley.size().y) / 2.0;
        self.chip(size, y, galley, above);
    }

    /// A chip in the middle, around a galley that is laid out around its middle.
    fn chip(&self, size: Vec2, y: f32, galley: Arc<Galley>, above: f32) -> Rect {
        let colors = &self.theme.colors;
        let middle = (self.left + self.width / 2.0).round();
        let rect = Rect::from_min_size(pos2((middle - size.x / 2.0).floor(), y), size.ceil());
        self.painter.rect_filled(rect, self.theme.sizes.radius[2].min(rect.height() / 2.0), colors.sidebar);
        self.painter.galley(pos2(middle, y + above), galley, colors.secondary);
        rect
    }

    /// A line with the number of unread messages in it.
    pub(super) fn unread(&self, count: u64, y: f32) {
        let text = if count == 1 { "1 unread message".to_owned() } else { format!("{count} unread messages") };
        let color = self.theme.colors.accent;
        let galley = self.painter.layout_no_wrap(text, regular(self.theme.sizes.caption), color);
        let middle = pos2(self.left + self.width / 2.0, y + dress::UNREAD / 2.0);
        let half = galley.size().x / 2.0 + 10.0;
        let stroke = Stroke::new(1.0, color);
        self.painter.hline(self.left..=middle.x - half, middle.y, stroke);
        self.painter.hline(middle.x + half..=self.left + self.width, middle.y, stroke);
        self.painter.galley(middle - galley.size() / 2.0, galley, color);
    }

    fn ring(&self, rect: Rect, corners: CornerRadius) {
        let width = self.theme.sizes.ring;
        let stroke = Stroke::new(width, self.theme.colors.focus);
        // With a gap, because a bubble may have the ring's colour.
        self.painter.rect_stroke(rect.expand(2.0 * width), corners + 4, stroke, StrokeKind::Inside);
    }
}

impl Body {
    /// The character before which a point of the screen lies, for a body that stands in `rect`.
    pub(super) fn char_at(&self, rect: Rect, point: Pos2) -> usize {
        self.block.char_at(point - rect.min - PADDING)
    }
}

/// Small inside a cluster, on the sender's side.
fn corners(theme: &Theme, own: bool, dress: Dress) -> CornerRadius {
    let [small, .., large] = theme.sizes.radius.map(|radius| radius as u8);
    let above = if dress.joins_above { small } else { large };
    let below = if dress.joins_below { small } else { large };
    if own {
        CornerRadius { nw: large, sw: large, ne: above, se: below }
    } else {
        CornerRadius { ne: large, se: large, nw: above, sw: below }
    }
}

/// What tells how far a message is, and whether it is drawn bright.
fn ticks(status: MessageStatus) -> Option<(Icon, bool)> {
    match status {
        MessageStatus::Queued => Some((Icon::Clock, false)),
        MessageStatus::Sent => Some((Icon::Check, false)),
        MessageStatus::Delivered => Some((Icon::Checks, false)),
        MessageStatus::Read => Some((Icon::Checks, true)),
        MessageStatus::Received => None,
    }
}

/// How far a message is, in a word.
pub(super) fn status_word(status: MessageStatus) -> &'static str {
    match status {
        MessageStatus::Queued => "waiting here",
        MessageStatus::Sent => "at the relay",
        MessageStatus::Delivered => "delivered",
        MessageStatus::Read => "read",
        MessageStatus::Received => "received",
    }
}

/// Of the width, what a bubble may take at most.
const SHARE: f32 = 0.72;
const NOTICE_SHARE: f32 = 0.8;
/// A line's height, of the letters' size.
const LINE: f32 = 1.43;

// Points.
/// Inside a bubble.
pub(super) const PADDING: Vec2 = vec2(12.0, 7.0);
const NOTICE_PADDING: Vec2 = vec2(12.0, 5.0);
/// Between the text and the time beside it.
const META_GAP: f32 = 10.0;
/// What ticks take, with the gap before them.
const TICKS: f32 = 18.0;
const TICKS_SIZE: f32 = 14.0;
