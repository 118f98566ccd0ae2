//! What people in a made profile are called, and what they say: a word or a page, in several scripts.

use crate::world::chance::Chance;

/// The name of one of many people.
pub(super) fn name(number: usize) -> String {
    let (given, family) = (GIVEN[number % GIVEN.len()], FAMILY[number / GIVEN.len() % FAMILY.len()]);
    format!("{given} {family}")
}

/// A message: mostly a sentence, often a word or two, seldom a page.
pub(super) fn text(chance: &mut Chance) -> String {
    let words = match chance.below(100) {
        0..20 => chance.between(1, 2),
        20..85 => chance.between(3, 14),
        85..99 => chance.between(15, 60),
        _ => chance.between(100, 400),
    };
    let script = match chance.below(20) {
        0..13 => &LATIN[..],
        13..16 => &CYRILLIC[..],
        16..18 => &HAN[..],
        18 => &ARABIC[..],
        _ => &SIGNS[..],
    };
    let mut text = String::new();
    for number in 0..words {
        if number > 0 {
            text.push_str(if number % 23 == 22 { "\n" } else { " " });
        }
        // Something that few other messages say, so that a search can find few.
        if chance.one_in(12) {
            text.push_str(&format!("{:05}", chance.below(100_000)));
        } else {
            text.push_str(chance.pick(script).expect("a script has words"));
        }
    }
    text
}

const GIVEN: [&str; 25] = [
    "Anna",
    "Ben",
    "Chiara",
    "Dmitri",
    "Élodie",
    "Farid",
    "Gökçe",
    "Hana",
    "Ivo",
    "Jörg",
    "Katarína",
    "Łucja",
    "Mei",
    "Nikos",
    "Olga",
    "Paweł",
    "Quynh",
    "Rosa",
    "Søren",
    "Tamar",
    "Ulrike",
    "Víctor",
    "Wanjiru",
    "Ximena",
    "陽子",
];

const FAMILY: [&str; 8] = ["Arendt", "Brzęk", "Castellanos", "Demir", "Eriksen", "Fontaine", "García", "Holm"];

const LATIN: [&str; 64] = [
    "yes",
    "no",
    "and",
    "then",
    "we",
    "meet",
    "at",
    "the",
    "station",
    "tomorrow",
    "morning",
    "if",
    "it",
    "rains",
    "bring",
    "an",
    "umbrella",
    "I",
    "will",
    "be",
    "there",
    "about",
    "noon",
    "train",
    "was",
    "late",
    "again",
    "coffee",
    "first",
    "please",
    "thanks",
    "love",
    "photo",
    "of",
    "garden",
    "dog",
    "asleep",
    "on",
    "sofa",
    "Grüße",
    "später",
    "Straße",
    "schön",
    "café",
    "déjà",
    "mañana",
    "señora",
    "não",
    "coração",
    "smörgås",
    "ægte",
    "żółw",
    "gęś",
    "kitchen",
    "window",
    "open",
    "close",
    "number",
    "is",
    "did",
    "you",
    "read",
    "letter",
    "haha",
];

const CYRILLIC: [&str; 24] = [
    "привет",
    "завтра",
    "утром",
    "на",
    "вокзале",
    "если",
    "будет",
    "дождь",
    "возьми",
    "зонт",
    "я",
    "опоздаю",
    "спасибо",
    "конечно",
    "да",
    "нет",
    "кофе",
    "потом",
    "поезд",
    "собака",
    "спит",
    "дома",
    "и",
    "ждём",
];

const HAN: [&str; 16] = [
    "明天早上",
    "车站见",
    "好的",
    "谢谢",
    "下雨",
    "带伞",
    "咖啡",
    "火车晚点",
    "ありがとう",
    "また明日",
    "駅で会いましょう",
    "雨です",
    "고마워요",
    "내일 봐요",
    "커피",
    "기차",
];

const ARABIC: [&str; 12] =
    ["مرحبا", "غدا", "صباحا", "في", "المحطة", "شكرا", "نعم", "لا", "قهوة", "قطار", "שלום", "תודה"];

const SIGNS: [&str; 10] =
    ["😀", "👍", "❤️", "👨‍👩‍👧", "🎉", "🇫🇷", "…", "¯\\_(ツ)_/¯", "https://example.org/a?b=1", "\"quoted\""];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn two_hundred_people_have_two_hundred_names() {
        let names: BTreeSet<_> = (0..GIVEN.len() * FAMILY.len()).map(name).collect();
        assert_eq!(names.len(), 200);
    }
}
