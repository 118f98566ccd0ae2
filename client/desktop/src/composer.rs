//! What is written and not sent yet. Enter sends, Shift+Enter begins a line, and the Enter that ends a composed word (an
//! input method's) does neither. Drafts are kept by conversation.

use std::time::Duration;

use egui::{
    Context, Event, Frame, Id, ImeEvent, Key, KeyboardShortcut, Margin, Modifiers, Rect, Role, ScrollArea, Sense,
    Stroke, StrokeKind, TextEdit, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};
use sotto_driver::{ContactId, TEXT_BYTES_MAX};
use zeroize::Zeroize as _;

use crate::{
    action::Action,
    cx::Cx,
    icons::Icon,
    theme::{Theme, regular},
    view::Conversation,
    widgets::{focus_ring, wipe_undo},
};

/// What the composer remembers from frame to frame.
#[derive(Default)]
pub struct ComposerState {
    chat: Option<ContactId>,
    text: String,
    /// Since when the draft is not saved, in seconds of egui's clock.
    unsaved_since: Option<f64>,
    /// The other was told that we type: when, and when the last key came.
    typing: Option<(f64, f64)>,
    /// An input method is composing a word.
    composing: bool,
    /// What was typed after an Enter in the same frame: it belongs to the next message.
    after_enter: Vec<Event>,
    wants_focus: bool,
}

impl ComposerState {
    /// Puts the keyboard here in the next frame.
    pub fn focus(&mut self) {
        self.wants_focus = true;
    }

    /// Saves the draft and stops typing: before another conversation, before a lock, before the end.
    pub fn leave(&mut self, actions: &mut Vec<Action>) {
        if let Some(chat) = self.chat.take() {
            if self.unsaved_since.is_some() {
                actions.push(Action::SaveDraft { chat, text: self.text.clone() });
            }
            if self.typing.is_some() {
                actions.push(Action::Typing { chat, active: false });
            }
        }
        self.text.zeroize();
        *self = Self::default();
    }

    fn enter(&mut self, ctx: &Context, conversation: &Conversation, actions: &mut Vec<Action>) {
        let wants_focus = self.wants_focus;
        self.leave(actions);
        *self = Self { chat: Some(conversation.id), text: conversation.draft.clone(), wants_focus, ..Self::default() };
        wipe_undo(ctx, id());
    }

    /// How high the composer is at this width, 52 to 240. In points.
    #[must_use]
    pub fn height(&self, ui: &Ui, theme: &Theme, width: f32) -> f32 {
        let hint = if notice(&self.text).is_some() { NOTICE } else { 0.0 };
        self.field_height(ui, theme, width) + 2.0 * AROUND + hint
    }

    fn field_height(&self, ui: &Ui, theme: &Theme, width: f32) -> f32 {
        let text_width = field_width(width) - 2.0 * f32::from(MARGIN.left);
        let font = regular(theme.sizes.body);
        let galley = ui.painter().layout(self.text.clone(), font, theme.colors.text, text_width);
        (galley.size().y + 2.0 * f32::from(MARGIN.top)).clamp(FIELD_MIN, FIELD_MAX).ceil()
    }
}

/// The field's id, for whoever moves the keyboard there.
#[must_use]
pub fn id() -> Id {
    Id::unique("composer")
}

/// Shows the composer over the whole width of `ui`. Whether something was sent.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, conversation: &Conversation, state: &mut ComposerState) -> bool {
    if state.chat != Some(conversation.id) {
        state.enter(ui.ctx(), conversation, cx.actions);
    }
    if std::mem::take(&mut state.wants_focus) {
        ui.memory_mut(|memory| memory.request_focus(id()));
    }
    let area = ui.max_rect();
    let before = state.height(ui, cx.theme, area.width());
    let entered = ui.memory(|memory| memory.has_focus(id())) && entered(ui, state);
    let changed = field(ui, cx, state, conversation, area);
    say_limit(ui, cx.theme, &state.text, area);
    let pressed = send_button(ui, cx.theme, state, area);
    if changed {
        note_change(ui, cx, state, conversation.id);
    }
    let sent = (entered || pressed) && send(ui, cx, state, conversation.id);
    keep(ui, cx, state, conversation.id);
    if (state.height(ui, cx.theme, area.width()) - before).abs() > 0.5 {
        // It grew or shrank: the same frame shows it so.
        ui.ctx().request_discard("composer height");
    }
    sent
}

