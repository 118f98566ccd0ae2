//! Examples and doors of what a relay parses.
//!
//! The door of a client's frame is the relay itself: a fresh `relay::core` that has answered `info` gets the frame, and what it
//! answers with `refused` was not let in. So every bound in the CDDL is one that the relay keeps.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sotto_inner::limits::FIRST_MESSAGE_BYTES;
use sotto_outer::{
    Ack, AdmissionKind, Advance, Answer, Append, BlobCreate, BlobState, BlobWriter, Bundle, CapabilityHash,
    ChannelEntry, ClientFrame, CloseChannel, Command, ConnectionNonce, Create, CreateChannel, Delete, Deliver, Entries,
    Fetch, Forward, ForwardKey, Forwarded, Hop, Info, InfoAnswer, LeaseOutcome, Limits, ListedKey, MailboxKind,
    NumberedEntry, Poll, PollAnswer, Publish, ReadChannel, RefusedReason, RelayAddress, RelayFrame, Rotate, Send,
    SignTokens, SignedTokens, Subscribe, SubscribeChannel, Subscribed, Subscription, Target, Terms, Tls, TokenKeys,
    TokenPurpose, TokenRequest, Tokens, VERSION, WorkBits, codec,
    forward::{ForwardedAnswer, ForwardedCommand},
    limits,
};
use sotto_relay::{
    Identity, Timestamp,
    core::{Config, Conn, Context, Core, Input, Output},
};

use super::Case;

/// The types of `spec/outer`.
pub fn cases() -> Vec<Case> {
    vec![
        Case { rule: "client-frame", door: relay, examples: client_frames() },
        Case { rule: "relay-frame", door: relay_frame, examples: relay_frames() },
        Case { rule: "relay-address", door: relay_address, examples: relay_addresses() },
        Case { rule: "poll", door: poll, examples: polls() },
        Case { rule: "poll-answer", door: poll_answer, examples: poll_answers() },
        Case { rule: "forwarded-command", door: forwarded_command, examples: forwarded_commands() },
        Case { rule: "forwarded-answer", door: forwarded_answer, examples: forwarded_answers() },
    ]
}

fn relay(bytes: &[u8]) -> Result<(), String> {
    let frame = ClientFrame::decode(bytes).map_err(|error| error.to_string())?;
    let mut core = Core::new(Config::default(), Identity::from_secret(&[7; 32]));
    let mut rng = ChaCha20Rng::from_seed([0; 32]);
    let mut cx = Context { now: Timestamp::from_millis(1_800_000_000_000), rng: &mut rng };
    core.handle(&mut cx, Input::Opened(Conn(1)));
    core.handle(&mut cx, Input::Frame(Conn(1), ClientFrame { request: 0, command: info() }));
    for output in core.handle(&mut cx, Input::Frame(Conn(1), frame)) {
        if let Output::Reply(_, RelayFrame::Answer { answer: Answer::Refused { reason }, .. }) = output {
            return Err(format!("refused: {reason:?}"));
        }
    }
    Ok(())
}

fn relay_frame(bytes: &[u8]) -> Result<(), String> {
    RelayFrame::decode(bytes).map(|_| ()).map_err(|error| error.to_string())
}

fn relay_address(bytes: &[u8]) -> Result<(), String> {
    let address: RelayAddress = codec::decode(bytes, limits::FRAME_BYTES_MAX).map_err(|error| error.to_string())?;
    address.validate().map_err(|error| error.to_string())
}

fn poll(bytes: &[u8]) -> Result<(), String> {
    Poll::decode(bytes).map(|_| ()).map_err(|error| error.to_string())
}

fn poll_answer(bytes: &[u8]) -> Result<(), String> {
    PollAnswer::decode(bytes).map(|_| ()).map_err(|error| error.to_string())
}

/// What the relay opens, and lets in where it came on no connection: the command by the same door as any.
fn forwarded_command(bytes: &[u8]) -> Result<(), String> {
    let ForwardedCommand { time_secs: _, command } =
        codec::decode(bytes, limits::FORWARD_COMMAND_BYTES).map_err(|error| error.to_string())?;
    match command {
        Command::Send(_) | Command::Fetch(_) | Command::Append(_) | Command::Advance(_) => {
            relay(&ClientFrame { request: 1, command }.encode())
        }
        other => Err(format!("{other:?} needs a connection")),
    }
}

