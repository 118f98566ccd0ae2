//! Conformance: the code against `spec/`.
//!
//! For every wire type there are examples made by the code, the CDDL rule that describes it, and its *door*: the function by
//! which bytes from outside become that type, with all its checks. Each example is changed in one place at a time, thousands
//! of times; rule and door must agree about every change, and no second way to write an example may pass.
//!
//! - [`value`] and [`mutate`] change examples, [`schema`] asks the CDDL.
//! - [`outer`] and [`inner`] have the types; [`registry`] compares the numbers of `spec/registry.toml` with the code's.
//! - [`chapters`] looks after what the prose cites.

pub mod chapters;
pub mod inner;
pub mod mutate;
pub mod outer;
pub mod registry;
pub mod schema;
pub mod value;

use value::Value;

/// A wire type: its rule, its door and its examples.
pub struct Case {
    /// Name of the CDDL rule.
    pub rule: &'static str,
    /// Lets bytes in, or says why not.
    pub door: fn(&[u8]) -> Result<(), String>,
    /// What each example is, and its bytes.
    pub examples: Vec<(&'static str, Vec<u8>)>,
}

/// How much a case was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Bytes that rule and door both let in, examples included.
    pub accepted: usize,
    /// Changes of a value that both refused.
    pub refused: usize,
    /// Other ways to write an example, all refused at the door.
    pub misspelt: usize,
}

impl Case {
    /// Asks rule and door about every example and every change of it.
    ///
    /// # Errors
    /// Every disagreement, one a line.
    pub fn check(&self) -> Result<Tally, String> {
        let text = schema::text(self.rule);
        let schema = schema::Schema::new(&text);
        let mut tally = Tally::default();
        let mut wrong = vec![];
        for (name, bytes) in &self.examples {
            let example = Value::parse(bytes);
            match (schema.check(bytes), (self.door)(bytes)) {
                (Ok(()), Ok(())) => tally.accepted += 1,
                (rule, door) => wrong.push(format!("{name}: rule {rule:?}, door {door:?}")),
            }
            for mutant in mutate::values(&example) {
                match (schema.check(&mutant.bytes), (self.door)(&mutant.bytes)) {
                    (Ok(()), Ok(())) => tally.accepted += 1,
                    (Err(_), Err(_)) => tally.refused += 1,
                    (rule, door) => wrong.push(format!("{name}, {}: rule {rule:?}, door {door:?}", mutant.what)),
                }
            }
            for mutant in mutate::writings(&example) {
                match (self.door)(&mutant.bytes) {
                    Err(_) => tally.misspelt += 1,
                    Ok(()) => wrong.push(format!("{name}, {}: the door let it in", mutant.what)),
                }
            }
        }
        if wrong.is_empty() { Ok(tally) } else { Err(format!("{}:\n{}", self.rule, wrong.join("\n"))) }
    }
}

/// All wire types.
pub fn cases() -> Vec<Case> {
    outer::cases().into_iter().chain(inner::cases()).collect()
}
