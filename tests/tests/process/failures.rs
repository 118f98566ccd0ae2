//! What goes wrong: each with its exit code, a word for programs and a sentence for people, and nothing lost.

use std::{
    io::{BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    thread,
};

use crate::{
    house::{folder, read_until},
    profile::Profile,
    relay::Relay,
    talk::friends,
};

#[test]
fn a_wrong_link_is_refused_and_changes_nothing() {
    let folder = folder();
    let relay = Relay::new(folder.path());
    let alice = Profile::made(folder.path(), "alice", relay.address());
    let bob = Profile::made(folder.path(), "bob", relay.address());
    let link = alice.ok(&["invite"])[0]["link"].as_str().unwrap().to_owned();
    let (before, fragment) = link.split_once('#').unwrap();

    bob.run(&["connect", "https://example.org/"]).failed(1, "wrong_link");
    bob.run(&["connect", &link[..link.len() - 5]]).failed(1, "wrong_link");
    let other_relay = format!("https://relay.example:443/i#{fragment}");
    bob.run(&["connect", &other_relay]).failed(1, "wrong_link");
    alice.run(&["connect", &link]).failed(1, "own_link");
    assert!(bob.ok(&["contact", "list"]).is_empty(), "a refused link left a contact");

    bob.ok(&["connect", &format!("{before}#{fragment}")]);
}

#[test]
fn a_used_invitation_leads_nowhere() {
    let folder = folder();
    let relay = Relay::new(folder.path());
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| Profile::made(folder.path(), name, relay.address()));
    let link = alice.ok(&["invite", "--once"])[0]["link"].as_str().unwrap().to_owned();
    bob.ok(&["connect", &link]);
    assert_eq!(alice.ok(&["requests", "list"]).len(), 1);
    carol.run(&["connect", &link]).failed(6, "link_dead");
}

#[test]
fn a_relay_with_another_key_hears_nothing() {
    let folder = folder();
    let relay = Relay::new(folder.path());
    let alice = Profile::new(folder.path(), "alice");
    let (place, identity) = relay.address().rsplit_once('/').unwrap();
    // The same place, another pinned identity: 32 other bytes.
    let pinned = format!("{place}/{}", "A".repeat(identity.len()));
    let ran = alice.run(&["init", "--name", "alice", "--relay", &pinned]);
    assert_eq!(ran.code, 3, "{}", ran.failure);
    ran.failed(3, ran.failure["kind"].as_str().unwrap());
    assert_eq!(relay.inspect()["mailboxes"].as_array().unwrap().len(), 0, "the wrong relay was told something");
    let status = alice.ok(&["--offline", "status"]);
    assert_eq!(status[0]["name"], "alice", "the profile is kept");
}

#[test]
fn a_wrong_passphrase_opens_nothing() {
    let folder = folder();
    let relay = Relay::new(folder.path());
    let mut alice = Profile::made(folder.path(), "alice", relay.address());
    let right = alice.passphrase().to_owned();
    alice.set_passphrase("let me in");
    alice.run(&["status"]).failed(7, "wrong_passphrase");
    alice.run(&["send", "bob", "-m", "hello"]).failed(7, "wrong_passphrase");
    alice.set_passphrase(&right);
    alice.ok(&["status"]);
}

