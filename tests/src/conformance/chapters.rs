//! The chapters of `spec/`: what they cite exists, what cites them finds its rule, and the sizes they tell are the code's.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use crate::layering::{root, words::sources};

/// The chapters by name, with their texts.
///
/// # Panics
/// If they cannot be read.
pub fn chapters() -> BTreeMap<String, String> {
    let entries = fs::read_dir(root().join("spec")).expect("spec/ is there");
    let paths = entries.map(|entry| entry.expect("an entry of spec/").path());
    let is_chapter = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
    let name = |path: &PathBuf| path.file_name().expect("a file has a name").to_string_lossy().into_owned();
    paths.filter(is_chapter).map(|path| (name(&path), fs::read_to_string(&path).expect("a chapter"))).collect()
}

/// The rules that a text defines: `**[SES-1] …**`.
pub fn defined(chapter: &str) -> BTreeSet<String> {
    let rule = |part: &str| part.split_once(']').map(|(rule, _)| rule.to_owned());
    chapter.split("**[").skip(1).filter_map(rule).collect()
}

/// The rules that a text names anywhere: `SES-` or `REL-` and what follows, inside square brackets.
pub fn cited(text: &str) -> BTreeSet<String> {
    let inside = text.split('[').skip(1).filter_map(|part| part.split_once(']')).map(|(inside, _)| inside);
    let rules = inside.flat_map(|inside| inside.split(", "));
    let is_rule = |rule: &&str| {
        let tail = rule.strip_prefix("SES-").or_else(|| rule.strip_prefix("REL-"));
        tail.is_some_and(|tail| !tail.is_empty() && tail.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()))
    };
    rules.filter(is_rule).map(str::to_owned).collect()
}

/// What a chapter puts between backticks.
pub fn quoted(chapter: &str) -> BTreeSet<String> {
    chapter.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// What looks like the name of a test: four words and more, joined by `_`. Shorter ones stand behind "Test:" alone.
pub fn quoted_tests(chapter: &str) -> BTreeSet<String> {
    let after = chapter.split("Test").skip(1).flat_map(|part| {
        let sentence = part.split(". ").next().unwrap_or_default();
        quoted(sentence.split("\n\n").next().unwrap_or_default())
    });
    let is_name = |name: &String| name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_');
    let is_long = |name: &String| name.matches('_').count() >= 3;
    after.chain(quoted(chapter).into_iter().filter(is_long)).filter(is_name).collect()
}

/// All functions that a source of this repository names with `fn`.
///
/// # Panics
/// If a source cannot be read.
pub fn functions() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for path in sources(&root()) {
        let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = |part: &str| part.split_once('(').map(|(name, _)| name.to_owned());
        all.extend(source.split("fn ").skip(1).filter_map(name));
    }
    all
}

/// The rules that the sources cite, each with one that does.
///
/// # Panics
/// If a source cannot be read.
pub fn cited_by_sources() -> BTreeMap<String, PathBuf> {
    let mut all = BTreeMap::new();
    for path in sources(&root()).into_iter().filter(|path| !path.ends_with("conformance/chapters.rs")) {
        let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        all.extend(cited(&source).into_iter().map(|rule| (rule, path.clone())));
    }
    all
}

/// The two columns of a table whose second one is a number.
pub fn sizes(chapter: &str) -> BTreeMap<String, usize> {
    let row = |line: &str| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, number] = cells[..] else { return None };
        Some((name.replace('`', ""), number.parse().ok()?))
    };
    chapter.lines().filter(|line| line.starts_with('|')).filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_and_tests_are_found_in_a_text() {
        let text = "**[SES-1] A rule.** As [REL-2, SES-3] says, and `a_b`.\nTests: `one`, `two_words`.\n\nSee `a_long_name_of_a_test`.";
        assert_eq!(defined(text), ["SES-1".to_owned()].into());
        assert_eq!(cited(text), ["REL-2", "SES-1", "SES-3"].map(str::to_owned).into());
        assert_eq!(quoted_tests(text), ["a_long_name_of_a_test", "one", "two_words"].map(str::to_owned).into());
    }

    #[test]
    fn a_table_of_sizes_is_read() {
        assert_eq!(sizes("| a | b |\n|---|---|\n| `info` x | 42 |\n"), [("info x".to_owned(), 42)].into());
    }
}
