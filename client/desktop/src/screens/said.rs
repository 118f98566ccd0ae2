//! What several screens say alike: good news, a warning, a number to compare, an error as a sentence.

use egui::{Key, Label, Response, RichText, Ui};

use crate::{
    cx::Cx,
    icons::{self, Icon},
    theme::{mono, regular},
    view::Trouble,
    widgets,
};

/// What went well.
pub(super) fn success(ui: &mut Ui, cx: &Cx<'_>, text: &str) {
    let text = RichText::new(text).font(regular(cx.theme.sizes.small)).color(cx.theme.colors.success);
    ui.add(Label::new(text).selectable(false).wrap());
}

/// What to mind.
pub(super) fn warning(ui: &mut Ui, cx: &Cx<'_>, text: &str) {
    let theme = cx.theme;
    widgets::banner(ui, theme, |ui| {
        ui.horizontal_top(|ui| {
            icons::show(ui, Icon::Shield, theme.sizes.title, theme.colors.warning_text);
            let text = RichText::new(text).font(regular(theme.sizes.small)).color(theme.colors.warning_text);
            ui.add(Label::new(text).selectable(false).wrap());
        });
    });
}

/// What went wrong, and what to do.
pub(super) fn trouble(ui: &mut Ui, cx: &Cx<'_>, trouble: Option<&Trouble>) {
    let Some(Trouble { what, advice }) = trouble else { return };
    widgets::danger(ui, cx.theme, what);
    if !advice.is_empty() {
        widgets::small(ui, cx.theme, advice);
    }
}

/// Characters of equal width, to be compared or written down; large ones where there is room.
pub(super) fn exact(ui: &mut Ui, cx: &Cx<'_>, text: &str, size: f32) {
    let text = RichText::new(text).font(mono(size)).color(cx.theme.colors.text);
    ui.add(Label::new(text).selectable(true).wrap());
}

/// Whether a field of one line was left by Enter.
pub(super) fn entered(field: &Response) -> bool {
    field.lost_focus() && field.ctx.input(|input| input.key_pressed(Key::Enter))
}

/// An error's message as a sentence.
pub(super) fn sentence(message: &str) -> String {
    let mut chars = message.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}", chars.as_str())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_sentence_begins_with_a_capital() {
        assert_eq!(super::sentence("the host is wrong"), "The host is wrong");
        assert_eq!(super::sentence(""), "");
    }
}
