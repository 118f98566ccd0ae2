//! What must be nowhere: identities in logs, and anything of anyone in what the relay has.

use std::{collections::HashMap, fs, path::Path};

use data_encoding::{BASE32_NOPAD, BASE64, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use serde_json::Value;
use sotto_engine::{
    Order, Range, Rows, Table,
    record::{Account, OwnBundle, OwnMailbox, PrekeyRow, Record},
};
use sotto_inner::Link;
use sotto_store::{Passphrase, Store, Unlock};

use crate::{house::folder, profile::Profile, relay::Relay, talk::friends};

const NAMES: [&str; 2] = ["Alexandrine", "Bartholomew"];
const TEXTS: [&str; 2] = ["the heron stands at the weir", "then bring the blue lantern"];

/// Something that must not be found, and what to call it when it is.
pub(crate) struct Secret {
    what: String,
    bytes: Vec<u8>,
}

impl Secret {
    pub(crate) fn new(what: &str, bytes: &[u8]) -> Self {
        Self { what: what.to_owned(), bytes: bytes.to_vec() }
    }

    /// Every form in which a program writes bytes down. Short bytes are looked for as they are alone.
    fn forms(&self) -> Vec<Vec<u8>> {
        let bytes = &self.bytes;
        let mut forms = vec![bytes.clone()];
        if bytes.len() >= 8 {
            let texts = [
                HEXLOWER.encode(bytes),
                HEXUPPER.encode(bytes),
                BASE64.encode(bytes),
                BASE64_NOPAD.encode(bytes),
                BASE64URL_NOPAD.encode(bytes),
                BASE32_NOPAD.encode(bytes),
                format!("{bytes:?}").trim_matches(['[', ']']).to_owned(),
            ];
            forms.extend(texts.map(String::into_bytes));
            // The beginning alone tells one person from another as well.
            forms.push(HEXLOWER.encode(&bytes[..6]).into_bytes());
            forms.push(BASE64URL_NOPAD.encode(&bytes[..9.min(bytes.len())]).into_bytes());
        }
        forms
    }
}

/// What secret is in a haystack, and where; one pass, however many there are.
fn find(haystack: &[u8], secrets: &[Secret]) -> Option<(String, usize)> {
    let mut by_beginning: HashMap<[u8; 4], Vec<(&str, Vec<u8>)>> = HashMap::new();
    for secret in secrets {
        for form in secret.forms() {
            let beginning = *form.first_chunk().expect("what is looked for has four bytes at least");
            by_beginning.entry(beginning).or_default().push((&secret.what, form));
        }
    }
    haystack.windows(4).enumerate().find_map(|(at, window)| {
        let forms = by_beginning.get(window)?;
        let found = forms.iter().find(|(_, form)| haystack[at..].starts_with(form));
        found.map(|(what, _)| ((*what).to_owned(), at))
    })
}

#[track_caller]
pub(crate) fn assert_absent(place: &str, haystack: &[u8], secrets: &[Secret]) {
    if let Some((what, at)) = find(haystack, secrets) {
        let around = &haystack[at.saturating_sub(120)..haystack.len().min(at + 60)];
        panic!("{what} is in {place}: {:?}", String::from_utf8_lossy(around));
    }
}

/// Names, texts, roots, keys: what no relay may ever have, readable or not.
pub(crate) fn of_people(profile: &Profile, secrets: &mut Vec<Secret>) {
    let unlock = Unlock::Passphrase(Passphrase::new(profile.passphrase().to_owned()));
    let store = Store::open(profile.folder(), &unlock).unwrap();
    let mut reader = store.reader().unwrap();
    let rows = reader.snapshot().unwrap();
    let account = rows.get(Table::Meta, Account::KEY).unwrap().unwrap();
    let account = Account::from_row(&account).unwrap();
    let body = &account.manifest.body;
    secrets.push(Secret::new("a root", body.root.as_bytes()));
    secrets.push(Secret::new("a manifest's signature", account.manifest.signature.as_bytes()));
    secrets.push(Secret::new("a root's private key", account.root.as_slice()));
    for device in &body.devices {
        secrets.push(Secret::new("a device's id", device.id.as_bytes()));
        secrets.push(Secret::new("a device's signing key", device.signing.as_bytes()));
        secrets.push(Secret::new("a device's agreement key", device.agreement.as_bytes()));
    }
    for (_, row) in rows.scan(Table::Prekey, &Range::all(), Order::Ascending, usize::MAX).unwrap() {
        let prekey = PrekeyRow::from_row(&row).unwrap();
        let key = &prekey.public.body.key;
        secrets.push(Secret::new("the beginning of a prekey", &key[..32]));
        secrets.push(Secret::new("the end of a prekey", &key[key.len() - 32..]));
        secrets.push(Secret::new("a prekey's signature", prekey.public.signature.as_bytes()));
    }
}

/// Ids and capabilities that a relay knows and nobody logs.
fn of_mailboxes(profile: &Profile, secrets: &mut Vec<Secret>) {
    let unlock = Unlock::Passphrase(Passphrase::new(profile.passphrase().to_owned()));
    let store = Store::open(profile.folder(), &unlock).unwrap();
    let mut reader = store.reader().unwrap();
    let rows = reader.snapshot().unwrap();
    for (key, row) in rows.scan(Table::Mailbox, &Range::all(), Order::Ascending, usize::MAX).unwrap() {
        let mailbox = OwnMailbox::from_row(&row).unwrap();
        secrets.push(Secret::new("a receive id", &key));
        secrets.push(Secret::new("a send id", mailbox.send_id.as_bytes()));
        secrets.push(Secret::new("a send capability", mailbox.capability.as_bytes()));
        for lease in [mailbox.confirmed, mailbox.new].into_iter().flatten() {
            secrets.push(Secret::new("a lease", lease.as_bytes()));
        }
    }
    for (key, row) in rows.scan(Table::Bundle, &Range::all(), Order::Ascending, usize::MAX).unwrap() {
        secrets.push(Secret::new("a bundle's id", &key));
        secrets.push(Secret::new("a link's secret", OwnBundle::from_row(&row).unwrap().secret.as_bytes()));
    }
}

fn texts() -> Vec<Secret> {
    let mut secrets = Vec::new();
    for text in NAMES.iter().chain(&TEXTS).chain(&["may I come in?"]) {
        secrets.push(Secret::new("a name or a text", text.as_bytes()));
    }
    secrets
}

fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| strings(value, found)),
        Value::Object(fields) => fields.values().for_each(|value| strings(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Two people who meet and talk; one is away while the other writes.
fn story(folder: &Path) -> (Relay, [Profile; 2], Value, Vec<u8>) {
    let mut relay = Relay::new(folder);
    let [mut alice, mut bob] = friends(folder, &relay, NAMES);
    // What fails is logged more than what goes well.
    let mut events = [alice.listen(0), bob.listen(0)];
    for events in &mut events {
        events.next("contact.connected");
    }
    relay.kill();
    alice.send(NAMES[1], TEXTS[0], "1");
    for events in &mut events {
        events.next("net.offline");
    }
    relay.start();
    bob.listen(0).find(|event| event["body"]["text"] == TEXTS[0]);
    assert!(alice.end_daemon());
    bob.ok(&["send", NAMES[0], "-m", TEXTS[1], "--wait", "sent", "--timeout", "60"]);
    let knows = relay.inspect();
    let mut raw = Vec::new();
    for entry in fs::read_dir(relay.folder()).unwrap() {
        let path = entry.unwrap().path();
        // Not its sockets; the folder of blobs is empty, for nobody here has any.
        if path.is_file() && path.file_name().is_some_and(|name| name != "identity.key") {
            raw.extend(fs::read(path).unwrap());
        }
    }
    alice.start_daemon();
    alice.listen(0).find(|event| event["body"]["text"] == TEXTS[1]);
    assert!(alice.end_daemon() && bob.end_daemon());
    (relay, [alice, bob], knows, raw)
}

#[test]
fn the_relay_has_nothing_of_anyone_and_no_log_names_anybody() {
    let folder = folder();
    let (relay, people, knows, raw) = story(folder.path());
    let mut secrets = texts();
    for person in &people {
        of_people(person, &mut secrets);
    }
    assert!(secrets.len() > 100, "prekeys were found to look for");
    assert!(knows.to_string().contains("pairwise") || !knows["mailboxes"].as_array().unwrap().is_empty());
    assert_absent("what the relay shows", knows.to_string().as_bytes(), &secrets);
    assert_absent("the relay's raw files", &raw, &secrets);

    for person in &people {
        of_mailboxes(person, &mut secrets);
    }
    let mut known = Vec::new();
    strings(&knows, &mut known);
    for text in known.iter().filter(|text| text.len() >= 32) {
        secrets.push(Secret::new("something the relay knows", text.as_bytes()));
        if let Ok(bytes) = HEXLOWER.decode(text.as_bytes()) {
            secrets.push(Secret::new("something the relay knows", &bytes));
        }
    }
    let place = relay.address().strip_prefix("sotto://").unwrap();
    let (authority, identity) = place.split_once('/').unwrap();
    let (host, port) = authority.split_once(':').unwrap();
    secrets.push(Secret::new("the relay's identity", &BASE64URL_NOPAD.decode(identity.as_bytes()).unwrap()));
    for text in [host, &format!(":{port}"), &folder.path().to_string_lossy(), "daemon.sock"] {
        secrets.push(Secret::new("an address or a file", text.as_bytes()));
    }
    for person in &people {
        secrets.push(Secret::new("a passphrase", person.passphrase().as_bytes()));
    }
    let logs = [relay.log(), people[0].log(), people[1].log()].map(|path| fs::read(path).unwrap());
    for log in &logs {
        assert!(!log.is_empty(), "a log that says nothing proves nothing");
        assert_absent("a log", log, &secrets);
    }
}

#[test]
fn the_search_finds_every_form_of_a_secret() {
    let link = Link {
        kind: sotto_inner::LinkKind::Address,
        relay: format!("sotto://relay.example:443/{}", "A".repeat(43)).parse().unwrap(),
        root: [7; 32].into(),
        bundle: [8; 16].into(),
        secret: [9; 32].into(),
    };
    let secrets = [Secret::new("a root", link.root.as_bytes())];
    for line in [
        format!("opened {}", HEXLOWER.encode(link.root.as_bytes())),
        format!("opened {}…", HEXLOWER.encode(&link.root.as_bytes()[..8])),
        format!("opened {:?}", link.root.as_bytes()),
        format!("opened {}", BASE64.encode(link.root.as_bytes())),
        format!("opened {}", BASE64URL_NOPAD.encode(link.root.as_bytes())),
    ] {
        assert!(find(line.as_bytes(), &secrets).is_some(), "{line}");
    }
    assert_eq!(find(b"frame dropped kind=malformed", &secrets), None);
}
