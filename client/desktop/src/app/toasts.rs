//! What is said at the bottom: 4 seconds, errors until they are put away.

use std::collections::HashMap;

use egui::{Align, Align2, Area, Context, Id, Label, Layout, Order, RichText, Ui, vec2};

use crate::{action::Action, cx::Cx, icons::Icon, theme::regular, view::Toast, widgets};

/// When each was first drawn, in egui's seconds.
#[derive(Default)]
pub(super) struct Toasts {
    since: HashMap<u64, f64>,
}

impl Toasts {
    /// Draws them and answers which are over.
    pub(super) fn show(&mut self, ctx: &Context, cx: &mut Cx<'_>) -> Vec<u64> {
        let view = cx.view;
        self.since.retain(|number, _| view.toasts.iter().any(|(other, _)| other == number));
        if view.toasts.is_empty() {
            return Vec::new();
        }
        let now = ctx.input(|input| input.time);
        let mut over = Vec::new();
        let bottom = if view.timeline.is_some() { ABOVE_COMPOSER } else { BOTTOM };
        Area::new(Id::unique("toasts"))
            .order(Order::Foreground)
            .anchor(Align2::CENTER_BOTTOM, vec2(0.0, -bottom))
            .show(ctx, |ui| {
                ui.spacing_mut().item_spacing.y = 8.0;
                for (number, toast) in view.toasts.iter().rev().take(AT_ONCE) {
                    let since = *self.since.entry(*number).or_insert(now);
                    let left = since + SECS - now;
                    if !toast.error && left > 0.0 {
                        ctx.request_repaint_after(std::time::Duration::from_secs_f64(left));
                    }
                    let put_away = one(ui, cx, toast);
                    if put_away || (!toast.error && left <= 0.0) {
                        over.push(*number);
                    }
                }
            });
        over
    }
}

/// Draws one; answers whether it was put away.
fn one(ui: &mut Ui, cx: &mut Cx<'_>, toast: &Toast) -> bool {
    let (sizes, colors) = (&cx.theme.sizes, &cx.theme.colors);
    let width = sizes.toast.min(ui.ctx().content_rect().width() - 32.0);
    let frame =
        egui::Frame::popup(ui.style()).corner_radius(sizes.radius[2]).inner_margin(egui::Margin::symmetric(16, 8));
    let mut put_away = false;
    frame.show(ui, |ui| {
        ui.set_width(width - 34.0);
        ui.horizontal(|ui| {
            ui.set_min_height(36.0);
            let buttons = if toast.error { 84.0 } else { 0.0 };
            let words = vec2(ui.available_width() - buttons, 36.0);
            ui.allocate_ui_with_layout(words, Layout::left_to_right(Align::Center), |ui| {
                ui.set_min_width(words.x);
                let color = if toast.error { colors.danger } else { colors.text };
                let text = RichText::new(&toast.text).font(regular(sizes.small)).color(color);
                ui.add(Label::new(text).selectable(false).wrap());
            });
            if toast.error {
                ui.spacing_mut().item_spacing.x = 0.0;
                if widgets::icon_button(ui, cx.theme, Icon::Copy, "Copy").clicked() {
                    cx.act(Action::Copy(toast.text.clone()));
                }
                put_away = widgets::icon_button(ui, cx.theme, Icon::Close, "Put away").clicked();
            }
        });
    });
    put_away
}

/// How long one stays that is no error.
const SECS: f64 = 4.0;
/// How many are drawn.
const AT_ONCE: usize = 3;
/// From the window's end, where a conversation is open and where none is.
const ABOVE_COMPOSER: f32 = 84.0;
const BOTTOM: f32 = 24.0;
