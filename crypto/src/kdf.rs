//! HKDF-SHA256 (RFC 5869): the only key derivation.
//!
//! Salt, input and info are given in parts that are fed one after another, so that nothing secret is gathered in a
//! buffer first. Whoever passes parts of varying length must make their concatenation unambiguous.

use hkdf::{Hkdf, HkdfExtract};
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

/// Extract and expand (RFC 5869 §2): fills `out`, at most 8,160 bytes.
pub(crate) fn hkdf(salt: &[u8], ikm: &[&[u8]], info: &[&[u8]], out: &mut [u8]) {
    let mut extract = HkdfExtract::<Sha256>::new(Some(salt));
    for part in ikm {
        extract.input_ikm(part);
    }
    let (mut prk, hkdf) = extract.finalize();
    prk.zeroize();
    hkdf.expand_multi_info(info, out).expect("at most 255 blocks: every caller asks for a fixed, short length");
}

/// Expand alone (RFC 5869 §3.3), for a key that is uniformly random already.
pub(crate) fn expand(key: &[u8; 32], info: &[&[u8]], out: &mut [u8]) {
    let hkdf = Hkdf::<Sha256>::from_prk(key).expect("32 bytes: the length of a SHA-256 hash");
    hkdf.expand_multi_info(info, out).expect("at most 255 blocks: every caller asks for a fixed, short length");
}

/// SHA-256 (FIPS 180-4) of the concatenated parts.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER_PERMISSIVE as HEX;

    fn hex(text: &str) -> Vec<u8> {
        HEX.decode(text.as_bytes()).unwrap()
    }

    /// RFC 5869, appendix A.1.
    #[test]
    fn first_known_answer_of_rfc_5869() {
        let mut out = [0; 42];
        hkdf(&hex("000102030405060708090a0b0c"), &[&[0x0b; 22]], &[&hex("f0f1f2f3f4f5f6f7f8f9")], &mut out);
        let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
        assert_eq!(out.to_vec(), hex(expected));
    }

    /// RFC 5869, appendix A.1: its PRK, expanded alone.
    #[test]
    fn expand_alone_gives_the_same_output() {
        let prk = hex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
        let mut out = [0; 42];
        expand(prk.as_slice().try_into().unwrap(), &[&hex("f0f1f2"), &hex("f3f4f5f6f7f8f9")], &mut out);
        let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
        assert_eq!(out.to_vec(), hex(expected));
    }

    #[test]
    fn parts_are_concatenated() {
        let (mut whole, mut parts) = ([0; 64], [0; 64]);
        hkdf(b"salt", &[b"abcdef"], &[b"info"], &mut whole);
        hkdf(b"salt", &[b"ab", b"", b"cdef"], &[b"in", b"fo"], &mut parts);
        assert_eq!(whole, parts);
        assert_eq!(sha256(&[b"a", b"bc"]), sha256(&[b"abc"]));
    }
}
