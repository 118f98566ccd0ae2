//! Every decoder: the first byte chooses one, the rest is what it reads.
//!
//! What must hold: nothing panics; what is read is written as the same bytes, or, where a value has several spellings, as bytes
//! that read as the same value; what a bound or a signature guards is let in only with it.

use std::{fmt::Display, str::FromStr, sync::LazyLock};

use minicbor::{Decode, Encode};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sotto_crypto::{
    DeviceKeys, NoSkippedKeys, OpenError, OwnerKeys, Padding, PrekeySecret, PrivateKey, Root, SafetyNumber, Session,
    SkippedKey, accept, check_handshake, find, first_seal_id, open_bundle, open_first, open_repair, repair_tag,
    seal_first, seal_main, seal_part, verify_manifest, verify_prekey, verify_repair_bundle,
};
use sotto_engine::{
    ProxyAddress,
    record::{
        Account, Contact, CurrentPrekeys, MessageRow, OutboxRow, OwnBundle, OwnMailbox, PrekeyRow, Record, SessionRow,
        TagRow,
    },
};
use sotto_inner::{
    BundleMain, Content, FirstMessage, Handshake, Link, MailboxAddress, Mailboxes, Manifest, Prekey, PrekeyKind,
    RepairBundle, limits::FIRST_MESSAGE_BYTES,
};
use sotto_outer::{
    Bundle, ClientFrame, ForwardKey, Poll, PollAnswer, RelayAddress, RelayFrame, ShownToken,
    blob::{authorization, parse_authorization},
    codec::{self, CodecError},
    forward::{ForwardedAnswer, ForwardedCommand},
    limits::{BUNDLE_MAIN_BYTES, FORWARD_ANSWER_BYTES, FORWARD_COMMAND_BYTES, FRAME_BYTES_MAX},
};

use super::{
    cast::{NOW, cast},
    door,
};

/// Reads bytes.
type Reader = fn(&[u8]);

/// All of them, by name. Their order is the corpus's: a new one goes to the end.
pub const DECODERS: [(&str, Reader); 42] = [
    ("client-frame", |bytes| same(bytes, ClientFrame::decode, ClientFrame::encode)),
    ("relay-frame", |bytes| same(bytes, RelayFrame::decode, RelayFrame::encode)),
    ("poll", |bytes| same(bytes, Poll::decode, Poll::encode)),
    ("poll-answer", |bytes| same(bytes, PollAnswer::decode, PollAnswer::encode)),
    ("relay-address", relay_address),
    ("relay-address-text", text::<RelayAddress>),
    ("content", |bytes| same(bytes, Content::decode, Content::encode)),
    ("first-message", first_message),
    ("handshake", handshake),
    ("manifest", manifest),
    ("prekey", prekey),
    ("repair-bundle", repair_bundle),
    ("bundle-main", bundle_main),
    ("link", |bytes| drop(wire::<Link>(bytes))),
    ("link-text", text::<Link>),
    ("mailbox-address", |bytes| drop(wire::<MailboxAddress>(bytes))),
    ("mailboxes", |bytes| drop(wire::<Mailboxes>(bytes))),
    ("session", session),
    ("packet", packet),
    ("sealed-first-message", sealed_first),
    ("sealed-bundle", sealed_bundle),
    ("root", |bytes| same(bytes, Root::from_bytes, |root| root.to_bytes().to_vec())),
    ("device-keys", |bytes| same(bytes, DeviceKeys::from_bytes, |keys| keys.to_bytes().to_vec())),
    ("owner-keys", |bytes| same(bytes, OwnerKeys::from_bytes, |keys| keys.to_bytes().to_vec())),
    ("prekey-secret", |bytes| same(bytes, PrekeySecret::from_bytes, |secret| secret.to_bytes().to_vec())),
    ("private-key", |bytes| same(bytes, PrivateKey::from_bytes, |key| key.to_bytes().to_vec())),
    ("skipped-key", |bytes| same(bytes, SkippedKey::from_bytes, |key| key.to_bytes().to_vec())),
    ("safety-number-text", text::<SafetyNumber>),
    ("proxy-address-text", text::<ProxyAddress>),
    ("account-row", row::<Account>),
    ("contact-row", row::<Contact>),
    ("mailbox-row", |bytes| (row::<OwnMailbox>(bytes), row::<OwnBundle>(bytes)).0),
    ("message-row", row::<MessageRow>),
    ("outbox-row", row::<OutboxRow>),
    ("prekey-row", |bytes| (row::<PrekeyRow>(bytes), row::<TagRow>(bytes), row::<CurrentPrekeys>(bytes)).0),
    ("session-row", row::<SessionRow>),
    ("forwarded-command", |bytes| {
        padded(bytes, FORWARD_COMMAND_BYTES, ForwardedCommand::decode, ForwardedCommand::encode)
    }),
    ("forwarded-answer", |bytes| padded(bytes, FORWARD_ANSWER_BYTES, ForwardedAnswer::decode, ForwardedAnswer::encode)),
    ("forward-key", |bytes| _ = wire::<ForwardKey>(bytes)),
    ("blob-authorization", blob_authorization),
    ("shown-token", shown_token),
    ("command", door::command),
];

