//! `forward`: carries a key request or a sealed command to another relay, and what it said back.
//!
//! What must hold:
//! - This relay learns which relay is asked and how often, and not what: all commands have one length, and so have all answers.
//! - Nothing of it is stored, and nothing is tried again: the client asks again, and what it asks is safe to ask twice.
//!
//! ```text
//!             at sight                 another relay
//!  Forward ──► Refused, Busy ──► Forwarded, Unreachable
//! ```

use sotto_outer::{Answer, Forward, Hop, RefusedReason, limits};

use crate::core::{Asker, Core, ForwardOutcome, Turn};

/// Takes the frame.
pub(crate) fn handle(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, forward: Forward) {
    if !core.config.forwards {
        return turn.refuse(asker, RefusedReason::Unavailable);
    }
    let is_own = forward.target.identity() == core.identity.public();
    if is_own || forward.target.validate().is_err() || !has_its_length(&forward.hop) {
        return turn.refuse(asker, RefusedReason::Limit);
    }
    let Some(connection) = core.connections.get_mut(&asker.conn) else { return };
    let has_room = connection.forwarding < limits::FORWARD_IN_FLIGHT_MAX;
    let let_in = if has_room { connection.forwards.take(turn.now, core.config.forward_rate, 1) } else { Err(1) };
    if let Err(retry_after_secs) = let_in {
        return turn.answer(asker, Answer::Busy { retry_after_secs });
    }
    connection.forwarding += 1;
    core.forward(turn, asker, forward);
}

/// The other relay has answered, or has not.
pub(crate) fn forwarded(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, outcome: ForwardOutcome) {
    let Some(connection) = core.connections.get_mut(&asker.conn) else { return };
    connection.forwarding -= 1;
    let answer = match outcome {
        ForwardOutcome::Forwarded(forwarded) => Answer::Forwarded(forwarded),
        ForwardOutcome::Unreachable { retry_after_secs } => Answer::Unreachable { retry_after_secs },
        ForwardOutcome::Busy { retry_after_secs } => Answer::Busy { retry_after_secs },
    };
    turn.answer(asker, answer);
}

fn has_its_length(hop: &Hop) -> bool {
    match hop {
        Hop::Key => true,
        Hop::Request { sealed } => sealed.len() == limits::FORWARD_REQUEST_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use sotto_outer::{Command, Forwarded, RelayAddress, RelayFrame, Tls};

    use super::*;
    use crate::{
        command::testing::House,
        core::{Config, Conn, Input, Rate, Ticket},
    };

    const REQUEST: fn() -> Hop = || Hop::Request { sealed: vec![7; limits::FORWARD_REQUEST_BYTES] };

    fn command(identity: [u8; 32], hop: Hop) -> Command {
        let target = RelayAddress::new("relay.example", 443, Tls::Own, identity.into()).unwrap();
        Command::Forward(Forward { target, hop })
    }

    /// Asks and returns the ticket under which it left.
    fn leaves(house: &mut House, conn: Conn, hop: Hop) -> Ticket {
        house.request(conn, command([9; 32], hop));
        house.forwards.pop().expect("it leaves").0
    }

    fn comes_back(house: &mut House, conn: Conn, ticket: Ticket, outcome: ForwardOutcome) -> Vec<Answer> {
        house.input(Input::Forwarded(ticket, outcome));
        let answer = |frame| match frame {
            RelayFrame::Answer { answer, .. } => answer,
            other => panic!("no answer: {other:?}"),
        };
        house.heard(conn).into_iter().map(answer).collect()
    }

    #[test]
    fn what_the_other_relay_said_comes_back_as_it_was() {
        let mut house = House::new();
        let conn = house.greeted();
        let ticket = leaves(&mut house, conn, REQUEST());
        let said = Forwarded::Response { sealed: vec![8; limits::FORWARD_RESPONSE_BYTES] };
        let answers = comes_back(&mut house, conn, ticket, ForwardOutcome::Forwarded(said.clone()));
        assert_eq!(answers, [Answer::Forwarded(said)]);
        let ticket = leaves(&mut house, conn, Hop::Key);
        let answers = comes_back(&mut house, conn, ticket, ForwardOutcome::Unreachable { retry_after_secs: 60 });
        assert_eq!(answers, [Answer::Unreachable { retry_after_secs: 60 }]);
    }

    #[test]
    fn a_sealed_command_has_one_length_and_goes_elsewhere() {
        let mut house = House::new();
        let conn = house.greeted();
        let own = *house.core.identity.public().as_bytes();
        let short = Hop::Request { sealed: vec![7; limits::FORWARD_REQUEST_BYTES - 1] };
        for wrong in [command([9; 32], short), command(own, Hop::Key)] {
            assert_eq!(house.ask(conn, wrong), Answer::Refused { reason: RefusedReason::Limit });
        }
    }

    #[test]
    fn a_relay_that_does_not_forward_says_so() {
        let mut house = House::with(Config { forwards: false, ..Config::default() });
        let conn = house.greeted();
        let answer = house.ask(conn, command([9; 32], Hop::Key));
        assert_eq!(answer, Answer::Refused { reason: RefusedReason::Unavailable });
    }

    #[test]
    fn thirty_two_of_a_connection_are_on_their_way() {
        let mut house = House::new();
        let (conn, other) = (house.greeted(), house.greeted());
        let tickets: Vec<_> = (0..32).map(|_| leaves(&mut house, conn, Hop::Key)).collect();
        assert_eq!(house.ask(conn, command([9; 32], Hop::Key)), Answer::Busy { retry_after_secs: 1 });
        leaves(&mut house, other, Hop::Key);
        comes_back(&mut house, conn, tickets[0], ForwardOutcome::Unreachable { retry_after_secs: 60 });
        leaves(&mut house, conn, Hop::Key);
    }

    #[test]
    fn beyond_its_rate_a_connection_waits() {
        let forward_rate = Rate { burst: 1, interval_millis: 3_000 };
        let mut house = House::with(Config { forward_rate, ..Config::default() });
        let conn = house.greeted();
        leaves(&mut house, conn, Hop::Key);
        assert_eq!(house.ask(conn, command([9; 32], Hop::Key)), Answer::Busy { retry_after_secs: 3 });
    }

    #[test]
    fn an_answer_for_a_connection_that_is_gone_is_dropped() {
        let mut house = House::new();
        let conn = house.greeted();
        let ticket = leaves(&mut house, conn, Hop::Key);
        house.input(Input::Closed(conn));
        assert_eq!(comes_back(&mut house, conn, ticket, ForwardOutcome::Unreachable { retry_after_secs: 1 }), []);
    }
}