fn forwarded_answer(bytes: &[u8]) -> Result<(), String> {
    let answer: Result<ForwardedAnswer, _> = codec::decode(bytes, limits::FORWARD_ANSWER_BYTES);
    answer.map(|_| ()).map_err(|error| error.to_string())
}

fn forwarded_commands() -> Vec<(&'static str, Vec<u8>)> {
    let of = |name: &str| {
        let (_, bytes) = client_frames().into_iter().find(|(other, _)| *other == name).expect("an example");
        let command = ClientFrame::decode(&bytes).expect("an example is a frame").command;
        codec::encode(&ForwardedCommand { time_secs: 1_800_000_000, command })
    };
    ["send", "fetch", "append", "advance"].map(|name| (name, of(name))).into()
}

fn forwarded_answers() -> Vec<(&'static str, Vec<u8>)> {
    [
        ("an answer", ForwardedAnswer::Answer(Answer::Done)),
        ("a clock", ForwardedAnswer::Clock { time_secs: 1_800_000_000 }),
    ]
    .map(|(name, answer)| (name, codec::encode(&answer)))
    .into()
}

fn info() -> Command {
    Command::Info(Info { version: VERSION, nonce: ConnectionNonce::from([1; 32]) })
}

fn client_frames() -> Vec<(&'static str, Vec<u8>)> {
    let create = Create {
        kind: MailboxKind::Pairwise,
        receive_id: [2; 16].into(),
        send_id: [3; 16].into(),
        owner: [4; 32].into(),
        capability_hash: CapabilityHash::from([5; 32]),
        token: None,
        proof: None,
    };
    let send = Send {
        mailbox: [3; 16].into(),
        capability: [6; 32].into(),
        id: [7; 16].into(),
        ttl_secs: None,
        payload: vec![8; 1_024],
        proof: None,
    };
    let subscription = |confirmed: Option<[u8; 16]>| Subscription {
        mailbox: [2; 16].into(),
        confirmed: confirmed.map(Into::into),
        new: [9; 16].into(),
        signature: [10; 64].into(),
    };
    let publish = Publish {
        bundle: [11; 16].into(),
        owner: [4; 32].into(),
        main: Some(vec![12; limits::BUNDLE_MAIN_BYTES]),
        last_resort: Some(vec![13; limits::BUNDLE_PART_BYTES]),
        pairs: vec![vec![14; limits::BUNDLE_PART_BYTES].into()],
        signature: [10; 64].into(),
    };
    let forward = |hop| Forward { target: address("relay.example", Tls::Own), hop };
    let create_channel = CreateChannel {
        channel: [24; 16].into(),
        owner: [4; 32].into(),
        verify_key: [27; 32].into(),
        read_hash: [28; 32].into(),
        token: None,
        proof: None,
    };
    let append = Append {
        channel: [24; 16].into(),
        generation: 0,
        id: [25; 16].into(),
        entry: vec![26; 1_024],
        signature: [10; 64].into(),
    };
    let blob = BlobCreate {
        blob: [24; 16].into(),
        bytes: 1,
        write_hash: [25; 32].into(),
        read_hash: [26; 32].into(),
        token: None,
        proof: None,
    };
    let blob_writer = BlobWriter { blob: [24; 16].into(), capability: [27; 32].into() };
    let largest = vec![8; limits::PAYLOAD_BYTES_MAX];
    let proof = Some([15; limits::PROOF_BYTES].into());
    let sign = SignTokens {
        key: [24; 32].into(),
        credential: Some(vec![26; 300]),
        blinded: vec![[27; 256].into(), [28; 256].into()],
        proof: None,
    };
    let commands = [
        ("info", info()),
        ("token keys", Command::Token(TokenRequest::Keys)),
        ("token with a credential", Command::Token(TokenRequest::Sign(sign.clone()))),
        ("token with a proof", Command::Token(TokenRequest::Sign(SignTokens { credential: None, proof, ..sign }))),
        ("create pairwise", Command::Create(create.clone())),
        (
            "create contact with token and proof",
            Command::Create(Create {
                kind: MailboxKind::Contact,
                token: Some(Box::new([16; limits::TOKEN_BYTES].into())),
                proof,
                ..create
            }),
        ),
        ("send", Command::Send(send.clone())),
        ("send the largest payload, with proof", Command::Send(Send { payload: largest, proof, ..send.clone() })),
        ("send now or never", Command::Send(Send { ttl_secs: Some(0), payload: vec![8], ..send.clone() })),
        ("send for as long as may be", Command::Send(Send { ttl_secs: Some(limits::ENVELOPE_TTL_SECS), ..send })),
        ("subscribe", Command::Subscribe(Subscribe { mailboxes: vec![subscription(None)] })),
        (
            "subscribe with a confirmed lease",
            Command::Subscribe(Subscribe { mailboxes: vec![subscription(Some([16; 16])), subscription(None)] }),
        ),
        ("ack", Command::Ack(Ack { mailbox: [2; 16].into(), ids: vec![[7; 16].into()] })),
        (
            "rotate",
            Command::Rotate(Rotate {
                mailbox: [2; 16].into(),
                capability_hash: [5; 32].into(),
                signature: [10; 64].into(),
            }),
        ),
        (
            "delete a mailbox",
            Command::Delete(Delete { target: Target::Mailbox([2; 16].into()), signature: [10; 64].into() }),
        ),
        (
            "delete a bundle",
            Command::Delete(Delete { target: Target::Bundle([11; 16].into()), signature: [10; 64].into() }),
        ),
        ("publish all", Command::Publish(publish.clone())),
        ("publish pairs alone", Command::Publish(Publish { main: None, last_resort: None, ..publish.clone() })),
        ("publish no pairs", Command::Publish(Publish { pairs: vec![], ..publish })),
        ("fetch", Command::Fetch(Fetch { bundle: [11; 16].into(), proof: None })),
        ("fetch with proof", Command::Fetch(Fetch { bundle: [11; 16].into(), proof })),
        ("forward a key request", Command::Forward(forward(Hop::Key))),
        (
            "forward a sealed command",
            Command::Forward(forward(Hop::Request { sealed: vec![24; limits::FORWARD_REQUEST_BYTES] })),
        ),
        ("create a channel", Command::CreateChannel(create_channel.clone())),
        (
            "create a channel with token and proof",
            Command::CreateChannel(CreateChannel {
                token: Some(Box::new([16; limits::TOKEN_BYTES].into())),
                proof: Some([15; 8].into()),
                ..create_channel
            }),
        ),
        ("append", Command::Append(append.clone())),
        ("append the largest entry", Command::Append(Append { entry: vec![26; limits::ENTRY_BYTES_MAX], ..append })),
        (
            "advance",
            Command::Advance(Advance {
                channel: [24; 16].into(),
                generation: 1,
                id: [25; 16].into(),
                entry: vec![26; 1_024],
                next_verify_key: [27; 32].into(),
                next_read_hash: [28; 32].into(),
                signature: [10; 64].into(),
            }),
        ),
        (
            "read a channel",
            Command::ReadChannel(ReadChannel {
                channel: [24; 16].into(),
                generation: 1,
                capability: [29; 32].into(),
                after: 1 << 40,
                entries_max: limits::READ_ENTRIES_MAX,
            }),
        ),
        (
            "subscribe to a channel",
            Command::SubscribeChannel(SubscribeChannel {
                channel: [24; 16].into(),
                generation: 1,
                capability: [29; 32].into(),
                after: 0,
            }),
        ),
        (
            "close a channel",
            Command::CloseChannel(CloseChannel { channel: [24; 16].into(), signature: [10; 64].into() }),
        ),
        ("blob create", Command::BlobCreate(blob.clone())),
        (
            "blob create of the largest, with token and proof",
            Command::BlobCreate(BlobCreate {
                bytes: limits::BLOB_BYTES_MAX,
                token: Some(Box::new([16; limits::TOKEN_BYTES].into())),
                proof,
                ..blob
            }),
        ),
        ("blob commit", Command::BlobCommit(blob_writer.clone())),
        ("blob delete", Command::BlobDelete(blob_writer)),
    ];
    commands.map(|(name, command)| (name, ClientFrame { request: 500, command }.encode())).into()
}

