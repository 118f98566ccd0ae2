//! Every number of the inner protocol. `spec/registry.toml` lists them and a test compares.

/// Bytes of an X25519 public key (RFC 7748).
pub const X25519_BYTES: usize = 32;
/// Bytes of an ML-KEM-1024 encapsulation key (FIPS 203).
pub const MLKEM1024_KEY_BYTES: usize = 1_568;
/// Bytes of an ML-KEM-1024 ciphertext (FIPS 203).
pub const MLKEM1024_CIPHERTEXT_BYTES: usize = 1_568;
/// Bytes of an X-Wing encapsulation key.
pub const XWING_KEY_BYTES: usize = 1_216;
/// Bytes of an X-Wing ciphertext, HPKE's `enc`.
pub const XWING_CIPHERTEXT_BYTES: usize = 1_120;
/// The sizes a packet may have: nothing else tells one content from another.
pub const BUCKETS: [usize; 4] = [1_024, 4_096, 16_384, 65_536];
/// Exact bytes of a sealed first message and of a repair handshake.
pub const FIRST_MESSAGE_BYTES: usize = 4_096;
/// Bytes of the Braid's slot in a packet header: a 96-byte chunk and 16 bytes for epoch, type, index, counter.
pub const BRAID_SLOT_BYTES: usize = 112;
/// Largest encoded link, in bytes.
pub const LINK_BYTES_MAX: usize = 200;
/// Longest name of a person, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 64;
/// Longest text of a first message, in bytes of UTF-8: what else there is to say waits for acceptance.
pub const HELLO_TEXT_BYTES_MAX: usize = 256;
/// Longest text of a message, in bytes of UTF-8.
pub const TEXT_BYTES_MAX: usize = 60_000;
/// Content ids in one receipt.
pub const RECEIPT_IDS_MAX: usize = 200;
/// Devices in a manifest.
pub const MANIFEST_DEVICES_MAX: usize = 8;
/// Largest gap of packet numbers that a receiver walks.
pub const SKIPPED_GAP_MAX: u32 = 2_000;
/// Skipped message keys kept for one session.
pub const SKIPPED_KEYS_MAX: u32 = 2_000;
/// Old receiving chains kept for one session.
pub const SKIPPED_CHAINS_MAX: usize = 5;
/// How long skipped message keys are kept.
pub const SKIPPED_KEY_SECS: u64 = 28 * 86_400;
/// Packets sealed without an end-to-end receipt before a sender stops.
pub const UNRECEIPTED_PACKETS_MAX: u64 = 1_500;
/// Archived sessions in a session book, beside the active one.
pub const ARCHIVED_SESSIONS_MAX: usize = 5;
/// How long a signed, last-resort or seal prekey is offered before the next one.
pub const PREKEY_ROTATION_SECS: u64 = 7 * 86_400;
/// How long a replaced prekey's private half lives on.
pub const PREKEY_RETENTION_SECS: u64 = 30 * 86_400;
/// How long a one-time pair is valid.
pub const ONE_TIME_PREKEY_SECS: u64 = 60 * 86_400;
/// How long the digests of opened and refused envelopes are kept.
pub const DIGEST_MEMORY_SECS: u64 = 30 * 86_400;
/// Mailboxes of one owner for one contact: one at each of the owner's relays.
pub const MAILBOXES_MAX: usize = 2;
/// How long pairwise mailboxes are used before the next generation, in the mean: half as long again at most, half of it at
/// least, by chance.
pub const MAILBOX_ROTATION_SECS: u64 = 28 * 86_400;
/// The least that a replaced mailbox is still read.
pub const MAILBOX_RETENTION_SECS: u64 = 28 * 86_400;
/// Requests that wait for a person's answer; the newest is refused. As many as a contact mailbox holds envelopes.
pub const REQUESTS_MAX: u64 = 200;
/// Contents kept of one request.
pub const REQUEST_CONTENTS_MAX: u32 = 20;
/// Envelopes of one contact that open nowhere and are still remembered and counted, a day.
pub const UNOPENABLE_A_DAY_MAX: u32 = 1_000;
/// Distinct unopenable envelopes before a repair.
pub const UNOPENABLE_BEFORE_REPAIR: u32 = 3;
