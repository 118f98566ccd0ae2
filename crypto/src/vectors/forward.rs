//! Two hops: a relay's key, commands sealed to it, the answers.

use hpke::{Deserializable, Kem, OpModeR, aead::ChaCha20Poly1305, kdf::HkdfSha256, kem::XWing};
use sha2::{Digest, Sha256};
use sotto_inner::limits::XWING_CIPHERTEXT_BYTES;
use sotto_outer::{
    Answer, Command, Fetch, ForwardKey, RelayIdentity, Send,
    codec::{self, CodecError},
    forward::{ForwardedAnswer, ForwardedCommand, request_info},
    labels,
    limits::{FORWARD_KEY_BYTES, FORWARD_REQUEST_BYTES},
};

use super::{Case, Vectors};
use crate::{
    OwnerKeys, PeerMisbehaved, VerifiedForwardKey, aead,
    forward::ForwardOpener,
    people::{FixedRng, NOW},
    xwing::SealSecret,
};

const WEEK: u32 = 2_976;

/// Distinct bytes in place of chance.
fn random(len: usize, first: u8) -> Vec<u8> {
    (0..len).map(|index| first.wrapping_add(index as u8)).collect()
}

/// A relay with its key of a week.
struct Relay {
    keys: OwnerKeys,
    identity: RelayIdentity,
    secret: SealSecret,
}

impl Relay {
    fn new(first: u8) -> Self {
        let keys = OwnerKeys::from_bytes(&random(32, first)).unwrap();
        let secret = SealSecret::generate(&mut FixedRng(random(32, first ^ 0x80)));
        Self { identity: RelayIdentity::from(*keys.public().as_bytes()), keys, secret }
    }

    fn sign(&self, week: u32, key: [u8; FORWARD_KEY_BYTES]) -> ForwardKey {
        let signature = self.keys.sign(&ForwardKey::signed(&self.identity, week, &key));
        ForwardKey { week, key: key.into(), signature }
    }

    fn key(&self) -> ForwardKey {
        self.sign(WEEK, self.secret.public().try_into().unwrap())
    }

    /// What a relay does with a request: the command, and what its answer is sealed under.
    fn open(&self, request: &[u8]) -> Result<(ForwardedCommand, [u8; 32]), PeerMisbehaved> {
        let request: &[u8; FORWARD_REQUEST_BYTES] = request.try_into().map_err(|_| PeerMisbehaved::Length)?;
        let (week, sealed) = request.split_first_chunk().unwrap();
        let (enc, ciphertext) = sealed.split_at(XWING_CIPHERTEXT_BYTES);
        let enc = <XWing as Kem>::EncappedKey::from_bytes(enc).unwrap();
        let key = <XWing as Kem>::PrivateKey::from_bytes(self.secret.seed()).unwrap();
        let info = request_info(&self.identity, u32::from_be_bytes(*week));
        let mut context =
            hpke::setup_receiver::<ChaCha20Poly1305, HkdfSha256, XWing>(&OpModeR::Base, &key, &enc, &info).unwrap();
        let padded = context.open(ciphertext, &[]).map_err(|_| PeerMisbehaved::Unopenable)?;
        let mut response_key = [0; 32];
        context.export(labels::FORWARD_RESPONSE, &mut response_key).unwrap();
        let command = ForwardedCommand::decode(&padded).map_err(|_| PeerMisbehaved::Malformed)?;
        Ok((command, response_key))
    }
}

/// A command with its answer, through a relay and back.
struct Exchange {
    command: ForwardedCommand,
    answer: ForwardedAnswer,
    request: Vec<u8>,
    response: Vec<u8>,
    opener: ForwardOpener,
}

impl Exchange {
    fn new(relay: &Relay, first: u8, command: Command, answer: ForwardedAnswer) -> Self {
        let command = ForwardedCommand { time_secs: NOW, command };
        let sealer = VerifiedForwardKey::verify(&relay.identity, relay.key(), NOW)
            .unwrap()
            .sealer(&mut FixedRng(random(64, first)));
        let nonce = sealer.nonce();
        let (request, opener) = sealer.seal(&command).unwrap();
        assert_eq!(nonce.as_bytes()[..], Sha256::digest(&request[4..][..XWING_CIPHERTEXT_BYTES])[..]);
        let (opened, response_key) = relay.open(&request).unwrap();
        assert_eq!(opened, command);
        let mut body = answer.encode().unwrap();
        let nonce = random(12, first).try_into().unwrap();
        let tag = aead::seal_in_place(&response_key, &nonce, &[], &mut body);
        let response = [&nonce[..], &body, &tag].concat();
        assert_eq!(opener.open(&response), Ok(answer.clone()));
        Self { command, answer, request, response, opener }
    }

    fn case(&self, name: &str, first: u8) -> Case {
        Case::default()
            .text("command", name)
            .hex("random", &random(64, first))
            .hex("item", &codec::encode(&self.command))
            .hex("nonce", &Sha256::digest(&self.request[4..][..XWING_CIPHERTEXT_BYTES]))
            .hex("request_sha256", &Sha256::digest(&self.request))
            .hex("answer_random", &random(12, first))
            .hex("answer", &codec::encode(&self.answer))
            .hex("response", &self.response)
    }
}

