//! `spec/registry.toml` beside the code: versions, labels, limits and numbers of alternatives.
//!
//! Two directions. What the registry says, the code's constants and encodings must be; and every constant that the sources
//! declare, the registry must have, so that none is added in silence.

use std::collections::BTreeMap;

use minicbor::Encode;
use sotto_inner::{Body, Content, LinkKind, PrekeyKind};
use sotto_outer::{
    AdmissionKind, Answer, ClientFrame, Command, LeaseOutcome, MailboxKind, RefusedReason, RelayFrame, Target, Tls,
    TokenPurpose, codec,
};
use toml::{Table, Value};

use super::value::Value as Tree;

const REGISTRY: &str = include_str!("../../../spec/registry.toml");
const OUTER_LABELS: &str = include_str!("../../../spec/outer/src/labels.rs");
const INNER_LABELS: &str = include_str!("../../../spec/inner/src/labels.rs");
const OUTER_LIMITS: &str = include_str!("../../../spec/outer/src/limits.rs");
const INNER_LIMITS: &str = include_str!("../../../spec/inner/src/limits.rs");

/// Names and values of one kind, as text, so that unequal tables show what differs.
pub type Entries = BTreeMap<String, String>;

/// The table at a dotted path of the registry.
///
/// # Panics
/// If the registry is not TOML or has no such table.
pub fn section(path: &str) -> Entries {
    let mut table: &Table = &REGISTRY.parse().expect("spec/registry.toml is TOML");
    for name in path.split('.') {
        table = table[name].as_table().unwrap_or_else(|| panic!("{path} is a table"));
    }
    table.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// The version the registry gives.
///
/// # Panics
/// If it gives none.
pub fn version() -> i64 {
    let registry: Table = REGISTRY.parse().expect("spec/registry.toml is TOML");
    registry["version"].as_integer().expect("version is a number")
}

/// The numbers reserved for commands to come.
///
/// # Panics
/// If they are no numbers.
pub fn reserved_commands() -> Vec<u64> {
    let registry: Table = REGISTRY.parse().expect("spec/registry.toml is TOML");
    let reserved = registry["reserved"]["command"].as_table().expect("reserved.command is a table");
    let numbers = reserved.values().flat_map(|list| list.as_array().expect("a list").clone());
    numbers.map(|number| number.as_integer().and_then(|n| n.try_into().ok()).expect("a number")).collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string().replace(' ', ""),
    }
}

/// The constants a source file declares.
pub fn declared(source: &str) -> Vec<String> {
    let name = |line: &str| Some(line.strip_prefix("pub const ")?.split_once(':')?.0.to_lowercase());
    source.lines().filter_map(name).collect()
}

macro_rules! constants {
    ($module:path: $($name:ident)*) => {{
        use $module as module;
        [$((stringify!($name).to_lowercase(), format!("{:?}", module::$name).replace(' ', ""))),*].into()
    }};
}

macro_rules! labels {
    ($module:path: $($name:ident)*) => {{
        use $module as module;
        [$((stringify!($name).to_lowercase(), String::from_utf8_lossy(module::$name).into_owned())),*].into()
    }};
}

