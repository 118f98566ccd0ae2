//! `publish`: stores sealed bundle parts. Their sizes are all the relay knows of them, and those are the same for everybody.

use bytes::Bytes;
use sotto_outer::{
    Answer, Publish, RefusedReason,
    limits::{BUNDLE_MAIN_BYTES, BUNDLE_PAIRS_MAX, BUNDLE_PART_BYTES, PUBLISH_PAIRS_MAX},
    signed,
};

use crate::{
    core::{Asker, Awaiting, Core, Turn, Work},
    storage::{NewParts, Op},
};

pub(crate) fn handle(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, publish: Publish) {
    if !sizes_fit(&publish) {
        return turn.refuse(asker, RefusedReason::Limit);
    }
    if let Err(retry_after_secs) = let_in(core, turn, asker) {
        return turn.answer(asker, Answer::Busy { retry_after_secs });
    }
    if !is_signed(core, asker, &publish) {
        return turn.answer(asker, Answer::Denied);
    }
    let Publish { bundle, owner, main, last_resort, pairs, signature: _ } = publish;
    let parts = NewParts {
        bundle,
        owner,
        main: main.map(Bytes::from),
        last_resort: last_resort.map(Bytes::from),
        pairs: pairs.into_iter().map(|pair| Bytes::from(Vec::from(pair))).collect(),
        pairs_max: BUNDLE_PAIRS_MAX,
        day: turn.now.day(),
    };
    core.store(turn, Op::Publish(parts), Awaiting::Done(asker));
}

fn let_in(core: &mut Core, turn: &mut Turn<'_>, asker: Asker) -> Result<(), u32> {
    core.admit(turn, Work::Create)?;
    core.take_from_origin(turn.now, asker.conn)?;
    let Some(connection) = core.connections.get_mut(&asker.conn) else { return Ok(()) };
    connection.publishes.take(turn.now, core.config.publish_rate, 1)
}

/// Whether the owner in the frame signed it; that it is the bundle's owner, the store checks.
fn is_signed(core: &Core, asker: Asker, publish: &Publish) -> bool {
    let Some(connection) = core.connections.get(&asker.conn) else { return false };
    let bytes = signed::publish(core.identity.public(), &connection.nonce, publish);
    core.identity.signed_by(Some(&publish.owner), &bytes, &publish.signature)
}

fn sizes_fit(publish: &Publish) -> bool {
    publish.main.as_ref().is_none_or(|main| main.len() == BUNDLE_MAIN_BYTES)
        && publish.last_resort.as_ref().is_none_or(|part| part.len() == BUNDLE_PART_BYTES)
        && publish.pairs.len() <= PUBLISH_PAIRS_MAX
        && publish.pairs.iter().all(|pair| pair.len() == BUNDLE_PART_BYTES)
}

#[cfg(test)]
mod tests {
    use sotto_outer::{Bundle, Command, Fetch};

    use super::*;
    use crate::{
        command::testing::{House, Owner},
        core::{Config, Conn, Input, Rate},
    };

    const REFUSED: Answer = Answer::Refused { reason: RefusedReason::Limit };

    fn fetch(house: &mut House, conn: Conn, owner: &Owner) -> Bundle {
        let command = Command::Fetch(Fetch { bundle: owner.bundle_id(), proof: None });
        let Answer::Bundle(bundle) = house.ask(conn, command) else { panic!("no bundle") };
        bundle
    }

