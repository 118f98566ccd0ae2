//! The known keys of `relay.toml`, and what is said of an unknown one.

use std::cmp::Ordering;

use super::{ConfigError, Sections, endpoint};

/// The least likeness (Jaro-Winkler) at which a known key is named for an unknown one.
const LIKENESS_MIN: f64 = 0.7;

/// All keys of `relay.toml`, with their sections. A test holds them to what `write_config` writes.
pub(super) fn known() -> Vec<String> {
    let sections = Sections::KEYS.iter();
    let in_sections = sections.flat_map(|(name, keys)| keys.iter().map(move |key| format!("{name}.{key}")));
    endpoint::KEYS.iter().map(|key| (*key).to_owned()).chain(in_sections).collect()
}

/// Refuses what nobody reads: a mistyped limit must not look as if it held.
pub(super) fn check(table: &toml::Table) -> Result<(), ConfigError> {
    check_section("", table, &known())
}

fn check_section(section: &str, table: &toml::Table, known: &[String]) -> Result<(), ConfigError> {
    for (name, value) in table {
        let key = if section.is_empty() { name.clone() } else { format!("{section}.{name}") };
        let is_section = known.iter().any(|known| known.strip_prefix(&key).is_some_and(|rest| rest.starts_with('.')));
        match value {
            toml::Value::Table(table) if is_section => check_section(&key, table, known)?,
            _ if known.contains(&key) || is_section => {}
            _ => return Err(ConfigError::UnknownKey { nearest: nearest(&key), key }),
        }
    }
    Ok(())
}

fn nearest(key: &str) -> Option<String> {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    // Of those whose last word is alike, the one that is alike as a whole.
    let likeness = |known: &str| {
        let (whole, end) = (strsim::jaro_winkler(known, key), strsim::jaro_winkler(&last(known), &last(key)));
        (whole.max(end), whole)
    };
    let likenesses = known().into_iter().map(|known| (likeness(&known), known));
    let ((likeness, _), known) = likenesses.max_by(|(a, _), (b, _)| a.partial_cmp(b).unwrap_or(Ordering::Equal))?;
    (likeness >= LIKENESS_MIN).then_some(known)
}

/// What to do about an unknown key.
pub(super) fn hint(nearest: Option<&str>) -> String {
    match nearest {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("the known ones are {}", known().join(", ")),
    }
}
