//! The known answers of `spec/vectors`, made from seeds and compared byte for byte; `UPDATE_VECTORS=1` writes them
//! anew.
//!
//! A file holds what is accepted, in full, and refusals beside it, each wrong in one way. A refusal of bytes is a
//! splice of an accepted value: from byte `at`, `remove` bytes give way to `insert`. Every refusal is tried here before
//! it is written. All bytes are hexadecimal. What only the ratchet's own rooms can reach is made there, in `ratchet/tests` and
//! `ratchet/braid/tests`.

use std::{convert::Infallible, path::Path};

use data_encoding::HEXLOWER as HEX;
use rand::{Rng as _, SeedableRng};
use rand_chacha::ChaCha20Rng;
use rand_core::{TryCryptoRng, TryRng, utils};
use serde::{Serialize, Serializer, ser::SerializeMap};

mod first_contact;
mod forward;
mod identity;
mod mlkem768;

/// One answer or refusal: named values in order.
#[derive(Default)]
pub(crate) struct Case(Vec<(&'static str, String)>);

impl Case {
    pub(crate) fn why(why: &str) -> Self {
        Self::default().text("why", why)
    }

    pub(crate) fn text(mut self, name: &'static str, value: impl ToString) -> Self {
        self.0.push((name, value.to_string()));
        self
    }

    pub(crate) fn hex(self, name: &'static str, bytes: &[u8]) -> Self {
        self.text(name, HEX.encode(bytes))
    }

    /// The one stretch in which two values differ.
    pub(crate) fn splice(self, accepted: &[u8], changed: &[u8]) -> Self {
        let same = |(a, b): &(&u8, &u8)| a == b;
        let at = accepted.iter().zip(changed).take_while(same).count();
        let (accepted, changed) = (&accepted[at..], &changed[at..]);
        let after = accepted.iter().rev().zip(changed.iter().rev()).take_while(same).count();
        self.text("at", at).text("remove", accepted.len() - after).hex("insert", &changed[..changed.len() - after])
    }

    /// The kind of an error.
    pub(crate) fn error(self, error: impl std::fmt::Debug) -> Self {
        self.text("error", format!("{error:?}"))
    }
}

impl Serialize for Case {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Bytes from a seed, and what was drawn of them.
pub(crate) struct Recorder {
    rng: ChaCha20Rng,
    drawn: Vec<u8>,
}

impl Recorder {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: ChaCha20Rng::seed_from_u64(seed), drawn: Vec::new() }
    }

    /// What was drawn since the last time this was asked.
    pub(crate) fn drawn(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.drawn)
    }
}

impl TryRng for Recorder {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        utils::next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        utils::next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.rng.fill_bytes(bytes);
        self.drawn.extend_from_slice(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Recorder {}

/// One file.
#[derive(Serialize)]
pub(crate) struct Vectors {
    pub(crate) about: &'static str,
    pub(crate) accepted: Vec<Case>,
    pub(crate) refused: Vec<Case>,
}

impl Vectors {
    /// Compares with the file of this name, or writes it.
    ///
    /// The one place of this crate that touches a file; tests alone are compiled with it.
    #[expect(clippy::disallowed_methods, reason = "a test reads the vectors, and writes them when asked to")]
    pub(crate) fn check(&self, name: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors").join(name);
        let made = serde_json::to_string_pretty(self).unwrap() + "\n";
        if std::env::var_os("UPDATE_VECTORS").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(stored == made, "spec/vectors/{name} differs: UPDATE_VECTORS=1 writes it anew, if the change is meant");
    }
}

#[test]
fn a_splice_is_what_differs() {
    let case = Case::default().splice(b"abcdef", b"abXYef");
    assert_eq!(serde_json::to_string(&case).unwrap(), r#"{"at":"2","remove":"2","insert":"5859"}"#);
    let case = Case::default().splice(b"aaaa", b"aaa");
    assert_eq!(serde_json::to_string(&case).unwrap(), r#"{"at":"3","remove":"1","insert":""}"#);
}
