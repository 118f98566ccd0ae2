//! Add a contact: a pasted link or a picture of one, what it leads to, and the first words.

use egui::{Context, Ui};

use super::said::{entered, trouble, warning};
use crate::{
    action::{Action, Dialog},
    cx::Cx,
    view::Preview,
    widgets::{self, Field, Kind},
};

/// The longest text that goes with a request, UTF-8. [`sotto_inner::limits::HELLO_TEXT_BYTES_MAX`]
const HELLO_BYTES_MAX: usize = 256;

/// What is being entered.
#[derive(Default)]
pub(super) struct AddContactState {
    link: String,
    /// The text that was looked at last.
    asked: String,
    hello: String,
    /// Which of the two faces has had the keyboard: the link's field, or the greeting's.
    focused: Option<Face>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Face {
    Link,
    Hello,
}

/// Draws the dialog.
pub(super) fn show(ctx: &Context, cx: &mut Cx<'_>, state: &mut AddContactState) {
    let theme = cx.theme;
    let view = cx.view;
    let dismissed = widgets::dialog(ctx, theme, "Add a contact", |ui| match &view.preview {
        Some(Preview::Link { relay, once, through_web, .. }) => hello(ui, cx, state, relay, *once, *through_web),
        refused => {
            link(ui, cx, state);
            if let Some(Preview::Refused(why)) = refused {
                trouble(ui, cx, Some(why));
            }
            ways(ui, cx);
        }
    });
    if dismissed {
        cx.act(Action::Back);
    }
}

/// The field for the link. What looks like one is looked at as soon as it is there.
fn link(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut AddContactState) {
    let theme = cx.theme;
    widgets::paragraph(ui, theme, "Paste the link that someone gave you.");
    let field = Field {
        id: egui::Id::unique("link"),
        label: "Link",
        hint: "https://… or sotto:…",
        text: &mut state.link,
        password: false,
        error: None,
    };
    let field = widgets::field(ui, theme, field);
    if state.focused.replace(Face::Link) != Some(Face::Link) {
        field.request_focus();
    }
    let text = state.link.trim();
    let pasted = text.len() > state.asked.len() + 1 && is_like_a_link(text);
    if !text.is_empty() && text != state.asked && (pasted || entered(&field)) {
        text.clone_into(&mut state.asked);
        cx.act(Action::PreviewLink(text.to_owned()));
    }
}

/// Whole enough to be looked at without being asked to.
fn is_like_a_link(text: &str) -> bool {
    (text.starts_with("https://") && text.contains("/i#")) || text.starts_with("sotto:")
}

/// Other ways than a link that is there as text.
fn ways(ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = cx.theme;
    if widgets::button_wide(ui, theme, Kind::Quiet, "Choose a picture of their code").clicked() {
        cx.act(Action::ChoosePicture);
    }
    widgets::dim(ui, theme, "You can also drop the picture on this window.");
    if widgets::link(ui, theme, "Give someone your link instead").clicked() {
        cx.act(Action::Back);
        cx.act(Action::Open(Dialog::Invitation));
    }
}

/// What the link leads to, and what is said first.
fn hello(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut AddContactState, relay: &str, once: bool, through_web: bool) {
    let theme = cx.theme;
    widgets::card(ui, theme, |ui| {
        widgets::body(ui, theme, if once { "A link for one person" } else { "Somebody's contact address" });
        widgets::dim(ui, theme, &format!("At the relay {relay}. Their name comes with their answer."));
    });
    if through_web {
        let caution =
            "This link came through a web page, which could have changed it. Compare safety numbers once you talk.";
        warning(ui, cx, caution);
    }
    let too_long = state.hello.len() > HELLO_BYTES_MAX;
    let field = Field {
        id: egui::Id::unique("hello"),
        label: "First words, shown with your request",
        hint: "First words: who you are, how you met",
        text: &mut state.hello,
        password: false,
        error: too_long.then_some("This is too long for a request; write the rest once they have accepted"),
    };
    let field = widgets::field(ui, theme, field);
    if state.focused.replace(Face::Hello) != Some(Face::Hello) {
        field.request_focus();
    }
    let mut connect = entered(&field);
    widgets::dim(ui, theme, "They see your name and these words, and decide.");
    let button = |ui: &mut Ui| widgets::button_wide(ui, theme, Kind::Primary, "Connect");
    connect |= ui.add_enabled_ui(!too_long, button).inner.clicked();
    if widgets::button_wide(ui, theme, Kind::Quiet, "Another link").clicked() {
        *state = AddContactState::default();
        cx.act(Action::DropPreview);
    } else if connect && !too_long {
        let text = state.hello.trim();
        cx.act(Action::Connect { text: (!text.is_empty()).then(|| text.to_owned()) });
        cx.act(Action::Back);
    }
}
