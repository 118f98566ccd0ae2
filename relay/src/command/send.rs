//! `send`: puts an envelope into a mailbox.
//!
//! What must hold:
//! - `done` is answered when the envelope is durable, and a repeat of its id gets `done` without a second envelope, while
//!   the first is stored and ten minutes after it was acknowledged.
//! - A contact mailbox takes what a proof of work comes with. Of which kind a mailbox is, only its capability tells.
//! - A missing mailbox and a wrong capability are one answer, `denied`, after the same work.
//! - An ephemeral envelope (TTL 0) reaches a reader who is connected, or nobody. It is never stored, and its sender is not
//!   told which.
//!
//! ```text
//!          at sight            in the store, durable            to the reader
//!  Send ──► Refused, Busy ──► Denied, Full, Repeated, Sent ──► Deliver (straight from memory)
//! ```

use bytes::Bytes;
use sotto_outer::{Answer, EnvelopeId, RefusedReason, Send, limits::PAYLOAD_BYTES_MAX, work::Purpose};

use super::{BUSY, mismatch};
use crate::{
    access::capability_hash,
    core::{self, Asker, Core, Turn, Work},
    storage::{Envelope, NewEnvelope, Op, Outcome},
};

/// Seconds after which a sender may try a full mailbox again: its reader must come first.
const FULL_RETRY_SECS: u32 = 60;

/// A sender who waits for the store, with what its reader gets then.
#[derive(Debug)]
pub(crate) struct Awaiting {
    asker: Asker,
    id: EnvelopeId,
    payload: Bytes,
    /// Whether a good proof of work came with it.
    worked: bool,
}

impl Awaiting {
    /// Payload bytes held meanwhile.
    pub(crate) fn bytes(&self) -> usize {
        self.payload.len()
    }
}

/// How long an envelope is to live.
enum Life {
    /// As long as it takes to deliver it.
    Ephemeral,
    /// Until it is acknowledged, or for this many seconds.
    Stored { ttl_secs: u32 },
}

/// Takes the frame.
pub(crate) fn handle(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, send: Send) {
    let Some(life) = life(core, &send) else { return turn.refuse(asker, RefusedReason::Limit) };
    let Send { mailbox, capability, id, ttl_secs: _, payload, proof } = send;
    let shown = capability_hash(&capability);
    let let_in = core
        .admit(turn, Work::Send)
        .and_then(|()| core.take_connection_send(turn.now, asker.conn))
        .and_then(|()| core.sends.take(shown, turn.now, core.config.send_rate));
    if let Err(retry_after_secs) = let_in {
        return turn.answer(asker, Answer::Busy { retry_after_secs });
    }
    let owes = core.owed(turn.now, asker.conn, &Purpose::Send(mailbox, id), proof.as_ref());
    let worked = proof.is_some() && owes.is_none();
    let payload = Bytes::from(payload);
    let awaiting = Awaiting { asker, id, payload: payload.clone(), worked };
    match life {
        Life::Ephemeral => core.store(turn, Op::Admit { mailbox, shown, owes }, core::Awaiting::Ephemeral(awaiting)),
        Life::Stored { ttl_secs } => {
            let (now, expires_at) = (turn.now, turn.now.plus_secs(ttl_secs));
            let quota = core.config.quota();
            let envelope = NewEnvelope { mailbox, shown, id, payload, now, expires_at, quota, owes };
            core.store(turn, Op::Send(envelope), core::Awaiting::Send(awaiting))
        }
    };
}

/// An envelope to be stored was, or was not.
pub(crate) fn stored(core: &mut Core, turn: &mut Turn<'_>, awaiting: Awaiting, outcome: &Outcome) {
    let Awaiting { asker, id, payload, worked } = awaiting;
    match *outcome {
        Outcome::Sent { mailbox, seq } => {
            if worked {
                core.count_worked_send(turn.now);
            }
            turn.answer(asker, Answer::Done);
            core.deliver_fresh(turn, mailbox, Envelope { seq, id, payload });
        }
        Outcome::Repeated => turn.answer(asker, Answer::Done),
        Outcome::Denied => turn.answer(asker, Answer::Denied),
        Outcome::Work { bits } => turn.answer(asker, Answer::Work { bits }),
        Outcome::Full => turn.answer(asker, Answer::Full { retry_after_secs: FULL_RETRY_SECS }),
        Outcome::Failed => turn.answer(asker, BUSY),
        ref other => turn.answer(asker, mismatch(other)),
    }
}

