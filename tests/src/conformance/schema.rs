//! The CDDL of `spec/`, asked whether a value is one of its types.

use std::collections::BTreeSet;

use cddl::{
    ast::CDDL,
    parser::cddl_from_str,
    validator::{Validator, cbor::CBORValidator, cbor_value::decode_cbor},
};

const OUTER: &str = include_str!("../../../spec/outer.cddl");
const INNER: &str = include_str!("../../../spec/inner.cddl");

/// The text in which `rule` comes first, which makes it the one that is asked for.
pub fn text(rule: &str) -> String {
    format!("asked = {rule}\n{}\n{}", anchored(OUTER), anchored(INNER))
}

/// `.regexp` means the whole text (RFC 8610 §3.8.3), and the validator would be content with a part: it is told.
fn anchored(cddl: &str) -> String {
    let line = |line: &str| match line.split_once(".regexp \"") {
        Some((before, after)) => format!("{before}.regexp \"^{}\n", after.replacen('"', "$\"", 1)),
        None => format!("{line}\n"),
    };
    cddl.lines().map(line).collect()
}

/// All rules of both files by name, in order.
pub fn rules() -> Vec<String> {
    let named = |line: &str| {
        let (name, _) = line.split_once(" = ")?;
        let is_name = name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
        is_name.then(|| name.to_owned())
    };
    OUTER.lines().chain(INNER.lines()).filter_map(named).collect()
}

/// The names and signs that make up a rule.
pub fn body(rule: &str) -> BTreeSet<String> {
    let start = format!("{rule} = ");
    let own = OUTER.lines().chain(INNER.lines()).skip_while(|line| !line.starts_with(&start));
    let own = own.enumerate().take_while(|(index, line)| *index == 0 || !line.contains(" = ")).map(|(_, line)| line);
    let code = own.map(|line| line.strip_prefix(&start).unwrap_or(line)).filter_map(|line| line.split(';').next());
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    code.flat_map(|line| line.split(move |c| !is_name(c))).map(str::to_owned).collect()
}

/// One rule of the CDDL.
pub struct Schema<'a> {
    cddl: CDDL<'a>,
}

impl<'a> Schema<'a> {
    /// Reads a text made by [`text`].
    ///
    /// # Panics
    /// If it is no CDDL.
    pub fn new(text: &'a str) -> Self {
        Self { cddl: cddl_from_str(text, true).expect("spec/*.cddl is CDDL") }
    }

    /// Whether the CBOR item is one of the asked type.
    ///
    /// # Errors
    /// What the validator says against it.
    pub fn check(&self, bytes: &[u8]) -> Result<(), String> {
        let value = decode_cbor(bytes).map_err(|error| error.to_string())?;
        CBORValidator::new(&self.cddl, value, None).validate().map_err(|error| error.to_string())
    }
}
