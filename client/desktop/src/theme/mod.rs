//! Colours and sizes by name. View code has no others; a test reads it for literal ones.

mod fonts;
#[cfg(test)]
mod lint;
mod style;
mod system;
mod tokens;

pub use fonts::{mono, regular, semibold};
pub use style::install;
pub use system::use_system_fonts;
pub use tokens::{Colors, Sizes, Theme};