/// A set of constants: its section, the code's values, and the source that declares them.
pub fn constants() -> Vec<(&'static str, Entries, &'static str)> {
    vec![
        (
            "labels.outer",
            labels!(sotto_outer::labels: SUBSCRIBE ROTATE DELETE PUBLISH APPEND ADVANCE CLOSE_CHANNEL WELCOME WORK TOKEN KEY_OF_TOKENS FORWARD_KEY
                FORWARD_REQUEST FORWARD_RESPONSE),
            OUTER_LABELS,
        ),
        (
            "labels.inner",
            labels!(sotto_inner::labels: MANIFEST PREKEY BUNDLE_PART PQXDH HANDSHAKE FIRST_MESSAGE REPAIR SESSION ROOT_STEP
                CHAIN_STEP MESSAGE_KEY BODY_KEY SAFETY_NUMBER BRAID_START BRAID_AUTHENTICATOR BRAID_HEADER BRAID_CIPHERTEXT
                BRAID_EPOCH BRAID_CHAINS EPOCH_STEP),
            INNER_LABELS,
        ),
        (
            "limits.outer",
            constants!(sotto_outer::limits: FRAME_BYTES_MAX POLL_BYTES_MAX POLL_FRAMES_MAX POLL_HANG_SECS POLL_IDLE_SECS
                PAYLOAD_BYTES_MAX MAILBOX_ENVELOPES_MAX MAILBOX_BYTES_MAX
                CONTACT_MAILBOX_ENVELOPES_MAX ENVELOPE_TTL_SECS MAILBOX_LAPSE_DAYS BUNDLE_LAPSE_DAYS ENVELOPE_ID_MEMORY_SECS
                DELIVERY_WINDOW_ENVELOPES DELIVERY_WINDOW_BYTES ACK_IDS_MAX SUBSCRIBE_MAILBOXES_MAX
                CONNECTION_MAILBOXES_MAX PUBLISH_PAIRS_MAX BUNDLE_PAIRS_MAX BUNDLE_FETCH_BURST
                BUNDLE_FETCH_INTERVAL_SECS BUNDLE_MAIN_BYTES BUNDLE_PART_BYTES TOKEN_BYTES PROOF_BYTES HOST_BYTES_MAX
                ENTRY_BYTES_MAX CHANNEL_ENTRIES_MAX CHANNEL_BYTES_MAX CHANNEL_RESERVE_ENTRIES CHANNEL_RESERVE_BYTES
                ENTRY_TTL_SECS CHANNEL_LAPSE_DAYS CHANNEL_CONFIRM_ENTRIES READ_ENTRIES_MAX
                BUNDLE_FETCH_INTERVAL_SECS BUNDLE_MAIN_BYTES BUNDLE_PART_BYTES TOKEN_BYTES PROOF_BYTES BLOB_BYTES_MAX
                BLOB_PART_BYTES BLOB_TTL_SECS BLOB_UPLOAD_SECS HOST_BYTES_MAX
                BUNDLE_FETCH_INTERVAL_SECS BUNDLE_MAIN_BYTES BUNDLE_PART_BYTES TOKENS_MAX CREDENTIAL_BYTES_MAX TOKEN_BYTES PROOF_BYTES HOST_BYTES_MAX
                FORWARD_KEY_BYTES FORWARD_COMMAND_BYTES FORWARD_REQUEST_BYTES FORWARD_ANSWER_BYTES FORWARD_RESPONSE_BYTES
                FORWARD_IN_FLIGHT_MAX FORWARD_CLOCK_SECS),
            OUTER_LIMITS,
        ),
        (
            "limits.inner",
            constants!(sotto_inner::limits: X25519_BYTES MLKEM1024_KEY_BYTES MLKEM1024_CIPHERTEXT_BYTES XWING_KEY_BYTES
                XWING_CIPHERTEXT_BYTES BUCKETS FIRST_MESSAGE_BYTES BRAID_SLOT_BYTES LINK_BYTES_MAX NAME_BYTES_MAX
                HELLO_TEXT_BYTES_MAX TEXT_BYTES_MAX RECEIPT_IDS_MAX MANIFEST_DEVICES_MAX SKIPPED_GAP_MAX
                SKIPPED_KEYS_MAX SKIPPED_CHAINS_MAX SKIPPED_KEY_SECS UNRECEIPTED_PACKETS_MAX ARCHIVED_SESSIONS_MAX
                PREKEY_ROTATION_SECS PREKEY_RETENTION_SECS ONE_TIME_PREKEY_SECS DIGEST_MEMORY_SECS
                MAILBOXES_MAX MAILBOX_ROTATION_SECS MAILBOX_RETENTION_SECS REQUESTS_MAX REQUEST_CONTENTS_MAX
                UNOPENABLE_A_DAY_MAX UNOPENABLE_BEFORE_REPAIR),
            INNER_LIMITS,
        ),
    ]
}

