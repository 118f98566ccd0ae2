//! Stories of the whole store.
