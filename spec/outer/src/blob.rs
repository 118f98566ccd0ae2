//! Encrypted files that lie at a relay. The frames make, commit and delete them; their bytes move over ranged HTTP in parts
//! of [`BLOB_PART_BYTES`], shown with [`authorization`].

use data_encoding::BASE64URL_NOPAD;
use minicbor::{Decode, Encode};

use crate::{BlobCapability, BlobId, CapabilityHash, ShownToken, limits::BLOB_PART_BYTES, work::Proof};

/// Makes a blob that is still empty. A repeat with the same content gets its present state: so an upload goes on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct BlobCreate {
    /// The client's random choice.
    #[n(0)]
    pub blob: BlobId,
    /// Its size, 1 to `BLOB_BYTES_MAX`.
    #[n(1)]
    pub bytes: u64,
    /// Who may put parts, commit and delete: the hash of what they show.
    #[n(2)]
    pub write_hash: CapabilityHash,
    /// Who may get it: the hash of what they show.
    #[n(3)]
    pub read_hash: CapabilityHash,
    /// A blind-signed token, where admission is not open.
    #[n(4)]
    pub token: Option<Box<ShownToken>>,
    /// Proof of work, where the relay asks for it.
    #[n(5)]
    pub proof: Option<Proof>,
}

/// What a writer may ask of a blob without sending bytes: to commit it, or to delete it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct BlobWriter {
    /// Which blob.
    #[n(0)]
    pub blob: BlobId,
    /// The right to write it.
    #[n(1)]
    pub capability: BlobCapability,
}

/// How far a blob is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct BlobState {
    /// The parts that are durable: bit `i % 8`, the least significant first, of byte `i / 8`.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub held: Vec<u8>,
    /// Whether it can be read, and no part be put any more.
    #[n(1)]
    pub committed: bool,
}

impl BlobState {
    /// Whether a part is durable.
    pub fn holds(&self, part: u32) -> bool {
        self.held.get(part as usize / 8).is_some_and(|byte| byte & (1 << (part % 8)) != 0)
    }
}

/// Parts of a blob of this size.
pub fn parts(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(BLOB_PART_BYTES)).unwrap_or(u32::MAX)
}

/// Where a part begins, and where it ends, exclusive.
pub fn part_range(bytes: u64, part: u32) -> core::ops::Range<u64> {
    let start = u64::from(part) * BLOB_PART_BYTES;
    start.min(bytes)..(start + BLOB_PART_BYTES).min(bytes)
}

/// The `Authorization` of `PUT`, `GET` and `HEAD /v1/blob`: `Sotto `, then blob id and capability in base64url. Nothing of it
/// stands in an address, so that no log of addresses has it.
pub fn authorization(blob: &BlobId, capability: &BlobCapability) -> String {
    let shown = [&blob.as_bytes()[..], capability.as_bytes()].concat();
    format!("Sotto {}", BASE64URL_NOPAD.encode(&shown))
}

/// What such a header shows; none where it is not one.
pub fn parse_authorization(header: &[u8]) -> Option<(BlobId, BlobCapability)> {
    let shown = BASE64URL_NOPAD.decode(header.strip_prefix(b"Sotto ")?).ok()?;
    let (blob, capability) = shown.split_first_chunk::<{ BlobId::LEN }>()?;
    Some((BlobId::from(*blob), BlobCapability::try_from(capability).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_has_parts_of_4_mib_and_the_rest() {
        assert_eq!((parts(1), part_range(1, 0)), (1, 0..1));
        assert_eq!((parts(BLOB_PART_BYTES), part_range(BLOB_PART_BYTES, 0)), (1, 0..BLOB_PART_BYTES));
        let bytes = BLOB_PART_BYTES + 1;
        assert_eq!((parts(bytes), part_range(bytes, 1)), (2, BLOB_PART_BYTES..bytes));
    }

    #[test]
    fn bits_are_counted_from_the_least() {
        let state = BlobState { held: vec![0b0000_0010, 0b0000_0001], committed: false };
        let held: Vec<_> = (0..20).filter(|part| state.holds(*part)).collect();
        assert_eq!(held, [1, 8]);
    }

    #[test]
    fn a_header_reads_back_as_written_and_nothing_else_is_one() {
        let (blob, capability) = (BlobId::from([1; 16]), BlobCapability::from([2; 32]));
        let header = authorization(&blob, &capability);
        assert_eq!(parse_authorization(header.as_bytes()), Some((blob, capability)));
        for wrong in ["", "Sotto", "Sotto ", "Bearer AAAA", &header[..header.len() - 1], &format!("{header}A")] {
            assert_eq!(parse_authorization(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
