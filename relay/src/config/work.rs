//! `[work]`: proofs of work for what anyone may ask.

use serde::Deserialize;

use super::{ConfigError, section::Section};
use crate::core::Toll;

/// More than this no client computes.
const BITS_MAX: u8 = 24;

/// `[work]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Work {
    send: u8,
    fetch: u8,
    create: u8,
    token: u8,
}

impl Work {
    pub(super) const fn to_core(&self) -> Toll {
        let Self { send, fetch, create, token } = *self;
        Toll { send, fetch, create, token, ..Toll::NONE }
    }
}

impl Default for Work {
    fn default() -> Self {
        Self { send: 14, fetch: 14, create: 0, token: 16 }
    }
}

impl Section for Work {
    const KEYS: &'static [&'static str] = &["send", "fetch", "create", "token"];

    fn check(&self) -> Result<(), ConfigError> {
        let Self { send, fetch, create, token } = *self;
        let named = [("work.send", send), ("work.fetch", fetch), ("work.create", create), ("work.token", token)];
        match named.into_iter().find(|(_, bits)| *bits > BITS_MAX) {
            Some((key, _)) => Err(ConfigError::OutOfRange { key, min: 0, max: BITS_MAX.into() }),
            None => Ok(()),
        }
    }

    fn text(&self) -> String {
        let Self { send, fetch, create, token } = self;
        format!(
            "# Proofs of work, in leading zero bits; 0: none. Each bit more doubles the work; 14 take a telephone a few
# hundredths of a second. While many come, up to 6 bits more are asked for the first two.
# To write a first message to a stranger, and to fetch what that needs.
send = {send}
fetch = {fetch}
# To make a mailbox.
create = {create}
# To be given tokens where admission is open.
token = {token}
"
        )
    }
}
