//! A theme's tokens: colours from a data file, sizes the same in every theme.

use egui::Color32;
use serde::{Deserialize, Deserializer, de::Error as _};

/// A theme.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Theme {
    /// Whether it is a dark one.
    pub dark: bool,
    /// Its colours.
    pub colors: Colors,
    /// Sizes in points at 100 %.
    #[serde(skip)]
    pub sizes: Sizes,
}

impl Theme {
    /// The light theme.
    ///
    /// # Panics
    /// Never: a test reads the file that is built in.
    #[must_use]
    pub fn light() -> Self {
        toml::from_str(include_str!("../../assets/themes/light.toml")).expect("a test reads this file")
    }

    /// The dark theme.
    ///
    /// # Panics
    /// Never: a test reads the file that is built in.
    #[must_use]
    pub fn dark() -> Self {
        toml::from_str(include_str!("../../assets/themes/dark.toml")).expect("a test reads this file")
    }

    /// The tint that leaves a picture as it is.
    #[must_use]
    pub const fn untinted(&self) -> Color32 {
        Color32::WHITE
    }
}

macro_rules! colors {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Every colour, by its errand.
        #[derive(Clone, Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Colors {
            $($(#[$doc])* #[serde(deserialize_with = "color")] pub $name: Color32,)*
            /// What avatars without a picture are filled with; a person always has the same one.
            #[serde(deserialize_with = "colors")]
            pub avatars: Vec<Color32>,
        }
    };
}

colors! {
    /// Behind the conversation.
    background,
    /// Behind the list.
    sidebar,
    /// Behind the rail.
    rail,
    /// Under the pointer.
    hover,
    /// The chosen row.
    selected,
    /// Lines between panes, around fields.
    border,
    /// Text.
    text,
    /// Text of less weight.
    secondary,
    /// Times, hints.
    dim,
    /// Their bubbles.
    bubble_in,
    /// Our bubbles.
    bubble_out,
    /// Text on our bubbles.
    on_bubble_out,
    /// Links, the chosen tab, main buttons.
    accent,
    /// Text on the accent.
    on_accent,
    /// The ring around what has the keyboard.
    focus,
    /// What goes wrong or destroys.
    danger,
    /// What went well.
    success,
    /// Text of a warning.
    warning_text,
    /// Behind a warning.
    warning_background,
    /// Inside fields.
    field,
    /// Buttons of less weight.
    quiet_button,
    /// Over what lies behind a dialog.
    scrim,
    /// Dark modules of a QR code; the same in every theme, for readers.
    qr_dark,
    /// Light modules and the quiet zone.
    qr_light,
    /// The letter on an avatar.
    on_avatar,
}

fn parse<E: serde::de::Error>(text: &str) -> Result<Color32, E> {
    Color32::from_hex(text).map_err(|_| E::custom("a colour is #RRGGBB or #RRGGBBAA"))
}

fn color<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Color32, D::Error> {
    parse(&String::deserialize(deserializer)?)
}

fn colors<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Color32>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    if texts.is_empty() {
        return Err(D::Error::custom("at least one colour for avatars"));
    }
    texts.iter().map(|text| parse(text)).collect()
}

/// Sizes in points at 100 % zoom.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Gaps: 4, 8, 12, 16, 24, 32.
    pub space: [f32; 6],
    /// Corner radii: 4, 8, 12, 18.
    pub radius: [f32; 4],
    /// Type: 20, 16, 14 (body), 13, 12, 11.
    pub title: f32,
    /// Headings.
    pub heading: f32,
    /// Body.
    pub body: f32,
    /// Previews, hints.
    pub small: f32,
    /// Times in the list.
    pub caption: f32,
    /// Times in bubbles.
    pub tiny: f32,
    /// The rail's width.
    pub rail: f32,
    /// The list's width, and between what it can be dragged.
    pub list: f32,
    /// The narrowest list.
    pub list_min: f32,
    /// The widest list.
    pub list_max: f32,
    /// A list dragged under this snaps to avatars alone.
    pub list_snap: f32,
    /// The width of a list of avatars alone.
    pub list_narrow: f32,
    /// The details pane.
    pub details: f32,
    /// Under this window width there is one pane.
    pub one_pane: f32,
    /// From this window width on the details dock.
    pub details_dock: f32,
    /// Headers of list and conversation.
    pub header: f32,
    /// A row of the list.
    pub row: f32,
    /// An avatar in the list.
    pub avatar: f32,
    /// The least side of anything that can be hit.
    pub hit: f32,
    /// The offline strip.
    pub strip: f32,
    /// A banner.
    pub banner: f32,
    /// A bubble's widest.
    pub bubble: f32,
    /// A dialog's width.
    pub dialog: f32,
    /// A toast's width.
    pub toast: f32,
    /// The focus ring's width.
    pub ring: f32,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            space: [4.0, 8.0, 12.0, 16.0, 24.0, 32.0],
            radius: [4.0, 8.0, 12.0, 18.0],
            title: 20.0,
            heading: 16.0,
            body: 14.0,
            small: 13.0,
            caption: 12.0,
            tiny: 11.0,
            rail: 56.0,
            list: 320.0,
            list_min: 280.0,
            list_max: 380.0,
            list_snap: 200.0,
            list_narrow: 76.0,
            details: 320.0,
            one_pane: 720.0,
            details_dock: 1180.0,
            header: 52.0,
            row: 68.0,
            avatar: 48.0,
            hit: 32.0,
            strip: 28.0,
            banner: 40.0,
            bubble: 560.0,
            dialog: 440.0,
            toast: 360.0,
            ring: 2.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_themes_are_whole() {
        assert!(!Theme::light().dark && Theme::dark().dark);
        assert_eq!(Theme::light().colors.avatars.len(), Theme::dark().colors.avatars.len());
    }
}
