//! CBOR as a tree, so that an example can be changed in exactly one place and written again.
//!
//! [`Value`] holds what the wire uses and a little it must refuse. [`Value::encode`] writes deterministic CBOR (RFC 8949
//! §4.2.1); [`Value::encode_badly`] writes the same value in a form that a strict decoder refuses.

use minicbor::{Decoder, Encoder, data::Type};

/// A CBOR item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Major type 0.
    Uint(u64),
    /// -1: no integer of the wire is negative.
    MinusOne,
    /// Major type 2.
    Bytes(Vec<u8>),
    /// Major type 3.
    Text(String),
    /// Major type 4.
    Array(Vec<Value>),
    /// Major type 5; all keys of the wire are unsigned.
    Map(Vec<(u64, Value)>),
    /// True or false.
    Bool(bool),
    /// Null: an absent option is absent instead.
    Null,
}

/// Another way to write one item of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadForm {
    /// The item's number or length in more bytes than it needs.
    LongHead,
    /// A string, array or map of indefinite length.
    Indefinite,
    /// The first two entries of a map in the other order.
    SwappedKeys,
    /// The first entry of a map twice.
    DuplicateKey,
    /// A tag (55799, RFC 8949 §3.4.6) in front.
    Tagged,
}

impl BadForm {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::LongHead, Self::Indefinite, Self::SwappedKeys, Self::DuplicateKey, Self::Tagged];

    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Tagged => true,
            Self::LongHead => !matches!(value, Value::Bool(_) | Value::Null),
            Self::Indefinite => {
                matches!(value, Value::Bytes(_) | Value::Text(_) | Value::Array(_) | Value::Map(_))
            }
            Self::SwappedKeys => matches!(value, Value::Map(entries) if entries.len() > 1),
            Self::DuplicateKey => matches!(value, Value::Map(entries) if !entries.is_empty()),
        }
    }
}

impl Value {
    /// Reads one item.
    ///
    /// # Panics
    /// If the bytes are no CBOR of the kinds above: examples come from our own encoders.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut decoder = Decoder::new(bytes);
        let value = parse(&mut decoder).expect("examples are well-formed CBOR");
        assert_eq!(decoder.position(), bytes.len(), "an example is one item");
        value
    }

    /// Deterministic CBOR.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new(vec![]);
        write(&mut out, self, &mut vec![], None);
        out.into_writer()
    }

    /// The same value with the item at `path` written in a bad form; `None` where the form does not fit the item.
    pub fn encode_badly(&self, path: &[usize], form: BadForm) -> Option<Vec<u8>> {
        if !form.fits(self.at(path)) {
            return None;
        }
        let mut out = Encoder::new(vec![]);
        write(&mut out, self, &mut vec![], Some((path, form)));
        Some(out.into_writer())
    }

    /// The paths of all items, the root's (empty) first.
    pub fn paths(&self) -> Vec<Vec<usize>> {
        let mut all = vec![vec![]];
        for (index, child) in self.children().into_iter().enumerate() {
            all.extend(child.paths().into_iter().map(|path| [&[index][..], &path].concat()));
        }
        all
    }

    /// The item at a path.
    pub fn at(&self, path: &[usize]) -> &Self {
        path.iter().fold(self, |value, index| value.children()[*index])
    }

    /// The tree with the item at a path replaced.
    #[must_use]
    pub fn with(&self, path: &[usize], item: Self) -> Self {
        let Some((index, rest)) = path.split_first() else { return item };
        let mut whole = self.clone();
        let child = match &mut whole {
            Self::Array(items) => &mut items[*index],
            Self::Map(entries) => &mut entries[*index].1,
            leaf => panic!("a path leads through a leaf: {leaf:?}"),
        };
        *child = child.with(rest, item);
        whole
    }

    fn children(&self) -> Vec<&Self> {
        match self {
            Self::Array(items) => items.iter().collect(),
            Self::Map(entries) => entries.iter().map(|(_, value)| value).collect(),
            Self::Uint(_) | Self::MinusOne | Self::Bytes(_) | Self::Text(_) | Self::Bool(_) | Self::Null => vec![],
        }
    }
}

