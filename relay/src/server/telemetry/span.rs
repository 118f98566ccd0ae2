//! A span: something that took time. Words of this program and numbers, and no room for anything of anybody's.

use std::time::Instant;

use rand::Rng;

/// Attributes of a span.
pub(super) const ATTRIBUTES_MAX: usize = 3;

/// Which span of which trace. Random, so it says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) struct Context {
    pub(super) trace: [u8; 16],
    pub(super) span: [u8; 8],
}

/// Something that took time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) context: Context,
    pub(super) parent: Option<[u8; 8]>,
    pub(super) link: Option<Context>,
    /// From a client, or a part of what is done for one.
    pub(super) is_request: bool,
    pub(super) name: &'static str,
    pub(super) from: Instant,
    pub(super) to: Instant,
    pub(super) attributes: [Option<Attribute>; ATTRIBUTES_MAX],
}

/// Something about a span.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute {
    pub(super) key: &'static str,
    pub(super) value: Value,
}

/// What may be said.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    Word(&'static str),
    Count(u32),
}

impl Context {
    /// The first span of a trace of its own.
    pub(super) fn root(rng: &mut impl Rng) -> Self {
        let (mut trace, mut span) = ([0; 16], [0; 8]);
        rng.fill_bytes(&mut trace);
        rng.fill_bytes(&mut span);
        Self { trace, span }
    }

    /// Another span of the same trace.
    pub(super) fn sibling(self, rng: &mut impl Rng) -> Self {
        let mut span = [0; 8];
        rng.fill_bytes(&mut span);
        Self { span, ..self }
    }
}

impl Span {
    /// A span that stands for itself.
    pub(super) fn new(context: Context, name: &'static str, from: Instant, to: Instant) -> Self {
        Self {
            context,
            parent: None,
            link: None,
            is_request: false,
            name,
            from,
            to,
            attributes: [None; ATTRIBUTES_MAX],
        }
    }

    /// A part of `parent`.
    pub(super) fn part(parent: Context, rng: &mut impl Rng, name: &'static str, from: Instant, to: Instant) -> Self {
        Self { parent: Some(parent.span), ..Self::new(parent.sibling(rng), name, from, to) }
    }
}

impl Attribute {
    pub(super) const fn word(key: &'static str, word: &'static str) -> Self {
        Self { key, value: Value::Word(word) }
    }

    pub(super) const fn count(key: &'static str, count: u32) -> Self {
        Self { key, value: Value::Count(count) }
    }
}
