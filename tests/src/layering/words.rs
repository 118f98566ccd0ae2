//! Sources read for names that do not belong where they stand.
//!
//! Comments and texts are no code and are left out; so is what is compiled for tests alone: a `mod` behind `#[cfg(test)]`, in its
//! braces (the last thing in a file of this house) or in a file of its own.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A word in a place it does not belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Line, from 1.
    pub line: usize,
    /// Which word.
    pub word: String,
}

/// All Rust sources below a folder, in order.
///
/// # Panics
/// If the folder cannot be read: a room that has moved must move here too.
pub fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found = vec![];
    for path in entries.map(|entry| entry.expect("a folder's entry").path()) {
        let hidden = path.file_name().is_none_or(|name| name == "target" || name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The sources below a folder that are compiled for more than tests.
///
/// # Panics
/// If one cannot be read.
pub fn shipped_sources(folder: &Path) -> Vec<PathBuf> {
    let all = sources(folder);
    let read = |path: &PathBuf| fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let tests: Vec<PathBuf> = all.iter().flat_map(|path| test_modules(path, &read(path))).collect();
    let is_test =
        |path: &PathBuf| tests.iter().any(|module| path.starts_with(module) || *path == module.with_extension("rs"));
    all.into_iter().filter(|path| !is_test(path)).collect()
}

/// The modules in files of their own that a source declares for tests alone: where each lies, without `.rs`.
fn test_modules(path: &Path, source: &str) -> Vec<PathBuf> {
    let stem = path.file_stem().unwrap_or_default();
    let owns_folder = ["lib", "main", "mod"].iter().any(|name| stem == *name);
    let folder = if owns_folder { path.with_file_name("") } else { path.with_extension("") };
    let lines: Vec<_> = source.lines().collect();
    let behind = lines.windows(2).filter(|pair| pair[0].trim() == TESTS_ONLY).map(|pair| pair[1]);
    behind.filter_map(module_name).map(|name| folder.join(name)).collect()
}

fn module_name(line: &str) -> Option<&str> {
    line.split_once("mod ")?.1.strip_suffix(';')
}

const TESTS_ONLY: &str = "#[cfg(test)]";

/// Where a source names one of the words, outside of comments, texts and tests.
pub fn findings(source: &str, words: &[&str]) -> Vec<Finding> {
    let code = blank_texts(source);
    let lines: Vec<_> = code.lines().collect();
    let tests = lines.windows(2).position(|pair| pair[0].trim() == TESTS_ONLY && module_name(pair[1]).is_none());
    let lines = lines.into_iter().take(tests.unwrap_or(usize::MAX)).enumerate();
    lines
        .flat_map(|(index, line)| {
            let named = words.iter().filter(|word| names(line, word));
            named.map(|word| Finding { line: index + 1, word: (*word).to_owned() }).collect::<Vec<_>>()
        })
        .collect()
}

/// Whether a line has the word as a whole.
fn names(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// The source with comments and the insides of texts blanked, lines kept.
fn blank_texts(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if c == '"' {
            text_len(rest)
        } else if rest.starts_with("'\"'") {
            3
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        out.extend(rest[..skipped].chars().filter(|c| *c == '\n'));
        rest = &rest[skipped..];
    }
    out
}

/// Length of the text literal at the beginning, quotes included.
fn text_len(rest: &str) -> usize {
    let mut escaped = false;
    for (index, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !escaped => return index + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str) -> Vec<(usize, String)> {
        let words = ["SystemTime", "std::fs", "unsafe"];
        findings(source, &words).into_iter().map(|finding| (finding.line, finding.word)).collect()
    }

    #[test]
    fn a_clock_in_code_is_found() {
        let source = "fn now() -> u64 {\n    std::time::SystemTime::now()\n}\n";
        assert_eq!(found(source), [(2, "SystemTime".to_owned())]);
    }

    #[test]
    fn a_clock_behind_a_text_is_found() {
        assert_eq!(found("let a = \"// no comment\"; SystemTime::now();"), [(1, "SystemTime".to_owned())]);
        assert_eq!(found("let a = \"\\\"\"; std::fs::read(a);"), [(1, "std::fs".to_owned())]);
        assert_eq!(found("let quote = '\"'; unsafe { a() }"), [(1, "unsafe".to_owned())]);
    }

    #[test]
    fn comments_texts_and_longer_words_are_not() {
        assert_eq!(found("// SystemTime\n/* std::fs */\nlet a = \"unsafe\"; unsafe_code; MySystemTime;"), []);
    }

    #[test]
    fn tests_are_not() {
        assert_eq!(found("fn a() {}\n\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n"), []);
        let between = found("#[cfg(test)]\nmod people;\nuse std::fs;\n");
        assert_eq!(between, [(3, "std::fs".to_owned())], "what follows a test module's name is no test");
    }

    #[test]
    fn a_file_of_tests_is_one_that_is_declared_so() {
        let source = "mod a;\n#[cfg(test)]\npub(crate) mod testing;\n#[cfg(test)]\nmod tests {\n}\n";
        let of = |path: &str| test_modules(Path::new(path), source);
        assert_eq!(of("crypto/src/lib.rs"), [Path::new("crypto/src/testing")]);
        assert_eq!(of("crypto/src/bundle.rs"), [Path::new("crypto/src/bundle/testing")]);
    }
}
