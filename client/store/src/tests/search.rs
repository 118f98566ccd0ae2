//! The full-text index: in step with the rows, no hit missed, no query a language.

use rand::RngExt as _;
use sotto_engine::{ContactId, MessageStatus, Table, view};
use sotto_inner::{ContentId, HybridTime};

use super::{Profile, seeded};
use crate::{Store, Transaction, search};

fn put(transaction: &Transaction<'_>, key: &str, text: Option<&str>) {
    transaction.guard(|connection| search::put(connection, key.as_bytes(), b"value", text)).unwrap();
}

fn delete(transaction: &Transaction<'_>, key: &str) {
    transaction.guard(|connection| search::delete(connection, key.as_bytes())).unwrap();
}

fn store_with(texts: &[(&str, &str)]) -> (Profile, Store) {
    let (profile, mut store) = Profile::create();
    let transaction = store.begin().unwrap();
    for (key, text) in texts {
        put(&transaction, key, Some(text));
    }
    let _proof = transaction.commit().unwrap();
    (profile, store)
}

fn hits(store: &Store, query: &str) -> Vec<String> {
    let keys = store.reader().unwrap().snapshot().unwrap().search(query, 100).unwrap();
    keys.into_iter().map(|key| String::from_utf8(key).unwrap()).collect()
}

#[test]
fn finds_pieces_of_words_in_any_case_the_latest_first() {
    let (_profile, store) = store_with(&[
        ("a", "The quick brown fox"),
        ("b", "QUICKSILVER in a bottle"),
        ("c", "nothing here"),
        ("d", "Grüße aus Köln, straße"),
        ("e", "我们明天见面吧"),
    ]);
    assert_eq!(hits(&store, "quick"), ["b", "a"]);
    assert_eq!(hits(&store, "uick brow"), ["a"]);
    assert_eq!(hits(&store, "fox THE"), ["a"]);
    assert_eq!(hits(&store, "köln"), ["d"]);
    assert_eq!(hits(&store, "koln"), ["d"]);
    assert_eq!(hits(&store, "明天见"), ["e"]);
    assert_eq!(hits(&store, "明天"), ["e"]);
    assert_eq!(hits(&store, "in a"), ["b"]);
    assert_eq!(hits(&store, "missing"), [""; 0]);
    assert_eq!(hits(&store, " \t"), [""; 0]);
}

#[test]
fn limits_the_hits() {
    let (_profile, store) = store_with(&[("a", "same text"), ("b", "same text"), ("c", "same text")]);
    let mut reader = store.reader().unwrap();
    let snapshot = reader.snapshot().unwrap();
    assert_eq!(snapshot.search("same", 2).unwrap(), [b"c", b"b"]);
    assert_eq!(snapshot.search("sa", 1).unwrap(), [b"c"]);
    assert!(snapshot.search("same", 0).unwrap().is_empty());
}

#[test]
fn a_query_is_text_and_never_a_language() {
    let (_profile, store) = store_with(&[("a", "say \"hello\" AND (NOT) text:* ^star -minus"), ("b", "plain")]);
    for query in ["\"hello\"", "AND", "(NOT)", "text:*", "^star", "-minus", "\"hello\" AND", "\""] {
        assert_eq!(hits(&store, query), ["a"], "{query}");
    }
    for query in ["\"\"\"", "plain OR hello", "NEAR(plain)", "pla*", "rowid:1", "plain\"", "'; DROP TABLE meta; --"] {
        assert_eq!(hits(&store, query), [""; 0], "{query}");
    }
    assert_eq!(hits(&store, "pla\0in"), ["b"]);
}

