//! The letters: Inter in two weights and egui's mono face are built in. What they lack (colour emoji, Chinese, Japanese,
//! Korean, Arabic, …) is looked for in the system when it is first drawn, by the window; tests have the built-in ones only.

use std::sync::Arc;

use egui::{Context, FontData, FontDefinitions, FontFamily, FontId, Id};

/// Body text.
#[must_use]
pub fn regular(size: f32) -> FontId {
    FontId::new(size, FontFamily::Proportional)
}

/// Names, titles, buttons.
#[must_use]
pub fn semibold(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(SEMIBOLD.into()))
}

/// Numbers and links that are compared or copied.
#[must_use]
pub fn mono(size: f32) -> FontId {
    FontId::new(size, FontFamily::Monospace)
}

/// Hands the built-in fonts to egui, once for each context: comparing them again would cost more than all the rest.
pub(super) fn install(ctx: &Context) {
    let id = Id::unique("sotto fonts");
    if ctx.data(|data| data.get_temp::<bool>(id)).is_some() {
        return;
    }
    ctx.data_mut(|data| data.insert_temp(id, true));
    ctx.set_fonts(built_in());
}

fn built_in() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    for (name, bytes) in [(REGULAR, INTER_REGULAR), (SEMIBOLD, INTER_SEMIBOLD)] {
        fonts.font_data.insert(name.into(), Arc::new(FontData::from_static(bytes)));
    }
    let proportional = fonts.families.entry(FontFamily::Proportional).or_default();
    let mut semibold = proportional.clone();
    proportional.insert(0, REGULAR.into());
    semibold.splice(0..0, [SEMIBOLD.into(), REGULAR.into()]);
    fonts.families.insert(FontFamily::Name(SEMIBOLD.into()), semibold);
    fonts.families.entry(FontFamily::Monospace).or_default().push(REGULAR.into());
    fonts
}

const REGULAR: &str = "regular";
const SEMIBOLD: &str = "semibold";
const INTER_REGULAR: &[u8] = include_bytes!("../../assets/fonts/Inter-Regular.otf");
const INTER_SEMIBOLD: &[u8] = include_bytes!("../../assets/fonts/Inter-SemiBold.otf");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_weights_have_letters_of_their_own() {
        let fonts = built_in();
        assert_eq!(fonts.families[&FontFamily::Proportional][0], REGULAR);
        assert_eq!(fonts.families[&FontFamily::Name(SEMIBOLD.into())][0], SEMIBOLD);
    }
}
