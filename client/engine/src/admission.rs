//! Being admitted at a relay that asks for tokens: the credential a person gives, how they stand there, and when tokens are asked
//! for.
//!
//! ```text
//!  NeedsCredential ──given──► Asking ──tokens──► Admitted ──few are left──► asked again
//!                                └──denied──► Refused, UsedUp   ──its time is over──► Ended   ──another given──► Asking
//! ```
//!
//! Tokens are asked for long before they are needed: at housekeeping, which follows nothing that a person does. Only where
//! mailboxes wait for them are they asked for at once. [REL-76]

use minicbor::{Decode, Encode};
use sotto_outer::{AdmissionKind, RelayIdentity, TokenPurpose};

use crate::{
    Happening, IntentError, Outcome, Range, Role, RowsError, Ticket,
    credential::Credential,
    record::{AdmissionRow, BatchRow, Contact, Known, OwnMailbox},
    work::Work,
};

/// Tokens asked for at once: one size says nothing of how many mailboxes are made. What is not spent ends after two weeks, so
/// more would use a credential up for nothing.
pub(crate) const BATCH: u32 = 16;
/// Tokens that are to be there beyond those that are known to be needed: a contact may come at any moment.
const SPARE: usize = 4;
/// Mailboxes that will be replaced within this time are known to be needed.
const AHEAD_SECS: u64 = 5 * 86_400;

type Result<T> = std::result::Result<T, RowsError>;

/// How one stands with a relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Admission {
    /// It asks for nothing.
    #[n(0)]
    #[default]
    Open,
    /// It asks for tokens, and there is no credential to get them with.
    #[n(1)]
    NeedsCredential,
    /// A credential was given; the relay has not answered yet.
    #[n(2)]
    Asking,
    /// Tokens come.
    #[n(3)]
    Admitted,
    /// The relay does not know the credential.
    #[n(4)]
    Refused,
    /// The credential was good for no more.
    #[n(5)]
    UsedUp,
    /// The credential's time is over.
    #[n(6)]
    Ended,
    /// The relay has no tokens for anybody now.
    #[n(7)]
    Busy,
    /// On one connection it listed keys that it does not list on another.
    #[n(8)]
    KeysDiffer,
}

/// What happened, what is safe, what to do.
impl std::fmt::Display for Admission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Open => "this relay makes mailboxes for anyone",
            Self::NeedsCredential => {
                "this relay makes mailboxes only for people it admits. What you have goes on working, but nothing new is made: \
                 ask its host for a credential, and give it here"
            }
            Self::Asking => "the credential is kept; the relay has not answered yet",
            Self::Admitted => "you are admitted at this relay",
            Self::Refused => {
                "this relay does not accept your credential. Nothing is lost, and nothing new is made: ask its host for \
                 another one"
            }
            Self::UsedUp => {
                "your credential for this relay is used up. What you have goes on working; once its last token is spent nothing \
                 new is made: ask its host for another credential"
            }
            Self::Ended => {
                "the time of your credential for this relay is over. What you have goes on working, but nothing new is made: \
                 ask its host for another one"
            }
            Self::Busy => "this relay admits nobody at the moment. Nothing is lost; it is asked again by itself",
            Self::KeysDiffer => {
                "this relay shows different keys on different connections, as one does that wants to know who you are. Nothing \
                 new is made there: tell its host, or use another relay"
            }
        })
    }
}

/// When tokens are asked for that nothing waits for yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Haste {
    /// Not now.
    IfNeeded,
    /// Now is as good as any time.
    IfFew,
}

