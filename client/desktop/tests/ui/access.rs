//! Everything that takes the keyboard has a name, is reached by Tab, and shows that it has it.

use std::collections::BTreeSet;

use egui::{Key, Modifiers, accesskit};
use egui_kittest::{Node, kittest::NodeT as _};
use sotto_desktop::view::View;

use crate::{
    fixtures,
    house::{NARROW, Scene, WIDE},
};

/// What takes the keyboard: its number in the tree, and its name.
fn focusable(scene: &mut Scene) -> BTreeSet<(String, String)> {
    let takes = |node: &Node<'_>| {
        let node = node.accesskit_node();
        let data = node.data();
        data.supports_action(accesskit::Action::Focus) && !data.is_disabled() && !node.is_hidden()
    };
    let root = scene.harness().root();
    // A dialog keeps the keyboard to itself.
    let dialog = root.children_recursive().find(|node| node.accesskit_node().role() == accesskit::Role::Dialog);
    dialog.unwrap_or(root).children_recursive().filter(takes).map(|node| entry(&node)).collect()
}

fn entry(node: &Node<'_>) -> (String, String) {
    let node = node.accesskit_node();
    let name = node.label().or_else(|| node.data().placeholder().map(str::to_owned));
    (format!("{:?}", node.id()), name.unwrap_or_default())
}

/// What has the keyboard.
fn focused(scene: &mut Scene) -> Option<(String, String)> {
    scene.harness().root().children_recursive().find(|node| node.is_focused()).map(|node| entry(&node))
}

fn reachable(name: &str, view: impl Fn() -> View, act: impl Fn(&mut Scene)) {
    for width in [NARROW, WIDE] {
        let mut scene = Scene::open(view(), width, false);
        act(&mut scene);
        let all = focusable(&mut scene);
        assert!(!all.is_empty(), "{name}, {width}: nothing takes the keyboard");
        let unnamed: Vec<_> = all.iter().filter(|(_, name)| name.trim().is_empty()).collect();
        assert!(
            unnamed.is_empty(),
            "{name}, {width}: {} controls have no name\n{:#?}",
            unnamed.len(),
            scene.harness().root()
        );
        let mut missed = all.clone();
        for _ in 0..2 * all.len() + 2 {
            scene.press(Key::Tab);
            if let Some(entry) = focused(&mut scene) {
                missed.remove(&entry);
            }
        }
        assert!(missed.is_empty(), "{name}, {width}: Tab does not reach {missed:?}");
    }
}

macro_rules! reachable {
    ($($name:ident: $view:expr, $act:expr;)+) => {
        $(#[test]
        fn $name() {
            reachable(stringify!($name), || $view, $act);
        })+
    };
}

fn nothing(_: &mut Scene) {}

reachable! {
    the_first_screen_is_within_reach: fixtures::first_run(true), nothing;
    the_lock_screen_is_within_reach: fixtures::locked(1), nothing;
    an_empty_window_is_within_reach: fixtures::empty(), nothing;
    the_list_is_within_reach: fixtures::list(), nothing;
    a_conversation_is_within_reach: fixtures::talk(), nothing;
    a_request_is_within_reach: fixtures::request(), nothing;
    details_are_within_reach: fixtures::talk(), |scene: &mut Scene| scene.press_with(Modifiers::COMMAND, Key::D);
    adding_a_contact_is_within_reach: fixtures::list(), |scene: &mut Scene| scene.press_with(Modifiers::COMMAND, Key::N);
    a_preview_is_within_reach: fixtures::preview(false), |scene: &mut Scene| scene.press_with(Modifiers::COMMAND, Key::N);
    the_invitation_is_within_reach: fixtures::invited(true), |scene: &mut Scene| scene.command("Show my link");
    verifying_is_within_reach: fixtures::talk(), |scene: &mut Scene| scene.click("Verified: you compared the safety number");
    the_settings_are_within_reach: fixtures::list(), |scene: &mut Scene| scene.press_with(Modifiers::COMMAND, Key::Comma);
    the_palette_is_within_reach: fixtures::list(), |scene: &mut Scene| scene.press_with(Modifiers::COMMAND, Key::K);
}

#[test]
fn a_dialog_keeps_the_keyboard_to_itself() {
    let mut scene = Scene::open(fixtures::talk(), WIDE, false);
    scene.press_with(Modifiers::COMMAND, Key::D);
    scene.click("Block");
    let inside = ["Close", "Block", "Cancel"];
    for _ in 0..8 {
        scene.press(Key::Tab);
        let (_, name) = focused(&mut scene).expect("something in the dialog has the keyboard");
        assert!(inside.contains(&name.as_str()), "{name} is behind the dialog");
    }
}
