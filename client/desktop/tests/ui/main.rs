//! The window as people and screen readers meet it: every state with its picture, the flows by what the controls are called,
//! and that each of them can be reached and has a name.
//!
//! Pictures are taken where Mesa's software renderer draws, with the built-in fonts alone, at scale 1, without motion, at a
//! fixed time; elsewhere the words are still looked for. After a change that is meant to be seen:
//! `UPDATE_SNAPSHOTS=1 cargo test -p sotto-desktop --test ui`, and look at what changed in `tests/snapshots`.

mod access;
mod fixtures;
mod flows;
mod house;
mod states;
mod talk;