impl Work<'_> {
    /// Takes a credential. Before there is an account it is kept for the relay it names.
    pub(crate) fn admit(&mut self, ticket: Ticket, text: &str) -> Result<std::result::Result<(), IntentError>> {
        let Ok(credential) = Credential::read(text) else { return Ok(Err(IntentError::Credential)) };
        if credential.until_secs <= self.now.secs() {
            return Ok(Err(IntentError::CredentialEnded));
        }
        let relay = *credential.relay();
        if self.account()?.is_some() && !self.is_own_relay(&relay)? {
            return Ok(Err(IntentError::CredentialElsewhere));
        }
        let row = AdmissionRow {
            state: Admission::Asking,
            until: credential.until_secs,
            uses: credential.uses,
            given: 0,
            batch: BATCH.min(credential.uses),
            credential: Some(credential.text),
        };
        self.save(&AdmissionRow::key(&relay), &row);
        // What was blinded for another credential is nothing to this one.
        self.delete(crate::Table::Meta, &BatchRow::key(&relay));
        self.memory.token_tries.remove(&relay);
        self.memory.token_denials.remove(&relay);
        self.answer(ticket, Outcome::Done);
        self.look_after_tokens(&relay, Haste::IfNeeded)?;
        Ok(Ok(()))
    }

    /// Sees to it that there are tokens where they are asked for.
    pub(crate) fn look_after_tokens(&mut self, relay: &RelayIdentity, haste: Haste) -> Result<()> {
        let Some(terms) = self.reading_terms(relay) else { return Ok(()) };
        match terms.admission {
            AdmissionKind::Open => {
                self.stop_asking(relay);
                return self.enter_admission(relay, Admission::Open);
            }
            AdmissionKind::Minted | AdmissionKind::Oidc => {}
        }
        self.drop_old_tokens(relay)?;
        let (listed, unlisted) = self.tokens(relay, TokenPurpose::Mailbox)?;
        if unlisted > 0 {
            return self.compare_keys(relay);
        }
        let row = self.load::<AdmissionRow>(&AdmissionRow::key(relay))?.unwrap_or_default();
        let waiting = self.mailboxes_without_token(relay)?;
        let enough = match haste {
            // A credential that was just given is tried.
            _ if row.state == Admission::Asking => false,
            Haste::IfNeeded => listed >= waiting,
            Haste::IfFew => listed >= waiting + self.mailboxes_soon()? + SPARE,
        };
        if !enough && self.is_own_relay(relay)? {
            return self.ask_if_admitted(relay, &row);
        }
        self.stop_asking(relay);
        match row.state {
            Admission::Busy | Admission::KeysDiffer if listed > 0 => self.enter_admission(relay, Admission::Admitted),
            _ => Ok(()),
        }
    }

    fn ask_if_admitted(&mut self, relay: &RelayIdentity, row: &AdmissionRow) -> Result<()> {
        match self.hindrance(row) {
            Some(state) => {
                self.stop_asking(relay);
                self.enter_admission(relay, state)
            }
            None => self.want_tokens(relay),
        }
    }

    /// Why no tokens can be asked for.
    fn hindrance(&self, row: &AdmissionRow) -> Option<Admission> {
        match row.state {
            Admission::Refused | Admission::UsedUp => Some(row.state),
            _ if row.credential.is_none() => Some(Admission::NeedsCredential),
            _ if row.until <= self.now.secs() => Some(Admission::Ended),
            _ if row.given >= row.uses => Some(Admission::UsedUp),
            _ => None,
        }
    }

    /// The last token may be spent: a person who can get no more is told at once.
    pub(crate) fn tell_last_token(&mut self, relay: &RelayIdentity) -> Result<()> {
        let asks = self.reading_terms(relay).is_some_and(|terms| terms.admission != AdmissionKind::Open);
        if !asks || self.tokens(relay, TokenPurpose::Mailbox)? != (0, 0) {
            return Ok(());
        }
        let row = self.load::<AdmissionRow>(&AdmissionRow::key(relay))?.unwrap_or_default();
        self.hindrance(&row).map_or(Ok(()), |state| self.enter_admission(relay, state))
    }

    /// Writes down how one stands, and tells it where it is news.
    pub(crate) fn enter_admission(&mut self, relay: &RelayIdentity, state: Admission) -> Result<()> {
        let key = AdmissionRow::key(relay);
        let mut row = self.load::<AdmissionRow>(&key)?.unwrap_or_default();
        if row.state == state {
            return Ok(());
        }
        row.state = state;
        self.save(&key, &row);
        self.happened(Happening::Admission { relay: *relay, state })?;
        if self.tokens_are_coming(relay)? { Ok(()) } else { self.answer_invites_unpublished(relay) }
    }

    /// Whether what waits for tokens waits for the relay alone.
    pub(crate) fn tokens_are_coming(&self, relay: &RelayIdentity) -> Result<bool> {
        let row = self.load::<AdmissionRow>(&AdmissionRow::key(relay))?.unwrap_or_default();
        Ok(matches!(row.state, Admission::Open | Admission::Asking | Admission::Admitted))
    }

    fn is_own_relay(&self, relay: &RelayIdentity) -> Result<bool> {
        let account = self.account()?;
        Ok(account.is_some_and(|account| account.relays().any(|own| own.identity() == relay)))
    }

    /// Mailboxes that wait for a token.
    pub(crate) fn mailboxes_without_token(&self, relay: &RelayIdentity) -> Result<usize> {
        let mailboxes = self.records::<OwnMailbox>(&Range::all(), usize::MAX)?;
        let waits = |mailbox: &OwnMailbox| {
            mailbox.relay.identity() == relay && mailbox.known == Known::Wanted && mailbox.token.is_none()
        };
        Ok(mailboxes.iter().filter(|(_, mailbox)| waits(mailbox)).count())
    }

    /// Mailboxes that will be made before long, at each relay of ours.
    fn mailboxes_soon(&self) -> Result<usize> {
        let soon = self.now.plus_secs(AHEAD_SECS).secs();
        let contacts = self.records::<Contact>(&Range::all(), usize::MAX)?;
        let rotates = |contact: &Contact| {
            contact.connected() && !contact.ours.wanted.is_empty() && contact.ours.rotate_at <= soon
        };
        Ok(contacts.iter().filter(|(_, contact)| rotates(contact)).count())
    }

    /// Few tokens may be left at our relays, or some are old.
    pub(crate) fn look_after_all_tokens(&mut self) -> Result<()> {
        let Some(account) = self.account()? else { return Ok(()) };
        for relay in account.relays() {
            self.look_after_tokens(relay.identity(), Haste::IfFew)?;
        }
        Ok(())
    }

    /// Keeps a line for tokens until they have come.
    fn want_tokens(&mut self, relay: &RelayIdentity) -> Result<()> {
        let Some(account) = self.account()? else { return Ok(()) };
        let Some(place) = account.relays().find(|own| own.identity() == relay) else { return Ok(()) };
        if self.memory.asking.insert(*relay) {
            self.want_line(Role::Admission, place);
        }
        self.ask_for_tokens(relay)
    }

    /// Nothing is asked for at a relay now.
    pub(crate) fn stop_asking(&mut self, relay: &RelayIdentity) {
        if self.memory.asking.remove(relay) {
            self.memory.lines_may_idle = true;
        }
    }
}
