//! What is on its way to readers, over all connections: what was sent and is not acknowledged, and what is being read from
//! the store for them. Its sum bounds the memory that readers can hold who do not read.
//!
//! Each connection has a window of its own. Thousands of such windows are more than a machine has, so beyond a sum they
//! shrink to one envelope of the largest size: every reader gets on, none gets far ahead. A reader with nothing on its way is
//! therefore never stopped, and one that is stopped has something to acknowledge, which moves it on.
//!
//! Bound: `bytes_max`, and one largest envelope for each connection.

use sotto_outer::limits::{DELIVERY_WINDOW_BYTES, PAYLOAD_BYTES_MAX};

/// Envelopes and payload bytes on their way to all readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transit {
    envelopes: usize,
    bytes: usize,
    reading_bytes: usize,
    bytes_max: usize,
}

impl Transit {
    pub(super) const fn new(bytes_max: usize) -> Self {
        Self { envelopes: 0, bytes: 0, reading_bytes: 0, bytes_max }
    }

    /// Envelopes sent and not yet acknowledged.
    pub const fn envelopes(&self) -> usize {
        self.envelopes
    }

    /// Their payload bytes.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes that one connection's window has now, at most.
    pub(super) const fn window_bytes(&self) -> usize {
        if self.spare() >= PAYLOAD_BYTES_MAX { DELIVERY_WINDOW_BYTES } else { PAYLOAD_BYTES_MAX }
    }

    /// Bytes that may still go on their way before all windows shrink.
    pub(super) const fn spare(&self) -> usize {
        self.bytes_max.saturating_sub(self.bytes + self.reading_bytes)
    }

    pub(super) const fn add(&mut self, bytes: usize) {
        self.envelopes += 1;
        self.bytes += bytes;
    }

    pub(super) const fn remove(&mut self, envelopes: usize, bytes: usize) {
        self.envelopes -= envelopes;
        self.bytes -= bytes;
    }

    /// A read of at most so many bytes is on its way.
    pub(super) const fn begin_read(&mut self, bytes_max: usize) {
        self.reading_bytes += bytes_max;
    }

    /// It has come, or never will.
    pub(super) const fn end_read(&mut self, bytes_max: usize) {
        self.reading_bytes -= bytes_max;
    }
}

#[cfg(test)]
mod tests {
    use sotto_outer::{Answer, Command, ReceiveId, RelayFrame, Subscribe, limits::PAYLOAD_BYTES_MAX};

    use crate::{
        command::testing::{House, Owner, envelope_id},
        core::{Config, Conn, Input},
    };

    const MIB: usize = 1024 * 1024;

    /// A house whose readers share so many bytes, with full mailboxes.
    fn house(transit_bytes_max: usize, owners: &[Owner]) -> House {
        let mut house = House::with(Config { transit_bytes_max, ..Config::default() });
        let alice = house.greeted();
        for owner in owners {
            assert_eq!(house.ask(alice, owner.create()), Answer::Done);
            for id in 0..40 {
                let send = sotto_outer::Send { payload: vec![7; PAYLOAD_BYTES_MAX], ..owner.envelope(id) };
                assert_eq!(house.ask(alice, Command::Send(send)), Answer::Done);
            }
        }
        house
    }

    fn subscribe(house: &mut House, owner: &Owner) -> Conn {
        let conn = house.greeted();
        let entry = owner.subscription(house, conn, None, [1; 16]);
        house.ask(conn, Command::Subscribe(Subscribe { mailboxes: vec![entry] }));
        conn
    }

    fn owners(count: u8) -> Vec<Owner> {
        (1..=count).map(Owner::new).collect()
    }

    #[test]
    fn readers_who_do_not_read_share_a_bounded_sum() {
        let owners = owners(20);
        let mut house = house(4 * MIB, &owners);
        for (count, owner) in owners.iter().enumerate() {
            subscribe(&mut house, owner);
            let transit = house.core.transit();
            assert!(transit.bytes() <= 4 * MIB + (count + 1) * PAYLOAD_BYTES_MAX, "{transit:?} of {count}");
        }
        assert_eq!(house.core.transit().reading_bytes, 0);
    }

    #[test]
    fn beyond_the_sum_every_reader_still_gets_all() {
        let owners = owners(4);
        let mut house = house(MIB, &owners);
        let conns: Vec<_> = owners.iter().map(|owner| subscribe(&mut house, owner)).collect();
        let mut got = vec![vec![]; owners.len()];
        // The first one keeps what it has and acknowledges nothing.
        while got[1..].iter().any(|got| got.len() < 40) {
            for at in 1..owners.len() {
                let ids = house.delivered(conns[at]);
                house.ask(conns[at], owners[at].ack(&ids));
                got[at].extend(ids);
            }
        }
        for got in &got[1..] {
            assert_eq!(*got, (0..40).map(envelope_id).collect::<Vec<_>>(), "in order, each once");
        }
    }

    #[test]
    fn whoever_leaves_takes_what_was_on_its_way_along() {
        let owners = owners(3);
        let mut house = house(64 * MIB, &owners);
        let conns: Vec<_> = owners.iter().map(|owner| subscribe(&mut house, owner)).collect();
        assert_eq!(house.core.transit().envelopes(), 120);
        // Another reader takes over, a mailbox is deleted, a connection ends.
        let taker = subscribe(&mut house, &owners[0]);
        let delete = owners[1].delete(&house, conns[1], sotto_outer::Target::Mailbox(owners[1].receive_id()));
        assert_eq!(house.ask(conns[1], delete), Answer::Done);
        house.input(Input::Closed(conns[2]));
        assert_eq!(house.core.transit().envelopes(), 40);
        house.input(Input::Closed(taker));
        let transit = house.core.transit();
        assert_eq!((transit.envelopes(), transit.bytes(), transit.reading_bytes), (0, 0, 0));
    }

    #[test]
    fn reads_of_many_mailboxes_ask_for_no_more_than_the_window() {
        let owners = owners(12);
        let mut house = house(64 * MIB, &owners);
        let conn = house.greeted();
        let entry = |owner: &Owner| owner.subscription(&house, conn, None, [1; 16]);
        let mailboxes: Vec<_> = owners.iter().map(entry).collect();
        house.ask(conn, Command::Subscribe(Subscribe { mailboxes }));
        let mailboxes: Vec<ReceiveId> = owners.iter().map(Owner::receive_id).collect();
        let mut got = vec![];
        loop {
            let frames = house.heard(conn);
            if frames.is_empty() {
                break;
            }
            let bytes: usize =
                frames.iter().map(|frame| if let RelayFrame::Deliver(it) = frame { it.payload.len() } else { 0 }).sum();
            assert!(bytes <= 4 * MIB);
            for frame in frames {
                let RelayFrame::Deliver(deliver) = frame else { continue };
                got.push((deliver.mailbox, deliver.id));
                house.ask(conn, Command::Ack(sotto_outer::Ack { mailbox: deliver.mailbox, ids: vec![deliver.id] }));
            }
        }
        got.sort();
        let mut all: Vec<_> =
            mailboxes.iter().flat_map(|mailbox| (0..40).map(|id| (*mailbox, envelope_id(id)))).collect();
        all.sort();
        assert_eq!(got, all);
    }
}
