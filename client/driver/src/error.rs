//! Why the driver did not do what was asked, by whose doing it was.

use std::sync::Arc;

use sotto_engine::{IntentError, RowsError};
use sotto_store::StoreError;

/// Why the driver did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ClientError {
    /// The engine refused; nothing was changed.
    #[error(transparent)]
    Refused(#[from] IntentError),
    /// The disk, or what lies on it. Nothing was changed, unless it says otherwise.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// Reading failed.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// The disk failed after this was stored and before it was answered.
    #[error(
        "the answer was lost because the disk failed in between; what was saved is safe. Look whether it was done, and try again"
    )]
    Interrupted,
    /// The client is closed.
    #[error("this client is closed")]
    Closed,
}

impl ClientError {
    /// A word for logs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Store(error) => error.kind(),
            Self::Rows(_) => "unreadable",
            Self::Interrupted => "interrupted",
            Self::Closed => "closed",
        }
    }
}

impl From<StoreError> for ClientError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}
