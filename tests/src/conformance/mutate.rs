//! Changes of an example, each in one place: of the value (CDDL has a say) and of its writing (only the decoder has).

use super::value::{BadForm, Value};

/// A changed example.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// What was changed and where, for the first line of a failure.
    pub what: String,
    /// The example after the change.
    pub bytes: Vec<u8>,
}

/// Numbers at which some field of the wire changes from allowed to refused.
const NUMBERS: [u64; 22] = [
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    23,
    24,
    255,
    256,
    65_535,
    65_536,
    1_814_400,
    1_814_401,
    0xffff_ffff,
    0x1_0000_0000,
    u64::MAX,
];
/// Lengths at which some text of the wire does.
const TEXT_LENGTHS: [usize; 9] = [0, 1, 63, 64, 65, 256, 257, 60_000, 60_001];
/// Counts at which some list of the wire does.
const COUNTS: [usize; 11] = [0, 1, 8, 9, 25, 26, 200, 201, 256, 257, 512];

/// Every change of the value in one place: a field dropped, added, of another type, of another length, another number.
pub fn values(example: &Value) -> Vec<Mutant> {
    let mut all = vec![];
    for path in example.paths() {
        for (what, item) in replacements(example.at(&path)) {
            let bytes = example.with(&path, item).encode();
            all.push(Mutant { what: format!("{what} at {path:?}"), bytes });
        }
    }
    all
}

/// Every other way to write the same value: none of them may be read.
pub fn writings(example: &Value) -> Vec<Mutant> {
    let good = example.encode();
    let mut all = vec![
        Mutant { what: "a trailing byte".into(), bytes: [&good[..], &[0]].concat() },
        Mutant { what: "the example twice".into(), bytes: good.repeat(2) },
        Mutant { what: "the last byte missing".into(), bytes: good[..good.len() - 1].to_vec() },
        Mutant { what: "nothing at all".into(), bytes: vec![] },
    ];
    for path in example.paths() {
        for form in BadForm::ALL {
            let Some(bytes) = example.encode_badly(&path, form) else { continue };
            all.push(Mutant { what: format!("{form:?} at {path:?}"), bytes });
        }
    }
    all
}

fn replacements(item: &Value) -> Vec<(String, Value)> {
    let mut all = vec![("null".to_owned(), Value::Null), ("a negative number".to_owned(), Value::MinusOne)];
    match item {
        Value::Uint(number) => {
            all.push(("text for a number".into(), Value::Text(number.to_string())));
            all.push(("bytes for a number".into(), Value::Bytes(vec![1; 16])));
            all.push(("a truth value for a number".into(), Value::Bool(true)));
            // No map for a number: the validator takes a map that has a literal as a key for that literal.
            all.push(("a list for a number".into(), Value::Array(vec![Value::Uint(*number)])));
            let others = NUMBERS.iter().filter(|other| *other != number);
            all.extend(others.map(|other| (format!("{other} for {number}"), Value::Uint(*other))));
        }
        Value::MinusOne | Value::Null => {}
        Value::Bool(flag) => {
            all.push(("a number for a truth value".into(), Value::Uint(u64::from(*flag))));
            all.push(("the other truth value".into(), Value::Bool(!flag)));
        }
        Value::Bytes(bytes) => {
            all.push(("text for bytes".into(), Value::Text("a".repeat(bytes.len()))));
            all.push(("a list for bytes".into(), Value::Array(vec![])));
            all.push(("a map for bytes".into(), Value::Map(vec![])));
            all.push(("a number for bytes".into(), Value::Uint(bytes.len() as u64)));
            all.push(("no bytes".into(), Value::Bytes(vec![])));
            all.push(("one byte more".into(), Value::Bytes([&bytes[..], &[1]].concat())));
            if let Some((_, shorter)) = bytes.split_last() {
                all.push(("one byte less".into(), Value::Bytes(shorter.to_vec())));
            }
        }
        Value::Text(text) => {
            all.push(("bytes for text".into(), Value::Bytes(text.clone().into_bytes())));
            all.push(("a number for text".into(), Value::Uint(text.len() as u64)));
            all.extend(TEXT_LENGTHS.iter().map(|len| (format!("text of {len} bytes"), Value::Text("a".repeat(*len)))));
            all.push(("33 letters of two bytes".into(), Value::Text("é".repeat(33))));
            all.push(("a text with a space".into(), Value::Text("a b".into())));
        }
        Value::Array(items) => {
            all.push(("a map for a list".into(), Value::Map(vec![])));
            if let Some((last, shorter)) = items.split_last() {
                all.push(("the last item missing".into(), Value::Array(shorter.to_vec())));
                all.push((
                    "one item more".into(),
                    Value::Array([items.as_slice(), std::slice::from_ref(last)].concat()),
                ));
            }
            if is_list(items) {
                all.extend(
                    COUNTS.iter().map(|count| (format!("{count} items"), Value::Array(copies(&items[0], *count)))),
                );
            }
        }
        Value::Map(entries) => {
            all.push(("a list for a map".into(), Value::Array(vec![])));
            for index in 0..entries.len() {
                let mut fewer = entries.clone();
                let (key, _) = fewer.remove(index);
                all.push((format!("key {key} missing"), Value::Map(fewer)));
            }
            for key in (0..20).chain([255, 1_000]).filter(|key| entries.iter().all(|(taken, _)| taken != key)) {
                for added in [Value::Uint(1), Value::Bytes(vec![1; 16]), entries[0].1.clone()] {
                    let mut more = entries.clone();
                    more.push((key, added));
                    more.sort_by_key(|(key, _)| *key);
                    all.push((format!("key {key} added"), Value::Map(more)));
                }
            }
        }
    }
    // A list of two equal items is not what "one item more" is about where items have an order.
    all.retain(|(_, changed)| changed != item);
    all.into_iter().map(|(what, changed)| (what, order(changed))).collect()
}

/// A list has items of one kind; a record written as an array begins with a number.
fn is_list(items: &[Value]) -> bool {
    matches!(items.first(), Some(Value::Bytes(_) | Value::Map(_)))
}

/// As many different items like this one, ascending.
fn copies(item: &Value, count: usize) -> Vec<Value> {
    (0..count).map(|index| numbered(item, index)).collect()
}

/// An item whose first byte string begins with this number.
fn numbered(item: &Value, index: usize) -> Value {
    let number = u16::try_from(index).expect("lists are short").to_be_bytes();
    match item {
        Value::Bytes(bytes) if bytes.len() >= 2 => Value::Bytes([&number, &bytes[2..]].concat()),
        Value::Map(entries) => {
            let mut entries = entries.clone();
            entries[0].1 = numbered(&entries[0].1, index);
            Value::Map(entries)
        }
        other => other.clone(),
    }
}

/// Lists of maps are in the order of their first byte strings, and without repetition: "one item more" is renumbered.
fn order(value: Value) -> Value {
    match value {
        Value::Array(items) if is_list(&items) => {
            let renumbered = items.iter().enumerate().map(|(index, item)| numbered(item, index));
            Value::Array(renumbered.collect())
        }
        other => other,
    }
}