    #[test]
    fn what_was_published_is_fetched() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let conn = house.greeted();
        let publish = bob.publish(&house, conn, 1, 1);
        assert_eq!(house.ask(conn, Command::Publish(publish)), Answer::Done);
        let bundle = Bundle { main: vec![0xaa; 3_072], pair: Some(vec![1; 2_048]), last_resort: None };
        assert_eq!(fetch(&mut house, conn, &bob), bundle);
    }

    #[test]
    fn later_parts_replace_or_join_those_before() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let conn = house.greeted();
        let first = bob.publish(&house, conn, 1, 1);
        house.ask(conn, Command::Publish(first.clone()));
        let later =
            Publish { main: Some(vec![0xcc; 3_072]), last_resort: None, pairs: vec![vec![2; 2_048].into()], ..first };
        let later = bob.signed(&house, conn, later);
        assert_eq!(house.ask(conn, Command::Publish(later)), Answer::Done);
        let main = vec![0xcc; 3_072];
        for fill in [1, 2] {
            let bundle = Bundle { main: main.clone(), pair: Some(vec![fill; 2_048]), last_resort: None };
            assert_eq!(fetch(&mut house, conn, &bob), bundle);
        }
        let bundle = Bundle { main, pair: None, last_resort: Some(vec![0xbb; 2_048]) };
        assert_eq!(fetch(&mut house, conn, &bob), bundle, "the last resort stayed as it was");
    }

    #[test]
    fn beyond_fifty_the_oldest_one_time_parts_give_way() {
        let pair_rate = Rate { burst: 100, interval_millis: 1 };
        let (mut house, bob) = (House::with(Config { pair_rate, ..Config::default() }), Owner::new(1));
        let conn = house.greeted();
        for first in [0, 25, 50] {
            let publish = bob.publish(&house, conn, first, 25);
            assert_eq!(house.ask(conn, Command::Publish(publish)), Answer::Done);
        }
        let fetched: Vec<_> = (0..50).filter_map(|_| fetch(&mut house, conn, &bob).pair).map(|pair| pair[0]).collect();
        assert_eq!(fetched, (25..75).collect::<Vec<_>>());
        assert_eq!(fetch(&mut house, conn, &bob).pair, None);
    }

    #[test]
    fn a_bundle_that_is_not_published_for_90_days_lapses() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let first = house.greeted();
        let publish = bob.publish(&house, first, 0, 1);
        house.ask(first, Command::Publish(publish));
        for (days, is_there) in [(90, true), (90, true), (91, false)] {
            house.wait_secs(days * 86_400);
            house.input(Input::Tick);
            house.settle();
            let conn = house.greeted();
            let fetch = Command::Fetch(Fetch { bundle: bob.bundle_id(), proof: None });
            assert_eq!(house.ask(conn, fetch) != Answer::Denied, is_there, "after {days} days");
            let some = Publish { main: None, ..bob.publish(&house, conn, 1, 1) };
            let again = bob.signed(&house, conn, some);
            assert_eq!(house.ask(conn, Command::Publish(again)) == Answer::Done, is_there);
        }
    }

    #[test]
    fn a_new_bundle_is_whole() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let conn = house.greeted();
        let whole = bob.publish(&house, conn, 0, 1);
        for part in [Publish { main: None, ..whole.clone() }, Publish { last_resort: None, ..whole.clone() }] {
            let part = bob.signed(&house, conn, part);
            assert_eq!(house.ask(conn, Command::Publish(part)), Answer::Denied);
        }
        assert_eq!(house.ask(conn, Command::Publish(whole)), Answer::Done);
    }

    #[test]
    fn every_part_has_its_exact_size() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let conn = house.greeted();
        let whole = bob.publish(&house, conn, 0, 1);
        let wrong = [
            Publish { main: Some(vec![0; 3_071]), ..whole.clone() },
            Publish { last_resort: Some(vec![0; 2_049]), ..whole.clone() },
            Publish { pairs: vec![vec![0; 2_047].into()], ..whole.clone() },
            Publish { pairs: vec![vec![0; 2_048].into(); 26], ..whole },
        ];
        for publish in wrong {
            let publish = bob.signed(&house, conn, publish);
            assert_eq!(house.ask(conn, Command::Publish(publish)), REFUSED);
        }
    }

    #[test]
    fn only_the_owner_publishes() {
        let (mut house, bob, mallory) = (House::new(), Owner::new(1), Owner::new(2));
        let (conn, other) = (house.greeted(), house.greeted());
        let by_bob = bob.publish(&house, conn, 1, 1);
        house.ask(conn, Command::Publish(by_bob.clone()));

        let taken_over = Publish { bundle: bob.bundle_id(), ..mallory.publish(&house, conn, 2, 1) };
        let taken_over = mallory.signed(&house, conn, taken_over);
        let forged = Publish { owner: bob.owner_key(), ..taken_over.clone() };
        let altered = Publish { pairs: vec![vec![9; 2_048].into()], ..by_bob.clone() };
        for publish in [taken_over, forged, altered] {
            assert_eq!(house.ask(conn, Command::Publish(publish)), Answer::Denied);
        }
        assert_eq!(house.ask(other, Command::Publish(by_bob)), Answer::Denied, "of another connection");
        assert_eq!(fetch(&mut house, conn, &bob).pair, Some(vec![1; 2_048]));
        assert_eq!(fetch(&mut house, conn, &bob).pair, None, "nothing was added");
    }
}