fn fetch() -> Command {
    Command::Fetch(Fetch { bundle: [0xb0; 16].into(), proof: None })
}

fn send() -> Command {
    Command::Send(Send {
        mailbox: [0x5e; 16].into(),
        capability: [0xca; 32].into(),
        id: [0x1d; 16].into(),
        ttl_secs: Some(0),
        payload: random(1_024, 0x70),
        proof: Some([9; 8].into()),
    })
}

#[test]
fn two_hops() {
    let bob = Relay::new(0x10);
    let exchanges = [
        ("fetch", 0x20, fetch(), ForwardedAnswer::Answer(Answer::Denied)),
        ("send", 0x30, send(), ForwardedAnswer::Answer(Answer::Done)),
        ("send at another time", 0x40, send(), ForwardedAnswer::Clock { time_secs: NOW + 3_600 }),
    ];
    let key = bob.key();
    let mut accepted = vec![
        Case::default()
            .hex("identity_seed", &random(32, 0x10))
            .hex("identity", bob.identity.as_bytes())
            .text("week", WEEK)
            .hex("key_seed", bob.secret.seed())
            .hex("key", &key.key[..])
            .hex("signature", key.signature.as_bytes()),
    ];
    let mut first_exchange = None;
    for (name, first, command, answer) in exchanges {
        let exchange = Exchange::new(&bob, first, command, answer);
        accepted.push(exchange.case(name, first));
        first_exchange.get_or_insert(exchange);
    }
    let exchange = first_exchange.unwrap();
    // One request in full, for whoever wants to open before sealing.
    accepted.push(Case::default().text("command", "the first request, whole").hex("request", &exchange.request));
    let refused = [
        keys_refused(&bob),
        requests_refused(&bob, &exchange),
        plains_refused(&exchange),
        responses_refused(&exchange),
    ];
    Vectors {
        about: "Commands that travel through another relay. The first entry is the relay that answers: identity, week and \
                key of the week. Each of the following is one command, sealed with 64 bytes of randomness, and its answer, \
                sealed under a nonce of 12. A refusal of a key changes the fields that it has; splices are of the first \
                command's request, of its item padded, and of its response.",
        accepted,
        refused: refused.into_iter().flatten().collect(),
    }
    .check("forward.json");
}

fn keys_refused(bob: &Relay) -> Vec<Case> {
    let (honest, mallory) = (bob.key(), Relay::new(0x50));
    let mut over = honest.key;
    over[..3].fill(0xff);
    [
        ("another relay's", mallory.key()),
        ("another key under the signature", ForwardKey { key: mallory.key().key, ..honest.clone() }),
        ("another week under the signature", ForwardKey { week: WEEK + 1, ..honest.clone() }),
        ("signed, with a coefficient over the modulus", bob.sign(WEEK, *over)),
    ]
    .map(|(why, key)| {
        let error = VerifiedForwardKey::verify(&bob.identity, key.clone(), NOW).expect_err(why);
        let case = Case::why(why).text("place", "key").text("week", key.week);
        case.hex("key", &key.key[..]).hex("signature", key.signature.as_bytes()).error(error)
    })
    .into()
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}

fn requests_refused(bob: &Relay, exchange: &Exchange) -> Vec<Case> {
    let request = &exchange.request;
    [
        ("another week", flipped(request, 3)),
        ("a bit of the ML-KEM ciphertext", flipped(request, 4)),
        ("a bit of the ephemeral key", flipped(request, 1_100)),
        ("a bit of the command", flipped(request, 1_200)),
        ("a bit of the padding", flipped(request, 60_000)),
        ("a bit of the tag", flipped(request, FORWARD_REQUEST_BYTES - 1)),
        ("a byte short", request[..FORWARD_REQUEST_BYTES - 1].to_vec()),
        ("a byte long", [&request[..], &[0]].concat()),
    ]
    .map(|(why, changed)| {
        let error = bob.open(&changed).expect_err(why);
        Case::why(why).text("place", "request").splice(request, &changed).error(error)
    })
    .into()
}

/// What opens and is no padded command.
fn plains_refused(exchange: &Exchange) -> Vec<Case> {
    let plain = exchange.command.encode().unwrap();
    [
        ("a length beyond the end", flipped(&plain, 0)),
        ("a length a byte short", flipped(&plain, 3)),
        ("a padding that is not zeros", flipped(&plain, plain.len() - 1)),
    ]
    .map(|(why, changed)| {
        let _: CodecError = ForwardedCommand::decode(&changed).expect_err(why);
        Case::why(why).text("place", "plain").splice(&plain, &changed).error(PeerMisbehaved::Malformed)
    })
    .into()
}

fn responses_refused(exchange: &Exchange) -> Vec<Case> {
    let response = &exchange.response;
    [
        ("a bit of the nonce", flipped(response, 0)),
        ("a bit of the answer", flipped(response, 20)),
        ("a bit of the padding", flipped(response, 3_000)),
        ("a bit of the tag", flipped(response, response.len() - 1)),
        ("a byte short", response[..response.len() - 1].to_vec()),
        ("a byte long", [&response[..], &[0]].concat()),
    ]
    .map(|(why, changed)| {
        let error = exchange.opener.open(&changed).expect_err(why);
        Case::why(why).text("place", "response").splice(response, &changed).error(error)
    })
    .into()
}
