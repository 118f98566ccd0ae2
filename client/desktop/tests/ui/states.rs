//! Every state of the design that exists, in both themes, narrow and wide: what must be said in it, and its picture.

use egui::{Key, Modifiers};
use sotto_desktop::view::View;

use crate::{
    fixtures,
    house::{Scene, pictured},
};

/// A state: a name, what is drawn, what is done first, and words that must be there.
macro_rules! states {
    ($($name:ident: $view:expr, $do:expr, [$($words:literal),+ $(,)?];)+) => {
        $(#[test]
        fn $name() {
            pictured(stringify!($name), || $view, $do, &[$($words),+]);
        })+
    };
}

fn nothing(_: &mut Scene) {}

/// Opens a dialog by its command.
fn command(words: &'static str) -> impl Fn(&mut Scene) {
    move |scene| scene.command(words)
}

fn to_add_contact(scene: &mut Scene) {
    scene.press_with(Modifiers::COMMAND, Key::N);
}

/// The open conversation's details.
fn to_details(scene: &mut Scene) {
    scene.press_with(Modifiers::COMMAND, Key::D);
}

fn to_verify(scene: &mut Scene) {
    to_details(scene);
    scene.click("Compare numbers");
}

/// The number is shown, and then a picture is read that shows another.
fn to_verify_different(scene: &mut Scene) {
    to_verify(scene);
    scene.show(fixtures::mismatch());
}

/// Where the newest message is.
fn to_why(scene: &mut Scene) {
    scene.click("Why?");
}

fn block(scene: &mut Scene) {
    to_details(scene);
    scene.click("Block");
}

fn reset(scene: &mut Scene) {
    scene.command("Show my link");
    scene.click("For many");
    scene.click("Make it anew");
}

/// The first card's errand.
fn keep_a_recovery_key(scene: &mut Scene) {
    scene.click_first("Do it now");
}

/// The second card's errand.
fn add_a_passphrase(scene: &mut Scene) {
    scene.click_last("Do it now");
}

fn welcome_with_network(scene: &mut Scene) {
    scene.click("Network");
}

fn choose_passphrase(scene: &mut Scene) {
    scene.write("Your name", "Nadia");
    scene.press(Key::Enter);
    scene.write("Passphrase", "orbit walnut pepper canal");
}

/// A profile was made: the stage opens, and the link is there.
fn become_ready(scene: &mut Scene) {
    scene.write("Your name", "Nadia");
    scene.press(Key::Enter);
    scene.show(fixtures::invited(true));
}

fn look_for_the_ferry(scene: &mut Scene) {
    scene.write("Search everything", "ferry");
}

/// A conversation is chosen, and the disk takes its time.
fn choose_and_wait(scene: &mut Scene) {
    scene.press_with(Modifiers::ALT, Key::ArrowDown);
    scene.wait();
}

fn trouble_at_creation() -> View {
    let mut view = fixtures::first_run(true);
    fixtures::with_first_run(&mut view, |first| {
        first.trouble = Some(fixtures::trouble(
            "The system's keyring did not answer.",
            "Choose a passphrase instead; nothing was made yet.",
        ));
    });
    view
}

states! {
    welcome: fixtures::first_run(true), nothing, ["Welcome to Sotto", "Your name", "Create", "Network"];
    welcome_network: fixtures::first_run(true), welcome_with_network, ["Relay", "Proxy"];
    welcome_trouble: trouble_at_creation(), nothing, ["The system's keyring did not answer."];
    choose_a_passphrase: fixtures::first_run(false), choose_passphrase, ["Choose a passphrase", "Strong", "Create", "Back"];
    ready: fixtures::first_run(true), become_ready, ["You're ready, Nadia", "QR code", "Copy link", "I have a link from someone"];
    locked: fixtures::locked(3), nothing, ["Locked", "3 new messages, closed until you unlock them.", "Passphrase or recovery key"];
    broken: fixtures::broken(), nothing, ["This profile cannot be opened", "Try again", "Quit"];
    empty: fixtures::empty(), nothing, ["Add your first contact"];
    list: fixtures::list(), nothing, ["Mira Oduya", "Jonah Weiss", "Aunt Béa"];
    talk: fixtures::talk(), nothing, ["See you at the pier then", "Send"];
    unread: fixtures::unread(), nothing, ["And bring the oars"];
    offline: fixtures::offline(), nothing, ["Offline. 3 messages waiting"];
    held: fixtures::held(), nothing, ["Mira Oduya"];
    request: fixtures::request(), nothing, ["Accept", "Decline", "Block"];
    asked: fixtures::asked(), nothing, ["New contact"];
    notices: fixtures::notices(), nothing, ["Mira added a device"];
    cards: fixtures::carded(), nothing, ["Keep a recovery key", "Add a passphrase"];
    search: fixtures::searched(), look_for_the_ferry, ["The ferry leaves at nine"];
    loading: fixtures::list(), choose_and_wait, ["Loading messages"];
    toasts: fixtures::toasted(), nothing, ["Link copied", "The disk is full. Nothing was lost; free some space."];
    details: fixtures::talk(), to_details, ["Details", "Compare again"];
    why: fixtures::why(), to_why, ["At Mira's relay", "Retry"];
    add_contact: fixtures::list(), to_add_contact, ["Link", "Choose a picture of their code"];
    add_contact_refused: fixtures::refused(), to_add_contact, ["This link is incomplete: a part of it was cut off."];
    add_contact_preview: fixtures::preview(true), to_add_contact, ["A link for one person", "Connect"];
    invitation: fixtures::invited(true), command("Show my link"), ["QR code", "Copy link", "For many"];
    verify: fixtures::unverified(), to_verify, ["Verify Mira Oduya", "QR code", "They match"];
    verify_different: fixtures::unverified(), to_verify_different, ["Someone may stand between you", "They match"];
    confirm_block: fixtures::talk(), block, ["Block Mira Oduya?", "Block", "Cancel"];
    confirm_reset: fixtures::invited(false), reset, ["Make it anew", "Cancel"];
    profiles: fixtures::list(), command("Profiles"), ["Profiles", "New profile"];
    passphrase: fixtures::carded(), add_a_passphrase, ["Add a passphrase", "At least 8 characters"];
    recovery_key: fixtures::recovery_key(), keep_a_recovery_key, ["Recovery key", "I have written it down"];
    palette: fixtures::list(), |scene: &mut Scene| scene.press_with(Modifiers::COMMAND, Key::K), ["Mira Oduya"];
    help: fixtures::list(), |scene: &mut Scene| scene.press_with(Modifiers::COMMAND, Key::Slash), ["Ctrl K"];
    settings: fixtures::list(), |scene: &mut Scene| scene.press_with(Modifiers::COMMAND, Key::Comma), ["Settings"];
}
