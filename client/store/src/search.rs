//! The full-text index over messages, kept in step with their rows, and the search in it.
//!
//! Trigrams, so that any piece of a word in any script is found and no hit of a plain scan is missed; words of one or two
//! signs, which trigrams cannot hold, are looked for in the texts themselves. `secure-delete` takes a deleted text out of
//! the index at once instead of at the next merge.

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, params};
use zeroize::Zeroizing;

/// The SQL that makes the index; it needs the table `message`.
pub(crate) const SCHEMA: &str = "
    CREATE VIRTUAL TABLE message_text USING fts5 (text, tokenize = 'trigram remove_diacritics 1');
    INSERT INTO message_text (message_text, rank) VALUES ('secure-delete', 1);
";

/// Puts a message's row and its searchable text, if it has one.
pub(crate) fn put(connection: &Connection, key: &[u8], value: &[u8], text: Option<&str>) -> rusqlite::Result<()> {
    let id: i64 = connection
        .prepare_cached(
            "INSERT INTO message (key, value) VALUES (?1, ?2)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value RETURNING id",
        )?
        .query_row([key, value], |row| row.get(0))?;
    // A message's row is written anew with each step of its delivery; its text seldom changes.
    let indexed = indexed_text(connection, id)?;
    if indexed.as_ref().map(|text| text.as_str()) == text {
        return Ok(());
    }
    if indexed.is_some() {
        unindex(connection, id)?;
    }
    let Some(text) = text else { return Ok(()) };
    connection
        .prepare_cached("INSERT INTO message_text (rowid, text) VALUES (?1, ?2)")?
        .execute(params![id, text])
        .map(drop)
}

/// Deletes a message's row and takes its text out of the index.
pub(crate) fn delete(connection: &Connection, key: &[u8]) -> rusqlite::Result<()> {
    let id = connection
        .prepare_cached("DELETE FROM message WHERE key = ?1 RETURNING id")?
        .query_row([key], |row| row.get(0))
        .optional()?;
    let Some(id) = id else { return Ok(()) };
    unindex(connection, id)
}

/// Keys of at most `limit` messages that hold every word of the query, the one stored last first.
pub(crate) fn search(connection: &Connection, query: &str, limit: usize) -> rusqlite::Result<Vec<Vec<u8>>> {
    let words = Words::of(query);
    if words.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = prepare_search(connection, !words.long.is_empty())?;
    let mut rows = if words.long.is_empty() { statement.query([])? } else { statement.query([words.expression()])? };
    let mut keys = Vec::new();
    while keys.len() < limit
        && let Some(row) = rows.next()?
    {
        if words.short_ones_are_in(row)? {
            keys.push(row.get(0)?);
        }
    }
    Ok(keys)
}

fn prepare_search(connection: &Connection, indexed: bool) -> rusqlite::Result<CachedStatement<'_>> {
    let condition = if indexed { "WHERE message_text MATCH ?1" } else { "" };
    connection.prepare_cached(&format!(
        "SELECT message.key, message_text.text FROM message_text JOIN message ON message.id = message_text.rowid
         {condition} ORDER BY message_text.rowid DESC"
    ))
}

fn indexed_text(connection: &Connection, id: i64) -> rusqlite::Result<Option<Zeroizing<String>>> {
    connection
        .prepare_cached("SELECT text FROM message_text WHERE rowid = ?1")?
        .query_row([id], |row| row.get(0).map(Zeroizing::new))
        .optional()
}

fn unindex(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM message_text WHERE rowid = ?1")?.execute([id]).map(drop)
}

/// The words of a query. A person's text, never the index's query language.
struct Words {
    /// Three signs or more: the index finds them.
    long: Vec<String>,
    /// One or two signs, in small letters.
    short: Vec<String>,
}

impl Words {
    /// Control signs part words as spaces do: none is ever in a query on purpose, and a NUL would cut the expression.
    fn of(query: &str) -> Self {
        let words = query.split(|sign: char| sign.is_whitespace() || sign.is_control()).filter(|word| !word.is_empty());
        let (long, short): (Vec<_>, Vec<_>) = words.partition(|word| word.chars().count() >= TRIGRAM);
        Self {
            long: long.into_iter().map(str::to_owned).collect(),
            short: short.into_iter().map(str::to_lowercase).collect(),
        }
    }

    fn is_empty(&self) -> bool {
        self.long.is_empty() && self.short.is_empty()
    }

    /// All long words as FTS5 strings, in which only the quotation mark has a meaning.
    fn expression(&self) -> String {
        self.long.iter().map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect::<Vec<_>>().join(" ")
    }

    fn short_ones_are_in(&self, row: &Row<'_>) -> rusqlite::Result<bool> {
        if self.short.is_empty() {
            return Ok(true);
        }
        let text = Zeroizing::new(row.get_ref(1)?.as_str()?.to_lowercase());
        Ok(self.short.iter().all(|word| text.contains(word)))
    }
}

const TRIGRAM: usize = 3;
