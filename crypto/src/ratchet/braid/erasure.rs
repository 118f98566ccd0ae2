//! The erasure code: an object of N chunks becomes as many chunks as are asked for, and any N of them give it back.
//!
//! An object is N · 48 symbols of GF(2¹⁶), big-endian. Symbol i belongs to polynomial i mod 48, whose value at x = i / 48 it
//! is; the polynomial has a degree below N. Chunk k is what the 48 polynomials are worth at x = k: so the first N chunks are
//! the object itself, and others cost a Lagrange interpolation. All of it is public.

use super::field::{Element, Factor};

/// Length of a chunk, in bytes.
pub(in crate::ratchet) const CHUNK_BYTES: usize = 96;
/// Symbols in a chunk, and polynomials of an object.
const SYMBOLS: usize = CHUNK_BYTES / 2;

/// What stands at one place of the code.
pub(in crate::ratchet) type Chunk = [u8; CHUNK_BYTES];

/// What has come of an object of `N` chunks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Decoder<const N: usize> {
    /// Ascending by index, fewer than `N`.
    chunks: Vec<(u16, Chunk)>,
}

/// Chunk `index` of an object of `N` chunks. What the object lacks of them counts as zero.
pub(super) fn chunk<const N: usize>(object: &[u8], index: u16) -> Chunk {
    debug_assert!(object.len() <= N * CHUNK_BYTES && object.len() > (N - 1) * CHUNK_BYTES);
    let place = usize::from(index);
    if place < N {
        let mut chunk = [0; CHUNK_BYTES];
        let bytes = &object[place * CHUNK_BYTES..object.len().min((place + 1) * CHUNK_BYTES)];
        chunk[..bytes.len()].copy_from_slice(bytes);
        return chunk;
    }
    let weights = const { weights::<N>(&ascending()) };
    let terms = object.chunks(CHUNK_BYTES).zip(coefficients(&ascending(), &weights, Element(index)));
    sum(terms.map(|(chunk, coefficient)| (coefficient, chunk)))
}

impl<const N: usize> Decoder<N> {
    /// Takes one more chunk. A second of the same index changes nothing. With the last of `N` the object is there, all
    /// `N` chunks of it, and the decoder empty.
    pub(super) fn take(&mut self, index: u16, chunk: &Chunk) -> Option<Vec<u8>> {
        if let Err(place) = self.chunks.binary_search_by_key(&index, |(index, _)| *index) {
            self.chunks.reserve_exact(N - self.chunks.len());
            self.chunks.insert(place, (index, *chunk));
        }
        (self.chunks.len() >= N).then(|| decode::<N>(&core::mem::take(&mut self.chunks)))
    }

    /// What has come, ascending by index.
    pub(super) fn chunks(&self) -> &[(u16, Chunk)] {
        &self.chunks
    }

    /// Reads what [`Decoder::chunks`] told; `None` unless it ascends and is not enough.
    pub(super) fn from_chunks(chunks: Vec<(u16, Chunk)>) -> Option<Self> {
        let ascends = chunks.windows(2).all(|pair| pair[0].0 < pair[1].0);
        (ascends && chunks.len() < N).then_some(Self { chunks })
    }
}

/// The object, from `N` chunks in ascending order.
fn decode<const N: usize>(chunks: &[(u16, Chunk)]) -> Vec<u8> {
    let points: [Element; N] = core::array::from_fn(|index| Element(chunks[index].0));
    // All before the first that is not the object's own come as they are.
    let systematic = points == ascending::<N>();
    let weights = if systematic { [Element::ONE; N] } else { weights(&points) };
    let mut object = Vec::with_capacity(N * CHUNK_BYTES);
    for place in (0..).take(N) {
        match chunks.binary_search_by_key(&place, |(index, _)| *index) {
            Ok(found) => object.extend_from_slice(&chunks[found].1),
            Err(_) => {
                let terms = chunks.iter().zip(coefficients(&points, &weights, Element(place)));
                object.extend_from_slice(&sum(terms.map(|((_, chunk), coefficient)| (coefficient, chunk.as_slice()))));
            }
        }
    }
    object
}

/// x = 0 … N - 1.
const fn ascending<const N: usize>() -> [Element; N] {
    let (mut points, mut index) = ([Element(0); N], 0);
    while index < N {
        // N is at most 12.
        points[index] = Element(index as u16);
        index += 1;
    }
    points
}

/// The barycentric weights of distinct points: 1 / Π (xⱼ - xₘ).
const fn weights<const N: usize>(points: &[Element; N]) -> [Element; N] {
    let (mut weights, mut j) = ([Element::ONE; N], 0);
    while j < N {
        let (mut product, mut m) = (Element::ONE, 0);
        while m < N {
            if m != j {
                product = product.times(points[j].plus(points[m]));
            }
            m += 1;
        }
        weights[j] = product.inverse();
        j += 1;
    }
    weights
}

