//! One size for many contents: content ‖ 0x80 ‖ 0x00…, as ISO/IEC 7816-4 pads. One content has one padded form.

use zeroize::Zeroizing;

/// Bytes that padding costs at least.
pub(crate) const MARKER_BYTES: usize = 1;

/// Pads to exactly `len` bytes; `None` where content and marker do not fit.
pub(crate) fn pad(content: &[u8], len: usize) -> Option<Zeroizing<Vec<u8>>> {
    if content.len() >= len {
        return None;
    }
    let mut padded = Zeroizing::new(Vec::with_capacity(len));
    padded.extend_from_slice(content);
    padded.push(0x80);
    padded.resize(len, 0);
    Some(padded)
}

/// The content, if what follows it is padding and nothing else.
pub(crate) fn unpad(padded: &[u8]) -> Option<&[u8]> {
    let end = padded.iter().rposition(|byte| *byte != 0)?;
    (padded[end] == 0x80).then(|| &padded[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_reads_back_whatever_it_ends_with() {
        for content in [&b""[..], b"a", &[0; 5], &[0x80, 0, 0x80, 0], &[7; 15]] {
            let padded = pad(content, 16).unwrap();
            assert_eq!(padded.len(), 16);
            assert_eq!(unpad(&padded), Some(content));
        }
    }

    #[test]
    fn a_full_block_has_no_room_for_the_marker() {
        assert!(pad(&[1; 16], 16).is_none());
    }

    #[test]
    fn other_padding_is_refused() {
        assert_eq!(unpad(&[]), None);
        assert_eq!(unpad(&[0; 16]), None, "no marker");
        assert_eq!(unpad(&[1, 0x80, 0, 1]), None, "a byte after the marker is not zero");
        assert_eq!(unpad(&[1, 0x81, 0, 0]), None, "another marker");
    }
}
