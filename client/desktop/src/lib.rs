//! Sotto in a window: calm, quick, everything within reach of the keyboard.
//!
//! ```text
//! view code ──Action──► app ──► backend thread ──Intent──► driver ──► engine
//!     ▲                  │            │
//!     └──────View◄───────┴──Update◄───┴──Change, Health
//! ```
//!
//! View code reads a [`view::View`] and pushes [`action::Action`]s, applied after the frame. The backend has a thread of
//! its own and the only handle to the driver; each of its updates asks for one repaint, and nothing else does.

pub mod action;
pub mod app;
pub mod backend;
pub mod composer;
pub mod conversation;
pub mod cx;
pub mod details;
pub mod help;
pub mod icons;
pub mod keyboard;
pub mod list;
pub mod palette;
pub mod platform;
pub mod preferences;
pub mod rail;
pub mod screens;
pub mod settings;
pub mod theme;
pub mod timeline;
pub mod update;
pub mod view;
pub mod when;
pub mod why;
pub mod widgets;
