//! CPU time of the window's thread for a frame while one scrolls through 100,000 messages: logic, layout, tessellation.
//! Painting is the graphics driver's and is not in it. The goal is 4 ms for 99 of 100 frames.
//!
//! Beside it, the limit: the same frames with nothing to scroll.

#![allow(clippy::print_stdout, missing_docs)]

mod fake;

use std::time::Duration;

use egui::{Context, Event, MouseWheelSource, MouseWheelUnit, Pos2, RawInput, Rect, TouchPhase, Vec2, pos2, vec2};
use fake::Fake;
use nix::time::{ClockId, clock_gettime};
use sotto_desktop::{
    app::App,
    backend::{Backend, Counterpart},
    update::Update,
};

const MESSAGES: usize = 100_000;
const SIZE: Vec2 = vec2(1120.0, 760.0);

fn main() {
    // Where tests are run, one frame of each kind shows that it works.
    let frames = if std::env::args().any(|arg| arg == "--bench") { 3_000 } else { 5 };
    println!("a frame of the whole window, {} x {}, {MESSAGES} messages, {frames} frames", SIZE.x, SIZE.y);
    for (name, step) in
        [("at rest", 0.0), ("scrolling up", 90.0), ("scrolling fast", 900.0), ("scrolling down", -400.0)]
    {
        let mut desk = Desk::new();
        if step < 0.0 {
            (0..frames).for_each(|_| _ = desk.frame(900.0));
        }
        (0..10).for_each(|_| _ = desk.frame(0.0));
        let mut times: Vec<Duration> = (0..frames).map(|_| desk.frame(step)).collect();
        times.sort_unstable();
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        println!("{name:16} p50 {:6.3} ms   p99 {:6.3} ms   most {:6.3} ms", at(0.5), at(0.99), at(1.0));
    }
}

/// A window without a screen.
struct Desk {
    ctx: Context,
    app: App,
    counterpart: Counterpart,
    fake: Fake,
    time: f64,
}

impl Desk {
    fn new() -> Self {
        let (ctx, fake) = (Context::default(), Fake::new(MESSAGES));
        let (backend, counterpart) = Backend::pair();
        let app = App::with_view(&ctx, backend, fake.view.clone());
        Self { ctx, app, counterpart, fake, time: 0.0 }
    }

    /// One frame, in which the wheel turns by so many points.
    fn frame(&mut self, wheel: f32) -> Duration {
        self.time += 1.0 / 60.0;
        let mut events = vec![Event::PointerMoved(pos2(800.0, 400.0))];
        if wheel != 0.0 {
            events.push(Event::MouseWheel {
                unit: MouseWheelUnit::Point,
                delta: vec2(0.0, wheel),
                phase: TouchPhase::Move,
                source: MouseWheelSource::Trackpad,
                modifiers: egui::Modifiers::NONE,
            });
        }
        let screen_rect = Some(Rect::from_min_size(Pos2::ZERO, SIZE));
        let input = RawInput { screen_rect, time: Some(self.time), events, focused: true, ..RawInput::default() };
        let begin = cpu_time();
        let mut output = self.ctx.run_ui(input, |ui| self.app.draw(ui));
        let shapes = self.ctx.tessellate(std::mem::take(&mut output.shapes), output.pixels_per_point);
        let spent = cpu_time() - begin;
        std::hint::black_box(shapes);
        output.drop_without_applying_deltas();
        while let Ok(action) = self.counterpart.actions.try_recv() {
            if self.fake.apply(&action) {
                self.counterpart.tell([Update::Timeline(self.fake.view.timeline.clone())]);
            }
        }
        spent
    }
}

/// The CPU time this thread used.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("Linux has this clock").into()
}