fn parse(decoder: &mut Decoder<'_>) -> Option<Value> {
    Some(match decoder.datatype().ok()? {
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => Value::Uint(decoder.u64().ok()?),
        Type::Bytes => Value::Bytes(decoder.bytes().ok()?.to_vec()),
        Type::String => Value::Text(decoder.str().ok()?.to_owned()),
        Type::Bool => Value::Bool(decoder.bool().ok()?),
        Type::Array => {
            let len = decoder.array().ok()??;
            Value::Array((0..len).map(|_| parse(decoder)).collect::<Option<_>>()?)
        }
        Type::Map => {
            let len = decoder.map().ok()??;
            Value::Map((0..len).map(|_| Some((decoder.u64().ok()?, parse(decoder)?))).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

/// Major types (RFC 8949 §3.1) in their place in an initial byte.
const UINT: u8 = 0 << 5;
const BYTES: u8 = 2 << 5;
const TEXT: u8 = 3 << 5;
const ARRAY: u8 = 4 << 5;
const MAP: u8 = 5 << 5;
const INDEFINITE: u8 = 31;
const BREAK: u8 = 0xff;

fn write(out: &mut Encoder<Vec<u8>>, value: &Value, here: &mut Vec<usize>, bad: Option<(&[usize], BadForm)>) {
    let form = bad.and_then(|(path, form)| (path == here.as_slice()).then_some(form));
    if form == Some(BadForm::Tagged) {
        out.writer_mut().extend_from_slice(&[0xd9, 0xd9, 0xf7]);
    }
    match value {
        Value::Uint(number) => head(out, UINT, *number, form),
        Value::MinusOne => out.writer_mut().push(0x20),
        Value::Bytes(bytes) => string(out, BYTES, bytes, form),
        Value::Text(text) => string(out, TEXT, text.as_bytes(), form),
        Value::Bool(flag) => out.writer_mut().push(if *flag { 0xf5 } else { 0xf4 }),
        Value::Null => out.writer_mut().push(0xf6),
        Value::Array(items) => {
            head(out, ARRAY, items.len() as u64, form);
            for (index, item) in items.iter().enumerate() {
                descend(out, item, index, here, bad);
            }
            end(out, form);
        }
        Value::Map(entries) => {
            let mut order: Vec<usize> = (0..entries.len()).collect();
            if form == Some(BadForm::SwappedKeys) {
                order.swap(0, 1);
            }
            if form == Some(BadForm::DuplicateKey) {
                order.insert(0, 0);
            }
            head(out, MAP, order.len() as u64, form);
            for index in order {
                head(out, UINT, entries[index].0, None);
                descend(out, &entries[index].1, index, here, bad);
            }
            end(out, form);
        }
    }
}

fn descend(
    out: &mut Encoder<Vec<u8>>,
    child: &Value,
    index: usize,
    here: &mut Vec<usize>,
    bad: Option<(&[usize], BadForm)>,
) {
    here.push(index);
    write(out, child, here, bad);
    here.pop();
}

fn string(out: &mut Encoder<Vec<u8>>, major: u8, bytes: &[u8], form: Option<BadForm>) {
    head(out, major, bytes.len() as u64, form);
    if form == Some(BadForm::Indefinite) {
        head(out, major, bytes.len() as u64, None);
    }
    out.writer_mut().extend_from_slice(bytes);
    end(out, form);
}

/// An initial byte with its argument (RFC 8949 §3), one size longer than needed if so asked.
fn head(out: &mut Encoder<Vec<u8>>, major: u8, argument: u64, form: Option<BadForm>) {
    let out = out.writer_mut();
    if form == Some(BadForm::Indefinite) {
        return out.push(major | INDEFINITE);
    }
    let shortest = match argument {
        0..=23 => 0,
        24..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 3,
        0x1_0000_0000.. => 4,
    };
    let size = if form == Some(BadForm::LongHead) { shortest + 1 } else { shortest };
    let bytes = argument.to_be_bytes();
    match size {
        0 => out.push(major | bytes[7]),
        size @ 1..=4 => {
            out.push(major | (23 + size));
            out.extend_from_slice(&bytes[8 - (1 << (size - 1))..]);
        }
        // Nothing is longer than eight bytes: leave out the argument's last byte instead, which is as wrong.
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&bytes[..7]);
        }
    }
}

fn end(out: &mut Encoder<Vec<u8>>, form: Option<BadForm>) {
    if form == Some(BadForm::Indefinite) {
        out.writer_mut().push(BREAK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Value {
        Value::Map(vec![
            (0, Value::Uint(500)),
            (1, Value::Array(vec![Value::Bytes(vec![7; 30]), Value::Text("hi".into()), Value::Bool(true)])),
        ])
    }

    #[test]
    fn a_tree_reads_back_as_written() {
        assert_eq!(Value::parse(&sample().encode()), sample());
    }

    #[test]
    fn every_bad_form_differs_from_the_good_one() {
        for path in sample().paths() {
            for form in BadForm::ALL {
                let Some(bytes) = sample().encode_badly(&path, form) else { continue };
                assert_ne!(bytes, sample().encode(), "{form:?} at {path:?}");
            }
        }
    }

    #[test]
    fn bad_forms_are_the_same_value_for_a_lenient_reader() {
        let long = sample().encode_badly(&[0], BadForm::LongHead).unwrap();
        assert_eq!(Value::parse(&long), sample());
    }
}
