//! Where the panes lie: rail, list, conversation, details. Pure arithmetic, so that each width can be tested.

use egui::Rect;

use crate::theme::Sizes;

/// What is open, and how wide the person dragged the list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// The list's width as dragged.
    pub(super) list: f32,
    /// A conversation is open.
    pub(super) conversation: bool,
    /// Its details are.
    pub(super) details: bool,
}

/// The panes of one frame. What is `None` is not drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Panes {
    /// The rail.
    pub(super) rail: Option<Rect>,
    /// The list.
    pub(super) list: Option<Rect>,
    /// The conversation, or the place for one.
    pub(super) conversation: Option<Rect>,
    /// The details, beside the conversation or over it.
    pub(super) details: Option<Rect>,
    /// The details lie over the conversation.
    pub(super) details_over: bool,
}

impl Panes {
    /// Divides the window.
    pub(super) fn of(window: Rect, sizes: &Sizes, wanted: Wanted) -> Self {
        let Wanted { list, conversation, details } = wanted;
        let details_open = details && conversation;
        if window.width() < sizes.one_pane {
            return Self::one(window, sizes, conversation, details_open);
        }
        let (rail, rest) = window.split_left_right_at_x(window.left() + sizes.rail);
        let (list, rest) = rest.split_left_right_at_x(rest.left() + snapped(list, sizes));
        let docked = window.width() >= sizes.details_dock;
        let (beside, details) = rest.split_left_right_at_x(rest.right() - sizes.details.min(rest.width()));
        Self {
            rail: Some(rail),
            list: Some(list),
            conversation: Some(if details_open && docked { beside } else { rest }),
            details: details_open.then_some(details),
            details_over: !docked,
        }
    }

    /// One pane at a time; the rail stands beside the list only.
    fn one(window: Rect, sizes: &Sizes, conversation: bool, details: bool) -> Self {
        let (rail, list) = window.split_left_right_at_x(window.left() + sizes.rail);
        let over = window.with_min_x(window.right() - sizes.details.min(window.width()));
        Self {
            rail: (!conversation).then_some(rail),
            list: (!conversation).then_some(list),
            conversation: conversation.then_some(window),
            details: details.then_some(over),
            details_over: true,
        }
    }
}

/// The width that a dragged list takes: avatars alone, or between the narrowest and the widest list.
pub(super) fn snapped(dragged: f32, sizes: &Sizes) -> f32 {
    if dragged < sizes.list_snap { sizes.list_narrow } else { dragged.clamp(sizes.list_min, sizes.list_max) }
}

#[cfg(test)]
mod tests {
    use egui::{pos2, vec2};

    use super::*;

    fn panes(width: f32, conversation: bool, details: bool) -> Panes {
        let window = Rect::from_min_size(pos2(0.0, 0.0), vec2(width, 760.0));
        Panes::of(window, &Sizes::default(), Wanted { list: 320.0, conversation, details })
    }

    #[test]
    fn a_narrow_window_has_one_pane() {
        let without = panes(480.0, false, true);
        assert!(without.list.is_some() && without.conversation.is_none() && without.details.is_none());
        let with = panes(480.0, true, false);
        assert!(with.list.is_none() && with.rail.is_none());
        assert_eq!(with.conversation.map(|pane| pane.width()), Some(480.0));
    }

    #[test]
    fn details_dock_where_there_is_room_and_lie_over_otherwise() {
        let wide = panes(1280.0, true, true);
        assert_eq!(wide.conversation.map(|pane| pane.width()), Some(1280.0 - 56.0 - 320.0 - 320.0));
        assert!(!wide.details_over);
        let middle = panes(1000.0, true, true);
        assert_eq!(middle.conversation.map(|pane| pane.width()), Some(1000.0 - 56.0 - 320.0));
        assert!(middle.details_over && middle.details.is_some());
    }

    #[test]
    fn a_list_dragged_far_enough_keeps_its_avatars_only() {
        let sizes = Sizes::default();
        assert_eq!([150.0, 220.0, 300.0, 500.0].map(|x| snapped(x, &sizes)), [76.0, 280.0, 300.0, 380.0]);
    }
}
