//! The account of this profile: made once, whole.

use sotto_crypto::{DeviceKeys, Root};
use sotto_inner::{ManifestBody, limits::NAME_BYTES_MAX};
use sotto_outer::RelayAddress;

use crate::{
    IntentError, Outcome, RowsError, Ticket,
    bundles::Pairs,
    record::{Account, SecretBytes},
    timers::Timer,
    work::Work,
};

/// How often prekeys, digests, sessions and outboxes are looked after.
pub(crate) const HOUSEKEEPING_SECS: u64 = 6 * 3_600;

impl Work<'_> {
    pub(crate) fn account(&self) -> Result<Option<Account>, RowsError> {
        self.load(Account::KEY)
    }

    pub(crate) fn device_keys(&self, account: &Account) -> Result<DeviceKeys, RowsError> {
        DeviceKeys::from_bytes(account.device.as_slice())
            .map_err(|_| RowsError("the device keys are damaged".to_owned()))
    }

    pub(crate) fn create_profile(
        &mut self,
        ticket: Ticket,
        name: String,
        relay: RelayAddress,
    ) -> Result<Result<(), IntentError>, RowsError> {
        if self.account()?.is_some() {
            return Ok(Err(IntentError::ProfileExists));
        }
        if name.trim().is_empty() || name.len() > NAME_BYTES_MAX {
            return Ok(Err(IntentError::Name));
        }
        let root = Root::generate(self.rng);
        let device = DeviceKeys::generate(self.rng);
        let body = ManifestBody { root: root.public(), sequence: 1, previous: None, devices: vec![device.public()] };
        let mut account = Account {
            root: SecretBytes::from(root.to_bytes()),
            device: SecretBytes::from(device.to_bytes()),
            manifest: root.sign_manifest(body),
            name,
            relay,
            second: None,
            address: None,
            invitations: None,
        };
        self.new_address(&mut account)?;
        self.save(Account::KEY, &account);
        self.current_prekeys(&account)?;
        let at = self.now.plus_secs(HOUSEKEEPING_SECS);
        self.set_timer(at, &Timer::Housekeeping);
        self.answer(ticket, Outcome::Done);
        Ok(Ok(()))
    }

    pub(crate) fn set_name(&mut self, ticket: Ticket, name: String) -> Result<Result<(), IntentError>, RowsError> {
        let Some(mut account) = self.account()? else { return Ok(Err(IntentError::NoProfile)) };
        if name.trim().is_empty() || name.len() > NAME_BYTES_MAX {
            return Ok(Err(IntentError::Name));
        }
        account.name = name;
        self.save(Account::KEY, &account);
        self.republish_all(Pairs::Kept)?;
        self.answer(ticket, Outcome::Done);
        Ok(Ok(()))
    }
}
