//! What the headers of a blob's request say (RFC 9110 §14), strictly.

use std::ops::Range;

use axum::http::{HeaderMap, header as names};
use sotto_outer::{
    BlobCapability, BlobId, blob,
    limits::{BLOB_BYTES_MAX, BLOB_PART_BYTES},
};

use super::Refusal;

/// What is shown; `Authorization` as [`blob::authorization`] writes it.
pub(super) fn shown(headers: &HeaderMap) -> Result<(BlobId, BlobCapability), Refusal> {
    let header = headers.get(names::AUTHORIZATION).ok_or(Refusal::Malformed)?;
    blob::parse_authorization(header.as_bytes()).ok_or(Refusal::Malformed)
}

/// `Content-Range: bytes FIRST-LAST/TOTAL` of a part that is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PutRange {
    first: u64,
    last: u64,
    total: u64,
}

impl PutRange {
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, Refusal> {
        let length = headers.get(names::CONTENT_LENGTH).ok_or(Refusal::LengthRequired)?;
        let length = length.to_str().ok().and_then(number).ok_or(Refusal::Malformed)?;
        if length > BLOB_PART_BYTES {
            return Err(Refusal::TooLarge);
        }
        let range = headers.get(names::CONTENT_RANGE).and_then(|range| range.to_str().ok());
        let range = range.and_then(Self::parse).ok_or(Refusal::Malformed)?;
        if range.last < range.first || range.last >= range.total || range.bytes() != length {
            return Err(Refusal::Malformed);
        }
        Ok(range)
    }

    fn parse(text: &str) -> Option<Self> {
        let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        Some(Self { first: number(first)?, last: number(last)?, total: number(total)? })
    }

    /// Bytes in it.
    pub(super) const fn bytes(&self) -> u64 {
        self.last - self.first + 1
    }

    /// Which part of a blob of this size it is, exactly.
    pub(super) fn part(&self, bytes: u64) -> Result<u32, Refusal> {
        let part = u32::try_from(self.first / BLOB_PART_BYTES).map_err(|_| Refusal::Range(None))?;
        let is_it = self.total == bytes && blob::part_range(bytes, part) == (self.first..self.last + 1);
        if is_it { Ok(part) } else { Err(Refusal::Range(Some(bytes))) }
    }
}

/// What is asked of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    All,
    /// From a byte on, up to another one where it is told.
    From(u64, Option<u64>),
    /// So many at the end.
    Last(u64),
}

impl Asked {
    /// One range at most: several are refused, for nobody needs them.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, Refusal> {
        let Some(range) = headers.get(names::RANGE) else { return Ok(Self::All) };
        let range = range.to_str().ok().and_then(|range| range.strip_prefix("bytes=")).ok_or(Refusal::Range(None))?;
        let (first, last) = range.split_once('-').ok_or(Refusal::Range(None))?;
        let asked = match (first, last) {
            ("", last) => number(last).map(Self::Last),
            (first, "") => number(first).map(|first| Self::From(first, None)),
            (first, last) => match (number(first), number(last)) {
                (Some(first), Some(last)) if first <= last => Some(Self::From(first, Some(last))),
                _ => None,
            },
        };
        asked.ok_or(Refusal::Range(None))
    }

    pub(super) fn is_range(&self) -> bool {
        *self != Self::All
    }

    /// Which bytes of a blob of this size that are: at least one.
    pub(super) fn range(&self, bytes: u64) -> Result<Range<u64>, Refusal> {
        let range = match *self {
            Self::All => 0..bytes,
            Self::From(first, last) => first..last.map_or(bytes, |last| last.saturating_add(1).min(bytes)),
            Self::Last(count) => bytes.saturating_sub(count)..bytes,
        };
        if range.is_empty() { Err(Refusal::Range(Some(bytes))) } else { Ok(range) }
    }
}

/// A number of digits alone, no larger than a blob's size needs.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.len() <= 19 && text.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten().filter(|number| *number <= 2 * BLOB_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(names::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn put(length: &str, range: &str) -> Result<PutRange, Refusal> {
        PutRange::read(&headers(&[(names::CONTENT_LENGTH, length), (names::CONTENT_RANGE, range)]))
    }

    #[test]
    fn exactly_one_part_is_put() {
        let bytes = BLOB_PART_BYTES + 10;
        assert_eq!(put("4194304", "bytes 0-4194303/4194314").unwrap().part(bytes), Ok(0));
        assert_eq!(put("10", "bytes 4194304-4194313/4194314").unwrap().part(bytes), Ok(1));
        for (length, range) in [
            ("10", "bytes 0-9/4194314"),
            ("10", "bytes 4194303-4194312/4194314"),
            ("9", "bytes 4194304-4194312/4194314"),
            ("10", "bytes 4194304-4194313/4194315"),
        ] {
            assert_eq!(put(length, range).unwrap().part(bytes), Err(Refusal::Range(Some(bytes))), "{range}");
        }
    }

    #[test]
    fn what_is_no_content_range_is_malformed() {
        for (length, range) in [
            ("10", "bytes 0-8/10"),
            ("10", "bytes 0-10/10"),
            ("1", "bytes 1-0/10"),
            ("10", "bytes 0-9/*"),
            ("10", "bytes */10"),
            ("10", "bytes=0-9/10"),
            ("10", "bytes 0-9"),
            ("10", "bytes +0-9/10"),
            ("10", "bytes 0-9/99999999999999999999"),
            ("-1", "bytes 0-9/10"),
        ] {
            assert_eq!(put(length, range), Err(Refusal::Malformed), "{length}, {range}");
        }
        assert_eq!(put("4194305", "bytes 0-4194304/4194305"), Err(Refusal::TooLarge));
        let unsized_body = headers(&[(names::CONTENT_RANGE, "bytes 0-9/10")]);
        assert_eq!(PutRange::read(&unsized_body), Err(Refusal::LengthRequired));
    }

    #[test]
    fn a_range_is_cut_to_the_blob() {
        let range = |text| Asked::read(&headers(&[(names::RANGE, text)])).and_then(|asked| asked.range(10));
        assert_eq!(Asked::read(&headers(&[])).unwrap().range(10), Ok(0..10));
        assert_eq!(range("bytes=0-0"), Ok(0..1));
        assert_eq!(range("bytes=3-"), Ok(3..10));
        assert_eq!(range("bytes=3-99"), Ok(3..10));
        assert_eq!(range("bytes=-4"), Ok(6..10));
        assert_eq!(range("bytes=-99"), Ok(0..10));
        for none in ["bytes=10-", "bytes=-0"] {
            assert_eq!(range(none), Err(Refusal::Range(Some(10))), "{none}");
        }
        for none in ["bytes=4-3", "bytes=0-1,3-4", "lines=0-1", "bytes=", "bytes=-", "bytes=a-b"] {
            assert_eq!(range(none), Err(Refusal::Range(None)), "{none}");
        }
    }
}
