//! `fetch`: the parts of a bundle that one handshake needs. A one-time part is handed out once and deleted; when none is left, or the
//! bundle is asked for too often, the last-resort part stands in.

use sotto_outer::{Answer, BundleId, Fetch, work::Purpose};

use super::{BUSY, mismatch};
use crate::{
    core::{self, Asker, Core, Turn},
    storage::{Op, Outcome},
};

/// Somebody whose bundle is being read.
#[derive(Debug)]
pub(crate) struct Awaiting {
    asker: Asker,
    bundle: BundleId,
    /// Whether a good proof of work came with it.
    worked: bool,
}

/// Takes the frame.
pub(crate) fn handle(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, fetch: &Fetch) {
    let Fetch { bundle, proof } = fetch;
    if let Err(retry_after_secs) = let_in(core, turn, asker) {
        return turn.answer(asker, Answer::Busy { retry_after_secs });
    }
    if let Some(bits) = core.owed(turn.now, asker.conn, &Purpose::Fetch(*bundle), proof.as_ref()) {
        return turn.answer(asker, Answer::Work { bits });
    }
    let take_pair = core.pairs.take(*bundle, turn.now, core.config.pair_rate).is_ok();
    let op = Op::FetchBundle { bundle: *bundle, take_pair };
    core.store(turn, op, core::Awaiting::Fetch(Awaiting { asker, bundle: *bundle, worked: proof.is_some() }));
}

fn let_in(core: &mut Core, turn: &Turn<'_>, asker: Asker) -> Result<(), u32> {
    core.take_from_origin(turn.now, asker.conn)?;
    let Some(connection) = core.connections.get_mut(&asker.conn) else { return Ok(()) };
    connection.fetches.take(turn.now, core.config.fetch_rate, 1)
}

/// The parts are read, and the one-time part, if there was one, is gone for good.
pub(crate) fn stored(core: &mut Core, turn: &mut Turn<'_>, awaiting: Awaiting, outcome: Outcome) {
    let Awaiting { asker, bundle, worked } = awaiting;
    match outcome {
        Outcome::Bundle(parts) => {
            if worked {
                core.count_worked_fetch(turn.now);
            }
            turn.answer(asker, Answer::Bundle(parts));
        }
        Outcome::Denied => {
            core.pairs.forget(&bundle);
            turn.answer(asker, Answer::Denied);
        }
        Outcome::Failed => turn.answer(asker, BUSY),
        other => turn.answer(asker, mismatch(&other)),
    }
}

#[cfg(test)]
mod tests {
    use sotto_outer::Command;

    use super::*;
    use crate::{
        command::testing::{House, Owner, proof},
        core::{Config, Conn, Origin, Rate, Toll},
    };

    fn fetch(owner: &Owner) -> Command {
        Command::Fetch(Fetch { bundle: owner.bundle_id(), proof: None })
    }

    fn pair(house: &mut House, conn: Conn, owner: &Owner) -> Option<u8> {
        let Answer::Bundle(bundle) = house.ask(conn, fetch(owner)) else { panic!("no bundle") };
        assert_eq!(bundle.pair.is_none(), bundle.last_resort.is_some(), "exactly one of the two");
        bundle.pair.map(|pair| pair[0])
    }

