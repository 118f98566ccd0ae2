//! The number two people compare to know that no one stands between them: 60 digits over both roots.
//!
//! 30 digits a root, each of 5 from 5 bytes of its hash modulo 100,000, the smaller half first: both read the same
//! number.

use core::{fmt, str::FromStr};

use sotto_inner::{RootKey, labels};

use crate::kdf::sha256;

/// Digits in all.
const DIGITS: usize = 60;
/// Digits in a group.
const GROUP_DIGITS: usize = 5;

/// Sixty digits, in ASCII. `Display` prints twelve groups of five.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SafetyNumber([u8; DIGITS]);

/// A text is no safety number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a safety number has 60 digits; copy all of them")]
pub struct NotASafetyNumber;

/// The number of two accounts, whichever comes first.
pub fn safety_number(a: &RootKey, b: &RootKey) -> SafetyNumber {
    let (a, b) = (half(a), half(b));
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    let mut digits = [0; DIGITS];
    digits[..DIGITS / 2].copy_from_slice(&first);
    digits[DIGITS / 2..].copy_from_slice(&second);
    SafetyNumber(digits)
}

/// The 30 digits of one root.
fn half(root: &RootKey) -> [u8; DIGITS / 2] {
    let hash = sha256(&[labels::SAFETY_NUMBER, root.as_bytes()]);
    let mut digits = [0; DIGITS / 2];
    for (group, bytes) in digits.chunks_exact_mut(GROUP_DIGITS).zip(hash.chunks_exact(5)) {
        let number = bytes.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte)) % 100_000;
        group.copy_from_slice(format!("{number:05}").as_bytes());
    }
    digits
}

impl fmt::Display for SafetyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, group) in self.0.chunks_exact(GROUP_DIGITS).enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{}", str::from_utf8(group).map_err(|_| fmt::Error)?)?;
        }
        Ok(())
    }
}

/// Tells who talks with whom: prints no digits.
impl fmt::Debug for SafetyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("SafetyNumber(..)")
    }
}

impl FromStr for SafetyNumber {
    type Err = NotASafetyNumber;

    /// Reads sixty digits, whatever white space is between them.
    fn from_str(text: &str) -> Result<Self, NotASafetyNumber> {
        let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(NotASafetyNumber);
        }
        digits.try_into().map(Self).map_err(|_| NotASafetyNumber)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(a: u8, b: u8) -> SafetyNumber {
        safety_number(&[a; 32].into(), &[b; 32].into())
    }

    #[test]
    fn both_read_the_same_number() {
        assert_eq!(number(1, 2), number(2, 1));
    }

    #[test]
    fn another_root_on_either_side_gives_another_number() {
        assert_ne!(number(1, 2), number(1, 3));
        assert_ne!(number(1, 2), number(3, 2));
        assert_ne!(number(1, 1), number(1, 2));
    }

    #[test]
    fn it_prints_twelve_groups_of_five_digits_and_reads_back() {
        let text = number(1, 2).to_string();
        let groups: Vec<&str> = text.split(' ').collect();
        assert_eq!(groups.len(), 12);
        assert!(groups.iter().all(|group| group.len() == 5 && group.bytes().all(|byte| byte.is_ascii_digit())));
        assert_eq!(text.parse(), Ok(number(1, 2)));
        assert_eq!(text.replace(' ', "").parse(), Ok(number(1, 2)));
        assert_eq!(text.replace(' ', "\n ").parse(), Ok(number(1, 2)));
    }

    #[test]
    fn other_texts_are_refused() {
        let text = number(1, 2).to_string();
        assert_eq!("".parse::<SafetyNumber>(), Err(NotASafetyNumber));
        assert_eq!(text[1..].parse::<SafetyNumber>(), Err(NotASafetyNumber), "59 digits");
        assert_eq!(format!("{text}1").parse::<SafetyNumber>(), Err(NotASafetyNumber), "61 digits");
        assert_eq!(text.replacen(' ', "-", 1).parse::<SafetyNumber>(), Err(NotASafetyNumber), "a dash");
        assert_eq!(format!("x{}", &text[1..]).parse::<SafetyNumber>(), Err(NotASafetyNumber), "a letter");
    }

    #[test]
    fn debug_prints_no_digits() {
        insta::assert_snapshot!(format!("{:?}", number(1, 2)), @"SafetyNumber(..)");
    }
}
