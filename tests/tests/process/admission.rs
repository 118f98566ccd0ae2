//! A relay whose host mints credentials: two who have one meet and talk; who has none, a bad one or one that is used up is told.

use std::{io::Write as _, process::Stdio};

use crate::{
    house::folder,
    profile::{Profile, Ran},
    relay::Relay,
    talk::befriend,
};

/// A profile that is admitted from the beginning.
fn admitted(folder: &std::path::Path, name: &str, relay: &Relay, uses: u32) -> Profile {
    let profile = Profile::new(folder, name);
    let made = profile.run(&["init", "--name", name, "--relay", relay.address(), "--admit", &relay.mint(uses)]);
    assert_eq!(made.code, 0, "{}", made.failure);
    // A relay that has just started may still make its keys: then the client asks again by itself.
    profile
}

/// Waits until a daemon says that its relay admits it.
fn wait_admitted(profile: &Profile) {
    profile.listen(0).find(|event| event["type"] == "relay.admission" && event["state"] == "admitted");
}

#[test]
fn two_with_credentials_meet_and_talk_while_relay_and_clients_restart() {
    let folder = folder();
    let mut relay = Relay::minted(folder.path());
    let mut people = ["alice", "bob"].map(|name| admitted(folder.path(), name, &relay, 50));
    for person in &mut people {
        person.start_daemon();
        wait_admitted(person);
    }
    relay.kill();
    people[0].kill_daemon();
    relay.start();
    people[0].start_daemon();
    for person in &people {
        person.listen(0).next("sync.done");
    }
    befriend(&people, ["alice", "bob"]);
    assert!(relay.terminate(), "the relay ends in order");
    assert!(people[1].end_daemon(), "a daemon ends in order");
    relay.start();
    people[1].start_daemon();
    people[0].send("bob", "are you admitted?", "one");
    people[1].send("alice", "yes, and nobody knows which of us I am", "two");
    for person in &people {
        person.listen(0).find(|event| event["type"] == "message.status" && event["status"] == "delivered");
    }
    let shown = people[0].ok(&["relay", "show"]);
    assert_eq!(shown[0]["admission"], "admitted");
    assert!(shown[0]["tokens"].as_u64().unwrap() > 0);
    assert_eq!(people[0].ok(&["status"])[0]["admission"], "admitted");
}

#[test]
fn who_has_no_credential_is_told_what_to_do_and_goes_on_with_one() {
    let folder = folder();
    let relay = Relay::minted(folder.path());
    let mut alice = Profile::new(folder.path(), "alice");
    alice.run(&["init", "--name", "alice", "--relay", relay.address()]).failed(1, "needs_credential");
    assert_eq!(relay.inspect()["mailboxes"].as_array().unwrap().len(), 0, "nothing was made");

    let genuine = relay.mint(20);
    alice.run(&["relay", "admit", "nonsense"]).failed(1, "wrong_credential");
    let (signed, _) = genuine.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", "A".repeat(86));
    alice.start_daemon();
    alice.run(&["relay", "admit", &forged]).failed(1, "credential_refused");

    // Where no list of processes shows it.
    let mut typed = alice.command(&["relay", "admit", "-"]);
    let mut typed = typed.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    typed.stdin.take().unwrap().write_all(format!("{genuine}\n").as_bytes()).unwrap();
    let ran = Ran::of(&typed.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.items[0]["admission"].as_str()), (0, Some("admitted")), "{}", ran.failure);
    alice.ok(&["invite"]);
    assert_eq!(relay.inspect()["mailboxes"].as_array().unwrap().len(), 1);
}

#[test]
fn a_credential_that_is_used_up_is_told_and_what_there_is_goes_on() {
    let folder = folder();
    let relay = Relay::minted(folder.path());
    // The address, a mailbox for invitations, one for a contact.
    let mut people = [("alice", 3), ("bob", 50)].map(|(name, uses)| admitted(folder.path(), name, &relay, uses));
    for person in &mut people {
        person.start_daemon();
        wait_admitted(person);
    }
    befriend(&people, ["alice", "bob"]);
    people[0].listen(0).find(|event| event["type"] == "relay.admission" && event["state"] == "credential_used_up");
    people[1].send("alice", "still there?", "one");
    people[1].listen(0).find(|event| event["type"] == "message.status" && event["status"] == "delivered");
    let elsewhere = Relay::named(folder.path(), "elsewhere", "127.0.0.1:0", &["--public", "localhost:4433"]);
    people[0].run(&["relay", "admit", &elsewhere.mint(5)]).failed(1, "credential_elsewhere");
    people[0].ok(&["relay", "admit", &relay.mint(5)]);
}