fn field(ui: &mut Ui, cx: &Cx<'_>, state: &mut ComposerState, conversation: &Conversation, area: Rect) -> bool {
    let (colors, sizes) = (&cx.theme.colors, &cx.theme.sizes);
    let height = state.field_height(ui, cx.theme, area.width());
    let rect = Rect::from_min_size(area.min + vec2(SIDE, AROUND), vec2(field_width(area.width()), height));
    let radius = sizes.radius[3];
    ui.painter().rect(rect, radius, colors.field, Stroke::new(1.0, colors.border), StrokeKind::Inside);
    let hint = format!("Message {}", conversation.name);
    let edit = TextEdit::multiline(&mut state.text)
        .id(id())
        .hint_text(egui::RichText::new(&hint).color(colors.dim))
        .font(regular(sizes.body))
        .text_color(colors.text)
        .desired_rows(1)
        .desired_width(f32::INFINITY)
        .frame(Frame::NONE.inner_margin(MARGIN))
        .return_key(KeyboardShortcut::new(Modifiers::SHIFT, Key::Enter));
    let mut inner = ui.new_child(UiBuilder::new().max_rect(rect));
    inner.set_clip_rect(rect.shrink(1.0).intersect(ui.clip_rect()));
    let scroll = ScrollArea::vertical().id_salt("composer").max_height(height).auto_shrink([false, false]);
    let response = scroll.show(&mut inner, |ui| ui.add(edit)).inner.accessible_name(&hint);
    if response.has_focus() {
        ui.painter().rect_stroke(rect, radius, Stroke::new(sizes.ring, colors.focus), StrokeKind::Inside);
    }
    response.changed()
}

/// Whether Enter was pressed to send. What was typed after it waits for the next frame.
fn entered(ui: &Ui, state: &mut ComposerState) -> bool {
    let entered = ui.input_mut(|input| {
        let mut events = std::mem::take(&mut state.after_enter);
        events.append(&mut input.events);
        let enter = find_enter(&events, &mut state.composing);
        let tail = enter.map(|at| events.split_off(at + 1)).unwrap_or_default();
        let (later, now): (Vec<Event>, Vec<Event>) = tail.into_iter().partition(is_typed);
        state.after_enter = later;
        input.events = events.into_iter().chain(now).collect();
        enter.is_some()
    });
    if !state.after_enter.is_empty() {
        ui.ctx().request_repaint();
    }
    entered
}

/// The first Enter that sends: without a modifier, and not the one that ends a composed word.
fn find_enter(events: &[Event], composing: &mut bool) -> Option<usize> {
    let mut committed = false;
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Ime(ImeEvent::Preedit { text, .. }) => *composing = !text.is_empty(),
            Event::Ime(ImeEvent::Commit(_)) => {
                *composing = false;
                committed = true;
            }
            Event::Key { key: Key::Enter, pressed: true, modifiers, .. }
                if modifiers.is_none() && !*composing && !committed =>
            {
                return Some(at);
            }
            _ => {}
        }
    }
    None
}

fn is_typed(event: &Event) -> bool {
    matches!(event, Event::Text(_) | Event::Paste(_) | Event::Ime(_) | Event::Key { pressed: true, .. })
}

fn send_button(ui: &mut Ui, theme: &Theme, state: &ComposerState, area: Rect) -> bool {
    let colors = &theme.colors;
    let bottom = area.min.y + AROUND + state.field_height(ui, theme, area.width());
    let rect = Rect::from_min_size(pos2(area.right() - SIDE - BUTTON, bottom - BUTTON), vec2(BUTTON, BUTTON));
    let ready = is_sendable(&state.text);
    let sense = if ready { Sense::click() } else { Sense::hover() };
    let response = ui.interact(rect, id().with("send"), sense);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ready, "Send"));
    let (fill, icon) = if ready { (colors.accent, colors.on_accent) } else { (colors.quiet_button, colors.dim) };
    ui.painter().circle_filled(rect.center(), BUTTON / 2.0, fill);
    Icon::Send.paint_at(ui.painter(), rect.center(), 20.0, icon);
    focus_ring(ui, theme, &response, BUTTON / 2.0);
    response.on_hover_text("Send (Enter)").clicked()
}

fn send(ui: &Ui, cx: &mut Cx<'_>, state: &mut ComposerState, chat: ContactId) -> bool {
    if !is_sendable(&state.text) {
        return false;
    }
    let text = std::mem::take(&mut state.text).trim().to_owned();
    cx.act(Action::Send { chat, text });
    // The words are the conversation's now: neither a draft nor an undo keeps them here.
    cx.act(Action::SaveDraft { chat, text: String::new() });
    wipe_undo(ui.ctx(), id());
    if state.typing.take().is_some() {
        cx.act(Action::Typing { chat, active: false });
    }
    state.unsaved_since = None;
    ui.memory_mut(|memory| memory.request_focus(id()));
    true
}

fn note_change(ui: &Ui, cx: &mut Cx<'_>, state: &mut ComposerState, chat: ContactId) {
    let now = ui.input(|input| input.time);
    state.unsaved_since.get_or_insert(now);
    let told = state.typing.map(|(told, _)| told);
    if state.text.trim().is_empty() {
        if state.typing.take().is_some() {
            cx.act(Action::Typing { chat, active: false });
        }
    } else if told.is_none_or(|told| now - told > TYPING_AGAIN_SECS) {
        cx.act(Action::Typing { chat, active: true });
        state.typing = Some((now, now));
    } else if let Some((_, key)) = &mut state.typing {
        *key = now;
    }
}

