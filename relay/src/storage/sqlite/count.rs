//! How much a database holds, counted beside a running relay. Reads indexes, not what is stored.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sqlx::{Connection, Row};

use super::{DatabaseError, view};

/// How much a database holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) mailboxes: u64,
    pub(crate) bundles: u64,
    pub(crate) envelopes: u64,
    pub(crate) blobs: u64,
    pub(crate) channels: u64,
    pub(crate) entries: u64,
    /// Tokens spent, as long as that is remembered.
    pub(crate) tokens_spent: u64,
    pub(crate) blocked: u64,
    /// Of the file, without free pages.
    pub(crate) bytes: u64,
}

impl Counts {
    /// Counts at one moment. `running` says whether a relay may be writing meanwhile.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub(crate) async fn read(path: &Path, running: bool) -> Result<Self, DatabaseError> {
        let mut connection = view::open(path, running).await?;
        let row = sqlx::query(
            "SELECT (SELECT count(*) FROM mailbox), (SELECT count(*) FROM bundle), (SELECT count(*) FROM envelope),
                    (SELECT count(*) FROM blob), (SELECT count(*) FROM channel), (SELECT count(*) FROM entry),
                    (SELECT count(*) FROM spent), (SELECT count(*) FROM blocked),
                    (SELECT (page_count - freelist_count) * page_size
                     FROM pragma_page_count, pragma_freelist_count, pragma_page_size)",
        );
        let row = row.fetch_one(&mut connection).await?;
        let count = |column| row.try_get(column).map(|count: i64| u64::try_from(count).unwrap_or(0));
        let counts = Self {
            mailboxes: count(0)?,
            bundles: count(1)?,
            envelopes: count(2)?,
            blobs: count(3)?,
            channels: count(4)?,
            entries: count(5)?,
            tokens_spent: count(6)?,
            blocked: count(7)?,
            bytes: count(8)?,
        };
        connection.close().await?;
        Ok(counts)
    }
}
