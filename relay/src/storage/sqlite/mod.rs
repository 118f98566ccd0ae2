//! The real store: SQLite.
