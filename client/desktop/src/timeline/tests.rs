//! The whole timeline without a screen: real letters, real heights, frame by frame.

use std::sync::Arc;

use egui::{Context, Event, MouseWheelSource, MouseWheelUnit, RawInput, Rect, TouchPhase, Vec2, pos2, vec2};
use proptest::prelude::*;
use sotto_driver::ContentId;

use super::{fixtures, *};
use crate::{
    theme::{self, Theme},
    view::{Clock, View},
};

/// A window, and the timeline in all of it.
struct Desk {
    ctx: Context,
    theme: Theme,
    view: View,
    state: TimelineState,
    size: Vec2,
    actions: Vec<Action>,
}

impl Desk {
    fn new(rows: Vec<Row>) -> Self {
        let (ctx, theme) = (Context::default(), Theme::light());
        theme::install(&ctx, &theme, true);
        let clock = Clock { now: 1_736_942_400_000, fixed_offset: Some(0) };
        let view = View { timeline: Some(fixtures::timeline(rows)), clock, ..View::default() };
        let mut desk =
            Self { ctx, theme, view, state: TimelineState::default(), size: vec2(700.0, 500.0), actions: Vec::new() };
        desk.frame(0.0);
        desk
    }

    fn timeline(&mut self) -> &mut Timeline {
        self.view.timeline.as_mut().expect("these desks show one")
    }

    fn set_rows(&mut self, rows: Vec<Row>) {
        self.timeline().rows = Arc::new(rows);
    }

    /// One frame, in which the pointer scrolls by so many points.
    fn frame(&mut self, wheel: f32) {
        let mut events = vec![Event::PointerMoved(pos2(300.0, 200.0))];
        if wheel != 0.0 {
            // Fingers on a pad: egui spreads nothing over later frames.
            events.extend([(TouchPhase::Start, 0.0), (TouchPhase::Move, wheel)].map(|(phase, y)| Event::MouseWheel {
                unit: MouseWheelUnit::Point,
                delta: vec2(0.0, y),
                phase,
                source: MouseWheelSource::Trackpad,
                modifiers: egui::Modifiers::NONE,
            }));
        }
        self.run(events);
    }

    /// One frame. When the next is wanted.
    fn run(&mut self, events: Vec<Event>) -> std::time::Duration {
        let screen_rect = Some(Rect::from_min_size(egui::Pos2::ZERO, self.size));
        let input = RawInput { screen_rect, events, focused: true, ..RawInput::default() };
        let output = self.ctx.run_ui(input, |ui| {
            let mut cx = Cx { view: &self.view, theme: &self.theme, actions: &mut self.actions };
            show(ui, &mut cx, &mut self.state);
        });
        let next = output.viewport_output[&egui::ViewportId::ROOT].repaint_delay;
        output.drop_without_applying_deltas();
        next
    }

    /// The first row whose upper edge is seen, and where that is, in pixels.
    fn eye(&self) -> (ContentId, i64) {
        let window = &self.state.window;
        let index = window.visible().find(|index| window.body_y(*index) >= 0).unwrap_or(window.visible().start);
        (window.slots()[index].id, window.body_y(index))
    }

    fn place(&self, id: ContentId) -> Option<i64> {
        self.state.window.index_of(id).map(|index| self.state.window.body_y(index))
    }

    /// Whether the last row's lower edge is at the viewport's.
    fn at_lower_edge(&self) -> bool {
        self.state.window.below() == 0
    }
}

/// A row whose text and time follow from its number.
fn row(number: u32) -> Row {
    let words = "a walk by the river before the ferry leaves at nine ".repeat(1 + number as usize * 7 % 6);
    let text = &words[..10 + number as usize * 13 % (words.len() - 10)];
    fixtures::message(number, u64::from(number) * 3_600_000, number.is_multiple_of(3), text)
}

fn rows(numbers: std::ops::Range<u32>) -> Vec<Row> {
    numbers.map(row).collect()
}

#[test]
fn a_frame_measures_a_bounded_number_of_rows() {
    let desk = Desk::new(rows(0..1000));
    let measured = desk.state.window.slots().iter().filter(|slot| slot.measured).count();
    assert!(measured < 64, "{measured}");
}

