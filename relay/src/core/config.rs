//! The numbers that a host chooses, or leaves as they are.

use sotto_outer::{Limits, MailboxKind, Terms, limits};

use super::{Admission, Rate, Toll};
use crate::{
    access::Mint,
    storage::{Quota, blob::BlobQuota, channel::ChannelQuota},
};

/// The numbers a host may choose.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients reach this relay ([`sotto_outer::RelayAddress::place`]); empty is nowhere, and no client believes it.
    pub place: Vec<u8>,
    /// What `info` tells.
    pub limits: Limits,
    /// What it asks, as far as that does not change while it runs.
    pub terms: Terms,
    /// Envelopes a contact mailbox holds.
    pub contact_envelopes_max: u32,
    /// Mailboxes a connection may create.
    pub create_rate: Rate,
    /// Envelopes that may be sent under one capability.
    pub send_rate: Rate,
    /// Envelopes that a connection may send.
    pub connection_send_rate: Rate,
    /// Times that a connection may ask who this relay is: each is a signature.
    pub info_rate: Rate,
    /// Wrong signatures of entries that a connection may have checked.
    pub wrong_signature_rate: Rate,
    /// Reads of channels by a connection.
    pub channel_read_rate: Rate,
    /// Mailboxes a connection may subscribe.
    pub subscribe_rate: Rate,
    /// Publishes and deletes of a connection.
    pub publish_rate: Rate,
    /// Bundle fetches of a connection.
    pub fetch_rate: Rate,
    /// Fetches of one bundle that get a one-time part.
    pub pair_rate: Rate,
    /// Whether commands are carried to other relays.
    pub forwards: bool,
    /// Forwards of a connection.
    pub forward_rate: Rate,
    /// What a channel may hold.
    pub channel_quota: ChannelQuota,
    /// Creations, commits and deletions of blobs by a connection.
    pub blob_rate: Rate,
    /// What this relay keeps of blobs; none where it keeps no blobs.
    pub blobs: Option<BlobQuota>,
    /// When load is shed.
    pub admission: Admission,
    /// What all connections from one place may make, and bundles that they may fetch, together.
    pub origin_rate: Rate,
    /// Payload bytes on their way to all readers; beyond them a reader gets one envelope of the largest size at a time.
    pub transit_bytes_max: usize,
    /// Work asked for what anyone may do.
    pub toll: Toll,
    /// Whether keys for tokens are made and tokens given.
    pub gives_tokens: bool,
    /// What signs credentials, where the host mints them.
    pub mint: Option<Mint>,
    /// Times that a connection may ask for tokens.
    pub token_rate: Rate,
    /// Keys the tags; nodes that share a store share it.
    pub wake_key: [u8; 32],
}

impl Default for Config {
    fn default() -> Self {
        Self {
            place: Vec::new(),
            limits: Limits {
                mailbox_envelopes_max: limits::MAILBOX_ENVELOPES_MAX,
                mailbox_bytes_max: limits::MAILBOX_BYTES_MAX,
                envelope_ttl_secs: limits::ENVELOPE_TTL_SECS,
            },
            terms: Terms::default(),
            contact_envelopes_max: limits::CONTACT_MAILBOX_ENVELOPES_MAX,
            create_rate: Rate { burst: 256, interval_millis: 1_000 },
            send_rate: Rate { burst: 4_000, interval_millis: 2 },
            connection_send_rate: Rate { burst: 8_000, interval_millis: 1 },
            info_rate: Rate { burst: 8, interval_millis: 10_000 },
            wrong_signature_rate: Rate { burst: 64, interval_millis: 1_000 },
            channel_read_rate: Rate { burst: 512, interval_millis: 20 },
            subscribe_rate: Rate { burst: 16_384, interval_millis: 20 },
            publish_rate: Rate { burst: 256, interval_millis: 500 },
            fetch_rate: Rate { burst: 64, interval_millis: 1_000 },
            pair_rate: Rate {
                burst: limits::BUNDLE_FETCH_BURST,
                interval_millis: limits::BUNDLE_FETCH_INTERVAL_SECS as u64 * 1_000,
            },
            forwards: true,
            forward_rate: Rate { burst: 128, interval_millis: 50 },
            channel_quota: ChannelQuota::default(),
            blob_rate: Rate { burst: 64, interval_millis: 1_000 },
            blobs: Some(BlobQuota::default()),
            admission: Admission::default(),
            origin_rate: Rate { burst: 2_000, interval_millis: 250 },
            transit_bytes_max: 256 * 1024 * 1024,
            toll: Toll::NONE,
            gives_tokens: false,
            mint: None,
            token_rate: Rate { burst: 8, interval_millis: 10_000 },
            wake_key: [0; 32],
        }
    }
}

impl Config {
    pub(crate) const fn quota(&self) -> Quota {
        Quota {
            pairwise_envelopes_max: self.limits.mailbox_envelopes_max,
            contact_envelopes_max: self.contact_envelopes_max,
            bytes_max: self.limits.mailbox_bytes_max,
        }
    }

    /// Envelopes a mailbox of this kind holds.
    pub const fn envelopes_max(&self, kind: MailboxKind) -> u32 {
        match kind {
            MailboxKind::Pairwise => self.limits.mailbox_envelopes_max,
            MailboxKind::Contact => self.contact_envelopes_max,
        }
    }
}
