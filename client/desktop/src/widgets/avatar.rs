//! The circle that stands for somebody, and the number beside a name.

use egui::{Align2, Response, Sense, Ui, vec2};

use crate::{
    icons::Icon,
    theme::{Theme, semibold},
};

/// Somebody's circle: the colour comes from who they are, the letter from their name.
pub fn avatar(ui: &mut Ui, theme: &Theme, name: &str, id: &[u8], size: f32) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(size, size), Sense::hover());
    paint_avatar(ui.painter(), theme, name, id, rect);
    response
}

/// The same, drawn over `rect`.
pub fn paint_avatar(painter: &egui::Painter, theme: &Theme, name: &str, id: &[u8], rect: egui::Rect) {
    let colors = &theme.colors;
    painter.circle_filled(rect.center(), rect.width() / 2.0, colors.avatars[spread(id) % colors.avatars.len()]);
    match name.chars().find(|letter| letter.is_alphanumeric()) {
        Some(letter) => {
            let letter: String = letter.to_uppercase().collect();
            let font = semibold((rect.width() * 0.36).round());
            painter.text(rect.center(), Align2::CENTER_CENTER, letter, font, colors.on_avatar);
        }
        None => Icon::Person.paint_at(painter, rect.center(), rect.width() * 0.5, colors.on_avatar),
    }
}

/// FNV-1a, folded: any mapping does whose last bits depend on all of `id`.
fn spread(id: &[u8]) -> usize {
    let hash = id.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    (hash ^ (hash >> 16)) as usize
}

/// How many: 18 high. Nothing for 0.
pub fn badge(ui: &mut Ui, theme: &Theme, count: u64) -> Response {
    let text = badge_text(count);
    let font = semibold(theme.sizes.tiny);
    let width = ui.painter().layout_no_wrap(text.clone(), font.clone(), theme.colors.on_accent).size().x;
    let size = if count == 0 { vec2(0.0, 18.0) } else { vec2((width + 10.0).max(18.0), 18.0) };
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    if count > 0 {
        ui.painter().rect_filled(rect, 9.0, theme.colors.accent);
        ui.painter().text(rect.center(), Align2::CENTER_CENTER, text, font, theme.colors.on_accent);
    }
    response
}

fn badge_text(count: u64) -> String {
    if count > 999 { "999+".to_owned() } else { count.to_string() }
}
