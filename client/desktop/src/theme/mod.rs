//! Colours and sizes by name. View code has no others; a test reads it for literal ones.

mod tokens;

pub use tokens::{Colors, Sizes, Theme};