/// Saves the draft after a pause, and stops typing after a longer one.
fn keep(ui: &Ui, cx: &mut Cx<'_>, state: &mut ComposerState, chat: ContactId) {
    let now = ui.input(|input| input.time);
    if let Some(since) = state.unsaved_since {
        if now - since >= DRAFT_SECS {
            state.unsaved_since = None;
            cx.act(Action::SaveDraft { chat, text: state.text.clone() });
        } else {
            wake_in(ui, since + DRAFT_SECS - now);
        }
    }
    if let Some((_, key)) = state.typing {
        if now - key >= TYPING_IDLE_SECS {
            state.typing = None;
            cx.act(Action::Typing { chat, active: false });
        } else {
            wake_in(ui, key + TYPING_IDLE_SECS - now);
        }
    }
}

fn wake_in(ui: &Ui, secs: f64) {
    ui.ctx().request_repaint_after(Duration::from_secs_f64(secs.max(0.01)));
}

fn is_sendable(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.len() <= TEXT_BYTES_MAX
}

/// What is said about the length, before it is too late.
fn notice(text: &str) -> Option<(String, bool)> {
    let len = text.trim().len();
    if len > TEXT_BYTES_MAX {
        let over = len - TEXT_BYTES_MAX;
        return Some((format!("Too long for one message by {over} bytes. Send it in parts."), true));
    }
    (len > NEAR_LIMIT).then(|| (format!("{} bytes left in this message.", TEXT_BYTES_MAX - len), false))
}

fn say_limit(ui: &Ui, theme: &Theme, text: &str, area: Rect) {
    if let Some((words, too_long)) = notice(text) {
        let color = if too_long { theme.colors.danger } else { theme.colors.secondary };
        let at = pos2(area.left() + SIDE + f32::from(MARGIN.left), area.bottom() - NOTICE / 2.0 - 4.0);
        let font = regular(theme.sizes.caption);
        ui.painter().text(at, egui::Align2::LEFT_CENTER, words, font, color);
    }
}

fn field_width(width: f32) -> f32 {
    (width - 2.0 * SIDE - BUTTON - GAP).max(80.0)
}

/// A draft is saved this long after it began to differ.
const DRAFT_SECS: f64 = 0.5;
/// While one types on, the other is told again this often.
const TYPING_AGAIN_SECS: f64 = 4.0;
/// So long without a key is no typing.
const TYPING_IDLE_SECS: f64 = 5.0;
/// From here on the composer says how much is left.
const NEAR_LIMIT: usize = TEXT_BYTES_MAX - 2_000;

// Points.
const SIDE: f32 = 16.0;
const AROUND: f32 = 8.0;
const GAP: f32 = 8.0;
const BUTTON: f32 = 36.0;
const FIELD_MIN: f32 = 36.0;
const FIELD_MAX: f32 = 224.0;
const NOTICE: f32 = 20.0;
const MARGIN: Margin = Margin { left: 15, right: 15, top: 9, bottom: 9 };

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(modifiers: Modifiers) -> Event {
        Event::Key { key: Key::Enter, physical_key: None, pressed: true, repeat: false, modifiers }
    }

    fn preedit(text: &str) -> Event {
        Event::Ime(ImeEvent::Preedit { text: text.to_owned(), active_range_chars: None })
    }

    #[test]
    fn enter_sends_and_shift_enter_does_not() {
        let text = Event::Text("hi".to_owned());
        assert_eq!(find_enter(&[text.clone(), enter(Modifiers::NONE), text], &mut false), Some(1));
        assert_eq!(find_enter(&[enter(Modifiers::SHIFT)], &mut false), None);
        assert_eq!(find_enter(&[enter(Modifiers::COMMAND)], &mut false), None);
    }

    #[test]
    fn the_enter_that_ends_a_composed_word_does_not_send() {
        let mut composing = false;
        assert_eq!(find_enter(&[preedit("に")], &mut composing), None);
        assert_eq!(find_enter(&[enter(Modifiers::NONE)], &mut composing), None, "it chooses a candidate");
        let commit = Event::Ime(ImeEvent::Commit("日".to_owned()));
        assert_eq!(find_enter(&[commit, enter(Modifiers::NONE)], &mut composing), None, "the same key press");
        assert_eq!(find_enter(&[enter(Modifiers::NONE)], &mut composing), Some(0));
    }

    #[test]
    fn the_limit_is_said_before_it_is_reached() {
        assert_eq!(notice("hello"), None);
        assert!(notice(&"x".repeat(NEAR_LIMIT + 1)).is_some_and(|(_, too_long)| !too_long));
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        assert!(notice(&long).is_some_and(|(words, too_long)| too_long && words.contains("by 1 bytes")));
        assert!(!is_sendable(&long) && !is_sendable(" \n") && is_sendable("x"));
    }

    #[test]
    fn leaving_saves_what_was_not_saved() {
        let mut actions = Vec::new();
        let chat = ContactId::from([1; 32]);
        let text = "half a thought".to_owned();
        let mut state = ComposerState { chat: Some(chat), text, unsaved_since: Some(1.0), ..ComposerState::default() };
        state.leave(&mut actions);
        assert!(matches!(&actions[..], [Action::SaveDraft { text, .. }] if text == "half a thought"));
        assert!(state.text.is_empty());
    }
}
