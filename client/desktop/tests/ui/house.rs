//! A window without a screen: a view is drawn, hands act on what it is called, and what was asked for is kept.

use std::{
    sync::{
        LazyLock, Mutex,
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

use egui::{Key, Modifiers, vec2};
use egui_kittest::{Harness, SnapshotResults, kittest::Queryable as _};
use sotto_desktop::{
    action::Action,
    app::App,
    backend::{Backend, Counterpart},
    update::Update,
    view::{Stage, View},
};

use crate::fixtures::themed;

/// The heights of a window are all the same; the widths show one pane, and all of them.
const HEIGHT: f32 = 720.0;
/// One pane at a time.
pub(crate) const NARROW: f32 = 480.0;
/// Every pane.
pub(crate) const WIDE: f32 = 1280.0;

/// A window, the hands on it, and what stands in place of its backend.
pub(crate) struct Scene {
    harness: Harness<'static, App>,
    behind: Behind,
    dark: bool,
}

/// What is behind a window.
enum Behind {
    /// The test itself.
    Test(Counterpart),
    /// A profile, and what tells that it has said something.
    Profile(Receiver<()>),
}

impl Scene {
    /// Opens a window that draws this.
    pub(crate) fn open(view: View, width: f32, dark: bool) -> Self {
        let (backend, counterpart) = Backend::pair();
        let view = themed(view, dark);
        let builder =
            Harness::builder().with_size(vec2(width, HEIGHT)).with_max_steps(STEPS_MAX).with_render_cursor(false);
        let theme = if dark { egui::Theme::Dark } else { egui::Theme::Light };
        let harness = builder.with_theme(theme).build_eframe(|cc| App::with_view(&cc.egui_ctx, backend, view));
        let mut scene = Self { harness, behind: Behind::Test(counterpart), dark };
        scene.settle();
        scene
    }

    /// Opens a window over a profile.
    pub(crate) fn over(backend: Backend, width: f32) -> Self {
        let builder = Harness::builder().with_size(vec2(width, HEIGHT)).with_max_steps(STEPS_MAX);
        let harness = builder.build_eframe(|cc| App::new(&cc.egui_ctx, backend));
        let (tell, woken) = channel();
        let tell = Mutex::new(tell);
        harness.ctx.set_request_repaint_callback(move |_| {
            // A scene that is over is told nothing.
            let _over = tell.lock().expect("nobody panics in it").send(());
        });
        Self { harness, behind: Behind::Profile(woken), dark: false }
    }

    /// Draws whenever the profile behind the window says something, until the window says these words.
    pub(crate) fn until(&mut self, words: &str) {
        self.until_view(words, |_| true);
        while !self.says(words) {
            self.next(words);
        }
    }

    /// The same, until what is drawn is as it should be.
    pub(crate) fn until_view(&mut self, what: &str, mut enough: impl FnMut(&View) -> bool) {
        self.settle();
        while !enough(self.view()) {
            self.next(what);
        }
    }

    fn next(&mut self, what: &str) {
        let Behind::Profile(woken) = &self.behind else { panic!("nobody but the test will say {what:?}") };
        let said = woken.recv_timeout(PATIENCE);
        assert!(said.is_ok(), "waited too long for {what:?}\n{:#?}", self.harness.root());
        self.settle();
    }

    /// Draws until nothing changes any more. A profile may have something new to say in each frame.
    pub(crate) fn settle(&mut self) {
        match &self.behind {
            Behind::Test(_) => drop(self.harness.run()),
            Behind::Profile(_) => drop(self.harness.run_ok()),
        }
    }

    /// What is drawn.
    pub(crate) fn view(&self) -> &View {
        self.harness.state().view()
    }

    /// Lets time pass, by a few frames.
    pub(crate) fn wait(&mut self) {
        self.harness.run_steps(3);
    }

    /// Draws something else from now on, as if the backend had said so.
    pub(crate) fn show(&mut self, view: View) {
        let view = themed(view, self.dark);
        let open = view.stage == Stage::Open;
        let mut updates =
            vec![Update::Stage(view.stage), Update::Profiles(view.profiles), Update::Preferences(view.preferences)];
        if open {
            updates.extend([
                Update::Account(view.account),
                Update::Conversations(view.conversations),
                Update::Timeline(view.timeline),
                Update::Network(view.network),
                Update::Invitation(view.invitation),
                Update::Preview(view.preview),
                Update::Why(view.why),
                Update::Search(view.search),
                Update::Cards(view.cards),
                Update::RecoveryKey(view.recovery_key),
                Update::Picture(view.picture),
            ]);
        }
        self.counterpart().tell(updates);
        self.settle();
    }

    /// What was asked of the backend since the last call.
    pub(crate) fn asked(&mut self) -> Vec<Action> {
        let counterpart = self.counterpart();
        std::iter::from_fn(|| counterpart.actions.try_recv().ok()).collect()
    }

    fn counterpart(&mut self) -> &mut Counterpart {
        match &mut self.behind {
            Behind::Test(counterpart) => counterpart,
            Behind::Profile(_) => panic!("a profile is behind this window"),
        }
    }

    /// Presses what is called this.
    pub(crate) fn click(&mut self, name: &str) {
        self.harness.get_by_label(name).click();
        self.settle();
        self.harness.remove_cursor();
        self.settle();
    }

    /// The same for something that is disabled: nothing should come of it.
    pub(crate) fn click_disabled(&mut self, name: &str) {
        self.harness.get_by_label(name).click();
        self.settle();
    }

    /// The same where several are called so.
    pub(crate) fn click_first(&mut self, name: &str) {
        self.harness.get_all_by_label(name).next().expect("one at least").click();
        self.settle();
    }

    /// The same: the one that was drawn last, so the uppermost one.
    pub(crate) fn click_last(&mut self, name: &str) {
        self.harness.get_all_by_label(name).last().expect("one at least").click();
        self.settle();
    }

    /// Writes where the keyboard is.
    pub(crate) fn type_text(&mut self, text: &str) {
        self.harness.event(egui::Event::Text(text.to_owned()));
        self.settle();
    }

    /// Pastes where the keyboard is.
    pub(crate) fn paste(&mut self, text: &str) {
        self.harness.event(egui::Event::Paste(text.to_owned()));
        self.settle();
    }

    /// Writes into the field that is called this.
    pub(crate) fn write(&mut self, name: &str, text: &str) {
        let field = self.harness.get_by_label(name);
        field.focus();
        field.type_text(text);
        self.settle();
    }

    /// Presses a key.
    pub(crate) fn press(&mut self, key: Key) {
        self.press_with(Modifiers::NONE, key);
    }

    /// Presses a key together with others.
    pub(crate) fn press_with(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.settle();
    }

    /// Asks for a command by the first letters of its name, as somebody does who knows no other way to it.
    pub(crate) fn command(&mut self, words: &str) {
        self.press_with(Modifiers::COMMAND, Key::K);
        self.type_text(words);
        self.press(Key::Enter);
    }

    /// Whether something is called so, or has it in its name.
    pub(crate) fn says(&self, words: &str) -> bool {
        self.harness.query_all_by_label_contains(words).next().is_some()
    }

    /// The window's tree, for what asks about all of it.
    pub(crate) fn harness(&mut self) -> &mut Harness<'static, App> {
        &mut self.harness
    }
}

/// A state in both themes and both widths: its words, and its picture where pictures are taken.
pub(crate) fn pictured(name: &str, view: impl Fn() -> View, act: impl Fn(&mut Scene), words: &[&str]) {
    let mut pictures = SnapshotResults::new();
    for (theme, dark) in [("light", false), ("dark", true)] {
        for width in [NARROW, WIDE] {
            let mut scene = Scene::open(view(), width, dark);
            act(&mut scene);
            for word in words {
                assert!(
                    scene.says(word),
                    "{name}, {theme}, {width}: nobody says {word:?}\n{:#?}",
                    scene.harness().root()
                );
            }
            if *PICTURES {
                scene.harness().snapshot(format!("{name}-{theme}-{width}"));
                pictures.extend_harness(scene.harness());
            }
        }
    }
}

/// Whether the renderer is the one that drew the pictures that are kept.
static PICTURES: LazyLock<bool> = LazyLock::new(|| {
    let found = std::panic::catch_unwind(|| {
        let setup = egui_kittest::wgpu::default_wgpu_setup();
        let state = egui_kittest::wgpu::create_render_state(setup, Default::default());
        state.adapter.get_info().driver == "llvmpipe"
    });
    let pictures = found.unwrap_or(false);
    if !pictures {
        eprintln!("no pictures are taken: this is not Mesa's software renderer");
    }
    pictures
});

/// Long enough for any machine; nothing waits it out.
const PATIENCE: Duration = Duration::from_secs(60);
/// Frames until the window is still; dialogs and lists need one or two to measure themselves.
const STEPS_MAX: u64 = 8;
