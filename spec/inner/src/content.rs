//! What a packet says once both ratchets and the body have opened.

use minicbor::{Decode, Encode};
use sotto_outer::{
    codec::{self, CodecError},
    fixed_bytes,
};

use crate::{
    Mailboxes, RepairBundle,
    limits::{HELLO_TEXT_BYTES_MAX, NAME_BYTES_MAX, RECEIPT_IDS_MAX, TEXT_BYTES_MAX},
};

fixed_bytes!(
    /// Random name of a content. Receivers show and count it once, however often it arrives.
    ContentId, 16
);

/// A hybrid logical clock's reading: milliseconds since 1970 in the upper 48 bits, a counter in the lower 16. Orders a
/// conversation the same for both, and never runs backwards at its author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct HybridTime(#[n(0)] pub u64);

impl HybridTime {
    /// The wall-clock part, Unix milliseconds.
    pub const fn millis(self) -> u64 {
        self.0 >> 16
    }

    /// The first reading of a millisecond.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis << 16)
    }

    /// The reading after this one at wall-clock `now_millis`: later than both.
    #[must_use]
    pub fn next(self, now_millis: u64) -> Self {
        Self::from_millis(now_millis).max(Self(self.0 + 1))
    }
}

/// One content: a name, a time and what it says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Content {
    /// Its name.
    #[n(0)]
    pub id: ContentId,
    /// Its author's clock when it was written.
    #[n(1)]
    pub time: HybridTime,
    /// What it says.
    #[n(2)]
    pub body: Body,
}

/// What a content says. New kinds take new numbers in `spec/registry.toml`.
#[expect(clippy::large_enum_variant, reason = "few exist at a time, and keys for repair are no rarer than texts")]
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Body {
    /// The first of an initiator: who I am, where to answer.
    #[n(0)]
    Hello {
        /// The initiator's name.
        #[n(0)]
        name: String,
        /// The initiator's pairwise mailboxes for this contact.
        #[n(1)]
        mailboxes: Mailboxes,
        /// A short text, shown with the request.
        #[n(2)]
        text: Option<String>,
    },
    /// The first of a responder: accepted, and where to write from now on.
    #[n(1)]
    Accept {
        /// The responder's name.
        #[n(0)]
        name: String,
        /// The responder's pairwise mailboxes for this contact.
        #[n(1)]
        mailboxes: Mailboxes,
    },
    /// A text message.
    #[n(2)]
    Text {
        /// Plain text, at most `TEXT_BYTES_MAX` bytes.
        #[n(0)]
        text: String,
    },
    /// These contents arrived and are stored.
    #[n(3)]
    Receipt {
        /// 1 to `RECEIPT_IDS_MAX` content ids.
        #[n(0)]
        delivered: Vec<ContentId>,
    },
    /// Keys for repair, replacing those sent before.
    #[n(4)]
    Repair(#[n(0)] RepairBundle),
    /// The first of a repaired session: where to write, in case that changed.
    #[n(5)]
    Repaired(#[n(0)] Mailboxes),
    /// Typing began or stopped. Travels in ephemeral packets alone.
    #[n(6)]
    Typing {
        /// Whether it began.
        #[n(0)]
        active: bool,
    },
    /// Where to write from now on: the mailboxes rotated, or moved to other relays.
    #[n(7)]
    Mailboxes(#[n(0)] Mailboxes),
}

/// Why a content was refused. The peer's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// Not a content of this version.
    #[error("content does not decode: {0}")]
    Codec(#[from] CodecError),
    /// Longer or more than allowed.
    #[error("content exceeds a limit")]
    Limit,
}

impl Content {
    /// Deterministic CBOR.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Decodes a content and checks its bounds.
    ///
    /// # Errors
    /// [`ContentError`], for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, ContentError> {
        let content: Self = codec::decode(bytes, crate::limits::BUCKETS[3])?;
        content.body.validate()?;
        Ok(content)
    }
}

/// Tells the kind, never what was said.
impl core::fmt::Debug for Body {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Hello { name: _, mailboxes: _, text: _ } => "Hello(..)",
            Self::Accept { name: _, mailboxes: _ } => "Accept(..)",
            Self::Text { text: _ } => "Text(..)",
            Self::Receipt { delivered: _ } => "Receipt(..)",
            Self::Repair(_) => "Repair(..)",
            Self::Repaired(_) => "Repaired(..)",
            Self::Typing { active: _ } => "Typing(..)",
            Self::Mailboxes(_) => "Mailboxes(..)",
        })
    }
}

impl Body {
    /// Checks the bounds that decoding alone does not.
    ///
    /// # Errors
    /// [`ContentError::Limit`].
    pub fn validate(&self) -> Result<(), ContentError> {
        let name_fits = |name: &str| name.len() <= NAME_BYTES_MAX;
        let fits = match self {
            Self::Hello { name, mailboxes, text } => {
                name_fits(name)
                    && mailboxes.fits()
                    && text.as_ref().is_none_or(|text| text.len() <= HELLO_TEXT_BYTES_MAX)
            }
            Self::Accept { name, mailboxes } => name_fits(name) && mailboxes.fits(),
            Self::Text { text } => text.len() <= TEXT_BYTES_MAX,
            Self::Receipt { delivered } => (1..=RECEIPT_IDS_MAX).contains(&delivered.len()),
            Self::Repair(_) | Self::Typing { active: _ } => true,
            Self::Repaired(mailboxes) | Self::Mailboxes(mailboxes) => mailboxes.fits(),
        };
        if fits { Ok(()) } else { Err(ContentError::Limit) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_tells_no_text() {
        let body = Body::Text { text: "secret".to_owned() };
        let content = Content { id: [1; 16].into(), time: HybridTime(7), body };
        assert_eq!(format!("{content:?}"), "Content { id: ContentId(..), time: HybridTime(7), body: Text(..) }");
    }

    #[test]
    fn a_clock_reading_is_later_than_both() {
        let first = HybridTime::from_millis(1_000);
        assert!(first.next(500) > first, "the wall clock went back");
        assert_eq!(first.next(2_000), HybridTime::from_millis(2_000));
        assert_eq!(first.next(500).millis(), 1_000);
    }

    #[test]
    fn contents_over_their_bounds_are_refused() {
        let content = |body| Content { id: [1; 16].into(), time: HybridTime(7), body }.encode();
        let refused = Err(ContentError::Limit);
        assert_eq!(Content::decode(&content(Body::Text { text: "a".repeat(TEXT_BYTES_MAX + 1) })), refused);
        assert_eq!(Content::decode(&content(Body::Receipt { delivered: vec![] })), refused);
        let ids = vec![[2; 16].into(); RECEIPT_IDS_MAX + 1];
        assert_eq!(Content::decode(&content(Body::Receipt { delivered: ids })), refused);
        assert!(Content::decode(&content(Body::Text { text: "a".repeat(TEXT_BYTES_MAX) })).is_ok());
    }
}