/// The Lagrange coefficients at `x`: wⱼ · Π (x - xₘ) over all m but j.
fn coefficients<const N: usize>(points: &[Element; N], weights: &[Element; N], x: Element) -> [Element; N] {
    let mut coefficients = *weights;
    let mut before = Element::ONE;
    for (coefficient, point) in coefficients.iter_mut().zip(points) {
        *coefficient = coefficient.times(before);
        before = before.times(x.plus(*point));
    }
    let mut behind = Element::ONE;
    for (coefficient, point) in coefficients.iter_mut().zip(points).rev() {
        *coefficient = coefficient.times(behind);
        behind = behind.times(x.plus(*point));
    }
    coefficients
}

/// Σ coefficient · chunk, symbol by symbol; a chunk that is cut short counts as zero behind its end.
fn sum<'c>(terms: impl Iterator<Item = (Element, &'c [u8])>) -> Chunk {
    let mut symbols = [Element::default(); SYMBOLS];
    for (coefficient, chunk) in terms {
        let factor = Factor::new(coefficient);
        for (symbol, bytes) in symbols.iter_mut().zip(chunk.chunks_exact(2)) {
            *symbol = symbol.plus(factor.times(Element(u16::from_be_bytes([bytes[0], bytes[1]]))));
        }
    }
    let mut chunk = [0; CHUNK_BYTES];
    for (bytes, symbol) in chunk.chunks_exact_mut(2).zip(symbols) {
        bytes.copy_from_slice(&symbol.0.to_be_bytes());
    }
    chunk
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::subsequence};

    use super::*;

    fn object(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|index| (index * 7 + index / 251) as u8).collect()
    }

    /// By the definition, symbol by symbol: Σ yⱼ Π (x - xₘ) / (xⱼ - xₘ).
    fn by_definition<const N: usize>(object: &[u8], index: u16) -> Chunk {
        let symbol = |i: usize| object.get(2 * i..2 * i + 2).map_or(0, |b| u16::from_be_bytes([b[0], b[1]]));
        let mut chunk = [0; CHUNK_BYTES];
        for polynomial in 0..SYMBOLS {
            let mut value = Element(0);
            for j in 0..N as u16 {
                let mut term = Element(symbol(usize::from(j) * SYMBOLS + polynomial));
                for m in (0..N as u16).filter(|&m| m != j) {
                    let slope = Element(index).plus(Element(m)).times(Element(j).plus(Element(m)).inverse());
                    term = term.times(slope);
                }
                value = value.plus(term);
            }
            chunk[2 * polynomial..][..2].copy_from_slice(&value.0.to_be_bytes());
        }
        chunk
    }

    #[test]
    fn chunks_are_those_of_the_definition() {
        for index in [0, 1, 2, 9, 10, 11, 12, 13, 100, 65_534, 65_535] {
            assert_eq!(chunk::<2>(&object(160), index), by_definition::<2>(&object(160), index), "{index}");
            assert_eq!(chunk::<10>(&object(960), index), by_definition::<10>(&object(960), index), "{index}");
            assert_eq!(chunk::<12>(&object(1_152), index), by_definition::<12>(&object(1_152), index), "{index}");
        }
    }

    proptest! {
        #[test]
        fn any_twelve_give_the_object_back(
            indices in subsequence((0..40_u16).collect::<Vec<_>>(), 12).prop_shuffle(),
            bytes in proptest::collection::vec(any::<u8>(), 1_152),
        ) {
            let mut decoder = Decoder::<12>::default();
            let (last, first) = indices.split_last().unwrap();
            for index in first {
                let chunk = chunk::<12>(&bytes, *index);
                prop_assert_eq!(decoder.take(*index, &chunk), None);
                prop_assert_eq!(decoder.take(*index, &chunk), None, "a repeated chunk counts once");
            }
            prop_assert_eq!(Decoder::<12>::from_chunks(decoder.chunks().to_vec()), Some(decoder.clone()));
            prop_assert_eq!(decoder.take(*last, &chunk::<12>(&bytes, *last)), Some(bytes));
        }

        #[test]
        fn any_two_give_a_padded_object_back(a: u16, b: u16) {
            prop_assume!(a != b);
            let bytes = object(160);
            let mut decoder = Decoder::<2>::default();
            prop_assert_eq!(decoder.take(a, &chunk::<2>(&bytes, a)), None);
            let whole = decoder.take(b, &chunk::<2>(&bytes, b)).unwrap();
            prop_assert_eq!(&whole[..160], &bytes[..]);
            prop_assert_eq!(&whole[160..], [0; 32]);
        }
    }

    #[test]
    fn chunks_that_cannot_have_been_kept_are_refused() {
        let zero = [0; CHUNK_BYTES];
        assert!(Decoder::<2>::from_chunks(vec![(0, zero), (1, zero)]).is_none(), "enough for the object");
        assert!(Decoder::<10>::from_chunks(vec![(1, zero), (0, zero)]).is_none(), "out of order");
        assert!(Decoder::<10>::from_chunks(vec![(1, zero), (1, zero)]).is_none(), "twice the same");
        assert!(Decoder::<10>::from_chunks(vec![(1, zero), (9, zero)]).is_some());
    }
}
