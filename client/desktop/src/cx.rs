//! What every piece of view code is handed: what to draw, how it looks, and where wishes go.

use crate::{action::Action, theme::Theme, view::View};

/// The context of one frame.
pub struct Cx<'a> {
    /// What to draw.
    pub view: &'a View,
    /// How it looks.
    pub theme: &'a Theme,
    /// Wishes, applied after the frame.
    pub actions: &'a mut Vec<Action>,
}

impl Cx<'_> {
    /// Wishes for something.
    pub fn act(&mut self, action: Action) {
        self.actions.push(action);
    }
}
