//! Two hops through two real relays: what is asked of one comes through the other, sealed, under its own TLS.

use std::{fs, time::SystemTime};

use ed25519_dalek::{Signer, SigningKey};
use futures_util::{SinkExt, StreamExt};
use rand::{Rng as _, rngs::SysRng};
use rand_core::UnwrapErr;
use sha2::{Digest, Sha256};
use sotto_crypto::VerifiedForwardKey;
use sotto_inner::Link;
use sotto_outer::{
    Advance, Answer, Append, Bundle, ClientFrame, Command, ConnectionNonce, CreateChannel, EnvelopeId, Fetch, Forward,
    Forwarded, Hop, Info, Proof, ReadChannel, RefusedReason, RelayAddress, RelayFrame, RelayIdentity, Send, VERSION,
    forward::{ForwardedAnswer, ForwardedCommand},
    limits::{FORWARD_CLOCK_SECS, PAYLOAD_BYTES_MAX},
    signed,
    work::{self, Purpose},
};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use crate::{
    house::{folder, free_port},
    profile::Profile,
    relay::Relay,
};

const CHANNEL: [u8; 16] = [5; 16];

/// A client of the relay that forwards.
struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    target: RelayAddress,
}

impl Client {
    async fn connect(through: &RelayAddress, target: RelayAddress) -> Self {
        let (socket, _) = connect_async(format!("ws://{}/v1/stream", through.authority())).await.unwrap();
        let mut client = Self { socket, target };
        let info = client.ask(Command::Info(Info { version: VERSION, nonce: [1; 32].into() })).await;
        assert!(matches!(info, Answer::Info(_)), "{info:?}");
        client
    }

    async fn ask(&mut self, command: Command) -> Answer {
        let frame = ClientFrame { request: 1, command }.encode();
        self.socket.send(Message::Binary(frame.into())).await.unwrap();
        loop {
            let Message::Binary(bytes) = self.socket.next().await.unwrap().unwrap() else { continue };
            let RelayFrame::Answer { answer, .. } = RelayFrame::decode(&bytes).unwrap() else { continue };
            return answer;
        }
    }

    async fn hop(&mut self, hop: Hop) -> Answer {
        let target = self.target.clone();
        self.ask(Command::Forward(Forward { target, hop })).await
    }

    async fn key(&mut self) -> VerifiedForwardKey {
        let Answer::Forwarded(Forwarded::Key(key)) = self.hop(Hop::Key).await else { panic!("no key") };
        VerifiedForwardKey::verify(self.target.identity(), *key, now()).unwrap()
    }

    /// Seals a command and has it carried, once the other relay is old enough to take any.
    async fn sealed(&mut self, key: &VerifiedForwardKey, time_secs: u64, command: Command) -> ForwardedAnswer {
        loop {
            if let Some(answer) = self.sealed_once(key, time_secs, command.clone()).await {
                return answer;
            }
        }
    }

    /// What the other relay answers, by its own clock where ours is off.
    async fn answered(&mut self, key: &VerifiedForwardKey, command: Command) -> Answer {
        let mut time = now();
        loop {
            match self.sealed(key, time, command.clone()).await {
                ForwardedAnswer::Clock { time_secs } => time = time_secs,
                ForwardedAnswer::Answer(answer) => return answer,
            }
        }
    }

    /// Seals a command of this time with the work that is asked of strangers, has it carried, and opens what comes back. None
    /// where the relay takes none now.
    async fn sealed_once(
        &mut self,
        key: &VerifiedForwardKey,
        time_secs: u64,
        mut command: Command,
    ) -> Option<ForwardedAnswer> {
        let sealer = key.sealer(&mut UnwrapErr(SysRng));
        let work = |purpose| Some(prove(self.target.identity(), &sealer.nonce(), &purpose));
        match &mut command {
            Command::Send(send) => send.proof = work(Purpose::Send(send.mailbox, send.id)),
            Command::Fetch(fetch) => fetch.proof = work(Purpose::Fetch(fetch.bundle)),
            _ => {}
        }
        let (sealed, opener) = sealer.seal(&ForwardedCommand { time_secs, command }).unwrap();
        match self.hop(Hop::Request { sealed: sealed.clone() }).await {
            Answer::Forwarded(Forwarded::Response { sealed: answer }) => {
                let again = self.hop(Hop::Request { sealed }).await;
                assert!(
                    !matches!(opener.open(&answer), Ok(ForwardedAnswer::Answer(_)))
                        || matches!(again, Answer::Unreachable { .. }),
                    "what was done is not done again: {again:?}"
                );
                Some(opener.open(&answer).unwrap())
            }
            Answer::Busy { .. } => None,
            other => panic!("no answer: {other:?}"),
        }
    }
}