/// Reads one input.
///
/// # Panics
/// If anything does not hold.
pub fn run(data: &[u8]) {
    let Some((which, bytes)) = data.split_first() else { return };
    let (_, read) = DECODERS[usize::from(*which) % DECODERS.len()];
    read(bytes);
}

/// The input that gives these bytes to the decoder of this name.
///
/// # Panics
/// If no decoder has the name.
pub fn input(name: &str, bytes: &[u8]) -> Vec<u8> {
    let which = DECODERS.iter().position(|(other, _)| *other == name).expect("a decoder's name");
    [&[u8::try_from(which).expect("few decoders")], bytes].concat()
}

/// What decodes encodes to the same bytes.
fn same<T, E>(bytes: &[u8], decode: impl Fn(&[u8]) -> Result<T, E>, encode: impl Fn(&T) -> Vec<u8>) {
    if let Ok(value) = decode(bytes) {
        assert!(encode(&value) == bytes, "a value has one encoding");
    }
}

/// The same behind a length and before zeros, which are put there: no fuzzer would ever come to the value by itself.
fn padded<T>(
    bytes: &[u8],
    len: usize,
    decode: impl Fn(&[u8]) -> Result<T, CodecError>,
    encode: impl Fn(&T) -> Result<Vec<u8>, CodecError>,
) {
    if bytes.len() + 4 > len {
        return;
    }
    let mut padded = u32::try_from(bytes.len()).expect("shorter than a command").to_be_bytes().to_vec();
    padded.extend_from_slice(bytes);
    padded.resize(len, 0);
    if let Ok(value) = decode(&padded) {
        assert!(encode(&value).is_ok_and(|again| again == padded), "a value has one encoding");
    }
}

/// A type of the wire that the codec alone reads.
fn wire<T: Encode<()> + for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Option<T> {
    let value = codec::decode::<T>(bytes, FRAME_BYTES_MAX).ok()?;
    assert!(codec::encode(&value) == bytes, "a value has one encoding");
    Some(value)
}

/// A row's bytes may be of an older writing; what is written again reads as the same.
fn row<R: Record>(bytes: &[u8]) {
    if let Ok(record) = R::from_row(bytes) {
        let written = record.to_row();
        let again = R::from_row(&written).expect("a row that was written");
        assert_eq!(*again.to_row(), *written, "a row reads as it was written");
    }
}

