//! The window: what is open, where the panes lie, and what becomes of wishes. A frame reads the view, draws, and applies
//! the wishes afterwards; nothing here waits for anything.
//!
//! A test makes one with [`App::new`] over [`Backend::pair`], draws it with [`App::draw`] in a harness, tells it what to
//! draw through the counterpart, or at once with [`App::with_view`], and finds what it asked for in `Counterpart::actions`.

mod panes;
mod toasts;
mod wishes;

use std::time::{SystemTime, UNIX_EPOCH};

use egui::{
    Color32, Context, CursorIcon, Event, Id, Key, Modifiers, Rect, Sense, Stroke, Ui, UiBuilder, ViewportCommand,
};
use sotto_driver::ContactId;

use self::{
    panes::{Panes, Wanted},
    toasts::Toasts,
};
use crate::{
    action::{Action, Dialog, PictureSource},
    backend::Backend,
    conversation::{self, ConversationState},
    cx::Cx,
    details, help, keyboard,
    list::{self, ListState},
    palette::{self, PaletteState},
    preferences::{Preferences, ThemeChoice},
    rail,
    screens::Screens,
    settings::{self, SettingsState},
    theme::{self, Theme},
    update::Update,
    view::{Stage, View},
    when::Calendar,
    why, widgets,
};

/// The window.
pub struct App {
    backend: Backend,
    view: View,
    theme: Theme,
    /// What the style was last made from.
    installed: Option<(bool, Preferences)>,
    /// The conversation that is shown, or will be as soon as the backend has read it.
    open: Option<ContactId>,
    /// The backend has not answered the last choice of a conversation yet.
    choosing: bool,
    /// Over everything, the last one on top.
    dialogs: Vec<Dialog>,
    details: bool,
    /// The profile is being locked or left: until the backend says where that led, nothing it says of the profile is taken over.
    shut: bool,
    /// The stage that was drawn last.
    drawn: std::mem::Discriminant<Stage>,
    list_width: f32,
    focused: Option<bool>,
    /// A frame was drawn in which a person can do something.
    usable: bool,
    list: ListState,
    conversation: ConversationState,
    screens: Screens,
    palette: PaletteState,
    settings: SettingsState,
    toasts: Toasts,
}

impl App {
    /// A window over a backend that has said nothing yet.
    #[must_use]
    pub fn new(ctx: &Context, backend: Backend) -> Self {
        Self::with_view(ctx, backend, View::default())
    }

    /// A window that draws `view` until the backend says otherwise.
    #[must_use]
    pub fn with_view(ctx: &Context, backend: Backend, view: View) -> Self {
        let repaint = ctx.clone();
        backend.wake_with(move || repaint.request_repaint());
        ctx.options_mut(|options| options.zoom_with_keyboard = false);
        let open = view.timeline.as_ref().map(|timeline| timeline.chat);
        let theme = Theme::light();
        let mut app = Self {
            backend,
            view,
            list_width: theme.sizes.list,
            theme,
            installed: None,
            open,
            choosing: false,
            dialogs: Vec::new(),
            details: false,
            shut: false,
            drawn: std::mem::discriminant(&Stage::default()),
            focused: None,
            usable: false,
            list: ListState::default(),
            conversation: ConversationState::default(),
            screens: Screens::default(),
            palette: PaletteState::default(),
            settings: SettingsState::default(),
            toasts: Toasts::default(),
        };
        app.follow_preferences(ctx);
        app
    }

    /// What is drawn.
    #[must_use]
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The conversation that is shown.
    #[must_use]
    pub fn open(&self) -> Option<ContactId> {
        self.open
    }

    /// Takes over what the backend said since the last frame.
    pub fn listen(&mut self) {
        for update in self.backend.poll() {
            if self.shut {
                match &update {
                    Update::Stage(stage) if *stage != Stage::Open => self.shut = false,
                    Update::Profiles(_) | Update::Preferences(_) => {}
                    // It was said before the backend heard of the lock.
                    _ => continue,
                }
            }
            self.view.apply(update);
            self.follow_timeline();
        }
        if self.view.stage != Stage::Open {
            self.forget();
        }
    }

