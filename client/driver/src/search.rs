//! Search in all messages.

use sotto_engine::{MessageView, Rows as _, Table, view};

use crate::{Client, ClientError};

impl Client {
    /// At most `limit` messages that hold every word of the query, or a piece of a word, the one stored last first.
    ///
    /// # Errors
    /// [`ClientError::Store`], [`ClientError::Rows`], [`ClientError::Closed`].
    pub fn search(&self, query: &str, limit: usize) -> Result<Vec<MessageView>, ClientError> {
        self.view(|rows| {
            let mut found = Vec::new();
            for key in rows.search(query, limit)? {
                if let Some(row) = rows.get(Table::Message, &key)? {
                    found.push(view::message_of_row(&row)?);
                }
            }
            Ok(found)
        })
    }
}
