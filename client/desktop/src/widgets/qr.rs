//! A QR code, dark on light in every theme so that any reader takes it.

use egui::{ColorImage, Id, Rect, Response, Role, Sense, TextureHandle, TextureOptions, Ui, WidgetInfo, pos2, vec2};

use crate::{theme::Theme, view::QrImage};

/// Draws `image` with its quiet zone as a square of `side`.
pub fn qr(ui: &mut Ui, theme: &Theme, image: &QrImage, side: f32) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(side, side), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, "QR code"));
    ui.painter().rect_filled(rect, theme.sizes.radius[2], theme.colors.qr_light);
    let texture = texture(ui, theme, image);
    // The quiet zone: four modules on each side (ISO/IEC 18004 §9.1).
    let module = side / (image.size as f32 + 8.0);
    let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
    ui.painter().image(texture.id(), rect.shrink(4.0 * module), uv, theme.untinted());
    response
}

fn texture(ui: &Ui, theme: &Theme, image: &QrImage) -> TextureHandle {
    let id = Id::unique("sotto qr");
    let cached = ui.data(|data| data.get_temp::<(QrImage, TextureHandle)>(id));
    if let Some((known, texture)) = cached
        && known == *image
    {
        return texture;
    }
    let color = |dark: &bool| if *dark { theme.colors.qr_dark } else { theme.colors.qr_light };
    let pixels = ColorImage::new([image.size, image.size], image.dark.iter().map(color).collect());
    let texture = ui.ctx().load_texture("qr", pixels, TextureOptions::NEAREST);
    ui.data_mut(|data| data.insert_temp(id, (image.clone(), texture.clone())));
    texture
}