fn relay_frames() -> Vec<(&'static str, Vec<u8>)> {
    let info = InfoAnswer {
        version: VERSION,
        identity: [17; 32].into(),
        nonce: [18; 32].into(),
        signature: [19; 64].into(),
        limits: Limits {
            mailbox_envelopes_max: limits::MAILBOX_ENVELOPES_MAX,
            mailbox_bytes_max: limits::MAILBOX_BYTES_MAX,
            envelope_ttl_secs: limits::ENVELOPE_TTL_SECS,
        },
        terms: Terms::default(),
    };
    let terms = Terms {
        admission: AdmissionKind::Minted,
        token_keys: vec![[24; 32].into(), [25; 32].into()],
        work: WorkBits { send: 14, fetch: 14, create: 0 },
        forwards: true,
        blob_bytes_max: Some(limits::BLOB_BYTES_MAX),
    };
    let listed = ListedKey { purpose: TokenPurpose::Blob, week: 2_968, modulus: [30; 256].into() };
    let bundle = Bundle { main: vec![20; limits::BUNDLE_MAIN_BYTES], pair: None, last_resort: None };
    let part = vec![21; limits::BUNDLE_PART_BYTES];
    let key = ForwardKey { week: 3_000, key: [25; limits::FORWARD_KEY_BYTES].into(), signature: [19; 64].into() };
    let entry = NumberedEntry { seq: 7, id: [25; 16].into(), entry: vec![26; 64] };
    let outcomes = vec![LeaseOutcome::Same, LeaseOutcome::Other, LeaseOutcome::Denied];
    let answers = [
        ("info with terms", Answer::Info(InfoAnswer { terms, ..info.clone() })),
        ("info", Answer::Info(info)),
        ("work", Answer::Work { bits: 14 }),
        ("token keys", Answer::Tokens(Tokens::Keys(TokenKeys { keys: vec![listed] }))),
        ("signed tokens", Answer::Tokens(Tokens::Signed(SignedTokens { signatures: vec![[29; 256].into()] }))),
        ("refused for its token", Answer::Refused { reason: RefusedReason::Token }),
        ("refused as not done here", Answer::Refused { reason: RefusedReason::Unavailable }),
        ("done", Answer::Done),
        ("denied", Answer::Denied),
        ("full", Answer::Full { retry_after_secs: 60 }),
        ("busy", Answer::Busy { retry_after_secs: 1 }),
        ("refused as malformed", Answer::Refused { reason: RefusedReason::Malformed }),
        ("refused for its version", Answer::Refused { reason: RefusedReason::Version }),
        ("refused for a limit", Answer::Refused { reason: RefusedReason::Limit }),
        ("refused for its order", Answer::Refused { reason: RefusedReason::Order }),
        ("refused for what it does not do", Answer::Refused { reason: RefusedReason::Unavailable }),
        ("subscribed", Answer::Subscribed(Subscribed { outcomes })),
        ("subscribed to nothing", Answer::Subscribed(Subscribed { outcomes: vec![] })),
        ("appended", Answer::Appended { seq: 1 }),
        ("stale", Answer::Stale { generation: 2 }),
        ("entries", Answer::Entries(Entries { entries: vec![entry], more: true, ended: false })),
        ("no entries", Answer::Entries(Entries { entries: vec![], more: false, ended: true })),
        ("closed", Answer::Closed),
        ("bundle with a pair", Answer::Bundle(Bundle { pair: Some(part.clone()), ..bundle.clone() })),
        ("bundle with last resort", Answer::Bundle(Bundle { last_resort: Some(part), ..bundle })),
        ("forwarded key", Answer::Forwarded(Forwarded::Key(Box::new(key)))),
        (
            "forwarded response",
            Answer::Forwarded(Forwarded::Response { sealed: vec![26; limits::FORWARD_RESPONSE_BYTES] }),
        ),
        ("unreachable", Answer::Unreachable { retry_after_secs: 60 }),
        ("blob in part", Answer::Blob(BlobState { held: vec![5; 36], committed: false })),
        ("blob committed", Answer::Blob(BlobState { held: vec![1], committed: true })),
    ];
    let deliver = Deliver { mailbox: [2; 16].into(), id: [7; 16].into(), payload: vec![8; 1_024] };
    let entry = ChannelEntry {
        channel: [24; 16].into(),
        generation: 1,
        seq: 7,
        id: [25; 16].into(),
        entry: vec![26; 1_024],
        ends: false,
    };
    let others = [
        ("deliver", RelayFrame::Deliver(deliver)),
        ("caught up", RelayFrame::CaughtUp { mailbox: [2; 16].into() }),
        ("entry", RelayFrame::Entry(entry.clone())),
        ("entry that ends", RelayFrame::Entry(ChannelEntry { ends: true, ..entry })),
    ];
    let answers = answers.map(|(name, answer)| (name, RelayFrame::Answer { request: 500, answer }));
    answers.into_iter().chain(others).map(|(name, frame)| (name, frame.encode())).collect()
}