    /// A profile that is not open leaves nothing behind that was typed or chosen in it.
    fn forget(&mut self) {
        self.dialogs.clear();
        (self.open, self.choosing, self.details) = (None, false, false);
        self.list = ListState::default();
        self.conversation = ConversationState::default();
        self.palette = PaletteState::default();
        self.settings = SettingsState::default();
    }

    /// Shuts the profile's view at once, whatever the backend still has to do before the profile is closed.
    fn shut(&mut self, ctx: &Context) {
        self.shut = true;
        self.view.apply(Update::Stage(Stage::Starting));
        self.forget();
        widgets::forget_typed(ctx);
        ctx.request_repaint();
    }

    /// Where another screen comes, what was typed into the last one is not kept for an undo.
    fn forget_typed(&mut self, ctx: &Context) {
        let stage = std::mem::discriminant(&self.view.stage);
        if std::mem::replace(&mut self.drawn, stage) != stage {
            widgets::forget_typed(ctx);
        }
    }

    /// Draws one frame over the whole of `ui` and applies what was wished for in it.
    pub fn draw(&mut self, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        self.listen();
        self.forget_typed(&ctx);
        self.tell_time(&ctx);
        self.follow_preferences(&ctx);
        let mut actions = Vec::new();
        self.watch_focus(&ctx, &mut actions);
        self.read_keys(&ctx, &mut actions);
        self.contents(ui, &mut actions);
        let over = self.toasts.show(&ctx, &mut Cx { view: &self.view, theme: &self.theme, actions: &mut actions });
        self.view.toasts.retain(|(number, _)| !over.contains(number));
        self.read_escape(&ctx, &mut actions);
        if !actions.is_empty() {
            // What is granted after this frame is seen in the next.
            ctx.request_repaint();
        }
        for action in actions {
            self.grant(&ctx, action);
        }
        let opening = match &self.view.stage {
            Stage::Starting => true,
            Stage::Locked(locked) => locked.busy,
            Stage::FirstRun(_) | Stage::Open | Stage::Broken(_) => false,
        };
        if !self.usable && !opening {
            self.usable = true;
            tracing::info!(unix_millis = unix_millis(), "first usable frame");
        }
    }

    fn contents(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        let window = ui.max_rect();
        ui.painter().rect_filled(window, 0.0, self.theme.colors.background);
        let mut cx = Cx { view: &self.view, theme: &self.theme, actions };
        if self.screens.whole_window(ui, &mut cx) {
            return;
        }
        self.panes(ui, window, actions);
        self.dialog(ui.ctx(), actions);
        self.take_drops(ui.ctx(), actions);
    }

    fn panes(&mut self, ui: &mut Ui, window: Rect, actions: &mut Vec<Action>) {
        let sizes = self.theme.sizes;
        let wanted = Wanted { list: self.list_width, conversation: self.open.is_some(), details: self.details };
        let panes = Panes::of(window, &sizes, wanted);
        self.list.open = self.open;
        let mut cx = Cx { view: &self.view, theme: &self.theme, actions };
        let colors = &self.theme.colors;
        if let Some(rect) = panes.rail {
            pane(ui, "rail", rect, colors.rail, |ui| rail::show(ui, &mut cx));
        }
        if let Some(rect) = panes.list {
            pane(ui, "list", rect, colors.sidebar, |ui| list::show(ui, &mut cx, &mut self.list));
        }
        self.conversation.one_pane = panes.list.is_none();
        if let Some(rect) = panes.conversation {
            pane(ui, "conversation", rect, colors.background, |ui| {
                conversation::show(ui, &mut cx, &mut self.conversation);
            });
        }
        if let (Some(rect), Some(contact)) = (panes.details, self.open) {
            let beside = panes.conversation.filter(|_| panes.details_over).map(|pane| pane.with_max_x(rect.left()));
            if beside.is_some_and(|beside| covered(ui, beside, colors.scrim.gamma_multiply(0.5))) {
                cx.act(Action::ToggleDetails);
            }
            pane(ui, "details", rect, colors.background, |ui| details::show(ui, &mut cx, contact));
            border(ui, rect, colors.border);
        }
        if let (Some(rect), Some(_)) = (panes.list, panes.conversation) {
            border(ui, rect.translate(egui::vec2(rect.width(), 0.0)), colors.border);
            self.drag_list(ui, rect);
        }
    }

