//! Where a message is, and why not further: the stations on its way, and what it waits for.

use egui::{Align2, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use crate::{
    action::Action,
    cx::Cx,
    icons::Icon,
    theme::{regular, semibold},
    widgets,
};

/// What the dialog is called.
pub const TITLE: &str = "Where is this message?";

/// Shows the dialog's contents.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>) {
    let (view, theme) = (cx.view, cx.theme);
    let Some(why) = &view.why else {
        widgets::paragraph(ui, theme, "Looking for it…");
        return;
    };
    let reached = why.stations.iter().take_while(|(_, reached)| *reached).count();
    let last = why.stations.len().saturating_sub(1);
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        for (index, (name, _)) in why.stations.iter().enumerate() {
            station(ui, cx, name, index < reached, index < last, index + 1 < reached);
        }
    });
    if !why.waits_for.is_empty() {
        widgets::paragraph(ui, theme, &why.waits_for);
    }
    if why.retry && widgets::button_wide(ui, theme, widgets::Kind::Primary, "Try again now").clicked() {
        cx.act(Action::Retry);
        cx.act(Action::Back);
    }
}

/// One station: a disc with a check, or a ring; its name; the way on.
fn station(ui: &mut Ui, cx: &Cx<'_>, name: &str, reached: bool, goes_on: bool, next_reached: bool) {
    let (colors, sizes) = (&cx.theme.colors, &cx.theme.sizes);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), STATION), Sense::hover());
    let said = format!("{name}: {}", if reached { "yes" } else { "not yet" });
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &said));
    let center = pos2(rect.left() + DISC, rect.center().y);
    let painter = ui.painter();
    if goes_on {
        let color = if next_reached { colors.success } else { colors.border };
        let down = pos2(center.x, center.y + STATION - DISC);
        painter.line_segment([center + vec2(0.0, DISC), down], Stroke::new(2.0, color));
    }
    if reached {
        painter.circle_filled(center, DISC, colors.success);
        Icon::Check.paint_at(painter, center, 14.0, colors.background);
    } else {
        painter.circle_stroke(center, DISC - 1.0, Stroke::new(2.0, colors.border));
    }
    let (font, color) =
        if reached { (semibold(sizes.body), colors.text) } else { (regular(sizes.body), colors.secondary) };
    painter.text(pos2(center.x + DISC + sizes.space[2], center.y), Align2::LEFT_CENTER, name, font, color);
}

// Points.
const STATION: f32 = 44.0;
const DISC: f32 = 11.0;