/// Text may have several spellings; what is printed reads as the same.
fn text<T: FromStr + Display>(bytes: &[u8]) {
    let Some(value) = core::str::from_utf8(bytes).ok().and_then(|text| text.parse::<T>().ok()) else { return };
    let printed = value.to_string();
    let Ok(again) = printed.parse::<T>() else { panic!("what is printed reads") };
    assert_eq!(again.to_string(), printed);
}

fn relay_address(bytes: &[u8]) {
    let Some(address) = wire::<RelayAddress>(bytes) else { return };
    if address.validate().is_ok() {
        let Ok(again) = address.to_string().parse::<RelayAddress>() else { panic!("a valid address prints as one") };
        assert_eq!(again, address);
        assert_eq!(RelayAddress::new(address.host(), address.port(), address.tls(), *address.identity()), Ok(address));
    }
}

/// The header with which parts and ranges of blobs are asked for.
fn blob_authorization(bytes: &[u8]) {
    if let Some((blob, capability)) = parse_authorization(bytes) {
        assert_eq!(authorization(&blob, &capability).as_bytes(), bytes, "a header has one spelling");
    }
}

fn shown_token(bytes: &[u8]) {
    let Ok(token) = ShownToken::try_from(bytes) else { return };
    let again = ShownToken::new(&token.key(), &token.randomizer(), &token.nonce(), token.signature());
    assert!(again.is_ok_and(|again| again == token), "a token is its fields");
}

fn first_message(bytes: &[u8]) {
    let Some(message) = wire::<FirstMessage>(bytes) else { return };
    let rng = &mut ChaCha20Rng::seed_from_u64(1);
    let (secret, public) = &cast().bob.seal;
    if let Ok(envelope) = seal_first(rng, public, &message) {
        assert_eq!(envelope.len(), FIRST_MESSAGE_BYTES);
        assert_eq!(open_first(secret, &envelope).as_ref(), Ok(&message), "what is sealed opens");
    }
    checked(&message.handshake);
}

fn handshake(bytes: &[u8]) {
    if let Some(handshake) = wire::<Handshake>(bytes) {
        checked(&handshake);
    }
}

/// As a device does with a handshake of somebody: it is checked, then answered.
fn checked(handshake: &Handshake) {
    let cast = cast();
    let answered = check_handshake(handshake).and_then(|()| accept(&cast.bob.answering(&cast.link), handshake));
    if let Ok(session) = answered {
        same(&session.encode(), Session::decode, |session| session.encode().to_vec());
    }
}

fn manifest(bytes: &[u8]) {
    let Some(manifest) = wire::<Manifest>(bytes) else { return };
    if verify_manifest(&manifest).is_ok() {
        let devices = &manifest.body.devices;
        assert!(!devices.is_empty() && devices.is_sorted_by(|one, next| one.id < next.id));
    }
}

fn prekey(bytes: &[u8]) {
    let Some(prekey) = wire::<Prekey>(bytes) else { return };
    let bob = &cast().bob;
    for kind in [PrekeyKind::Signed, PrekeyKind::OneTimePair, PrekeyKind::LastResort, PrekeyKind::Seal] {
        if verify_prekey(&bob.manifest.body.root, &bob.device.public(), &prekey, kind, NOW).is_ok() {
            let ours = [&bob.signed.1, &bob.pair.1, &bob.last_resort.1, &bob.seal.1];
            assert!(ours.contains(&&prekey) && prekey.body.kind == kind, "nobody signs for Bob");
        }
    }
}

fn repair_bundle(bytes: &[u8]) {
    let Some(bundle) = wire::<RepairBundle>(bytes) else { return };
    let bob = &cast().bob;
    let verified = verify_repair_bundle(&bob.manifest, bob.device.id(), &bundle, NOW);
    assert!(verified.is_err() || bundle.signed == bob.signed.1, "nobody signs for Bob");
}

