//! Two people at two windows, each over a real profile, with a relay between them: from the first start to a lock.

use egui::{Key, Modifiers};
use sotto_desktop::{
    backend::{Backend, Setup},
    view::Stage,
};
use sotto_driver::RelayAddress;
use sotto_outer::Tls;
use sotto_relay::{
    Identity,
    server::{Relay, Settings},
    storage::memory::MemoryStorage,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::house::{NARROW, Scene, WIDE};

/// A relay in this process.
struct House {
    _relay: Relay<MemoryStorage>,
    runtime: Option<Runtime>,
    address: String,
}

impl House {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let identity = Identity::from_secret(&[7; 32]);
        let public = *identity.public();
        let settings = Settings::plain("127.0.0.1:0".parse().unwrap());
        let relay = {
            let _entered = runtime.enter();
            Relay::start(settings, identity, MemoryStorage::new()).unwrap()
        };
        let address = RelayAddress::new("127.0.0.1", relay.address().port(), Tls::Off, public).unwrap().to_string();
        Self { _relay: relay, runtime: Some(runtime), address }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

const PASSPHRASE: &str = "orbit walnut pepper canal";

/// Somebody who has never used it: a name, a passphrase, and the link is there.
fn begin(folder: &TempDir, house: &House, name: &str, width: f32) -> Scene {
    let mut setup = Setup::new(folder.path().join("profile"));
    setup.keyring = false;
    setup.relay = Some(house.address.clone());
    let mut scene = Scene::over(Backend::start(setup).unwrap(), width);
    scene.until("Welcome to Sotto");
    scene.write("Your name", name);
    scene.press(Key::Enter);
    scene.until("Choose a passphrase");
    scene.write("Passphrase", PASSPHRASE);
    scene.press(Key::Enter);
    scene.until(&format!("You're ready, {name}"));
    scene.until_view("a link", |view| view.invitation.is_some());
    scene
}

#[test]
fn two_people_meet_by_a_link_talk_compare_numbers_and_lock() {
    let house = House::new();
    let [at_alice, at_bob] = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let mut alice = begin(&at_alice, &house, "Alice", WIDE);
    let mut bob = begin(&at_bob, &house, "Bobby", NARROW);

    let link = alice.view().invitation.as_ref().unwrap().link.clone();
    alice.click("Done");
    bob.click("I have a link from someone");
    bob.paste(&link);
    bob.until("Connect");
    bob.write("First words, shown with your request", "We met at the lake.");
    bob.press(Key::Enter);
    bob.until("Request sent, not answered yet");

    alice.until("We met at the lake.");
    alice.press_with(Modifiers::ALT, Key::ArrowDown);
    alice.until("Accept");
    alice.click("Accept");
    alice.until("Bobby, End-to-end encrypted");
    say(&mut alice, "Good to have found you here.");
    bob.until("Good to have found you here.");
    say(&mut bob, "And you. Nine o'clock?");
    alice.until("And you. Nine o'clock?");

    let number = |scene: &Scene| scene.view().conversations[0].safety_number.clone();
    assert_eq!(number(&alice), number(&bob), "both see one number");
    alice.click("Not verified: compare the safety number");
    alice.until("They match");
    alice.click("They match");
    alice.until("Verified: you compared the safety number");

    alice.press_with(Modifiers::COMMAND, Key::L);
    alice.until("Passphrase or recovery key");
    for private in ["Bobby", "Alice", "Nine o'clock", "lake"] {
        assert!(!alice.says(private), "{private} is drawn on the lock screen");
    }
    alice.write("Passphrase or recovery key", "walnut");
    alice.press(Key::Enter);
    alice.until_view(
        "a wrong passphrase",
        |view| matches!(&view.stage, Stage::Locked(locked) if locked.trouble.is_some()),
    );
    alice.write("Passphrase or recovery key", PASSPHRASE);
    alice.press(Key::Enter);
    alice.until("And you. Nine o'clock?");
}

/// Writes in the open conversation.
fn say(scene: &mut Scene, text: &str) {
    scene.press_with(Modifiers::COMMAND | Modifiers::SHIFT, Key::T);
    scene.type_text(text);
    scene.press(Key::Enter);
    scene.until(text);
}
