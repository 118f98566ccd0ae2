//! GF(2¹⁶), as the erasure code uses it: polynomials over GF(2) modulo x¹⁶ + x¹² + x³ + x + 1 (0x1100b). It acts on public
//! data alone, so nothing here is constant in time.

/// The reduction polynomial without its leading term.
const POLYNOMIAL: u16 = 0x100b;

/// An element. Addition and subtraction are both the exclusive or.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Element(pub(super) u16);

/// An element by which many are multiplied: its products with every value of each of the four nibbles.
pub(super) struct Factor([[u16; 16]; 4]);

impl Element {
    pub(super) const ONE: Self = Self(1);

    /// The sum, which is the difference too.
    pub(super) const fn plus(self, other: Self) -> Self {
        Self(self.0 ^ other.0)
    }

    pub(super) const fn times(self, other: Self) -> Self {
        let (mut product, mut shifted, mut bits) = (0, self.0, other.0);
        while bits != 0 {
            if bits & 1 != 0 {
                product ^= shifted;
            }
            shifted = double(shifted);
            bits >>= 1;
        }
        Self(product)
    }

    /// The power 2¹⁶ - 2 (Fermat): the multiplicative inverse, and zero of zero.
    pub(super) const fn inverse(self) -> Self {
        let (mut inverse, mut square, mut round) = (Self::ONE, self, 1);
        while round < 16 {
            square = square.times(square);
            inverse = inverse.times(square);
            round += 1;
        }
        inverse
    }
}

impl Factor {
    pub(super) fn new(element: Element) -> Self {
        let mut products = [[0; 16]; 4];
        let mut bit = element.0;
        for nibble in &mut products {
            for place in 0..4 {
                let low = 1 << place;
                for index in 0..low {
                    nibble[low + index] = nibble[index] ^ bit;
                }
                bit = double(bit);
            }
        }
        Self(products)
    }

    pub(super) fn times(&self, other: Element) -> Element {
        let [a, b, c, d] = &self.0;
        let at = |shift: u16| usize::from((other.0 >> shift) & 0xf);
        Element(a[at(0)] ^ b[at(4)] ^ c[at(8)] ^ d[at(12)])
    }
}

/// Multiplication by x.
const fn double(value: u16) -> u16 {
    let carry = value >> 15;
    (value << 1) ^ (carry * POLYNOMIAL)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By the definition: a carry-less product of 31 bits, reduced by long division.
    fn by_division(a: u16, b: u16) -> u16 {
        let mut product = (0..16).filter(|bit| b >> bit & 1 == 1).fold(0_u32, |sum, bit| sum ^ u32::from(a) << bit);
        for bit in (16..31).rev() {
            if product >> bit & 1 == 1 {
                product ^= 0x1_100b << (bit - 16);
            }
        }
        u16::try_from(product).unwrap()
    }

    #[test]
    fn the_polynomial_makes_a_field() {
        // Irreducible: x generates every element but zero, or at least each has an inverse.
        for value in 1..=u16::MAX {
            assert_eq!(Element(value).times(Element(value).inverse()), Element::ONE, "{value}");
        }
        assert_eq!(Element(0).inverse(), Element(0));
    }

    proptest! {
        #[test]
        fn products_are_those_of_the_definition(a: u16, b: u16) {
            let product = Element(by_division(a, b));
            prop_assert_eq!(Element(a).times(Element(b)), product);
            prop_assert_eq!(Factor::new(Element(a)).times(Element(b)), product);
        }
    }
}
