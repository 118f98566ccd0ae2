//! What the fuzz targets do with their bytes: each target is one function here, `run`, that panics where something is wrong.
//!
//! The crate in `fuzz/` gives these functions to libFuzzer, and the tests replay `fuzz/corpus` through the same ones, so what a
//! fuzzer once found stays found. Everything goes through the public faces of the rooms: nothing is weakened to be fuzzed, and
//! all chance comes of a fixed seed, so that an input is a whole story.
//!
//! - [`decoders`]: whatever reads bytes from outside or from the store.
//! - [`session`]: two who keep to the protocol, over a network that does not.
//! - [`hostile`]: one who keeps to it, and one who has the keys of an honest peer and seals what they like.
//!
//! [`cast`] knows who takes part, [`party`] is one side of a session with its rows, [`stored`] reads a session's stored form,
//! [`forge`] seals any header and any body with keys from it.

pub mod cast;
pub mod decoders;
mod door;
pub mod forge;
pub mod hostile;
pub mod party;
pub mod session;
pub mod stored;

/// The bytes of an input, one decision after another.
#[derive(Clone, Copy, Debug)]
pub struct Script<'d>(&'d [u8]);

impl<'d> Script<'d> {
    /// All of an input.
    pub fn new(data: &'d [u8]) -> Self {
        Self(data)
    }

    /// The next byte; `None` at the end.
    pub fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// The next two bytes, big-endian.
    pub fn short(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    /// Up to `count` of the next bytes.
    pub fn bytes(&mut self, count: usize) -> &'d [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}