/// An address at a relay that these examples know.
pub(super) fn address(host: &str, tls: Tls) -> RelayAddress {
    RelayAddress::new(host, 4_433, tls, [17; 32].into()).expect("the examples' hosts are hosts")
}

fn relay_addresses() -> Vec<(&'static str, Vec<u8>)> {
    let longest = "a".repeat(limits::HOST_BYTES_MAX);
    [
        ("a name", address("relay.example", Tls::Own)),
        ("IPv4", address("192.0.2.7", Tls::Off)),
        ("IPv6", address("2001:db8::7", Tls::Acme)),
        ("the longest name", address(&longest, Tls::Own)),
    ]
    .map(|(name, address)| (name, codec::encode(&address)))
    .into()
}

fn polls() -> Vec<(&'static str, Vec<u8>)> {
    let frame = ClientFrame { request: 1, command: info() }.encode();
    let poll = |number, frames: Vec<Vec<u8>>, last| {
        let frames = frames.into_iter().map(Into::into).collect();
        Poll { token: [22; 32].into(), number, frames, last }.encode()
    };
    vec![
        ("the first poll", poll(0, vec![frame.clone()], false)),
        ("a poll that says nothing", poll(500, vec![], false)),
        ("the last poll, with the longest frame", poll(500, vec![frame, vec![23; limits::FRAME_BYTES_MAX]], true)),
    ]
}