/// A set of alternatives: its section, and name and number as the code encodes them. Names come of a match without a wildcard, so
/// that a new variant asks for its line here.
pub fn alternatives() -> Vec<(&'static str, Entries)> {
    vec![
        ("numbers.command", numbers(&commands(), command_name)),
        ("numbers.relay_frame", numbers(&relay_frames(), relay_frame_name)),
        ("numbers.answer", numbers(&answers(), answer_name)),
        ("numbers.body", numbers(&bodies(), body_name)),
        (
            "numbers.refused_reason",
            numbers(&REFUSED_REASONS, |reason| match reason {
                RefusedReason::Malformed => "malformed",
                RefusedReason::Version => "version",
                RefusedReason::Limit => "limit",
                RefusedReason::Order => "order",
                RefusedReason::Token => "token",
                RefusedReason::Unavailable => "unavailable",
            }),
        ),
        (
            "numbers.admission_kind",
            numbers(&[AdmissionKind::Open, AdmissionKind::Minted, AdmissionKind::Oidc], |kind| match kind {
                AdmissionKind::Open => "open",
                AdmissionKind::Minted => "minted",
                AdmissionKind::Oidc => "oidc",
            }),
        ),
        (
            "numbers.token_purpose",
            numbers(&TokenPurpose::ALL, |purpose| match purpose {
                TokenPurpose::Mailbox => "mailbox",
                TokenPurpose::Blob => "blob",
                TokenPurpose::Channel => "channel",
            }),
        ),
        (
            "numbers.lease_outcome",
            numbers(&LEASE_OUTCOMES, |outcome| match outcome {
                LeaseOutcome::Same => "same",
                LeaseOutcome::Other => "other",
                LeaseOutcome::Denied => "denied",
            }),
        ),
        (
            "numbers.mailbox_kind",
            numbers(&[MailboxKind::Pairwise, MailboxKind::Contact], |kind| match kind {
                MailboxKind::Pairwise => "pairwise",
                MailboxKind::Contact => "contact",
            }),
        ),
        (
            "numbers.target",
            numbers(&TARGETS.map(|target| target([0; 16])), |target| match target {
                Target::Mailbox(_) => "mailbox",
                Target::Bundle(_) => "bundle",
            }),
        ),
        (
            "numbers.tls",
            numbers(&[Tls::Own, Tls::Acme, Tls::Off], |tls| match tls {
                Tls::Own => "own",
                Tls::Acme => "acme",
                Tls::Off => "off",
            }),
        ),
        (
            "numbers.link_kind",
            numbers(&[LinkKind::Address, LinkKind::Invitation], |kind| match kind {
                LinkKind::Address => "address",
                LinkKind::Invitation => "invitation",
            }),
        ),
        (
            "numbers.prekey_kind",
            numbers(&PREKEY_KINDS, |kind| match kind {
                PrekeyKind::Signed => "signed",
                PrekeyKind::OneTimePair => "one_time_pair",
                PrekeyKind::LastResort => "last_resort",
                PrekeyKind::Seal => "seal",
            }),
        ),
    ]
}

const REFUSED_REASONS: [RefusedReason; 6] = [
    RefusedReason::Malformed,
    RefusedReason::Version,
    RefusedReason::Limit,
    RefusedReason::Order,
    RefusedReason::Token,
    RefusedReason::Unavailable,
];
const LEASE_OUTCOMES: [LeaseOutcome; 3] = [LeaseOutcome::Same, LeaseOutcome::Other, LeaseOutcome::Denied];
const PREKEY_KINDS: [PrekeyKind; 4] =
    [PrekeyKind::Signed, PrekeyKind::OneTimePair, PrekeyKind::LastResort, PrekeyKind::Seal];
const TARGETS: [fn([u8; 16]) -> Target; 2] = [|id| Target::Mailbox(id.into()), |id| Target::Bundle(id.into())];