#[test]
fn more_rows_are_asked_for_once_near_an_end() {
    let mut desk = Desk::new(rows(0..200));
    desk.timeline().at_start = false;
    let first = desk.timeline().rows[0].id;
    for _ in 0..60 {
        desk.frame(400.0);
    }
    let asked = |action: &&Action| matches!(action, Action::MoveWindow(Anchor::Before(id)) if *id == first);
    assert_eq!(desk.actions.iter().filter(asked).count(), 1);
    assert_eq!(desk.actions.len(), 1);
}

#[test]
fn the_unread_line_is_looked_at_first() {
    let mut desk = Desk::new(Vec::new());
    let unread = fixtures::id(60);
    desk.set_rows(rows(0..200));
    desk.timeline().unread = Some((unread, 140));
    desk.timeline().look_at = (1, Anchor::Around(unread));
    desk.frame(0.0);
    let index = desk.state.window.index_of(unread).expect("it is loaded");
    let lead = desk.state.window.slots()[index].lead;
    assert_eq!(desk.place(unread), Some(desk.state.window.viewport() / 4 + lead));
}

#[test]
fn a_jump_waits_for_the_newest_rows() {
    let mut desk = Desk::new(rows(0..200));
    desk.timeline().at_end = false;
    desk.frame(3000.0);
    desk.state.jump();
    desk.frame(0.0);
    assert!(matches!(desk.actions.last(), Some(Action::MoveWindow(Anchor::Newest))));
    desk.set_rows(rows(5000..5200));
    desk.timeline().at_end = true;
    desk.frame(0.0);
    assert!(desk.state.window.at_newest() && desk.state.window.visible().end == 200);
}

#[test]
fn nothing_is_asked_for_at_rest() {
    let mut desk = Desk::new(rows(0..200));
    let next = (0..5).map(|_| desk.run(Vec::new())).last().expect("five frames");
    // Midnight, when `Today` is called `Yesterday`.
    assert_eq!(next.as_secs(), 12 * 3600);
    assert!(desk.actions.is_empty());
}

/// What happens to rows of a conversation while somebody reads in it.
#[derive(Clone, Debug)]
enum Happens {
    Load(u32),
    Arrive(u32),
    ExpireAbove(prop::sample::Index),
    EditAbove(prop::sample::Index, u32),
    Width(u16),
    Height(u16),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        (1u32..60).prop_map(Happens::Load),
        (1u32..20).prop_map(Happens::Arrive),
        any::<prop::sample::Index>().prop_map(Happens::ExpireAbove),
        (any::<prop::sample::Index>(), 0u32..500).prop_map(|(index, text)| Happens::EditAbove(index, text)),
        (320u16..1200).prop_map(Happens::Width),
        (200u16..900).prop_map(Happens::Height),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn what_one_reads_moves_0_px(
        scroll in 200.0f32..4000.0,
        steps in prop::collection::vec((happens(), -60.0f32..60.0), 1..12),
    ) {
        let (mut first, mut last) = (10_000, 10_200);
        let mut rows = rows(first..last);
        let mut desk = Desk::new(rows.clone());
        desk.frame(scroll);
        for (step, wheel) in steps {
            desk.frame(wheel);
            let (eye, y) = desk.eye();
            let at = rows.iter().position(|row| row.id == eye).expect("what is seen is loaded");
            match &step {
                Happens::Load(count) => {
                    rows.splice(..0, (first - count..first).map(row));
                    first -= count;
                }
                Happens::Arrive(count) => {
                    rows.extend((last..last + count).map(row));
                    last += count;
                }
                Happens::ExpireAbove(index) if at > 0 => drop(rows.remove(index.index(at))),
                Happens::EditAbove(index, text) if at > 0 => {
                    let edited = &mut rows[index.index(at)];
                    edited.kind = row(*text).kind;
                    edited.revision += 1;
                }
                Happens::Width(width) => desk.size.x = f32::from(*width),
                Happens::Height(height) => desk.size.y = f32::from(*height),
                Happens::ExpireAbove(_) | Happens::EditAbove(..) => {}
            }
            let newest = desk.state.window.at_newest();
            desk.set_rows(rows.clone());
            desk.frame(0.0);
            let moved = desk.place(eye).expect("it did not expire") - y;
            // At the newest row the lower edge is held; else only emptiness below the last row may move anything.
            prop_assert!(newest || moved == 0 || (moved > 0 && desk.at_lower_edge()), "{moved} px, after {step:?}");
        }
    }
}