fn poll_answers() -> Vec<(&'static str, Vec<u8>)> {
    let answers = relay_frames().into_iter().map(|(_, frame)| frame.into()).collect();
    vec![
        ("an answer with frames", PollAnswer { number: 500, frames: answers }.encode()),
        ("an answer with nothing", PollAnswer { number: 500, frames: vec![] }.encode()),
    ]
}

/// The frames of a first contact and one message, with request numbers below 24, and how long each is.
pub fn worked_run() -> Vec<(&'static str, usize)> {
    let example = |name: &str| {
        let (_, bytes) = client_frames().into_iter().find(|(other, _)| *other == name).expect("an example");
        ClientFrame::decode(&bytes).expect("an example is a frame").command
    };
    let ask = |command| ClientFrame { request: 1, command }.encode().len();
    let answer = |name: &str| {
        let (_, bytes) = relay_frames().into_iter().find(|(other, _)| *other == name).expect("an example");
        match RelayFrame::decode(&bytes).expect("an example is a frame") {
            RelayFrame::Answer { request: _, answer } => RelayFrame::Answer { request: 1, answer }.encode().len(),
            other @ (RelayFrame::Deliver(_) | RelayFrame::CaughtUp { .. } | RelayFrame::Entry(_)) => {
                other.encode().len()
            }
        }
    };
    let first_message = match example("send") {
        Command::Send(send) => Command::Send(Send { payload: vec![0; FIRST_MESSAGE_BYTES], ..send }),
        other => other,
    };
    let publish = match example("publish all") {
        Command::Publish(publish) => {
            let pairs = vec![vec![14; limits::BUNDLE_PART_BYTES].into(); limits::PUBLISH_PAIRS_MAX];
            Command::Publish(Publish { pairs, ..publish })
        }
        other => other,
    };
    let subscribed = Answer::Subscribed(Subscribed { outcomes: vec![LeaseOutcome::Same] });
    vec![
        ("info", ask(example("info"))),
        ("answer to info", answer("info")),
        ("create", ask(example("create pairwise"))),
        ("subscribe to one mailbox, for the first time", ask(example("subscribe"))),
        ("answer to subscribe", RelayFrame::Answer { request: 1, answer: subscribed }.encode().len()),
        ("publish with 25 one-time parts", ask(publish)),
        ("fetch", ask(example("fetch"))),
        ("answer to fetch", answer("bundle with a pair")),
        ("send of a first message", ask(first_message)),
        ("send of the smallest packet", ask(example("send"))),
        ("deliver of the smallest packet", answer("deliver")),
        ("ack of one envelope", ask(example("ack"))),
        ("done", answer("done")),
    ]
}
