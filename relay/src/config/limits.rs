//! `[limits]`: what one mailbox holds, and how long; what the process may use.

use serde::Deserialize;
use sotto_outer::limits;

use super::{ConfigError, MIB, error::within, section::Section};

/// The least memory with which a relay is of use.
const MEMORY_MIB_LEAST: u64 = 64;

/// `[limits]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Limits {
    mailbox_envelopes_max: u32,
    pub(super) contact_envelopes_max: u32,
    mailbox_mib_max: u64,
    envelope_ttl_days: u32,
    memory_mib_max: u64,
}

impl Limits {
    /// Bytes that the process may use; none: what the machine has for it.
    pub(super) fn memory_bytes_max(&self) -> Option<u64> {
        (self.memory_mib_max > 0).then(|| self.memory_mib_max.saturating_mul(MIB))
    }

    /// As the core takes them.
    pub(super) const fn to_core(&self) -> sotto_outer::Limits {
        sotto_outer::Limits {
            mailbox_envelopes_max: self.mailbox_envelopes_max,
            mailbox_bytes_max: self.mailbox_mib_max * MIB,
            envelope_ttl_secs: self.envelope_ttl_days * 86_400,
        }
    }
}

fn check_memory(mib_max: u64) -> Result<(), ConfigError> {
    if mib_max == 0 || mib_max >= MEMORY_MIB_LEAST {
        return Ok(());
    }
    // A relay takes some 20 MiB before anybody comes: of less than this it would turn everybody away.
    let expected = "0, or 64 and more";
    Err(ConfigError::Value { key: "limits.memory_mib_max", expected, found: mib_max.to_string() })
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            mailbox_envelopes_max: limits::MAILBOX_ENVELOPES_MAX,
            contact_envelopes_max: limits::CONTACT_MAILBOX_ENVELOPES_MAX,
            mailbox_mib_max: limits::MAILBOX_BYTES_MAX / MIB,
            envelope_ttl_days: limits::ENVELOPE_TTL_SECS / 86_400,
            memory_mib_max: 0,
        }
    }
}

impl Section for Limits {
    const KEYS: &'static [&'static str] =
        &["mailbox_envelopes_max", "contact_envelopes_max", "mailbox_mib_max", "envelope_ttl_days", "memory_mib_max"];

    fn check(&self) -> Result<(), ConfigError> {
        let Self { mailbox_envelopes_max, contact_envelopes_max, mailbox_mib_max, envelope_ttl_days, memory_mib_max } =
            *self;
        let envelopes_max = u64::from(limits::MAILBOX_ENVELOPES_MAX);
        within("limits.mailbox_envelopes_max", mailbox_envelopes_max.into(), envelopes_max)?;
        let contact_max = u64::from(limits::CONTACT_MAILBOX_ENVELOPES_MAX);
        within("limits.contact_envelopes_max", contact_envelopes_max.into(), contact_max)?;
        within("limits.mailbox_mib_max", mailbox_mib_max, limits::MAILBOX_BYTES_MAX / MIB)?;
        let ttl_days_max = u64::from(limits::ENVELOPE_TTL_SECS) / 86_400;
        within("limits.envelope_ttl_days", envelope_ttl_days.into(), ttl_days_max)?;
        check_memory(memory_mib_max)
    }

    fn text(&self) -> String {
        let Self { mailbox_envelopes_max, contact_envelopes_max, mailbox_mib_max, envelope_ttl_days, memory_mib_max } =
            self;
        format!(
            "# What one mailbox holds. The protocol's own limits are the defaults; they can be lowered.
mailbox_envelopes_max = {mailbox_envelopes_max}
contact_envelopes_max = {contact_envelopes_max}
mailbox_mib_max = {mailbox_mib_max}
# How long an envelope waits for its reader.
envelope_ttl_days = {envelope_ttl_days}
# Memory of this process, in MiB, beyond which work is turned away, new mailboxes first. 0: four fifths of what the machine
# has, or of what its control group may use; else 64 or more.
memory_mib_max = {memory_mib_max}
"
        )
    }
}
