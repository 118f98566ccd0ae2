//! Own prekeys: signed, last-resort and seal keys rotate weekly, their private halves live 30 days after replacement;
//! one-time pairs die when they are used or old.

use sotto_crypto::{DeviceKeys, PrekeySecret};
use sotto_inner::{
    Prekey, PrekeyId, PrekeyKind,
    limits::{ONE_TIME_PREKEY_SECS, PREKEY_RETENTION_SECS, PREKEY_ROTATION_SECS},
};

use crate::{
    Range, RowsError, Table,
    bundles::Pairs,
    record::{Account, CurrentPrekeys, OwnBundle, PrekeyRow, SecretBytes, TagRow},
    work::Work,
};

impl Work<'_> {
    /// The prekeys on offer; drawn the first time.
    pub(crate) fn current_prekeys(&mut self, account: &Account) -> Result<CurrentPrekeys, RowsError> {
        match self.load::<CurrentPrekeys>(CurrentPrekeys::KEY)? {
            Some(current) => Ok(current),
            None => self.draw_prekeys(account),
        }
    }

    fn draw_prekeys(&mut self, account: &Account) -> Result<CurrentPrekeys, RowsError> {
        let device = self.device_keys(account)?;
        let current = CurrentPrekeys {
            signed: self.draw_prekey(account, &device, PrekeyKind::Signed),
            last_resort: self.draw_prekey(account, &device, PrekeyKind::LastResort),
            seal: self.draw_prekey(account, &device, PrekeyKind::Seal),
            since: self.now.secs(),
        };
        self.save(CurrentPrekeys::KEY, &current);
        Ok(current)
    }

    fn draw_prekey(&mut self, account: &Account, device: &DeviceKeys, kind: PrekeyKind) -> PrekeyId {
        let created = self.now.secs();
        let expires = created + PREKEY_ROTATION_SECS + PREKEY_RETENTION_SECS;
        let root = account.manifest.body.root;
        let (secret, public) = PrekeySecret::generate(kind, self.rng, created, expires, device, &root);
        let id = public.body.id;
        let secret = SecretBytes::from(secret.to_bytes());
        self.save(&PrekeyRow::key(kind, id), &PrekeyRow { secret, public, replaced: None, bundle: None, uses: 0 });
        id
    }

    pub(crate) fn prekey_row(&self, kind: PrekeyKind, id: PrekeyId) -> Result<Option<PrekeyRow>, RowsError> {
        self.load(&PrekeyRow::key(kind, id))
    }

    /// The private half, while it lives.
    pub(crate) fn prekey_secret(&self, kind: PrekeyKind, id: PrekeyId) -> Result<Option<PrekeySecret>, RowsError> {
        let Some(row) = self.prekey_row(kind, id)? else { return Ok(None) };
        let secret = PrekeySecret::from_bytes(row.secret.as_slice());
        Ok(Some(secret.map_err(|_| RowsError("a prekey is damaged".to_owned()))?))
    }

    pub(crate) fn public_prekey(&self, kind: PrekeyKind, id: PrekeyId) -> Result<Prekey, RowsError> {
        let row = self.prekey_row(kind, id)?.ok_or_else(|| RowsError("a prekey on offer is missing".to_owned()))?;
        Ok(row.public)
    }

    /// Rotates the prekeys on offer if a week has passed, and tells bundles and contacts.
    pub(crate) fn rotate_prekeys(&mut self, account: &Account) -> Result<(), RowsError> {
        let now = self.now.secs();
        let Some(old) = self.load::<CurrentPrekeys>(CurrentPrekeys::KEY)? else { return Ok(()) };
        if now < old.since + PREKEY_ROTATION_SECS {
            return Ok(());
        }
        self.replace_prekeys(account, old)
    }

    /// Replaces the prekeys on offer at once.
    pub(crate) fn replace_prekeys(&mut self, account: &Account, old: CurrentPrekeys) -> Result<(), RowsError> {
        let replaced = Some(self.now.secs());
        for (kind, id) in
            [(PrekeyKind::Signed, old.signed), (PrekeyKind::LastResort, old.last_resort), (PrekeyKind::Seal, old.seal)]
        {
            if let Some(row) = self.prekey_row(kind, id)? {
                self.save(&PrekeyRow::key(kind, id), &PrekeyRow { replaced, ..row });
            }
        }
        self.draw_prekeys(account)?;
        self.republish_all(Pairs::Kept)?;
        self.refresh_repair_bundles()
    }

    /// Deletes private halves whose time is over, with the handshakes remembered for them.
    pub(crate) fn expire_prekeys(&mut self) -> Result<(), RowsError> {
        let now = self.now.secs();
        for (key, row) in self.records::<PrekeyRow>(&Range::all(), usize::MAX)? {
            let over = match row.replaced {
                Some(replaced) => now >= replaced + PREKEY_RETENTION_SECS,
                None => row.bundle.is_some() && now >= row.public.body.created + ONE_TIME_PREKEY_SECS,
            };
            if !over {
                continue;
            }
            self.delete(Table::Prekey, &key);
            if row.public.body.kind == PrekeyKind::LastResort {
                self.delete_prefix(Table::Handshake, &row.public.body.id.0.to_be_bytes())?;
            }
            if let Some(bundle) = row.bundle
                && let Some(mut own) = self.load::<OwnBundle>(bundle.as_bytes())?
            {
                own.pairs = own.pairs.saturating_sub(1);
                self.save(bundle.as_bytes(), &own);
            }
        }
        let lifetime = PREKEY_ROTATION_SECS + PREKEY_RETENTION_SECS;
        for (key, tag) in self.records::<TagRow>(&Range::all(), usize::MAX)? {
            if now >= tag.issued + lifetime {
                self.delete(Table::RepairTag, &key);
            }
        }
        Ok(())
    }
}