#[test]
fn the_index_follows_puts_changes_and_deletions() {
    let (_profile, mut store) = store_with(&[("a", "first draft"), ("b", "kept")]);
    let transaction = store.begin().unwrap();
    put(&transaction, "a", Some("second version"));
    put(&transaction, "b", Some("kept"));
    let _proof = transaction.commit().unwrap();
    assert_eq!(
        (hits(&store, "first"), hits(&store, "second"), hits(&store, "kept")),
        (vec![], vec!["a".into()], vec!["b".into()])
    );

    let transaction = store.begin().unwrap();
    put(&transaction, "a", None);
    delete(&transaction, "b");
    delete(&transaction, "never there");
    let _proof = transaction.commit().unwrap();
    assert_eq!((hits(&store, "second"), hits(&store, "kept")), (vec![], vec![]));
}

#[test]
fn a_rollback_takes_the_index_along() {
    let (_profile, mut store) = store_with(&[("a", "stays")]);
    let transaction = store.begin().unwrap();
    put(&transaction, "b", Some("vanishes"));
    delete(&transaction, "a");
    drop(transaction);
    assert_eq!((hits(&store, "stays"), hits(&store, "vanishes")), (vec!["a".into()], vec![]));
}

#[test]
fn every_hit_of_a_plain_scan_is_found() {
    let mut rng = seeded();
    let signs = ['a', 'b', 'B', 'ñ', ' ', '"', '見', '1'];
    let mut text = |most: usize| -> String {
        (0..rng.random_range(0..most)).map(|_| signs[rng.random_range(0..signs.len())]).collect()
    };
    let texts: Vec<(String, String)> = (0..300).map(|number| (format!("{number:03}"), text(30))).collect();
    let queries: Vec<String> = (0..300).map(|_| text(6)).collect();
    let (_profile, store) =
        store_with(&texts.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect::<Vec<_>>());

    let mut reader = store.reader().unwrap();
    let snapshot = reader.snapshot().unwrap();
    for query in queries {
        let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
        let holds = |text: &str| !words.is_empty() && words.iter().all(|word| text.to_lowercase().contains(word));
        let expected: Vec<_> =
            texts.iter().rev().filter(|(_, text)| holds(text)).map(|(key, _)| key.as_bytes().to_vec()).collect();
        assert_eq!(snapshot.search(&query, 1000).unwrap(), expected, "{query:?}");
    }
}

/// A message's row in the engine's encoding.
#[derive(minicbor::Encode)]
#[cbor(map)]
struct MessageRow {
    #[n(0)]
    chat: ContactId,
    #[n(1)]
    id: ContentId,
    #[n(2)]
    author: ContactId,
    #[n(3)]
    time: HybridTime,
    #[n(4)]
    stored_millis: u64,
    #[n(5)]
    status: MessageStatus,
    #[n(6)]
    text: String,
}

impl MessageRow {
    fn encoded(text: &str, status: MessageStatus) -> Vec<u8> {
        let row = Self {
            chat: [1; 32].into(),
            id: [2; 16].into(),
            author: [3; 32].into(),
            time: HybridTime(4),
            stored_millis: 5,
            status,
            text: text.to_owned(),
        };
        let bytes = minicbor::to_vec(row).unwrap();
        assert_eq!(view::message_text(&bytes).as_deref(), Some(text), "the engine's encoding");
        bytes
    }
}

#[test]
fn a_message_written_as_a_row_is_found_by_its_text() {
    let (_profile, mut store) = Profile::create();
    let mut write = |row: Option<&[u8]>| {
        let transaction = store.begin().unwrap();
        transaction.write(Table::Message, b"k", row).unwrap();
        let _proof = transaction.commit().unwrap();
        hits(&store, "lighthouse")
    };
    assert_eq!(write(Some(&MessageRow::encoded("the lighthouse", MessageStatus::Queued))), ["k"]);
    assert_eq!(write(Some(&MessageRow::encoded("the lighthouse", MessageStatus::Sent))), ["k"]);
    assert_eq!(write(Some(&MessageRow::encoded("the harbour", MessageStatus::Sent))), [""; 0]);
    assert_eq!(write(Some(&MessageRow::encoded("lighthouse", MessageStatus::Sent))), ["k"]);
    assert_eq!(write(None), [""; 0]);
}
