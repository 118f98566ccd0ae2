//! `spec/vectors/erasure.json`.

use super::super::erasure::{CHUNK_BYTES, Decoder, chunk};
use crate::vectors::{Case, Vectors};

/// Length of the padded object: second half and tag.
const PADDED_BYTES: usize = 160;

/// Bytes that do not repeat from chunk to chunk.
fn object(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 7 + index / 96 * 31 + index / 251) as u8).collect()
}

fn of<const N: usize>(object: &[u8]) -> Case {
    Case::default().text("chunks", N).hex("object", object)
}

/// Chunks of all kinds of indices.
fn encoded<const N: usize>(len: usize) -> Vec<Case> {
    let object = object(len);
    let indices = [0, 1, 2, 3, 9, 10, 11, 12, 13, 100, 255, 256, 4_095, 4_096, 32_767, 32_768, 65_533, 65_534];
    indices.map(|index| of::<N>(&object).text("index", index).hex("chunk", &chunk::<N>(&object, index))).into()
}

/// What these indices give together; in the order given.
fn take<const N: usize>(object: &[u8], indices: &[u16]) -> (String, Vec<u8>, Option<Vec<u8>>) {
    let mut decoder = Decoder::<N>::default();
    let given: Vec<_> = indices.iter().map(|&index| chunk::<N>(object, index)).collect();
    let decoded = indices.iter().zip(&given).fold(None, |_, (index, chunk)| decoder.take(*index, chunk));
    let indices: Vec<String> = indices.iter().map(ToString::to_string).collect();
    (indices.join(" "), given.concat(), decoded)
}

fn decoded<const N: usize>(len: usize, indices: &[u16]) -> Case {
    let object = object(len);
    let (indices, given, decoded) = take::<N>(&object, indices);
    let decoded = decoded.expect("enough chunks");
    assert_eq!((&decoded[..len], decoded.len()), (&object[..], N * CHUNK_BYTES));
    of::<N>(&object).text("indices", indices).hex("given", &given)
}

fn incomplete<const N: usize>(why: &str, len: usize, indices: &[u16]) -> Case {
    let (indices, given, decoded) = take::<N>(&object(len), indices);
    assert_eq!(decoded, None, "{why}");
    let case = Case::why(why).text("chunks", N).text("bytes", len);
    case.text("indices", indices).hex("given", &given).text("error", "Incomplete")
}

/// A padded object whose padding has one bit, as these indices carry it.
fn wrong_padding(why: &str, byte: usize, indices: [u16; 2]) -> Case {
    let mut padded = object(PADDED_BYTES);
    padded.resize(2 * CHUNK_BYTES, 0);
    padded[byte] ^= 1;
    let (indices, given, decoded) = take::<2>(&padded, &indices);
    assert!(decoded.unwrap()[PADDED_BYTES..].iter().any(|&byte| byte != 0));
    let case = Case::why(why).text("chunks", 2).text("bytes", PADDED_BYTES);
    case.text("indices", indices).hex("given", &given).text("error", "Padding")
}

#[test]
fn the_erasure_code() {
    let mut accepted = Vec::new();
    accepted.extend(encoded::<1>(96));
    accepted.extend(encoded::<2>(PADDED_BYTES));
    accepted.extend(encoded::<10>(960));
    accepted.extend(encoded::<12>(1_152));
    accepted.extend([&[0][..], &[1], &[65_534]].map(|indices| decoded::<1>(96, indices)));
    accepted.extend([[0, 1], [1, 0], [0, 2], [1, 7], [65_533, 65_534]].map(|i| decoded::<2>(PADDED_BYTES, &i)));
    let ascending: Vec<u16> = (0..12).collect();
    let far: Vec<u16> = (12..24).collect();
    let spread: Vec<u16> = (0..12).map(|index| 65_534 - index * 5_000).collect();
    let mixed = [11, 4, 300, 0, 7, 65_534, 2, 12, 9_999, 5, 1, 32_768];
    accepted.extend([&ascending[..10], &far[..10], &spread[..10], &mixed[..10]].map(|i| decoded::<10>(960, i)));
    accepted.extend([&ascending[..], &far, &spread, &mixed].map(|i| decoded::<12>(1_152, i)));
    let refused = vec![
        incomplete::<1>("none", 96, &[]),
        incomplete::<2>("one of two", PADDED_BYTES, &[1]),
        incomplete::<2>("the same twice", PADDED_BYTES, &[5, 5]),
        incomplete::<10>("nine of ten", 960, &[0, 1, 2, 3, 4, 5, 6, 7, 8]),
        incomplete::<10>("nine, and one of them again", 960, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 8]),
        incomplete::<12>(
            "eleven beyond the object's own, and three of them again",
            1_152,
            &[12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 20, 12, 13],
        ),
        wrong_padding("the last bit of the padding", 191, [0, 1]),
        wrong_padding("the first byte of the padding", 160, [0, 1]),
        wrong_padding("the padding, in chunks beyond the object's own", 170, [2, 65_534]),
    ];
    Vectors { about: ABOUT, accepted, refused }.check("erasure.json");
}

const ABOUT: &str = "\
The erasure code. An entry with `index` and `chunk`: the 96-byte chunk at that index of an object that fills `chunks` \
chunks, zero-padded at its end where it is shorter (160 bytes of 192). One with `indices`, in decimal, and `given`, the chunks \
of these indices one after another: they give the object back. Refused: what is given is not enough (`Incomplete`; a \
repeated index counts once), or decodes to an object of `bytes` bytes whose padding is not zero (`Padding`).";
