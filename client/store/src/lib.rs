//! The client's encrypted database.
