//! Moving house: the relays of an account change, in-band and without asking anyone. New mailboxes are made, contacts are told
//! in their sessions, and the old ones are read as long as their relays live; nothing waits for a relay that is gone.

use sotto_inner::limits::MAILBOXES_MAX;
use sotto_outer::RelayAddress;

use crate::{
    IntentError, Outcome, Range, RowsError, Ticket,
    bundles::Pairs,
    record::{Account, Contact, OwnBundle, OwnMailbox},
    work::Work,
};

type Result<T> = std::result::Result<T, RowsError>;

impl Work<'_> {
    pub(crate) fn set_relays(
        &mut self,
        ticket: Ticket,
        mut account: Account,
        relays: Vec<RelayAddress>,
    ) -> Result<std::result::Result<(), IntentError>> {
        let mut relays = relays.into_iter();
        let (Some(first), second) = (relays.next(), relays.next()) else { return Ok(Err(IntentError::Relays)) };
        let twice = second.as_ref().is_some_and(|second| second.identity() == first.identity());
        if twice || relays.next().is_some() {
            return Ok(Err(IntentError::Relays));
        }
        let moved = first.identity() != account.relay.identity();
        (account.relay, account.second) = (first, second);
        self.save(Account::KEY, &account);
        let elsewhere = self.note_places(&account)?;
        if moved {
            self.move_address(&mut account)?;
        } else if elsewhere {
            self.republish_all(Pairs::Kept)?;
        }
        for (_, contact) in self.records::<Contact>(&Range::all(), usize::MAX)? {
            let root = contact.root;
            self.move_mailboxes(&account, contact)?;
            if elsewhere {
                self.announce_again(&root)?;
            }
        }
        self.answer(ticket, Outcome::Done);
        Ok(Ok(()))
    }

    /// A relay of ours is reached at another place: what lies there stays, and is told anew. Says whether there was one.
    fn note_places(&mut self, account: &Account) -> Result<bool> {
        let mut elsewhere = false;
        for place in account.relays() {
            for (key, mut mailbox) in self.records::<OwnMailbox>(&Range::all(), usize::MAX)? {
                if mailbox.relay.identity() == place.identity() && mailbox.relay != *place {
                    mailbox.relay = place.clone();
                    self.save(&key, &mailbox);
                    elsewhere = true;
                }
            }
            for (key, mut bundle) in self.records::<OwnBundle>(&Range::all(), usize::MAX)? {
                if bundle.relay.identity() == place.identity() && bundle.relay != *place {
                    bundle.relay = place.clone();
                    self.save(&key, &bundle);
                    elsewhere = true;
                }
            }
        }
        for place in account.relays() {
            self.want_relay(place);
        }
        Ok(elsewhere)
    }
}

const _: () = assert!(MAILBOXES_MAX == 2, "an account has a first relay and a second");
