//! The held row moves 0 px, whatever happens around it.

use proptest::prelude::*;

use super::*;

const VIEWPORT: i64 = 600;
const MARGIN: i64 = 12;

fn slot(id: u32, lead: i64, body: i64) -> Slot<u32> {
    Slot { id, lead, body, measured: true }
}

fn window(slots: Vec<Slot<u32>>, at_end: bool) -> Window<u32> {
    let mut window = Window::default();
    window.resize(VIEWPORT, MARGIN);
    window.replace(slots, at_end);
    window
}

fn rows(ids: Range<u32>) -> Vec<Slot<u32>> {
    ids.map(|id| slot(id, 2 + i64::from(id % 5), 30 + i64::from(id * 7 % 90))).collect()
}

fn place(window: &Window<u32>, id: u32) -> Option<i64> {
    window.index_of(id).map(|index| window.body_y(index))
}

#[test]
fn few_rows_stand_at_the_lower_edge() {
    let window = window(rows(0..2), true);
    let last = window.slots()[1];
    assert_eq!(window.body_y(1) + last.body + MARGIN, VIEWPORT);
    assert_eq!(window.visible(), 0..2);
}

#[test]
fn what_arrives_at_the_newest_is_seen() {
    let mut window = window(rows(0..100), true);
    window.replace(rows(0..101), true);
    assert!(window.at_newest());
    assert_eq!(window.visible().end, 101);
}

#[test]
fn what_arrives_while_one_reads_above_moves_nothing() {
    let mut window = window(rows(0..100), true);
    window.scroll(900);
    let before = place(&window, 80);
    window.replace(rows(0..140), true);
    assert_eq!(place(&window, 80), before);
    assert!(!window.at_newest());
}

#[test]
fn scrolling_ends_at_both_ends() {
    let mut window = window(rows(0..100), true);
    window.scroll(1_000_000);
    assert_eq!((window.hidden_above(), window.visible().start), (0, 0));
    window.scroll(-1_000_000);
    assert!(window.at_newest());
}

#[test]
fn a_row_that_is_asked_for_is_shown_there_or_as_near_as_it_can() {
    let mut window = window(rows(0..100), true);
    assert!(window.show(50, 100));
    assert_eq!(place(&window, 50), Some(100 + window.slots()[50].lead));
    assert!(window.show(99, 100) && window.at_newest());
    assert!(window.show(0, 100) && window.hidden_above() == 0);
    assert!(!window.show(100, 0));
}

#[test]
fn the_last_row_of_a_window_amid_the_conversation_is_not_the_newest() {
    let mut window = window(rows(0..100), false);
    window.scroll(-1_000_000);
    assert_eq!((window.at_newest(), window.below()), (false, 0));
    let before = place(&window, 99);
    window.replace(rows(20..180), false);
    assert_eq!(place(&window, 99), before);
}

#[test]
fn where_the_held_row_expires_its_neighbour_stands_still() {
    let mut window = window(rows(0..100), true);
    window.show(50, 0);
    let next = place(&window, 51);
    window.replace(rows(0..100).into_iter().filter(|slot| slot.id != 50).collect(), true);
    assert_eq!(place(&window, 51), next);
}

/// One thing that happens to a conversation somebody reads.
#[derive(Clone, Debug)]
enum Happens {
    Scroll(i64),
    Prepend(Vec<i64>),
    Append(Vec<i64>),
    ExpireAbove(Vec<prop::sample::Index>),
    Expire(Vec<prop::sample::Index>),
    Measure(prop::sample::Index, i64),
    /// A change of width: every body gets another height.
    Rewrap(i64),
    /// The window moves down over the conversation: rows at its start are let go.
    DropAbove,
    Viewport(i64),
}

fn happens() -> impl Strategy<Value = Happens> {
    let bodies = || prop::collection::vec(20i64..400, 1..30);
    let some = || prop::collection::vec(any::<prop::sample::Index>(), 1..6);
    prop_oneof![
        (-1500i64..1500).prop_map(Happens::Scroll),
        bodies().prop_map(Happens::Prepend),
        bodies().prop_map(Happens::Append),
        some().prop_map(Happens::ExpireAbove),
        some().prop_map(Happens::Expire),
        (any::<prop::sample::Index>(), 20i64..400).prop_map(|(index, body)| Happens::Measure(index, body)),
        (1i64..4).prop_map(Happens::Rewrap),
        Just(Happens::DropAbove),
        (200i64..1200).prop_map(Happens::Viewport),
    ]
}

/// A conversation, and the next ids at its ends.
struct Story {
    window: Window<i64>,
    slots: Vec<Slot<i64>>,
    viewport: i64,
    at_end: bool,
}