/// As one who has the link may: seals any main part into a bundle.
fn bundle_main(bytes: &[u8]) {
    let Some(main) = wire::<BundleMain>(bytes) else { return };
    // Nonce, tag and one byte of padding stand around it.
    if bytes.len() > BUNDLE_MAIN_BYTES - 12 - 16 - 1 {
        return;
    }
    let (rng, link) = (&mut ChaCha20Rng::seed_from_u64(1), &cast().link);
    let bundle = Bundle {
        main: seal_main(rng, &link.secret, &link.bundle, &main),
        pair: Some(seal_part(rng, &link.secret, &link.bundle, &cast().bob.pair.1)),
        last_resort: None,
    };
    if let Ok(opened) = open_bundle(link, &bundle, NOW) {
        assert_eq!(opened.name(), main.name);
        assert!(*opened.manifest() == cast().bob.manifest, "nobody signs for Bob");
    }
}

/// A stored session, and the next step of whatever it is.
fn session(bytes: &[u8]) {
    let Ok(session) = Session::decode(bytes) else { return };
    let again = |session: &Session| same(&session.encode(), Session::decode, |session| session.encode().to_vec());
    again(&session);
    if let Ok(staged) = session.seal(&mut ChaCha20Rng::seed_from_u64(1), b"step", Padding::Bucket) {
        again(&staged.into_parts().0);
    }
    if let Some(staged) = session.expire(NOW) {
        again(&staged.into_parts().0);
    }
}

/// The one packet that the sessions below can open.
pub static HELLO: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let (alice, _) = cast().sessions();
    let rng = &mut ChaCha20Rng::seed_from_u64(1);
    alice.seal(rng, b"hello", Padding::Bucket).expect("an initiator seals").into_parts().2
});

/// A packet at its sender, at one who waits for it and at one who has read it.
fn packet(bytes: &[u8]) {
    static SESSIONS: LazyLock<[Session; 3]> = LazyLock::new(|| {
        let (alice, bob) = cast().sessions();
        let (begun, _, _) = bob.open(&HELLO, NOW, &NoSkippedKeys).expect("an honest packet").into_parts();
        [alice, bob, begun]
    });
    for (session, waits) in SESSIONS.iter().zip([false, true, false]) {
        let opened = session.open(bytes, NOW, &NoSkippedKeys);
        assert_eq!(opened.is_ok(), waits && bytes == *HELLO, "nobody sealed anything else");
        let recognised = find(core::slice::from_ref(session), bytes).is_some();
        assert_eq!(recognised, !matches!(opened, Err(OpenError::NotOurs)));
    }
}

/// As it came, and at the one length that an envelope has.
fn sealed_first(bytes: &[u8]) {
    let mut envelope = bytes.to_vec();
    envelope.resize(FIRST_MESSAGE_BYTES, 0);
    for bytes in [bytes, &envelope] {
        assert_eq!(first_seal_id(bytes).is_some(), bytes.len() == FIRST_MESSAGE_BYTES);
        assert_eq!(repair_tag(bytes).is_some(), bytes.len() == FIRST_MESSAGE_BYTES);
        for (secret, _) in [&cast().bob.seal, &cast().bob.signed] {
            open_first(secret, bytes).expect_err("nobody sealed it");
            open_repair(secret, bytes).expect_err("nobody sealed it");
        }
    }
}

/// A bundle as a relay gives it, damaged by the input.
fn sealed_bundle(bytes: &[u8]) {
    let honest = &cast().bundle;
    let mut bundle = honest.clone();
    for change in bytes.as_chunks::<4>().0 {
        let [part, high, low, value] = *change;
        let at = usize::from(u16::from_be_bytes([high, low]));
        let pair = bundle.pair.as_mut().expect("the cast's bundle has a pair");
        let part = if part & 1 == 0 { &mut bundle.main } else { pair };
        match part.len() {
            0 => {}
            length if value == 0 => part.truncate(at % length),
            length => part[at % length] ^= value,
        }
    }
    assert_eq!(open_bundle(&cast().link, &bundle, NOW).is_ok(), bundle == *honest);
}