    #[test]
    fn a_one_time_part_is_handed_out_once() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let conn = house.greeted();
        let publish = bob.publish(&house, conn, 1, 2);
        house.ask(conn, Command::Publish(publish));
        let handed_out: Vec<_> = (0..3).map(|_| pair(&mut house, conn, &bob)).collect();
        assert_eq!(handed_out, [Some(1), Some(2), None]);
    }

    #[test]
    fn beyond_the_rate_the_last_resort_stands_in() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let conn = house.greeted();
        let publish = bob.publish(&house, conn, 1, 9);
        house.ask(conn, Command::Publish(publish));
        let handed_out: Vec<_> = (0..8).map(|_| pair(&mut house, conn, &bob)).collect();
        assert_eq!(handed_out, [Some(1), Some(2), Some(3), Some(4), Some(5), Some(6), None, None]);
        house.wait_secs(600);
        house.input(core::Input::Tick);
        assert_eq!(pair(&mut house, conn, &bob), Some(7));
        assert_eq!(pair(&mut house, conn, &bob), None);
    }

    #[test]
    fn each_fetch_is_worked_for() {
        let toll = Toll { fetch: 8, ..Toll::NONE };
        let (mut house, bob) = (House::with(Config { toll, ..Config::default() }), Owner::new(1));
        let conn = house.greeted();
        let publish = bob.publish(&house, conn, 1, 9);
        house.ask(conn, Command::Publish(publish));
        assert_eq!(house.ask(conn, fetch(&bob)), Answer::Work { bits: 8 });
        let purpose = Purpose::Fetch(bob.bundle_id());
        let first = proof(&house, conn, &purpose, 8, 0);
        let with = |proof| Command::Fetch(Fetch { bundle: bob.bundle_id(), proof: Some(proof) });
        assert!(matches!(house.ask(conn, with(first)), Answer::Bundle(_)));
        assert_eq!(house.ask(conn, with(first)), Answer::Work { bits: 8 }, "a proof is good once");
        let next = u64::from_be_bytes(*first.as_bytes()) + 1;
        let second = proof(&house, conn, &purpose, 8, next);
        assert!(matches!(house.ask(conn, with(second)), Answer::Bundle(_)));
        let other = house.greeted();
        assert_eq!(house.ask(other, with(second)), Answer::Work { bits: 8 }, "and on its connection alone");
    }

    #[test]
    fn all_connections_from_one_place_share_a_rate() {
        let origin_rate = Rate { burst: 3, interval_millis: 60_000 };
        let (mut house, bob) = (House::with(Config { origin_rate, ..Config::default() }), Owner::new(1));
        let [first, second, other, unknown] = std::array::from_fn(|_| house.greeted());
        for (conn, origin) in [(first, 1), (second, 1), (other, 2)] {
            house.input(core::Input::From(conn, Origin(origin)));
        }
        let publish = bob.publish(&house, first, 1, 2);
        assert_eq!(house.ask(first, Command::Publish(publish)), Answer::Done);
        assert!(matches!(house.ask(second, fetch(&bob)), Answer::Bundle(_)));
        assert_eq!(house.ask(second, bob.create()), Answer::Done);
        let busy = Answer::Busy { retry_after_secs: 60 };
        assert_eq!(house.ask(first, fetch(&bob)), busy);
        assert_eq!(house.ask(second, Owner::new(2).create()), busy);
        for conn in [other, unknown] {
            assert!(matches!(house.ask(conn, fetch(&bob)), Answer::Bundle(_)), "from elsewhere");
        }
        house.wait_secs(180);
        house.input(core::Input::Tick);
        assert!(house.core.origins.is_empty(), "who rests is forgotten");
    }

    #[test]
    fn no_work_buys_a_one_time_part_beyond_the_rate() {
        let toll = Toll { fetch: 1, ..Toll::NONE };
        let (mut house, bob) = (House::with(Config { toll, ..Config::default() }), Owner::new(1));
        let conn = house.greeted();
        let publish = bob.publish(&house, conn, 1, 9);
        house.ask(conn, Command::Publish(publish));
        let (mut from, mut handed_out) = (0, vec![]);
        for _ in 0..8 {
            let proof = proof(&house, conn, &Purpose::Fetch(bob.bundle_id()), 12, from);
            from = u64::from_be_bytes(*proof.as_bytes()) + 1;
            let fetch = Command::Fetch(Fetch { bundle: bob.bundle_id(), proof: Some(proof) });
            let Answer::Bundle(parts) = house.ask(conn, fetch) else { panic!("no bundle") };
            handed_out.push(parts.pair.is_some());
        }
        assert_eq!(handed_out, [true, true, true, true, true, true, false, false]);
    }

    #[test]
    fn a_missing_bundle_is_denied_and_not_remembered() {
        let mut house = House::new();
        let conn = house.greeted();
        assert_eq!(house.ask(conn, fetch(&Owner::new(1))), Answer::Denied);
        assert!(house.core.pairs.is_empty());
    }
}
