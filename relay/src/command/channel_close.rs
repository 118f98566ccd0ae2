//! `close` of a channel: on its owner's signature nothing is appended any more. Reading goes on until all has expired.

use sotto_outer::{Answer, ChannelId, CloseChannel, OwnerSignature, signed};

use super::{BUSY, mismatch};
use crate::{
    core::{self, Asker, Core, Turn},
    storage::{
        Op, Outcome,
        channel::{ChannelOp, ChannelOutcome},
    },
};

/// Somebody who would close; the owner is being looked up.
#[derive(Debug)]
pub(crate) struct Awaiting {
    asker: Asker,
    channel: ChannelId,
    signature: OwnerSignature,
}

/// Takes the frame.
pub(crate) fn handle(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, close: &CloseChannel) {
    let CloseChannel { channel, signature } = *close;
    let Some(connection) = core.connections.get_mut(&asker.conn) else { return };
    if let Err(retry_after_secs) = connection.publishes.take(turn.now, core.config.publish_rate, 1) {
        return turn.answer(asker, Answer::Busy { retry_after_secs });
    }
    let awaiting = Awaiting { asker, channel, signature };
    core.store(turn, Op::Channel(ChannelOp::Find { channel, generation: 0 }), core::Awaiting::Closer(awaiting));
}

/// The owner is known: the signature is checked.
pub(crate) fn owner_known(core: &mut Core, turn: &mut Turn<'_>, awaiting: Awaiting, outcome: &Outcome) {
    let Awaiting { asker, channel, signature } = awaiting;
    let owner = match outcome {
        Outcome::Channel(ChannelOutcome::Found(found)) => found.map(|found| found.owner),
        Outcome::Failed => return turn.answer(asker, BUSY),
        other => return turn.answer(asker, mismatch(other)),
    };
    let Some(connection) = core.connections.get(&asker.conn) else { return };
    let bytes = signed::close_channel(core.identity.public(), &connection.nonce, &channel);
    let is_signed = core.identity.signed_by(owner.as_ref(), &bytes, &signature);
    let Some(owner) = owner.filter(|_| is_signed) else { return turn.answer(asker, Answer::Denied) };
    core.store(turn, Op::Channel(ChannelOp::Close { channel, owner }), core::Awaiting::Done(asker));
}

#[cfg(test)]
mod tests {
    use sotto_outer::Command;

    use super::*;
    use crate::command::testing::{House, Log};

    #[test]
    fn a_closed_channel_takes_nothing_and_is_still_read() {
        let (mut house, log) = (House::new(), Log::new(1));
        let alice = house.greeted();
        house.ask(alice, Command::CreateChannel(log.create()));
        house.ask(alice, log.append(&house, 0, 1));
        let close = log.close(&house, alice);
        assert_eq!(house.ask(alice, close.clone()), Answer::Done);
        assert_eq!(house.ask(alice, close), Answer::Done, "again");
        assert_eq!(house.ask(alice, log.append(&house, 0, 2)), Answer::Closed);
        assert_eq!(house.ask(alice, log.advance(&house, 0, 3)), Answer::Closed);
        assert_eq!(house.ask(alice, log.append(&house, 0, 1)), Answer::Appended { seq: 1 }, "a repeat");
        house.ask(alice, log.subscribe(0, 0));
        assert_eq!(house.entries(alice), [1]);
    }

    #[test]
    fn only_the_owner_closes_a_channel() {
        let (mut house, log, other) = (House::new(), Log::new(1), Log::new(2));
        let (alice, elsewhere) = (house.greeted(), house.greeted());
        house.ask(alice, Command::CreateChannel(log.create()));
        let Command::CloseChannel(forged) = other.close(&house, alice) else { unreachable!("a close") };
        let replayed = log.close(&house, elsewhere);
        let forged = CloseChannel { channel: log.id(), ..forged };
        for close in [Command::CloseChannel(forged), replayed, other.close(&house, alice)] {
            assert_eq!(house.ask(alice, close), Answer::Denied);
        }
        assert_eq!(house.ask(alice, log.append(&house, 0, 1)), Answer::Appended { seq: 1 });
    }
}
