//! What a person does, by what the controls are called, and what the backend is asked for.

use egui::{Key, Modifiers};
use sotto_desktop::{
    action::{Action, Card},
    view::Stage,
};

use crate::{
    fixtures::{self, LINK, MIRA, RELAY, TOMAS, who},
    house::{NARROW, Scene, WIDE},
};

/// The one action of this kind that was asked for.
macro_rules! asked {
    ($scene:expr, $pattern:pat $(if $guard:expr)? $(=> $value:expr)?) => {{
        let asked = $scene.asked();
        let found = asked.into_iter().find_map(|action| match action {
            $pattern $(if $guard)? => Some(($($value)?)),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("nothing was asked like {}", stringify!($pattern)))
    }};
}

#[test]
fn first_run_with_a_keyring_takes_a_name_and_enter() {
    let mut scene = Scene::open(fixtures::first_run(true), WIDE, false);
    scene.write("Your name", "Nadia");
    scene.press(Key::Enter);
    let (name, relay, passphrase) = asked!(
        scene, Action::CreateProfile { name, relay, passphrase, proxy: None } => (name, relay, passphrase)
    );
    assert_eq!((name.as_str(), relay.as_str()), ("Nadia", RELAY));
    assert!(passphrase.is_none(), "the keyring holds the key");
    scene.show(fixtures::empty());
    assert!(scene.says("You're ready, Nadia"));
    asked!(scene, Action::Invite { once: true });
    scene.show(fixtures::invited(true));
    scene.click("Copy link");
    assert!(scene.says("Copied."));
    scene.click("Done");
    assert!(!scene.says("You're ready, Nadia") && scene.says("Mira Oduya"));
}

#[test]
fn without_a_keyring_a_passphrase_is_screen_two() {
    let mut scene = Scene::open(fixtures::first_run(false), NARROW, false);
    scene.write("Your name", "Nadia");
    scene.click("Continue");
    scene.write("Passphrase", "short");
    assert!(scene.says("At least 8 characters"));
    scene.press(Key::Enter);
    assert!(scene.asked().iter().all(|action| !matches!(action, Action::CreateProfile { .. })), "it is too short");
    scene.write("Passphrase", " walnut pepper canal");
    scene.click("Create");
    let passphrase = asked!(scene, Action::CreateProfile { passphrase: Some(passphrase), .. } => passphrase);
    assert_eq!(passphrase.as_str(), "short walnut pepper canal");
}

#[test]
fn a_name_and_a_relay_are_asked_for_before_anything_is_made() {
    let mut view = fixtures::first_run(true);
    fixtures::with_first_run(&mut view, |first| first.relay = None);
    let mut scene = Scene::open(view, WIDE, false);
    scene.click("Create");
    assert!(scene.says("Please enter a name") && scene.says("Please enter the address of your relay"));
    scene.write("Your name", "Nadia");
    scene.write("Relay", "https://relay.example.org");
    scene.click("Create");
    assert!(scene.says("A relay address begins with sotto://"));
    assert!(scene.asked().iter().all(|action| !matches!(action, Action::CreateProfile { .. })));
}

#[test]
fn a_pasted_link_is_looked_at_and_connects() {
    let mut scene = Scene::open(fixtures::list(), WIDE, false);
    scene.press_with(Modifiers::COMMAND, Key::N);
    scene.paste(LINK);
    let link = asked!(scene, Action::PreviewLink(link) => link);
    assert_eq!(link, LINK);
    scene.show(fixtures::preview(true));
    assert!(scene.says("Compare safety numbers once you talk"), "it came through a web page");
    scene.write("First words, shown with your request", "It's Nadia");
    scene.press(Key::Enter);
    let text = asked!(scene, Action::Connect { text } => text);
    assert_eq!(text.as_deref(), Some("It's Nadia"));
    assert!(!scene.says("A link for one person"), "the dialog is gone");
}

#[test]
fn a_link_that_came_as_an_argument_opens_its_preview() {
    let mut scene = Scene::open(fixtures::preview(false), WIDE, false);
    assert!(scene.says("A link for one person"));
    scene.press(Key::Escape);
    asked!(scene, Action::DropPreview);
    assert!(!scene.says("A link for one person"), "put away, it stays away");
}

#[test]
fn a_request_is_accepted() {
    let mut scene = Scene::open(fixtures::request(), NARROW, false);
    assert!(scene.says("Hi, it's Tomas from the rowing club."));
    scene.click("Accept");
    let contact = asked!(scene, Action::Accept(contact) => contact);
    assert_eq!(contact, who(TOMAS));
}

#[test]
fn a_message_is_written_and_sent() {
    let mut scene = Scene::open(fixtures::talk(), WIDE, false);
    scene.press_with(Modifiers::COMMAND | Modifiers::SHIFT, Key::T);
    scene.type_text("Two lines,");
    scene.press_with(Modifiers::SHIFT, Key::Enter);
    scene.type_text("one message");
    assert!(scene.asked().iter().all(|action| !matches!(action, Action::Send { .. })), "Shift+Enter sends nothing");
    scene.press(Key::Enter);
    let (chat, text) = asked!(scene, Action::Send { chat, text } => (chat, text));
    assert_eq!((chat, text.as_str()), (who(MIRA), "Two lines,\none message"));
}

#[test]
fn numbers_that_match_verify_and_a_picture_of_another_does_not() {
    let mut scene = Scene::open(fixtures::unverified(), WIDE, false);
    scene.click("Not verified: compare the safety number");
    asked!(scene, Action::Compare(Some(contact)) if contact == who(MIRA));
    scene.show(fixtures::mismatch());
    assert!(scene.says("Someone may stand between you"));
    scene.click_disabled("They match");
    assert!(scene.asked().iter().all(|action| !matches!(action, Action::Verify(_))), "they do not");
    scene.show(fixtures::unverified());
    scene.click("They match");
    asked!(scene, Action::Verify(contact) if contact == who(MIRA));
}

#[test]
fn blocking_asks_first() {
    let mut scene = Scene::open(fixtures::talk(), WIDE, false);
    scene.press_with(Modifiers::COMMAND, Key::D);
    scene.click("Block");
    scene.click("Cancel");
    assert!(scene.asked().iter().all(|action| !matches!(action, Action::Block(_))));
    scene.click("Block");
    scene.click_last("Block");
    asked!(scene, Action::Block(contact) if contact == who(MIRA));
}

#[test]
fn locked_nothing_but_the_lock_screen_is_drawn() {
    let mut scene = Scene::open(fixtures::talk(), WIDE, false);
    scene.press_with(Modifiers::COMMAND, Key::L);
    asked!(scene, Action::Lock);
    scene.show(fixtures::locked(2));
    for private in ["Mira", "Jonah", "ferry", "See you at the pier then"] {
        assert!(!scene.says(private), "{private} is drawn on the lock screen");
    }
    scene.write("Passphrase or recovery key", "orbit walnut");
    scene.press(Key::Enter);
    let typed = asked!(scene, Action::Unlock(Some(typed)) => typed);
    assert_eq!(typed.as_str(), "orbit walnut");
}

#[test]
fn a_recovery_key_is_made_shown_and_put_away() {
    let mut scene = Scene::open(fixtures::carded(), WIDE, false);
    scene.click_first("Do it now");
    scene.click("Make a recovery key");
    asked!(scene, Action::NewRecoveryKey);
    scene.show(fixtures::recovery_key());
    assert!(scene.says("7K2F-9QXM"));
    scene.click("I have written it down");
    asked!(scene, Action::DismissCard(Card::RecoveryKey));
}

#[test]
fn a_broken_profile_can_be_tried_again() {
    let mut scene = Scene::open(fixtures::broken(), WIDE, false);
    scene.click("Try again");
    asked!(scene, Action::SwitchProfile(_));
    assert!(matches!(scene.view().stage, Stage::Broken(_)));
}

#[test]
fn escape_unwinds_one_layer() {
    let mut scene = Scene::open(fixtures::talk(), NARROW, false);
    scene.press_with(Modifiers::COMMAND, Key::Slash);
    scene.press(Key::Escape);
    assert!(!scene.says("Ctrl K"), "the dialog is gone");
    assert!(scene.says("See you at the pier then"), "the conversation is not");
}
