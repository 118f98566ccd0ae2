//! Every number of the outer protocol. `spec/registry.toml` lists them and a test compares.

/// Largest encoded frame, in bytes, either way.
pub const FRAME_BYTES_MAX: usize = 72 * 1024;
/// Largest body of a long poll or its answer, in bytes.
pub const POLL_BYTES_MAX: usize = 256 * 1024;
/// Frames in one body of a long poll or its answer.
pub const POLL_FRAMES_MAX: usize = 256;
/// How long a poll hangs where nothing is to be told. Proxies between give up after 30 s or more.
pub const POLL_HANG_SECS: u32 = 25;
/// Seconds without a poll after which a connection by long poll has ended.
pub const POLL_IDLE_SECS: u32 = 60;
/// Largest envelope payload, in bytes: the largest bucket.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024;
/// Envelopes a pairwise mailbox holds.
pub const MAILBOX_ENVELOPES_MAX: u32 = 1_000;
/// Payload bytes a mailbox holds.
pub const MAILBOX_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Envelopes a contact mailbox holds; the newest are refused first.
pub const CONTACT_MAILBOX_ENVELOPES_MAX: u32 = 200;
/// How long an envelope is kept, and the longest a sender may ask for.
pub const ENVELOPE_TTL_SECS: u32 = 21 * 86_400;
/// Days after its last subscribe that a mailbox lapses.
pub const MAILBOX_LAPSE_DAYS: u32 = 365;
/// Days after it was published last that a bundle lapses: nothing in it is good any more by then.
pub const BUNDLE_LAPSE_DAYS: u32 = 90;
/// How long the id of an acknowledged envelope is remembered.
pub const ENVELOPE_ID_MEMORY_SECS: u32 = 600;
/// Envelopes delivered and not yet acknowledged, per connection.
pub const DELIVERY_WINDOW_ENVELOPES: usize = 128;
/// Payload bytes delivered and not yet acknowledged, per connection.
pub const DELIVERY_WINDOW_BYTES: usize = 4 * 1024 * 1024;
/// Ids in one ack frame.
pub const ACK_IDS_MAX: usize = 256;
/// Mailboxes in one subscribe frame.
pub const SUBSCRIBE_MAILBOXES_MAX: usize = 512;
/// Mailboxes subscribed on one connection.
pub const CONNECTION_MAILBOXES_MAX: usize = 4_096;
/// One-time parts in one publish frame.
pub const PUBLISH_PAIRS_MAX: usize = 25;
/// One-time parts stored for one bundle.
pub const BUNDLE_PAIRS_MAX: usize = 50;
/// Bundle fetches answered with a one-time part before the rate sets in.
pub const BUNDLE_FETCH_BURST: u32 = 6;
/// After the burst, one fetch in this many seconds gets a one-time part.
pub const BUNDLE_FETCH_INTERVAL_SECS: u32 = 600;
/// Exact bytes of a bundle's sealed main part.
pub const BUNDLE_MAIN_BYTES: usize = 3_072;
/// Exact bytes of a bundle's sealed one-time or last-resort part.
pub const BUNDLE_PART_BYTES: usize = 2_048;
/// Tokens signed at once.
pub const TOKENS_MAX: usize = 32;
/// Longest credential shown for tokens, in bytes.
pub const CREDENTIAL_BYTES_MAX: usize = 4_096;
/// Bytes of a token as it is shown.
pub const TOKEN_BYTES: usize = 352;
/// Bytes of a proof of work.
pub const PROOF_BYTES: usize = 8;
/// Largest blob, in bytes: 282 parts.
pub const BLOB_BYTES_MAX: u64 = 282 * BLOB_PART_BYTES;
/// Bytes of each part of a blob but the last.
pub const BLOB_PART_BYTES: u64 = 4 * 1024 * 1024;
/// How long a blob is kept from its commit on.
pub const BLOB_TTL_SECS: u32 = 28 * 86_400;
/// How long the parts of a blob that is not committed are kept from its creation on.
pub const BLOB_UPLOAD_SECS: u32 = 2 * 86_400;
/// Longest host name in a relay address, in bytes (RFC 1035 §2.3.4 allows 253; a link of 200 bytes has no room for them).
pub const HOST_BYTES_MAX: usize = 63;
/// Exact bytes of a relay's X-Wing key for forwarded commands.
pub const FORWARD_KEY_BYTES: usize = 1_216;
/// Exact bytes of a forwarded command with its padding.
pub const FORWARD_COMMAND_BYTES: usize = 66_048;
/// Exact bytes of a sealed command: week (4), X-Wing ciphertext (1,120), command, tag (16).
pub const FORWARD_REQUEST_BYTES: usize = 4 + 1_120 + FORWARD_COMMAND_BYTES + 16;
/// Exact bytes of a forwarded answer with its padding.
pub const FORWARD_ANSWER_BYTES: usize = 5_632;
/// Exact bytes of a sealed answer: nonce (12), answer, tag (16).
pub const FORWARD_RESPONSE_BYTES: usize = 12 + FORWARD_ANSWER_BYTES + 16;
/// Forwarded commands of one connection that may be unanswered.
pub const FORWARD_IN_FLIGHT_MAX: usize = 32;
/// How far the clock in a forwarded command may be behind the relay's, in seconds.
pub const FORWARD_CLOCK_SECS: u64 = 120;
/// Largest entry of a channel, in bytes.
pub const ENTRY_BYTES_MAX: usize = 64 * 1024;
/// Entries a channel holds.
pub const CHANNEL_ENTRIES_MAX: u64 = 10_000;
/// Bytes of entries a channel holds.
pub const CHANNEL_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Entries beyond [`CHANNEL_ENTRIES_MAX`] for those that end a generation alone: who fills a channel cannot stay in it by that.
pub const CHANNEL_RESERVE_ENTRIES: u64 = 1_000;
/// Bytes beyond [`CHANNEL_BYTES_MAX`] for the same.
pub const CHANNEL_RESERVE_BYTES: u64 = 16 * 1024 * 1024;
/// How long an entry is kept.
pub const ENTRY_TTL_SECS: u32 = 28 * 86_400;
/// Days after its last use that a channel lapses.
pub const CHANNEL_LAPSE_DAYS: u32 = 365;
/// Entries after which a subscriber confirms, at the latest.
pub const CHANNEL_CONFIRM_ENTRIES: usize = 64;
/// Entries in one answer to a read.
pub const READ_ENTRIES_MAX: u32 = 256;