    /// The list's edge can be dragged.
    fn drag_list(&mut self, ui: &Ui, list: Rect) {
        let edge = Rect::from_x_y_ranges(list.right() - 4.0..=list.right() + 4.0, list.y_range());
        let response = ui.interact(edge, Id::unique("list edge"), Sense::DRAG);
        if let (true, Some(pointer)) = (response.dragged(), response.interact_pointer_pos()) {
            self.list_width = pointer.x - list.left();
        }
        if response.drag_stopped() {
            self.list_width = panes::snapped(self.list_width, &self.theme.sizes);
        }
        response.on_hover_cursor(CursorIcon::ResizeHorizontal);
    }

    fn dialog(&mut self, ctx: &Context, actions: &mut Vec<Action>) {
        let mut cx = Cx { view: &self.view, theme: &self.theme, actions };
        let open = self.dialogs.last();
        if open != Some(&Dialog::Palette) {
            self.palette = PaletteState::default();
        }
        if self.screens.dialog(ctx, &mut cx, open) {
            return;
        }
        match open {
            Some(Dialog::Palette) => palette::show(ctx, &mut cx, &mut self.palette, self.open),
            Some(Dialog::Help) => help::show(ctx, &mut cx),
            Some(Dialog::Settings) => settings::show(ctx, &mut cx, &mut self.settings),
            Some(Dialog::Why) => {
                let theme = cx.theme;
                if widgets::dialog(ctx, theme, why::TITLE, |ui| why::show(ui, &mut cx)) {
                    cx.act(Action::Back);
                }
            }
            Some(
                Dialog::AddContact
                | Dialog::Invitation
                | Dialog::Verify(_)
                | Dialog::ConfirmBlock(_)
                | Dialog::ConfirmReset
                | Dialog::Profiles
                | Dialog::Passphrase
                | Dialog::RecoveryKey,
            )
            | None => {}
        }
    }

    /// Files that are dropped on the window are looked at for codes; a link that is pasted nowhere in particular is too.
    fn take_drops(&self, ctx: &Context, actions: &mut Vec<Action>) {
        let typing = ctx.memory(|memory| memory.focused().is_some());
        ctx.input(|input| {
            for file in &input.raw.dropped_files {
                actions.push(Action::ReadPicture(PictureSource::File(file.path().to_owned())));
            }
            for event in &input.events {
                if let Event::Paste(text) = event
                    && !typing
                    && self.dialogs.is_empty()
                    && is_link(text)
                {
                    actions.push(Action::PreviewLink(text.trim().to_owned()));
                }
            }
        });
    }

    fn read_keys(&self, ctx: &Context, actions: &mut Vec<Action>) {
        let quiet = self.view.stage != Stage::Open || !self.dialogs.is_empty();
        for command in keyboard::pressed(ctx) {
            if (!quiet || command.anywhere())
                && let Some(action) = command.wish(&self.view, self.open)
            {
                actions.push(action);
            }
        }
    }

