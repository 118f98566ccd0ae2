//! What the panels are made of. Each control has a name for screen readers, can be reached by Tab, shows who has the
//! keyboard, and is at least 32 points where it is hit.

mod avatar;
mod button;
mod card;
mod dialog;
mod field;
mod focus;
mod label;
mod qr;
mod switch;

pub use avatar::{avatar, badge, paint_avatar};
pub use button::{Kind, button, button_wide, chip, icon_button, link, row_button, toggle};
pub(crate) use button::{control, warmth};
pub use card::{banner, card};
pub use dialog::{dialog, modal};
pub use field::{Field, field, forget_typed, search_field, wipe_undo};
pub use focus::focus_ring;
pub use label::{body, caption, centered, danger, dim, elided, heading, line, paragraph, small, strong, title};
pub use qr::qr;
pub use switch::switch;
