//! Right-to-left text in display order (UAX #9). egui lays glyphs out from left to right and shapes each word of one script by
//! itself; so a text with right-to-left letters is broken into lines here, and each line into pieces that stand side by
//! side from left to right.
//!
//! A piece of right-to-left letters keeps its order, because shaping turns it; spaces and punctuation among them are
//! turned and mirrored here.

use std::ops::Range;

use unicode_bidi::{BidiClass, BidiInfo, ParagraphInfo, bidi_class};

/// What stands in one piece, in reading order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// What is drawn.
    pub(crate) shown: String,
    /// Which characters of the whole text it is.
    pub(crate) chars: Range<usize>,
    /// Whether its first character stands at its right.
    pub(crate) rtl: bool,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// From left to right.
    pub(crate) pieces: Vec<Piece>,
    /// Whether its paragraph begins at the right.
    pub(crate) rtl: bool,
}

/// Whether a text needs what this file does.
pub(crate) fn has_rtl(text: &str) -> bool {
    const FIRST_RTL: char = '\u{590}';
    text.chars().any(|letter| letter >= FIRST_RTL && is_rtl(letter))
}

/// Breaks a text into lines of at most `width_max`, as `width` measures them.
pub(crate) fn lines(text: &str, width_max: f32, width: &mut dyn FnMut(&str) -> f32) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut start = 0;
    for paragraph in text.split('\n') {
        let first_char = text[..start].chars().count();
        start += paragraph.len() + 1;
        let info = BidiInfo::new(paragraph, None);
        let Some(whole) = info.paragraphs.first() else {
            lines.push(Line { pieces: Vec::new(), rtl: false });
            continue;
        };
        for range in broken(paragraph, width_max, width) {
            lines.push(line(&info, whole, range, first_char));
        }
    }
    lines
}

/// Byte ranges of a paragraph's lines: as many words in each as fit; a word that is too long alone is cut.
fn broken(paragraph: &str, width_max: f32, width: &mut dyn FnMut(&str) -> f32) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let (mut start, mut end, mut used) = (0, 0, 0.0);
    for word in paragraph.split_inclusive(' ') {
        let (seen, whole) = (width(word.trim_end()), width(word));
        if used + seen > width_max && end > start {
            lines.push(start..end);
            (start, used) = (end, 0.0);
        }
        if seen > width_max {
            let cuts = cut(word, width_max, seen);
            lines.extend(cuts[..cuts.len() - 1].iter().map(|range| end + range.start..end + range.end));
            let last = &cuts[cuts.len() - 1];
            start = end + last.start;
            used = width(&word[last.clone()]);
        } else {
            used += whole;
        }
        end += word.len();
    }
    lines.push(start..end);
    lines
}

/// Cuts a long word into pieces of about equal numbers of characters that fit. Never empty.
fn cut(word: &str, width_max: f32, width: f32) -> Vec<Range<usize>> {
    let pieces = (width / width_max.max(1.0)).ceil().clamp(1.0, 1e6) as usize;
    let each = word.chars().count().div_ceil(pieces + 1).max(1);
    let mut starts: Vec<usize> = word.char_indices().map(|(at, _)| at).step_by(each).collect();
    starts.push(word.len());
    starts.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

fn line(info: &BidiInfo<'_>, paragraph: &ParagraphInfo, range: Range<usize>, first_char: usize) -> Line {
    let rtl = paragraph.level.is_rtl();
    if range.is_empty() {
        return Line { pieces: Vec::new(), rtl };
    }
    let (levels, runs) = info.visual_runs(paragraph, range);
    let mut pieces = Vec::new();
    for run in runs {
        let first = first_char + info.text[..run.start].chars().count();
        if levels[run.start].is_rtl() {
            turned(&info.text[run], first, &mut pieces);
        } else {
            let shown = &info.text[run];
            pieces.push(Piece { shown: shown.to_owned(), chars: first..first + shown.chars().count(), rtl: false });
        }
    }
    Line { pieces, rtl }
}

/// A right-to-left run from left to right: its words from the last to the first, what lies between turned.
fn turned(run: &str, first: usize, pieces: &mut Vec<Piece>) {
    let mut segments: Vec<(bool, String, usize)> = Vec::new();
    for letter in run.chars() {
        let shaped = is_rtl(letter) || bidi_class(letter) == BidiClass::NSM;
        match segments.last_mut() {
            Some((last, text, count)) if *last == shaped => {
                text.push(letter);
                *count += 1;
            }
            _ => segments.push((shaped, letter.to_string(), 1)),
        }
    }
    let mut end = first + run.chars().count();
    for (shaped, text, count) in segments.into_iter().rev() {
        let shown = if shaped { text } else { text.chars().rev().map(mirrored).collect() };
        pieces.push(Piece { shown, chars: end - count..end, rtl: true });
        end -= count;
    }
}

fn is_rtl(letter: char) -> bool {
    matches!(bidi_class(letter), BidiClass::R | BidiClass::AL)
}

/// Rule L4, for what people type.
fn mirrored(letter: char) -> char {
    match letter {
        '(' => ')',
        ')' => '(',
        '[' => ']',
        ']' => '[',
        '{' => '}',
        '}' => '{',
        '<' => '>',
        '>' => '<',
        '«' => '»',
        '»' => '«',
        '‹' => '›',
        '›' => '‹',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str, width_max: f32) -> Vec<Vec<String>> {
        let lines = lines(text, width_max, &mut |word| word.chars().count() as f32);
        lines.into_iter().map(|line| line.pieces.into_iter().map(|piece| piece.shown).collect()).collect()
    }

    #[test]
    fn left_to_right_needs_nothing() {
        assert!(!has_rtl("Grüße, 世界 🌊") && has_rtl("hi שלום") && has_rtl("سلام"));
    }

    #[test]
    fn words_are_read_from_the_right() {
        assert_eq!(shown("שלום עולם", 99.0), [["עולם", " ", "שלום"]]);
    }

    #[test]
    fn a_number_and_a_latin_word_keep_their_direction() {
        assert_eq!(shown("יש 25 cats כאן", 99.0), [["כאן", " ", "cats", " ", "25", " ", "יש"]]);
        assert_eq!(shown("see שלום ok", 99.0), [["see ", "שלום", " ok"]]);
    }

    #[test]
    fn brackets_are_mirrored() {
        assert_eq!(shown("(שלום)", 99.0), [["(", "שלום", ")"]]);
        assert_eq!(lines("(שלום)", 99.0, &mut |_| 1.0)[0].pieces[0].chars, 5..6);
    }

    #[test]
    fn lines_break_in_reading_order() {
        assert_eq!(shown("אחת שתיים שלוש", 10.0), [vec!["\u{20}", "שתיים", " ", "אחת"], vec!["שלוש"]]);
    }

    proptest! {
        #[test]
        fn no_character_is_lost_or_drawn_twice(text in "[a-zאבגדسلام 0-9().\n\u{5b0}\u{202e}]{0,60}", width_max in 1.0f32..30.0) {
            let lines = lines(&text, width_max, &mut |word| word.chars().count() as f32);
            let mut drawn: Vec<usize> = Vec::new();
            for piece in lines.iter().flat_map(|line| &line.pieces) {
                prop_assert_eq!(piece.shown.chars().count(), piece.chars.len());
                drawn.extend(piece.chars.clone());
            }
            drawn.sort_unstable();
            let all: Vec<usize> =
                text.chars().enumerate().filter(|(_, letter)| *letter != '\n').map(|(index, _)| index).collect();
            prop_assert_eq!(drawn, all);
        }
    }
}
