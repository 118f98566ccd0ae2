//! What is selected: from a character of one message to a character of another. Held by message, not by place, with the
//! texts in between, so that copying is right when rows scroll away and the window lets go of them.

use std::{ops::Range, sync::Arc};

use sotto_driver::ContentId;

/// A place in a conversation: before a character of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) id: ContentId,
    pub(super) char: usize,
}

/// A message and its text.
pub(super) type Said = (ContentId, Arc<str>);

/// From one point to another, which may come before it.
pub(super) struct Selection {
    from: Point,
    to: Point,
    /// In reading order, from the one end's message to the other's. Never empty.
    texts: Vec<Said>,
}

impl Selection {
    /// Nothing yet, at a point.
    pub(super) fn new(at: Point, text: Arc<str>) -> Self {
        Self { from: at, to: at, texts: vec![(at.id, text)] }
    }

    /// A whole message.
    pub(super) fn whole(id: ContentId, text: Arc<str>) -> Self {
        let end = text.chars().count();
        Self { from: Point { id, char: 0 }, to: Point { id, char: end }, texts: vec![(id, text)] }
    }

    /// The word at a point; what lies between two words where there is none.
    pub(super) fn word(at: Point, text: Arc<str>) -> Self {
        let letters: Vec<char> = text.chars().collect();
        let here = at.char.min(letters.len().saturating_sub(1));
        let alike =
            |letter: &char| letters.get(here).is_some_and(|one| one.is_alphanumeric() == letter.is_alphanumeric());
        let start = here - letters[..here].iter().rev().take_while(|letter| alike(letter)).count();
        let end = here + letters[here..].iter().take_while(|letter| alike(letter)).count();
        Self { from: Point { id: at.id, char: start }, to: Point { id: at.id, char: end }, texts: vec![(at.id, text)] }
    }

    /// Moves the loose end, to a row of what is loaded now. Begins anew where nothing loaded reaches what is selected.
    pub(super) fn extend(&mut self, to: Point, loaded: &[Said]) {
        let place = |id: ContentId| loaded.iter().position(|(other, _)| *other == id);
        let Some(end) = place(to.id) else { return };
        if let Some(start) = place(self.from.id) {
            self.texts = loaded[start.min(end)..=start.max(end)].to_vec();
        } else if let Some(kept) = self.texts.iter().position(|(id, _)| *id == to.id) {
            // Back over what was selected already.
            if self.forward() { self.texts.truncate(kept + 1) } else { drop(self.texts.drain(..kept)) }
        } else if self.forward() {
            match self.texts.last().and_then(|(id, _)| place(*id)) {
                Some(last) if last < end => self.texts.extend_from_slice(&loaded[last + 1..=end]),
                _ => return *self = Self::new(to, Arc::clone(&loaded[end].1)),
            }
        } else {
            match self.texts.first().and_then(|(id, _)| place(*id)) {
                Some(first) if end < first => drop(self.texts.splice(..0, loaded[end..first].iter().cloned())),
                _ => return *self = Self::new(to, Arc::clone(&loaded[end].1)),
            }
        }
        self.to = to;
    }

    /// Which characters of a message are selected.
    pub(super) fn range(&self, id: ContentId) -> Option<Range<usize>> {
        let index = self.texts.iter().position(|(other, _)| *other == id)?;
        let (first, last) = self.ends();
        let len = self.texts[index].1.chars().count();
        let start = if index == 0 { first.char.min(len) } else { 0 };
        let end = if index + 1 == self.texts.len() { last.char.min(len) } else { len };
        (start < end).then_some(start..end)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.texts.len() == 1 && self.from.char == self.to.char
    }

    /// For the clipboard: each message on a line of its own.
    pub(super) fn text(&self) -> String {
        let part = |(id, text): &Said| {
            let range = self.range(*id).unwrap_or_default();
            text.chars().skip(range.start).take(range.len()).collect::<String>()
        };
        self.texts.iter().map(part).collect::<Vec<_>>().join("\n")
    }

    /// Whether the fixed end comes first.
    fn forward(&self) -> bool {
        match self.texts.as_slice() {
            [_] => self.from.char <= self.to.char,
            _ => self.texts[0].0 == self.from.id,
        }
    }

    /// In reading order.
    fn ends(&self) -> (Point, Point) {
        if self.forward() { (self.from, self.to) } else { (self.to, self.from) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::fixtures::id;

    fn said(range: Range<u32>) -> Vec<Said> {
        range.map(|n| (id(n), Arc::from(format!("message {n}")))).collect()
    }

    fn point(n: u32, char: usize) -> Point {
        Point { id: id(n), char }
    }

    #[test]
    fn a_part_of_one_message_in_either_direction() {
        let loaded = said(0..3);
        for (from, to) in [(2, 5), (5, 2)] {
            let mut selection = Selection::new(point(1, from), Arc::clone(&loaded[1].1));
            assert!(selection.is_empty() && selection.range(id(1)).is_none());
            selection.extend(point(1, to), &loaded);
            assert_eq!(selection.text(), "ssa");
        }
    }

    #[test]
    fn several_messages_are_lines() {
        let loaded = said(0..5);
        let mut selection = Selection::new(point(3, 7), Arc::clone(&loaded[3].1));
        selection.extend(point(1, 8), &loaded);
        assert_eq!(selection.text(), "1\nmessage 2\nmessage");
        assert_eq!((selection.range(id(0)), selection.range(id(2))), (None, Some(0..9)));
    }

    #[test]
    fn copying_survives_scrolling() {
        let mut selection = Selection::new(point(3, 8), Arc::clone(&said(3..4)[0].1));
        selection.extend(point(8, 1), &said(0..10));
        selection.extend(point(12, 7), &said(6..20));
        assert!(selection.text().starts_with("3\nmessage 4\n") && selection.text().ends_with("message 11\nmessage"));
        selection.extend(point(10, 7), &said(6..20));
        assert!(selection.text().ends_with("message 9\nmessage"));
    }

    #[test]
    fn and_upwards() {
        let mut selection = Selection::new(point(30, 4), Arc::clone(&said(30..31)[0].1));
        selection.extend(point(25, 0), &said(20..40));
        selection.extend(point(18, 8), &said(10..28));
        assert!(selection.text().starts_with("18\nmessage 19\n") && selection.text().ends_with("message 29\nmess"));
    }

    #[test]
    fn out_of_reach_it_begins_anew() {
        let mut selection = Selection::new(point(3, 0), Arc::clone(&said(3..4)[0].1));
        selection.extend(point(50, 2), &said(40..60));
        assert!(selection.is_empty());
    }

    #[test]
    fn a_word_is_letters_and_digits() {
        let text: Arc<str> = Arc::from("the 9:40, car");
        assert_eq!(Selection::word(point(0, 11), Arc::clone(&text)).text(), "car");
        assert_eq!(Selection::word(point(0, 1), Arc::clone(&text)).text(), "the");
        assert_eq!(Selection::word(point(0, 99), text).text(), "car");
    }
}