/// The capability of an ephemeral envelope was right, or was not.
pub(crate) fn admitted(core: &mut Core, turn: &mut Turn<'_>, awaiting: Awaiting, outcome: &Outcome) {
    let Awaiting { asker, id, payload, worked: _ } = awaiting;
    match *outcome {
        Outcome::Admitted { mailbox } => {
            turn.answer(asker, Answer::Done);
            core.deliver_ephemeral(turn, mailbox, id, payload.into());
        }
        Outcome::Denied => turn.answer(asker, Answer::Denied),
        Outcome::Work { bits } => turn.answer(asker, Answer::Work { bits }),
        Outcome::Failed => turn.answer(asker, BUSY),
        ref other => turn.answer(asker, mismatch(other)),
    }
}

/// How long the envelope is to live; none where a number in the frame is over its limit.
fn life(core: &Core, send: &Send) -> Option<Life> {
    let longest = core.config.limits.envelope_ttl_secs;
    let ttl_secs = send.ttl_secs.unwrap_or(longest);
    let fits = (1..=PAYLOAD_BYTES_MAX).contains(&send.payload.len()) && ttl_secs <= longest;
    fits.then_some(match ttl_secs {
        0 => Life::Ephemeral,
        ttl_secs => Life::Stored { ttl_secs },
    })
}

#[cfg(test)]
mod tests {
    use sotto_outer::{Command, MailboxKind, RelayFrame, SendCapability, SendId};

    use super::*;
    use crate::{
        command::testing::{House, Owner, envelope_id, proof},
        core::{Admission, Config, Rate, Toll},
    };

    const REFUSED: Answer = Answer::Refused { reason: RefusedReason::Limit };

    /// A house, a sender's connection, and Bob with a mailbox nobody reads.
    fn setting(config: Config) -> (House, core::Conn, Owner) {
        let (mut house, bob) = (House::with(config), Owner::new(1));
        let alice = house.greeted();
        assert_eq!(house.ask(alice, bob.create()), Answer::Done);
        (house, alice, bob)
    }

