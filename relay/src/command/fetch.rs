//! `fetch`: the parts of a bundle that one handshake needs. A one-time part is handed out once and deleted; when none is left, or the
//! bundle is asked for too often, the last-resort part stands in.

use sotto_outer::{Answer, BundleId, Fetch};

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
}

/// Takes the frame.
pub(crate) fn handle(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, fetch: &Fetch) {
    let Fetch { bundle, proof: _ } = fetch;
    let Some(connection) = core.connections.get_mut(&asker.conn) else { return };
    if let Err(retry_after_secs) = connection.fetches.take(turn.now, core.config.fetch_rate, 1) {
        return turn.answer(asker, Answer::Busy { retry_after_secs });
    }
    let take_pair = core.pairs.take(*bundle, turn.now, core.config.pair_rate).is_ok();
    let op = Op::FetchBundle { bundle: *bundle, take_pair };
    core.store(turn, op, core::Awaiting::Fetch(Awaiting { asker, bundle: *bundle }));
}

/// The parts are read, and the one-time part, if there was one, is gone for good.
pub(crate) fn stored(core: &mut Core, turn: &mut Turn<'_>, awaiting: Awaiting, outcome: Outcome) {
    let Awaiting { asker, bundle } = awaiting;
    match outcome {
        Outcome::Bundle(parts) => turn.answer(asker, Answer::Bundle(parts)),
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
        command::testing::{House, Owner},
        core::Conn,
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
    fn a_missing_bundle_is_denied_and_not_remembered() {
        let mut house = House::new();
        let conn = house.greeted();
        assert_eq!(house.ask(conn, fetch(&Owner::new(1))), Answer::Denied);
        assert!(house.core.pairs.is_empty());
    }
}
