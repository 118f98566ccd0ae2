//! How hard a passphrase is to guess: an estimate that errs low, for a bar under the field.

/// How hard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strength {
    /// Too short to be taken.
    Short,
    /// Found in hours by whoever has the disk.
    Weak,
    /// Found with effort.
    Fair,
    /// Not found.
    Strong,
}

/// What a passphrase has at least.
pub(super) const CHARS_MIN: usize = 8;
/// Bits from which a passphrase is fair, and strong. Argon2id makes each guess about 17 bits dearer.
const FAIR_BITS: f32 = 35.0;
const STRONG_BITS: f32 = 55.0;
/// What everybody tries first; a passphrase that is one of these with decoration gains nothing from it.
const COMMON: [&str; 24] = [
    "password",
    "passwort",
    "passphrase",
    "123456",
    "qwerty",
    "qwertz",
    "azerty",
    "letmein",
    "welcome",
    "monkey",
    "dragon",
    "iloveyou",
    "admin",
    "abc123",
    "football",
    "baseball",
    "sunshine",
    "princess",
    "shadow",
    "master",
    "secret",
    "hello",
    "login",
    "sotto",
];

impl Strength {
    /// Estimates.
    pub(super) fn of(passphrase: &str) -> Self {
        if passphrase.chars().count() < CHARS_MIN {
            return Self::Short;
        }
        match bits(passphrase) {
            bits if bits >= STRONG_BITS => Self::Strong,
            bits if bits >= FAIR_BITS => Self::Fair,
            _ => Self::Weak,
        }
    }

    /// One word or a short advice.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Short => "At least 8 characters",
            Self::Weak => "Weak: four random words are better",
            Self::Fair => "Fair",
            Self::Strong => "Strong",
        }
    }

    /// How much of the bar is filled, 0 to 1.
    pub(super) const fn share(self) -> f32 {
        match self {
            Self::Short => 0.1,
            Self::Weak => 0.3,
            Self::Fair => 0.6,
            Self::Strong => 1.0,
        }
    }
}

/// Bits of surprise: each character by the size of its class, next to nothing where it repeats or continues the one before.
fn bits(passphrase: &str) -> f32 {
    let lower = passphrase.to_lowercase();
    let common: usize = COMMON.iter().filter(|word| lower.contains(**word)).map(|word| word.len()).sum();
    let mut before = None;
    let mut bits = 0.0;
    for char in passphrase.chars() {
        let continues = before.is_some_and(|before: char| u32::from(before).abs_diff(u32::from(char)) <= 1);
        bits += if continues { 0.5 } else { class_bits(char) };
        before = Some(char);
    }
    bits - common as f32 * 3.0
}

/// Letters count as in words, about half of what random ones would be worth.
fn class_bits(char: char) -> f32 {
    match char {
        'a'..='z' => 2.6,
        'A'..='Z' => 3.6,
        '0'..='9' => 3.0,
        ' ' => 1.0,
        _ => 5.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_everybody_tries_is_weak() {
        for passphrase in
            ["password1", "Password123", "12345678", "aaaaaaaaaaaaaaaaaaaa", "abcdefghijklmnop", "qwerty2026!"]
        {
            assert_eq!(Strength::of(passphrase), Strength::Weak, "{passphrase}");
        }
    }

    #[test]
    fn words_and_random_characters_are_strong() {
        for passphrase in ["correct horse battery staple", "orbit walnut pepper canal", "vT9#qLm2&xZp4!sR"] {
            assert_eq!(Strength::of(passphrase), Strength::Strong, "{passphrase}");
        }
    }

    #[test]
    fn what_is_too_short_is_told() {
        assert_eq!(Strength::of("vT9#q"), Strength::Short);
        assert_eq!(Strength::of(""), Strength::Short);
    }
}
