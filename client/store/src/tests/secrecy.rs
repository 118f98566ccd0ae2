//! What thieves of the files find: nothing, and of what was deleted not even those who have the key.

use super::{Profile, contains};
use crate::{Passphrase, Store, Transaction, Unlock, search};

const TEXT: &str = "meet me at the zqxjk lighthouse";

fn put(transaction: &Transaction<'_>, key: &[u8], text: &str) {
    transaction.guard(|connection| search::put(connection, key, text.as_bytes(), Some(text))).unwrap();
}

#[test]
fn no_file_holds_a_text_a_name_or_a_key() {
    let (profile, mut store) = Profile::create();
    store.add_slot(&Unlock::Passphrase(Passphrase::new("open sesame".into()))).unwrap();
    let transaction = store.begin().unwrap();
    put(&transaction, b"chat with alice", TEXT);
    let _proof = transaction.commit().unwrap();

    let Unlock::Recovery(recovery) = &profile.unlock else { panic!("profiles open by recovery key here") };
    let recovery = recovery.to_text();
    let key = *store.key().as_bytes();
    let hex = data_encoding::HEXLOWER.encode(&key);
    let secrets: [&[u8]; 9] = [
        TEXT.as_bytes(),
        b"zqxjk",
        b"chat with alice",
        b"open sesame",
        recovery.as_bytes(),
        &key,
        hex.as_bytes(),
        b"SQLite format",
        b"message_text",
    ];
    let search_files = || {
        for (name, bytes) in profile.files() {
            for (index, secret) in secrets.iter().enumerate() {
                assert!(!contains(&bytes, secret), "secret {index} in {name}");
            }
        }
    };
    assert!(profile.files().iter().any(|(name, bytes)| name == "database-wal" && !bytes.is_empty()));
    search_files();
    store.checkpoint().unwrap();
    search_files();
    assert!(contains(&pages(&store), TEXT.as_bytes()), "the search would find it, were it there");
}

#[test]
fn what_was_deleted_is_gone_from_the_pages() {
    let (_profile, mut store) = Profile::create();
    let transaction = store.begin().unwrap();
    for number in 0..50_u8 {
        put(&transaction, &[number], "nothing of note");
    }
    put(&transaction, b"secret", TEXT);
    let _proof = transaction.commit().unwrap();
    store.checkpoint().unwrap();
    assert!(contains(&pages(&store), b"zqxjk") && contains(&index_blocks(&store), b"zqx"));

    let transaction = store.begin().unwrap();
    transaction.guard(|connection| search::delete(connection, b"secret")).unwrap();
    let _proof = transaction.commit().unwrap();
    store.checkpoint().unwrap();
    assert!(!contains(&pages(&store), b"zqxjk"));
    assert!(!contains(&index_blocks(&store), b"zqx"));
    assert!(contains(&pages(&store), b"nothing of note"));
}

#[test]
fn debug_of_a_store_shows_neither_key_nor_place() {
    let (profile, mut store) = Profile::create();
    assert_eq!(format!("{store:?}"), "Store { key: DatabaseKey(..), .. }");
    assert_eq!(format!("{:?}", profile.unlock), "Recovery(RecoveryKey(..))");
    assert_eq!(format!("{:?}", store.reader().unwrap()), "Reader(..)");
    assert_eq!(format!("{:?}", store.begin().unwrap()), "Transaction { failed: false, .. }");
}

/// Every page as the key's holder sees it, free ones and free space included.
fn pages(store: &Store) -> Vec<u8> {
    store.connection().serialize("main").unwrap().to_vec()
}

/// The index's own blocks, in which terms share prefixes but a trigram of its own stands whole.
fn index_blocks(store: &Store) -> Vec<u8> {
    let mut statement = store.connection().prepare("SELECT block FROM message_text_data").unwrap();
    let blocks = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    blocks.map(Result::unwrap).collect::<Vec<_>>().concat()
}
