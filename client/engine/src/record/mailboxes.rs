//! Where two contacts read from each other: our mailboxes for one, and theirs for us.

use minicbor::{Decode, Encode};
use sotto_inner::{MailboxAddress, Mailboxes};
use sotto_outer::{ReceiveId, SendId};

/// Older mailboxes of a contact that are still tried where the newest are denied.
const OLDER_MAX: usize = 4;

/// Our mailboxes for one contact.
///
/// ```text
///  wanted ──all at their relays──► told ──another generation told──► retired, and after 28 days deleted
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct OurMailboxes {
    /// Those we want the contact to use: at most one a relay, the preferred first.
    #[n(0)]
    pub wanted: Vec<ReceiveId>,
    /// Those the contact was told last.
    #[n(1)]
    pub told: Vec<ReceiveId>,
    /// The number they were told with; 0 before.
    #[n(2)]
    pub generation: u64,
    /// When the next generation is made, Unix seconds.
    #[n(3)]
    pub rotate_at: u64,
}

impl OurMailboxes {
    /// The number of the next generation: none that was told before is higher, even by a state that this one is an old copy of.
    pub fn next_generation(&self, now_secs: u64) -> u64 {
        now_secs.max(self.generation + 1)
    }
}

/// A contact's mailboxes for us.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TheirMailboxes {
    /// The number of the newest generation told; 0 before.
    #[n(0)]
    pub generation: u64,
    /// The newest, the preferred first.
    #[n(1)]
    pub newest: Vec<MailboxAddress>,
    /// Those before, newest first.
    #[n(2)]
    pub older: Vec<MailboxAddress>,
}

impl TheirMailboxes {
    /// Takes note of what a contact told. Says whether it was news: a lower generation never replaces a higher.
    pub fn learn(&mut self, told: &Mailboxes) -> bool {
        if told.generation <= self.generation {
            return false;
        }
        let before = std::mem::replace(&mut self.newest, told.addresses.clone());
        let is_newest = |old: &MailboxAddress| told.addresses.iter().any(|new| new.send_id == old.send_id);
        self.older = before.into_iter().chain(self.older.drain(..)).filter(|old| !is_newest(old)).collect();
        self.older.truncate(OLDER_MAX);
        self.generation = told.generation;
        true
    }

    /// All in the order in which they are tried.
    pub fn all(&self) -> impl Iterator<Item = &MailboxAddress> {
        self.newest.iter().chain(&self.older)
    }

    /// Whether this is one of the newest.
    pub fn is_newest(&self, mailbox: &SendId) -> bool {
        self.newest.iter().any(|newest| newest.send_id == *mailbox)
    }
}

#[cfg(test)]
mod tests {
    use sotto_outer::{RelayAddress, Tls};

    use super::*;

    fn told(generation: u64, names: &[u8]) -> Mailboxes {
        let address = |name: &u8| MailboxAddress {
            relay: RelayAddress::new("relay.test", 443, Tls::Own, [1; 32].into()).unwrap(),
            send_id: [*name; 16].into(),
            capability: [*name; 32].into(),
        };
        Mailboxes { generation, addresses: names.iter().map(address).collect() }
    }

    fn names<'a>(mailboxes: impl Iterator<Item = &'a MailboxAddress>) -> Vec<u8> {
        mailboxes.map(|mailbox| mailbox.send_id.as_bytes()[0]).collect()
    }

    #[test]
    fn a_lower_generation_never_replaces_a_higher() {
        let mut theirs = TheirMailboxes::default();
        assert!(theirs.learn(&told(7, &[1])));
        let before = theirs.clone();
        assert!(!theirs.learn(&told(6, &[2])) && !theirs.learn(&told(7, &[3])));
        assert_eq!(theirs, before);
    }

    #[test]
    fn older_mailboxes_stay_behind_the_newest_and_are_few() {
        let mut theirs = TheirMailboxes::default();
        for generation in 1..9 {
            assert!(theirs.learn(&told(generation.into(), &[generation])));
        }
        assert_eq!(names(theirs.all()), [8, 7, 6, 5, 4]);
        assert!(theirs.learn(&told(9, &[7, 9])));
        assert_eq!(names(theirs.all()), [7, 9, 8, 6, 5, 4]);
    }

    #[test]
    fn a_generation_is_higher_than_the_last_whatever_the_clock_says() {
        let ours = |generation| OurMailboxes { generation, ..OurMailboxes::default() };
        assert_eq!(ours(5).next_generation(1_000), 1_000);
        assert_eq!(ours(5_000).next_generation(1_000), 5_001);
    }
}