/// As many zero bits as a relay asks for where it is left alone.
fn prove(relay: &RelayIdentity, nonce: &ConnectionNonce, purpose: &Purpose) -> Proof {
    let challenge = work::challenge(relay, nonce, purpose);
    let fits = |counter: &u64| {
        let hash = Sha256::new_with_prefix(&challenge).chain_update(counter.to_be_bytes()).finalize();
        work::leading_zero_bits(&hash.into()) >= 14
    };
    Proof::from((0..).find(fits).expect("one in 16,384 fits").to_be_bytes())
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// A relay that forwards within this machine, and one behind TLS of its own.
fn relays(folder: &std::path::Path) -> (Relay, Relay) {
    (between(folder), Relay::new(folder))
}

fn between(folder: &std::path::Path) -> Relay {
    let between = format!("127.0.0.1:{}", free_port());
    let mut between = Relay::named(folder, "between", &between, &["--tls", "off"]);
    let file = between.folder().join("relay.toml");
    let configuration = fs::read_to_string(&file).unwrap();
    assert!(configuration.contains("allow_private = false"));
    fs::write(&file, configuration.replace("allow_private = false", "allow_private = true")).unwrap();
    assert!(between.terminate());
    between.start();
    between
}

/// A relay behind TLS of its own at which somebody has made a channel.
async fn relay_with_channel(folder: &std::path::Path, writers: &SigningKey) -> Relay {
    let listen = format!("127.0.0.1:{}", free_port());
    let mut relay = Relay::named(folder, "target", &listen, &["--tls", "off"]);
    let address: RelayAddress = relay.address().parse().unwrap();
    let create = CreateChannel {
        channel: CHANNEL.into(),
        owner: [7; 32].into(),
        verify_key: writers.verifying_key().to_bytes().into(),
        read_hash: [8; 32].into(),
        token: None,
        proof: None,
    };
    let mut owner = Client::connect(&address, address.clone()).await;
    assert_eq!(owner.ask(Command::CreateChannel(create)).await, Answer::Done);
    assert!(relay.terminate());
    let file = relay.folder().join("relay.toml");
    let configuration = fs::read_to_string(&file).unwrap();
    assert!(configuration.contains("tls = \"off\""));
    fs::write(&file, configuration.replace("tls = \"off\"", "tls = \"own\"")).unwrap();
    relay.start();
    relay
}

#[tokio::test]
async fn a_letter_goes_through_two_real_relays() {
    let folder = folder();
    let (between, target) = relays(folder.path());
    let mut alice = Profile::made(folder.path(), "alice", target.address());
    alice.start_daemon();
    let link: Link = alice.ok(&["invite"])[0]["link"].as_str().unwrap().parse().unwrap();

    let through: RelayAddress = between.address().parse().unwrap();
    let mut bob = Client::connect(&through, target.address().parse().unwrap()).await;
    let key = bob.key().await;
    let fetch = Command::Fetch(Fetch { bundle: link.bundle, proof: None });
    let clock = bob.sealed(&key, now() + 2 * FORWARD_CLOCK_SECS, fetch.clone()).await;
    let ForwardedAnswer::Clock { time_secs } = clock else { panic!("a clock that is far off is told: {clock:?}") };

    let fetched = bob.sealed(&key, time_secs, fetch).await;
    let ForwardedAnswer::Answer(Answer::Bundle(bundle)) = fetched else { panic!("no bundle: {fetched:?}") };
    let Bundle { pair, .. } = &bundle;
    assert!(pair.is_some(), "a one-time part, once");
    let mailbox = sotto_crypto::open_bundle(&link, &bundle, now()).unwrap().mailbox().clone();

    // The largest envelope there is: the length of what is carried is the same.
    let mut id = [0; 16];
    UnwrapErr(SysRng).fill_bytes(&mut id);
    let send = Send {
        mailbox: mailbox.send_id,
        capability: mailbox.capability,
        id: EnvelopeId::from(id),
        ttl_secs: None,
        payload: vec![7; PAYLOAD_BYTES_MAX],
        proof: None,
    };
    drop(alice);
    let sent = bob.sealed(&key, time_secs, Command::Send(send.clone())).await;
    assert_eq!(sent, ForwardedAnswer::Answer(Answer::Done));
    let wrong = Send { capability: [9; 32].into(), ..send };
    assert_eq!(bob.sealed(&key, time_secs, Command::Send(wrong)).await, ForwardedAnswer::Answer(Answer::Denied));

    let held: u64 =
        target.inspect()["mailboxes"].as_array().unwrap().iter().map(|m| m["envelope_bytes"].as_u64().unwrap()).sum();
    assert!(held >= PAYLOAD_BYTES_MAX as u64, "it waits for its reader");
    assert_eq!(between.inspect()["mailboxes"].as_array().map(Vec::len), Some(0), "the relay between keeps nothing");
}

#[tokio::test]
async fn entries_go_into_a_channel_through_two_real_relays() {
    let folder = folder();
    let writers = SigningKey::from_bytes(&[6; 32]);
    let (between, target) = (between(folder.path()), relay_with_channel(folder.path(), &writers).await);
    let address: RelayAddress = target.address().parse().unwrap();
    let mut alice = Client::connect(&between.address().parse().unwrap(), address.clone()).await;
    let key = alice.key().await;
    let sign = |bytes: &[u8]| writers.sign(bytes).to_bytes().into();
    let append = |id: u8| {
        let (channel, signature) = (CHANNEL.into(), [0; 64].into());
        let append = Append { channel, generation: 0, id: [id; 16].into(), entry: vec![id; 1_000], signature };
        Command::Append(Append { signature: sign(&signed::append(address.identity(), &append)), ..append })
    };
    let advance = Advance {
        channel: CHANNEL.into(),
        generation: 0,
        id: [2; 16].into(),
        entry: vec![2; 1_000],
        next_verify_key: [9; 32].into(),
        next_read_hash: [9; 32].into(),
        signature: [0; 64].into(),
    };
    let signature = sign(&signed::advance(address.identity(), &advance));
    let read =
        ReadChannel { channel: CHANNEL.into(), generation: 0, capability: [8; 32].into(), after: 0, entries_max: 1 };
    for (command, answer) in [
        (append(1), Answer::Appended { seq: 1 }),
        (append(1), Answer::Appended { seq: 1 }),
        (Command::Advance(Advance { signature, ..advance }), Answer::Appended { seq: 2 }),
        (append(3), Answer::Stale { generation: 1 }),
        (Command::ReadChannel(read), Answer::Refused { reason: RefusedReason::Order }),
    ] {
        assert_eq!(alice.answered(&key, command).await, answer);
    }
    assert_eq!(target.inspect()["channels"][0]["entries"], 2);
}