fn numbers<T: Encode<()>>(values: &[T], name: impl Fn(&T) -> &'static str) -> Entries {
    let number = |value: &T| match Tree::parse(&codec::encode(value)) {
        Tree::Uint(number) => number,
        Tree::Array(items) => match items.first() {
            Some(Tree::Uint(number)) => *number,
            other => panic!("an alternative begins with its number, not {other:?}"),
        },
        other => panic!("an alternative is a number or begins with one, not {other:?}"),
    };
    values.iter().map(|value| (name(value).to_owned(), number(value).to_string())).collect()
}

/// The examples of `rule`, read back.
fn examples<T>(rule: &str, read: impl Fn(&[u8]) -> T) -> Vec<T> {
    let case = super::cases().into_iter().find(|case| case.rule == rule).expect("the rule has a case");
    case.examples.iter().map(|(_, bytes)| read(bytes)).collect()
}

fn commands() -> Vec<Command> {
    examples("client-frame", |bytes| ClientFrame::decode(bytes).expect("an example").command)
}

fn relay_frames() -> Vec<RelayFrame> {
    examples("relay-frame", |bytes| RelayFrame::decode(bytes).expect("an example"))
}

fn answers() -> Vec<Answer> {
    let answer = |frame| match frame {
        RelayFrame::Answer { request: _, answer } => Some(answer),
        RelayFrame::Deliver(_) | RelayFrame::CaughtUp { .. } | RelayFrame::Entry(_) => None,
    };
    relay_frames().into_iter().filter_map(answer).collect()
}

fn bodies() -> Vec<Body> {
    examples("content", |bytes| Content::decode(bytes).expect("an example").body)
}

fn command_name(command: &Command) -> &'static str {
    match command {
        Command::Info(_) => "info",
        Command::Token(_) => "token",
        Command::Create(_) => "create",
        Command::Send(_) => "send",
        Command::Subscribe(_) => "subscribe",
        Command::Ack(_) => "ack",
        Command::Rotate(_) => "rotate",
        Command::Delete(_) => "delete",
        Command::Publish(_) => "publish",
        Command::Fetch(_) => "fetch",
        Command::Forward(_) => "forward",
        Command::CreateChannel(_) => "create_channel",
        Command::Append(_) => "append",
        Command::Advance(_) => "advance",
        Command::ReadChannel(_) => "read_channel",
        Command::SubscribeChannel(_) => "subscribe_channel",
        Command::CloseChannel(_) => "close_channel",
        Command::BlobCreate(_) => "blob_create",
        Command::BlobCommit(_) => "blob_commit",
        Command::BlobDelete(_) => "blob_delete",
    }
}

fn relay_frame_name(frame: &RelayFrame) -> &'static str {
    match frame {
        RelayFrame::Answer { .. } => "answer",
        RelayFrame::Deliver(_) => "deliver",
        RelayFrame::CaughtUp { .. } => "caught_up",
        RelayFrame::Entry(_) => "entry",
    }
}

fn answer_name(answer: &Answer) -> &'static str {
    match answer {
        Answer::Info(_) => "info",
        Answer::Done => "done",
        Answer::Denied => "denied",
        Answer::Full { .. } => "full",
        Answer::Busy { .. } => "busy",
        Answer::Refused { .. } => "refused",
        Answer::Subscribed(_) => "subscribed",
        Answer::Bundle(_) => "bundle",
        Answer::Work { bits: _ } => "work",
        Answer::Forwarded(_) => "forwarded",
        Answer::Unreachable { .. } => "unreachable",
        Answer::Appended { .. } => "appended",
        Answer::Stale { .. } => "stale",
        Answer::Entries(_) => "entries",
        Answer::Closed => "closed",
        Answer::Blob(_) => "blob",
        Answer::Tokens(_) => "tokens",
    }
}

fn body_name(body: &Body) -> &'static str {
    match body {
        Body::Hello { .. } => "hello",
        Body::Accept { .. } => "accept",
        Body::Text { .. } => "text",
        Body::Receipt { .. } => "receipt",
        Body::Repair(_) => "repair",
        Body::Repaired(_) => "repaired",
        Body::Typing { .. } => "typing",
        Body::Mailboxes(_) => "mailboxes",
    }
}