#[test]
fn a_store_in_use_is_left_to_whoever_has_it() {
    let folder = folder();
    let relay = Relay::new(folder.path());
    let alice = Profile::made(folder.path(), "alice", relay.address());
    let mut listener = alice.command(&["listen"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut said = BufReader::new(listener.stdout.take().unwrap());
    read_until(&mut said, |line| line.contains("sync.done").then_some(()));
    alice.run(&["status"]).failed(9, "in_use");
    alice.run(&["daemon"]).failed(9, "in_use");
    listener.kill().unwrap();
    listener.wait().unwrap();
    alice.ok(&["status"]);
}

#[test]
fn nothing_is_lost_while_the_relay_is_down() {
    let folder = folder();
    let mut relay = Relay::new(folder.path());
    let [mut alice, mut bob] = friends(folder.path(), &relay, ["alice", "bob"]);
    alice.end_daemon();
    relay.terminate();
    let ran = alice.run(&["send", "bob", "-m", "into the dark", "--wait", "sent", "--timeout", "1"]);
    ran.failed(8, "timeout");
    assert_eq!(ran.items[0]["status"], "queued");
    let stranger = Profile::new(folder.path(), "carol");
    let ran = stranger.run(&["init", "--name", "carol", "--relay", relay.address()]);
    assert_eq!(ran.code, 3, "{}", ran.failure);

    relay.start();
    alice.ok(&["send", "bob", "-m", "here I am again", "--wait", "sent", "--timeout", "60"]);
    let mut events = bob.listen(0);
    events.find(|event| event["body"]["text"] == "into the dark");
    events.find(|event| event["body"]["text"] == "here I am again");
    bob.end_daemon();
}

#[test]
fn a_full_disk_is_told_and_nothing_is_lost() {
    let folder = folder();
    let relay = Relay::new(folder.path());
    let [mut alice, mut bob] = friends(folder.path(), &relay, ["alice", "bob"]);
    alice.send("bob", "before the disk was full", "1");
    alice.end_daemon();
    bob.end_daemon();

    // The profile on a disk of its own with no room left, in a namespace that goes with the process.
    let script = r#"
        set -e
        mount -t tmpfs -o size=24m tmpfs "$DISK"
        cp -a "$PROFILE/." "$DISK/"
        dd if=/dev/zero of="$DISK/ballast" bs=4096 2>/dev/null || true
        code=0
        "$CLI" --json --offline --profile "$DISK" send bob < "$TEXT" > "$OUT" 2> "$ERR" || code=$?
        rm "$DISK/ballast"
        "$CLI" --json --offline --profile "$DISK" history bob > "$HISTORY"
        exit $code
    "#;
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let [text, out, err, history] = ["text", "out", "err", "history"].map(|name| folder.path().join(name));
    std::fs::write(&text, "x".repeat(50_000)).unwrap();
    let ran = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script])
        .env("DISK", &disk)
        .env("PROFILE", alice.folder())
        .env("CLI", crate::house::binary("sotto-cli"))
        .env("TEXT", &text)
        .env("OUT", &out)
        .env("ERR", &err)
        .env("HISTORY", &history)
        .env("SOTTO_PASSPHRASE", alice.passphrase())
        .output()
        .unwrap();
    let told = std::fs::read_to_string(&err).unwrap_or_default();
    assert_eq!(ran.status.code(), Some(2), "{told}{}", String::from_utf8_lossy(&ran.stderr));
    let failure: serde_json::Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    assert_eq!(failure["kind"], "disk_full", "{told}");
    let kept = std::fs::read_to_string(&history).unwrap();
    assert!(kept.contains("before the disk was full"), "what was stored before is lost: {kept}");
    assert!(!kept.contains("xxxxxxxx"), "what was refused is stored");
}

#[test]
fn garbage_is_refused_by_a_relay_that_goes_on() {
    let folder = folder();
    let relay = Relay::new(folder.path());
    let alice = Profile::made(folder.path(), "alice", relay.address());
    let place = relay.address().strip_prefix("sotto://").unwrap().split('/').next().unwrap().to_owned();
    let attempts: [&[u8]; 4] =
        [b"\x16\x03\x01\x00\x05garbage", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", &[0; 70_000], b"\x16\x03\x03\xff\xff"];
    for garbage in attempts {
        let mut line = TcpStream::connect(&place).unwrap();
        // It may hang up in the middle of this.
        let _cut = line.write_all(garbage);
        let _cut = line.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _cut = line.read_to_end(&mut answer);
    }
    assert_eq!(alice.ok(&["status"])[0]["online"], true, "the relay serves others after garbage");
}

#[test]
fn a_relay_that_answers_garbage_is_told_and_nothing_is_lost() {
    let folder = folder();
    let mut relay = Relay::new(folder.path());
    let [mut alice, mut bob] = friends(folder.path(), &relay, ["alice", "bob"]);
    alice.end_daemon();
    relay.terminate();
    let place = relay.address().strip_prefix("sotto://").unwrap().split('/').next().unwrap().to_owned();
    let garbage = TcpListener::bind(&place).unwrap();
    let babble = thread::spawn(move || {
        while let Ok((mut line, _)) = garbage.accept() {
            let mut hello = [0; 16];
            if line.read(&mut hello).is_ok_and(|read| read == 4) && &hello[..4] == b"stop" {
                return;
            }
            let _cut = line.write_all(b"\x15\x03\x03\x00\x02garbage and more of it");
        }
    });
    let ran = alice.run(&["send", "bob", "-m", "through the noise", "--wait", "sent", "--timeout", "1"]);
    ran.failed(8, "timeout");
    let doctor = alice.run(&["doctor"]);
    assert_eq!(doctor.code, 3, "{}", doctor.failure);
    TcpStream::connect(&place).unwrap().write_all(b"stop").unwrap();
    babble.join().unwrap();

    relay.start();
    alice.ok(&["status"]);
    bob.listen(0).find(|event| event["body"]["text"] == "through the noise");
    bob.end_daemon();
}