    #[test]
    fn an_envelope_goes_straight_to_its_reader() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let (reading, alice) = (house.reader(&bob), house.greeted());
        assert_eq!(house.ask(alice, bob.send(1)), Answer::Done);
        assert_eq!(house.delivered(reading), [envelope_id(1)]);
    }

    #[test]
    fn an_envelope_waits_for_its_reader() {
        let (mut house, alice, bob) = setting(Config::default());
        for id in [3, 1, 2] {
            assert_eq!(house.ask(alice, bob.send(id)), Answer::Done);
        }
        let conn = house.greeted();
        let subscribe = bob.subscribe(&house, conn, None, [1; 16]);
        house.ask(conn, subscribe);
        assert_eq!(house.delivered(conn), [3, 1, 2].map(envelope_id), "in the order they came");
    }

    #[test]
    fn a_repeat_is_done_and_stored_once() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let (reading, alice) = (house.reader(&bob), house.greeted());
        for _ in 0..2 {
            assert_eq!(house.ask(alice, bob.send(1)), Answer::Done);
        }
        assert_eq!(house.delivered(reading), [envelope_id(1)]);
        house.ask(reading, bob.ack(&[envelope_id(1)]));
        house.wait_secs(599);
        assert_eq!(house.ask(alice, bob.send(1)), Answer::Done);
        assert_eq!(house.delivered(reading), [], "within ten minutes of the ack");
        house.wait_secs(61);
        assert_eq!(house.ask(alice, bob.send(1)), Answer::Done);
        assert_eq!(house.delivered(reading), [envelope_id(1)], "when the minute is full the id is forgotten");
    }

    #[test]
    fn a_missing_mailbox_and_a_wrong_capability_are_denied_alike() {
        let (mut house, alice, bob) = setting(Config::default());
        for ttl_secs in [None, Some(0)] {
            let envelope = Send { ttl_secs, ..bob.envelope(1) };
            let nowhere = Send { mailbox: SendId::from([9; 16]), ..envelope.clone() };
            let forged = Send { capability: SendCapability::from([9; 32]), ..envelope };
            assert_eq!(house.ask(alice, Command::Send(nowhere)), Answer::Denied);
            assert_eq!(house.ask(alice, Command::Send(forged)), Answer::Denied);
        }
        assert_eq!(house.storage.durable_payloads().count(), 0);
    }

    #[test]
    fn a_strangers_envelope_is_worked_for_and_a_contacts_is_not() {
        let toll = Toll { send: 8, ..Toll::NONE };
        let (mut house, alice, bob) = setting(Config { toll, ..Config::default() });
        assert_eq!(house.ask(alice, bob.send(1)), Answer::Done, "pairwise");
        let carol = Owner::with_kind(2, MailboxKind::Contact);
        house.ask(alice, carol.create());
        for ttl_secs in [None, Some(0)] {
            let envelope = Send { ttl_secs, ..carol.envelope(1) };
            assert_eq!(house.ask(alice, Command::Send(envelope)), Answer::Work { bits: 8 });
            let forged = Send { capability: SendCapability::from([9; 32]), ttl_secs, ..carol.envelope(1) };
            assert_eq!(house.ask(alice, Command::Send(forged)), Answer::Denied, "whoever may not send is told nothing");
        }
        let purpose = Purpose::Send(carol.envelope(1).mailbox, envelope_id(1));
        let proof = proof(&house, alice, &purpose, 8, 0);
        let worked = Command::Send(Send { proof: Some(proof), ..carol.envelope(1) });
        assert_eq!(house.ask(alice, worked), Answer::Done);
        assert_eq!(house.ask(alice, carol.send(1)), Answer::Done, "a repeat is done whatever it shows");
        let other = Command::Send(Send { proof: Some(proof), ..carol.envelope(2) });
        assert_eq!(house.ask(alice, other), Answer::Work { bits: 8 }, "another envelope");
    }

    #[test]
    fn a_proof_that_is_shown_again_asks_nobody_for_more() {
        let toll = Toll { send: 8, calm_a_minute: 4, ..Toll::NONE };
        let (mut house, alice, _) = setting(Config { toll, ..Config::default() });
        let carol = Owner::with_kind(2, MailboxKind::Contact);
        house.ask(alice, carol.create());
        let worked = |house: &House, id, ttl_secs| {
            let purpose = Purpose::Send(carol.envelope(id).mailbox, envelope_id(id));
            let proof = Some(proof(house, alice, &purpose, 8, 0));
            Command::Send(Send { proof, ttl_secs, ..carol.envelope(id) })
        };
        let stored = worked(&house, 1, None);
        let fleeting = worked(&house, 2, Some(0));
        for _ in 0..9 {
            assert_eq!(house.ask(alice, stored.clone()), Answer::Done);
            assert_eq!(house.ask(alice, fleeting.clone()), Answer::Done);
        }
        assert_eq!(house.ask(alice, carol.send(3)), Answer::Work { bits: 8 }, "one was stored");
        for id in 4..8 {
            let stored = worked(&house, id, None);
            assert_eq!(house.ask(alice, stored), Answer::Done);
        }
        assert_eq!(house.ask(alice, carol.send(3)), Answer::Work { bits: 9 }, "five were");
    }

    #[test]
    fn the_readers_name_of_a_mailbox_takes_no_envelopes() {
        let (mut house, alice, bob) = setting(Config::default());
        let send = Send { mailbox: SendId::from(*bob.receive_id().as_bytes()), ..bob.envelope(1) };
        assert_eq!(house.ask(alice, Command::Send(send)), Answer::Denied);
    }

    #[test]
    fn sizes_and_times_have_limits() {
        let (mut house, alice, bob) = setting(Config::default());
        let cases = [
            (Send { payload: vec![], ..bob.envelope(1) }, REFUSED),
            (Send { payload: vec![0; PAYLOAD_BYTES_MAX + 1], ..bob.envelope(2) }, REFUSED),
            (Send { payload: vec![0; PAYLOAD_BYTES_MAX], ..bob.envelope(3) }, Answer::Done),
            (Send { ttl_secs: Some(21 * 86_400 + 1), ..bob.envelope(4) }, REFUSED),
            (Send { ttl_secs: Some(21 * 86_400), ..bob.envelope(5) }, Answer::Done),
        ];
        for (send, answer) in cases {
            assert_eq!(house.ask(alice, Command::Send(send)), answer);
        }
    }

    #[test]
    fn a_full_mailbox_says_so_until_its_reader_acknowledges() {
        for (kind, envelopes_max) in [(MailboxKind::Pairwise, 1_000), (MailboxKind::Contact, 200)] {
            let (mut house, bob) = (House::new(), Owner::with_kind(1, kind));
            let (reading, alice) = (house.reader(&bob), house.greeted());
            for id in 0..envelopes_max {
                assert_eq!(house.ask(alice, bob.send(id)), Answer::Done);
            }
            assert!(matches!(house.ask(alice, bob.send(envelopes_max)), Answer::Full { .. }), "{kind:?}");
            assert_eq!(house.ask(alice, bob.send(0)), Answer::Done, "a repeat needs no room");
            house.ask(reading, bob.ack(&[envelope_id(0)]));
            assert_eq!(house.ask(alice, bob.send(envelopes_max)), Answer::Done, "{kind:?}");
        }
    }

    #[test]
    fn a_mailbox_holds_16_mib() {
        let (mut house, alice, bob) = setting(Config::default());
        let large = |id| Command::Send(Send { payload: vec![0; PAYLOAD_BYTES_MAX], ..bob.envelope(id) });
        for id in 0..256 {
            assert_eq!(house.ask(alice, large(id)), Answer::Done);
        }
        assert!(matches!(house.ask(alice, bob.send(256)), Answer::Full { .. }));
    }

    #[test]
    fn an_ephemeral_envelope_reaches_a_reader_or_nobody() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let (reading, alice) = (house.reader(&bob), house.greeted());
        let typing = Command::Send(Send { ttl_secs: Some(0), ..bob.envelope(1) });
        assert_eq!(house.ask(alice, typing.clone()), Answer::Done);
        assert_eq!(house.delivered(reading), [envelope_id(1)]);

        house.input(core::Input::Closed(reading));
        assert_eq!(house.ask(alice, typing), Answer::Done, "the sender is not told that nobody reads");
        assert_eq!(house.storage.durable_payloads().count(), 0);
    }

    #[test]
    fn an_envelope_that_outlived_its_time_is_not_delivered() {
        let (mut house, alice, bob) = setting(Config::default());
        for (id, ttl_secs) in [(1, 60), (2, 61)] {
            house.ask(alice, Command::Send(Send { ttl_secs: Some(ttl_secs), ..bob.envelope(id) }));
        }
        house.wait_secs(60);
        let conn = house.greeted();
        let subscribe = bob.subscribe(&house, conn, None, [1; 16]);
        house.ask(conn, subscribe);
        assert_eq!(house.delivered(conn), [envelope_id(2)]);
        house.input(core::Input::Tick);
        assert_eq!(house.storage.durable_payloads().count(), 1, "and a sweep deletes it");
    }

    #[test]
    fn beyond_its_rate_a_capability_waits() {
        let send_rate = Rate { burst: 2, interval_millis: 10_000 };
        let (mut house, alice, bob) = setting(Config { send_rate, ..Config::default() });
        let other = house.greeted();
        assert_eq!(house.ask(alice, bob.send(1)), Answer::Done);
        assert_eq!(house.ask(other, bob.send(2)), Answer::Done);
        assert_eq!(house.ask(alice, bob.send(3)), Answer::Busy { retry_after_secs: 10 });
        house.wait_secs(10);
        assert_eq!(house.ask(alice, bob.send(3)), Answer::Done);
    }

    #[test]
    fn under_load_sends_are_turned_away_and_acks_are_not() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let (reading, alice) = (house.reader(&bob), house.greeted());
        house.ask(alice, bob.send(1));
        let none =
            Admission { create_max: 0, send_max: 0, send_bytes_max: 0, subscribe_max: 0, ..Admission::default() };
        house.core.config.admission = none;
        assert!(matches!(house.ask(alice, bob.send(2)), Answer::Busy { .. }));
        assert_eq!(house.ask(reading, bob.ack(&[envelope_id(1)])), Answer::Done);
    }

    #[test]
    fn on_a_low_disk_nothing_new_is_stored() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let (reading, alice) = (house.reader(&bob), house.greeted());
        house.ask(alice, bob.send(1));
        house.core.set_disk_low(true);
        assert!(matches!(house.ask(alice, bob.send(2)), Answer::Busy { .. }));
        assert!(matches!(house.ask(alice, Owner::new(2).create()), Answer::Busy { .. }));
        assert_eq!(house.ask(reading, bob.ack(&[envelope_id(1)])), Answer::Done);
        house.core.set_disk_low(false);
        assert_eq!(house.ask(alice, bob.send(2)), Answer::Done);
    }

    #[test]
    fn a_failing_store_is_busy_and_nothing_is_delivered() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let (reading, alice) = (house.reader(&bob), house.greeted());
        house.fail_storage(true);
        assert!(matches!(house.ask(alice, bob.send(1)), Answer::Busy { .. }));
        assert_eq!(house.heard(reading), Vec::<RelayFrame>::new());
        house.fail_storage(false);
        assert_eq!(house.ask(alice, bob.send(1)), Answer::Done);
        assert_eq!(house.delivered(reading), [envelope_id(1)]);
    }
}
