//! A text laid out for a bubble: drawn, hit by the pointer, highlighted. Most texts are one galley of egui's; those with
//! right-to-left letters are lines of pieces.

use std::{ops::Range, sync::Arc};

use egui::{
    Color32, FontId, Galley, Painter, Pos2, Rect, Vec2, pos2,
    text::{LayoutJob, TextFormat, TextWrapping},
    vec2,
};

use super::bidi;

/// Laid out, from its own upper left corner.
pub(super) enum Block {
    Plain(Arc<Galley>),
    Lines { lines: Vec<Vec<Laid>>, size: Vec2, line_height: f32, last_is_rtl: bool },
}

/// A piece in its place.
pub(super) struct Laid {
    galley: Arc<Galley>,
    at: Pos2,
    chars: Range<usize>,
    rtl: bool,
}

/// How a text looks.
#[derive(Clone)]
pub(super) struct Look {
    pub(super) font: FontId,
    pub(super) line_height: f32,
    pub(super) color: Color32,
    pub(super) width_max: f32,
}

impl Look {
    fn format(&self) -> TextFormat {
        TextFormat { line_height: Some(self.line_height), ..TextFormat::simple(self.font.clone(), self.color) }
    }

    fn lay(&self, painter: &Painter, text: &str, width_max: f32) -> Arc<Galley> {
        let mut job = LayoutJob::single_section(text.to_owned(), self.format());
        job.wrap = TextWrapping::wrap_at_width(width_max);
        painter.layout_job(job)
    }

    /// The lines of a text that has right-to-left letters.
    pub(super) fn lines(&self, painter: &Painter, text: &str) -> Vec<bidi::Line> {
        bidi::lines(text, self.width_max, &mut |word| self.lay(painter, word, f32::INFINITY).size().x)
    }
}

impl Block {
    /// Lays a text out; `lines` where it has right-to-left letters.
    pub(super) fn new(painter: &Painter, text: &str, lines: Option<&[bidi::Line]>, look: &Look) -> Self {
        let Some(lines) = lines else { return Self::Plain(look.lay(painter, text, look.width_max)) };
        let mut width = 0.0_f32;
        let mut laid: Vec<Vec<Laid>> = Vec::new();
        for (line, number) in lines.iter().zip(0u16..) {
            let mut at = pos2(0.0, f32::from(number) * look.line_height);
            let place = |piece: &bidi::Piece| {
                let galley = look.lay(painter, &piece.shown, f32::INFINITY);
                let laid = Laid { at, chars: piece.chars.clone(), rtl: piece.rtl, galley };
                at.x += laid.galley.size().x;
                laid
            };
            laid.push(line.pieces.iter().map(place).collect());
            width = width.max(at.x);
        }
        // A paragraph that begins at the right stands at the right.
        for (_, pieces) in lines.iter().zip(&mut laid).filter(|(line, _)| line.rtl) {
            let used = pieces.last().map_or(0.0, Laid::right);
            pieces.iter_mut().for_each(|piece| piece.at.x += width - used);
        }
        let size = vec2(width, look.line_height * f32::from(u16::try_from(laid.len()).unwrap_or(u16::MAX)));
        let last_is_rtl = lines.last().is_some_and(|line| line.rtl);
        Self::Lines { lines: laid, size, line_height: look.line_height, last_is_rtl }
    }

    pub(super) fn size(&self) -> Vec2 {
        match self {
            Self::Plain(galley) => galley.size(),
            Self::Lines { size, .. } => *size,
        }
    }

    /// How much of the last line is taken, from the left.
    pub(super) fn last_line(&self) -> f32 {
        match self {
            Self::Plain(galley) => galley.rows.last().map_or(0.0, |row| row.rect().right()),
            Self::Lines { size, last_is_rtl: true, .. } => size.x,
            Self::Lines { lines, .. } => lines.last().and_then(|line| line.last()).map_or(0.0, Laid::right),
        }
    }

    pub(super) fn paint(&self, painter: &Painter, at: Pos2, color: Color32) {
        match self {
            Self::Plain(galley) => {
                painter.galley(at, Arc::clone(galley), color);
            }
            Self::Lines { lines, .. } => {
                for piece in lines.iter().flatten() {
                    painter.galley(at + piece.at.to_vec2(), Arc::clone(&piece.galley), color);
                }
            }
        }
    }

    /// The character before which a point lies.
    pub(super) fn char_at(&self, point: Vec2) -> usize {
        match self {
            Self::Plain(galley) => galley.cursor_from_pos(point).index.0,
            Self::Lines { lines, line_height, .. } => {
                let number = (point.y / line_height).floor().clamp(0.0, 1e6) as usize;
                let Some(line) = lines.get(number.min(lines.len().saturating_sub(1))) else { return 0 };
                let nearest = |piece: &&Laid| (piece.middle() - point.x).abs().max(piece.galley.size().x / 2.0);
                let piece = line.iter().min_by(|a, b| nearest(a).total_cmp(&nearest(b)));
                piece.map_or(0, |piece| piece.char_at(point.x))
            }
        }
    }

    /// What is to be highlighted for a range of characters.
    pub(super) fn highlights(&self, range: &Range<usize>) -> Vec<Rect> {
        match self {
            Self::Plain(galley) => plain_highlights(galley, range),
            Self::Lines { lines, line_height, .. } => {
                let pieces = lines.iter().flatten();
                pieces.filter_map(|piece| piece.highlight(range, *line_height)).collect()
            }
        }
    }
}

impl Laid {
    fn right(&self) -> f32 {
        self.at.x + self.galley.size().x
    }

    fn middle(&self) -> f32 {
        self.at.x + self.galley.size().x / 2.0
    }

    /// A turned piece has no place for each character, because shaping may join them: they share its width evenly.
    fn x_of(&self, char: usize) -> f32 {
        let share = (char - self.chars.start) as f32 / self.chars.len().max(1) as f32;
        self.at.x + self.galley.size().x * if self.rtl { 1.0 - share } else { share }
    }

    fn char_at(&self, x: f32) -> usize {
        let share = ((x - self.at.x) / self.galley.size().x.max(1.0)).clamp(0.0, 1.0);
        let share = if self.rtl { 1.0 - share } else { share };
        self.chars.start + (share * self.chars.len() as f32).round() as usize
    }

    fn highlight(&self, range: &Range<usize>, line_height: f32) -> Option<Rect> {
        let (start, end) = (range.start.max(self.chars.start), range.end.min(self.chars.end));
        if start >= end {
            return None;
        }
        let (a, b) = (self.x_of(start), self.x_of(end));
        Some(Rect::from_min_max(pos2(a.min(b), self.at.y), pos2(a.max(b), self.at.y + line_height)))
    }
}

fn plain_highlights(galley: &Galley, range: &Range<usize>) -> Vec<Rect> {
    let mut rects = Vec::new();
    let mut first = 0;
    for row in &galley.rows {
        let len = row.char_count_excluding_newline().0;
        let (start, end) = (range.start.max(first), range.end.min(first + len));
        if start < end {
            let left = row.pos.x + row.x_offset((start - first).into());
            let right = row.pos.x + row.x_offset((end - first).into());
            rects.push(Rect::from_min_max(pos2(left, row.min_y()), pos2(right, row.max_y())));
        }
        first += row.char_count_including_newline().0;
    }
    rects
}