impl Story {
    fn body(&mut self, id: i64, body: i64) -> Slot<i64> {
        Slot { id, lead: 2 + id.rem_euclid(3) * 8, body, measured: true }
    }

    /// Does it. `true` where everything that was seen and is still there must stand where it stood.
    fn apply(&mut self, happens: &Happens) -> bool {
        let held = self.window.visible().start;
        match happens {
            Happens::Scroll(pixels) => {
                self.window.scroll(*pixels);
                return false;
            }
            Happens::Viewport(height) => {
                self.viewport = *height;
                self.window.resize(*height, MARGIN);
                return true;
            }
            Happens::Measure(index, body) => {
                let index = index.index(self.slots.len());
                self.slots[index].body = *body;
                self.window.set_body(index, *body);
                return true;
            }
            Happens::Prepend(bodies) => {
                for body in bodies {
                    let first = self.slots.first().map_or(0, |slot| slot.id - 1);
                    let slot = self.body(first, *body);
                    self.slots.insert(0, slot);
                }
            }
            Happens::Append(bodies) => {
                for body in bodies {
                    let next = self.slots.last().map_or(0, |slot| slot.id + 1);
                    let slot = self.body(next, *body);
                    self.slots.push(slot);
                }
            }
            Happens::ExpireAbove(which) => {
                for index in which {
                    if held > 0 && self.slots.len() > 1 {
                        self.slots.remove(index.index(held.min(self.slots.len() - 1)));
                    }
                }
            }
            Happens::Expire(which) => {
                for index in which {
                    if self.slots.len() > 1 {
                        self.slots.remove(index.index(self.slots.len()));
                    }
                }
            }
            Happens::Rewrap(factor) => {
                for slot in &mut self.slots {
                    slot.body = 20 + slot.body * factor % 397;
                }
            }
            Happens::DropAbove => {
                self.slots.drain(..held / 2);
            }
        }
        // The neighbours changed: so may what leads a row in.
        for (index, slot) in self.slots.iter_mut().enumerate() {
            slot.lead = 2 + (slot.id + i64::try_from(index).expect("few")).rem_euclid(3) * 8;
        }
        self.window.replace(self.slots.clone(), self.at_end);
        true
    }

    /// The row that is held: the one a reader's eye is on.
    fn held(&self) -> Option<(i64, i64)> {
        match self.window.hold {
            Hold::Newest => None,
            Hold::Body { index, y } => Some((self.window.slots[index].id, y)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_held_row_moves_0_px(
        bodies in prop::collection::vec(20i64..400, 1..60),
        at_end in any::<bool>(),
        steps in prop::collection::vec(happens(), 1..40),
    ) {
        let mut story = Story { window: Window::default(), slots: Vec::new(), viewport: VIEWPORT, at_end };
        story.window.resize(VIEWPORT, MARGIN);
        story.apply(&Happens::Append(bodies));
        for step in steps {
            let held = story.held();
            let nothing_moves = story.apply(&step);
            let window = &story.window;
            prop_assert!(window.below() >= 0 || window.at_newest() , "a gap below, after {step:?}");
            let Some((id, y)) = held.filter(|_| nothing_moves) else { continue };
            let Some(index) = window.index_of(id) else { continue };
            // It stands where it stood, unless that would leave emptiness below the last row.
            let last = window.slots().len() - 1;
            let lower = window.body_y(last) + window.slots()[last].body + MARGIN;
            let moved = window.body_y(index) - y;
            prop_assert!(moved == 0 || (moved > 0 && lower == story.viewport), "{moved} px, after {step:?}");
        }
    }

    #[test]
    fn what_is_visible_fills_the_viewport(
        bodies in prop::collection::vec(20i64..400, 1..60),
        pixels in prop::collection::vec(-2000i64..2000, 0..20),
    ) {
        let mut story = Story { window: Window::default(), slots: Vec::new(), viewport: VIEWPORT, at_end: true };
        story.window.resize(VIEWPORT, MARGIN);
        story.apply(&Happens::Append(bodies));
        for step in pixels {
            story.window.scroll(step);
            let (window, visible) = (&story.window, story.window.visible());
            let (first, last) = (visible.start, visible.end - 1);
            let upper = window.body_y(first) - window.slots()[first].lead;
            prop_assert!(upper <= 0 || first == 0);
            prop_assert!(window.body_y(last) + window.slots()[last].body >= VIEWPORT || visible.end == window.slots().len());
            prop_assert!(window.total() < VIEWPORT || upper <= 0, "a gap above");
        }
    }
}
