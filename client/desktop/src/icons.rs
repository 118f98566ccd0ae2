//! Our own icons: small drawings in white, rasterised once for each size and tinted when they are drawn.

use egui::{Color32, Context, Id, Painter, Rect, Response, Sense, TextureHandle, TextureOptions, Ui, pos2, vec2};
use resvg::{tiny_skia, usvg};

macro_rules! icons {
    ($($(#[$doc:meta])* $name:ident = $file:literal),* $(,)?) => {
        /// One drawing.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Icon {
            $($(#[$doc])* $name,)*
        }

        impl Icon {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            fn svg(self) -> &'static str {
                match self {
                    $(Self::$name => include_str!(concat!("../assets/icons/", $file, ".svg")),)*
                }
            }
        }
    };
}

icons! {
    /// Something new.
    Add = "add",
    /// Less.
    Minus = "minus",
    /// A menu.
    More = "more",
    /// Find.
    Search = "search",
    /// Send what is written.
    Send = "send",
    /// Locked, or to lock.
    Lock = "lock",
    /// Settings.
    Settings = "settings",
    /// The conversations.
    Chats = "chats",
    /// One step back.
    Back = "back",
    /// Put away.
    Close = "close",
    /// Not compared.
    Shield = "shield",
    /// Compared.
    ShieldFilled = "shield-filled",
    /// At the relay, or chosen.
    Check = "check",
    /// On their device; read, in the accent.
    Checks = "checks",
    /// Waits.
    Clock = "clock",
    /// Something is wrong.
    Warning = "warning",
    /// To the newest.
    ArrowDown = "arrow-down",
    /// To the clipboard.
    Copy = "copy",
    /// A picture.
    Picture = "picture",
    /// Somebody.
    Person = "person",
    /// Several.
    People = "people",
    /// A key, a passphrase.
    Key = "key",
    /// Help.
    Help = "help",
    /// Take nothing more.
    Block = "block",
    /// Something to know.
    Info = "info",
    /// Again.
    Retry = "retry",
    /// A link.
    Link = "link",
    /// Show what is hidden.
    Eye = "eye",
    /// Hide what is shown.
    EyeOff = "eye-off",
    /// The network.
    Network = "network",
    /// No network.
    Offline = "offline",
    /// An empty conversation, drawn large.
    Bubbles = "bubbles",
    /// A command.
    Command = "palette",
}

impl Icon {
    /// Draws it into `rect`, tinted.
    pub fn paint(self, painter: &Painter, rect: Rect, color: Color32) {
        if !painter.is_visible() || !painter.clip_rect().intersects(rect) {
            return;
        }
        let pixels_per_point = painter.pixels_per_point();
        let side = (rect.width() * pixels_per_point).round().clamp(1.0, SIDE_MAX);
        let texture = texture(painter.ctx(), self, side as u32);
        // On whole pixels, or each stroke blurs.
        let snap = |x: f32| (x * pixels_per_point).round() / pixels_per_point;
        let min = pos2(snap(rect.min.x), snap(rect.min.y));
        let rect = Rect::from_min_size(min, vec2(side, side) / pixels_per_point);
        painter.image(texture.id(), rect, Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0)), color);
    }

    /// Draws it as a square of `size` around `center`.
    pub fn paint_at(self, painter: &Painter, center: egui::Pos2, size: f32, color: Color32) {
        self.paint(painter, Rect::from_center_size(center, vec2(size, size)), color);
    }
}

/// An icon among other things. It says nothing to a screen reader: what stands beside it does.
pub fn show(ui: &mut Ui, icon: Icon, size: f32, color: Color32) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(size, size), Sense::hover());
    icon.paint(ui.painter(), rect, color);
    response
}

fn texture(ctx: &Context, icon: Icon, side: u32) -> TextureHandle {
    let id = Id::unique(("sotto icon", icon, side));
    if let Some(texture) = ctx.data(|data| data.get_temp::<TextureHandle>(id)) {
        return texture;
    }
    let texture = ctx.load_texture("icon", rasterise(icon, side), TextureOptions::LINEAR);
    ctx.data_mut(|data| data.insert_temp(id, texture.clone()));
    texture
}

fn rasterise(icon: Icon, side: u32) -> egui::ColorImage {
    let tree = usvg::Tree::from_str(icon.svg(), &usvg::Options::default()).expect("a test draws every icon");
    let mut pixels = tiny_skia::Pixmap::new(side, side).expect("SIDE_MAX bounds it, 1 at least");
    let scale = side as f32 / tree.size().width();
    resvg::render(&tree, tiny_skia::Transform::from_scale(scale, scale), &mut pixels.as_mut());
    egui::ColorImage::from_rgba_premultiplied([side as usize, side as usize], pixels.data())
}

/// Pixels a side; an empty state at 200 % needs less.
const SIDE_MAX: f32 = 512.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_icon_draws_something_in_white() {
        for &icon in Icon::ALL {
            let image = rasterise(icon, 48);
            assert!(image.pixels.iter().any(|pixel| pixel.a() > 200), "{icon:?} is empty");
            assert!(image.pixels.iter().all(|pixel| pixel.r() == pixel.a()), "{icon:?} is not white");
        }
    }
}