    /// Esc, if no dialog and no menu took it.
    fn read_escape(&self, ctx: &Context, actions: &mut Vec<Action>) {
        if self.view.stage != Stage::Open || !self.dialogs.is_empty() || egui::Popup::is_any_open(ctx) {
            return;
        }
        if ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape)) {
            actions.push(Action::Back);
        }
    }

    fn watch_focus(&mut self, ctx: &Context, actions: &mut Vec<Action>) {
        let focused = ctx.input(|input| input.focused);
        if self.focused != Some(focused) {
            self.focused = Some(focused);
            actions.push(Action::WindowFocused(focused));
        }
    }

    /// The clock of this frame; a frame is asked for when the day ends, because its name changes then.
    fn tell_time(&mut self, ctx: &Context) {
        if self.view.clock.fixed_offset.is_some() {
            return;
        }
        self.view.clock.now = unix_millis();
        if self.view.timeline.is_some() {
            ctx.request_repaint_after(Calendar::new(&self.view.clock).until_midnight());
        }
    }

    /// The backend's answer to a choice, or its own one. What it read before it heard of the choice is not shown any more.
    fn follow_timeline(&mut self) {
        let told = self.view.timeline.as_ref().map(|timeline| timeline.chat);
        if told == self.open {
            self.choosing = false;
        } else if self.choosing {
            self.view.timeline = None;
        } else {
            self.open = told;
            if told.is_some() {
                self.conversation.composer.focus();
            }
        }
    }

    fn follow_preferences(&mut self, ctx: &Context) {
        let preferences = &self.view.preferences;
        let dark = match preferences.theme {
            ThemeChoice::Light => false,
            ThemeChoice::Dark => true,
            ThemeChoice::System => ctx.system_theme() == Some(egui::Theme::Dark),
        };
        if self.installed.as_ref().is_some_and(|(was, known)| *was == dark && known == preferences) {
            return;
        }
        self.theme = if dark { Theme::dark() } else { Theme::light() };
        theme::install(ctx, &self.theme, preferences.reduced_motion);
        ctx.set_theme(match preferences.theme {
            ThemeChoice::Light => egui::ThemePreference::Light,
            ThemeChoice::Dark => egui::ThemePreference::Dark,
            ThemeChoice::System => egui::ThemePreference::System,
        });
        ctx.set_zoom_factor(f32::from(preferences.zoom.clamp(keyboard::ZOOM_MIN, keyboard::ZOOM_MAX)) / 100.0);
        self.installed = Some((dark, preferences.clone()));
    }
}

impl eframe::App for App {
    /// Runs while the window is hidden too: what arrives then is taken over without a frame.
    fn logic(&mut self, _ctx: &Context, _frame: &mut eframe::Frame) {
        self.listen();
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        self.draw(ui);
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        self.put_down();
        self.backend.send(Action::Quit);
    }

    fn clear_color(&self, _visuals: &egui::Visuals) -> [f32; 4] {
        self.theme.colors.background.to_normalized_gamma_f32()
    }
}

/// A part of the window with a ground of its own; what is drawn in it ends at its edges.
fn pane(ui: &mut Ui, name: &str, rect: Rect, fill: Color32, contents: impl FnOnce(&mut Ui)) {
    ui.scope_builder(UiBuilder::new().id_salt(name).max_rect(rect), |ui| {
        ui.set_clip_rect(rect);
        ui.painter().rect_filled(rect, 0.0, fill);
        contents(ui);
    });
}

/// Darkens what lies beside something on top, and takes its clicks. Answers whether there was one.
fn covered(ui: &Ui, rect: Rect, color: Color32) -> bool {
    ui.painter().rect_filled(rect, 0.0, color);
    ui.interact(rect, Id::unique("beside the details"), Sense::CLICK).clicked()
}

/// A line at the left of a pane.
fn border(ui: &Ui, rect: Rect, color: Color32) {
    let x = ui.painter().round_to_pixel_center(rect.left());
    ui.painter().vline(x, rect.y_range(), Stroke::new(1.0, color));
}

/// Whether a pasted text looks like an invitation.
fn is_link(text: &str) -> bool {
    let text = text.trim();
    text.len() <= LINK_LOOKED_AT_MAX
        && !text.contains(char::is_whitespace)
        && (text.starts_with("sotto:") || (text.starts_with("https://") && text.contains("/i#")))
}

/// Bytes; a link is shorter.
const LINK_LOOKED_AT_MAX: usize = 4096;

/// Kept here so that wishes and window agree on how a window is closed.
fn close(ctx: &Context) {
    ctx.send_viewport_cmd(ViewportCommand::Close);
}

fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
