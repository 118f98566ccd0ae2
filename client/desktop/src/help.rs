//! The keys, from the table that the window reads.

use egui::{Align, Context, Layout, Ui};

use crate::{
    action::Action,
    cx::Cx,
    keyboard::BINDINGS,
    theme::{Theme, mono},
    widgets,
};

/// Draws the list of keys.
pub fn show(ctx: &Context, cx: &mut Cx<'_>) {
    let theme = cx.theme;
    let dismissed = widgets::dialog(ctx, theme, "Keys", |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        for binding in BINDINGS.iter().filter(|binding| !binding.keys.is_empty()) {
            line(ui, theme, binding.name, binding.keys);
        }
        for (name, keys) in IN_PLACE {
            line(ui, theme, name, keys);
        }
    });
    if dismissed {
        cx.act(Action::Back);
    }
}

fn line(ui: &mut Ui, theme: &Theme, name: &str, keys: &str) {
    ui.horizontal(|ui| {
        ui.set_height(30.0);
        widgets::body(ui, theme, name);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let text = egui::RichText::new(keys).font(mono(theme.sizes.caption)).color(theme.colors.secondary);
            ui.add(egui::Label::new(text).selectable(false));
        });
    });
}

/// Keys that belong to one place, and are read there.
const IN_PLACE: [(&str, &str); 6] = [
    ("One of the first nine chats", "Ctrl 1–9"),
    ("Send", "Enter"),
    ("New line", "Shift Enter"),
    ("Copy what is selected", "Ctrl C"),
    ("From control to control", "Tab"),
    ("One layer back", "Esc"),
];
