//! The contact address: the mailbox where strangers find us and the bundle that tells it; reset, switched off and on, moved.
//!
//! One-time invitations have a contact mailbox of their own, so that neither a reset nor switching off touches them. Through it
//! comes only what names an invitation that stands; whoever once had one cannot use the mailbox for anything else. [SES-32]

use sotto_inner::LinkKind;
use sotto_outer::{MailboxKind, ReceiveId};

use crate::{
    IntentError, Outcome, Range, RowsError, Ticket,
    bundles::Pairs,
    record::{Account, Address, Known, OwnBundle, OwnMailbox},
    work::Work,
};

type Result<T> = std::result::Result<T, RowsError>;
type IntentResult = Result<std::result::Result<(), IntentError>>;

impl Work<'_> {
    /// Makes a contact address. The caller saves the account, and then publishes.
    pub(crate) fn new_address(&mut self, account: &mut Account) -> Result<()> {
        let mailbox = self.new_mailbox(MailboxKind::Contact, &account.relay, None)?;
        let bundle = self.new_bundle(account, LinkKind::Address)?;
        account.address = Some(Address { mailbox, bundle });
        Ok(())
    }

    /// A fresh address: the old link is dead, contacts and waiting requests are as they were.
    pub(crate) fn reset_address(&mut self, ticket: Ticket, mut account: Account) -> IntentResult {
        if account.address.is_none() {
            return Ok(Err(IntentError::AddressOff));
        }
        self.drop_address(&mut account)?;
        self.open_address(&mut account)?;
        self.answer(ticket, Outcome::Done);
        Ok(Ok(()))
    }

    pub(crate) fn switch_address(&mut self, ticket: Ticket, mut account: Account, on: bool) -> IntentResult {
        match (on, account.address.is_some()) {
            (true, false) => self.open_address(&mut account)?,
            (false, true) => {
                self.drop_address(&mut account)?;
                self.save(Account::KEY, &account);
            }
            (true, true) | (false, false) => {}
        }
        self.answer(ticket, Outcome::Done);
        Ok(Ok(()))
    }

    fn open_address(&mut self, account: &mut Account) -> Result<()> {
        self.new_address(account)?;
        self.save(Account::KEY, account);
        self.publish_wanted()
    }

    /// Deletes the address here and at the relays, with those that were moved away from.
    fn drop_address(&mut self, account: &mut Account) -> Result<()> {
        account.address = None;
        for (key, bundle) in self.records::<OwnBundle>(&Range::all(), usize::MAX)? {
            if bundle.kind == LinkKind::Address && bundle.known != Known::Unwanted {
                let id = key.as_slice().try_into().map_err(|_| RowsError("a bundle key is damaged".to_owned()))?;
                self.drop_bundle(&id)?;
            }
        }
        for (key, mailbox) in self.records::<OwnMailbox>(&Range::all(), usize::MAX)? {
            let strangers = mailbox.kind == MailboxKind::Contact && !mailbox.invited_only;
            if strangers && mailbox.known != Known::Unwanted {
                let id = key.as_slice().try_into().map_err(|_| RowsError("a mailbox key is damaged".to_owned()))?;
                self.drop_mailbox(&id)?;
            }
        }
        Ok(())
    }

    /// The mailbox that a bundle of this kind tells.
    pub(crate) fn bundle_mailbox(account: &Account, kind: LinkKind) -> Option<ReceiveId> {
        match kind {
            LinkKind::Address => account.address.map(|address| address.mailbox),
            LinkKind::Invitation => account.invitations,
        }
    }

    /// The mailbox for invitations, drawn with the first of them.
    pub(crate) fn want_invitations(&mut self, account: &mut Account) -> Result<()> {
        if account.invitations.is_none() {
            account.invitations = Some(self.new_invitations(account)?);
            self.save(Account::KEY, account);
        }
        Ok(())
    }

    fn new_invitations(&mut self, account: &Account) -> Result<ReceiveId> {
        let id = self.new_mailbox(MailboxKind::Contact, &account.relay, None)?;
        let drawn = self.load::<OwnMailbox>(id.as_bytes())?;
        let mut mailbox = drawn.ok_or_else(|| RowsError("a mailbox that was just drawn is missing".to_owned()))?;
        mailbox.invited_only = true;
        self.save(id.as_bytes(), &mailbox);
        Ok(id)
    }

    /// Our first relay is another: strangers find us there from now on. Old links lead there too, as long as the old relay
    /// answers and their time is not over.
    pub(crate) fn move_address(&mut self, account: &mut Account) -> Result<()> {
        for (key, mut bundle) in self.records::<OwnBundle>(&Range::all(), usize::MAX)? {
            if bundle.known != Known::Unwanted && bundle.relay.identity() != account.relay.identity() {
                bundle.retired = bundle.retired.or(Some(self.now.secs()));
                self.save(&key, &bundle);
            }
        }
        if let Some(old) = account.address {
            self.retire_mailbox(&old.mailbox)?;
            self.new_address(account)?;
        }
        if let Some(old) = account.invitations {
            self.retire_mailbox(&old)?;
            account.invitations = Some(self.new_invitations(account)?);
        }
        self.save(Account::KEY, account);
        self.republish_all(Pairs::Kept)
    }
}
