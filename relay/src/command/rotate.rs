//! `rotate`: gives a mailbox another send capability, on its owner's signature. From its answer on the old one is denied.

use sotto_outer::{Answer, CapabilityHash, OwnerSignature, ReceiveId, Rotate, signed};

use super::{BUSY, mismatch};
use crate::{
    core::{self, Asker, Core, Turn},
    storage::{Op, Outcome, Owned},
};

/// Somebody who would rotate; the mailbox's owner is being looked up.
#[derive(Debug)]
pub(crate) struct Awaiting {
    asker: Asker,
    mailbox: ReceiveId,
    capability_hash: CapabilityHash,
    signature: OwnerSignature,
}

/// Takes the frame.
pub(crate) fn handle(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, rotate: &Rotate) {
    let Rotate { mailbox, capability_hash, signature } = *rotate;
    let Some(connection) = core.connections.get_mut(&asker.conn) else { return };
    if let Err(retry_after_secs) = connection.publishes.take(turn.now, core.config.publish_rate, 1) {
        return turn.answer(asker, Answer::Busy { retry_after_secs });
    }
    let awaiting = Awaiting { asker, mailbox, capability_hash, signature };
    core.store(turn, Op::Owners(vec![Owned::Mailbox(mailbox)]), core::Awaiting::Rotate(awaiting));
}

/// The owner is known: the signature is checked, and the new hash goes to the store.
pub(crate) fn owner_known(core: &mut Core, turn: &mut Turn<'_>, awaiting: Awaiting, outcome: &Outcome) {
    let Awaiting { asker, mailbox, capability_hash, signature } = awaiting;
    let owner = match outcome {
        Outcome::Owners(owners) => owners.first().copied().flatten(),
        Outcome::Failed => return turn.answer(asker, BUSY),
        other => return turn.answer(asker, mismatch(other)),
    };
    let Some(connection) = core.connections.get(&asker.conn) else { return };
    let bytes = signed::rotate(core.identity.public(), &connection.nonce, &mailbox, &capability_hash);
    let is_signed = core.identity.signed_by(owner.as_ref(), &bytes, &signature);
    let Some(owner) = owner.filter(|_| is_signed) else { return turn.answer(asker, Answer::Denied) };
    core.store(turn, Op::Rotate { mailbox, owner, capability_hash }, core::Awaiting::Done(asker));
}

#[cfg(test)]
mod tests {
    use sotto_outer::{Command, Send, SendCapability};

    use super::*;
    use crate::{
        access,
        command::testing::{House, Owner},
    };

    /// An envelope to Bob under the capability that `fill` makes.
    fn send(bob: &Owner, id: u16, fill: u8) -> Command {
        Command::Send(Send { capability: SendCapability::from([fill; 32]), ..bob.envelope(id) })
    }

    fn hash(fill: u8) -> CapabilityHash {
        access::capability_hash(&SendCapability::from([fill; 32]))
    }

    #[test]
    fn after_a_rotation_the_new_capability_alone_is_good() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let (reading, alice) = (house.reader(&bob), house.greeted());
        assert_eq!(house.ask(alice, send(&bob, 1, 1)), Answer::Done);
        let rotate = bob.rotate(&house, reading, hash(9));
        assert_eq!(house.ask(reading, rotate.clone()), Answer::Done);
        assert_eq!(house.ask(alice, send(&bob, 2, 1)), Answer::Denied);
        assert_eq!(house.ask(alice, send(&bob, 3, 9)), Answer::Done);
        assert_eq!(house.delivered(reading).len(), 2, "what came before stays, and its reader reads on");
        assert_eq!(house.ask(reading, rotate), Answer::Done, "again");
    }

    #[test]
    fn only_the_owner_rotates_and_only_to_what_was_signed_for() {
        let (mut house, bob, mallory) = (House::new(), Owner::new(1), Owner::new(2));
        let (conn, other) = (house.reader(&bob), house.greeted());
        let Command::Rotate(good) = bob.rotate(&house, conn, hash(9)) else { unreachable!("a rotate") };
        let Command::Rotate(by_mallory) = mallory.rotate(&house, conn, hash(9)) else { unreachable!("a rotate") };
        let forged = Rotate { mailbox: bob.receive_id(), ..by_mallory.clone() };
        let changed = Rotate { capability_hash: hash(8), ..good.clone() };
        let elsewhere = bob.rotate(&house, other, hash(9));
        for rotate in [Command::Rotate(forged), Command::Rotate(changed), elsewhere, Command::Rotate(by_mallory)] {
            assert_eq!(house.ask(conn, rotate), Answer::Denied);
        }
        assert_eq!(house.ask(other, send(&bob, 1, 1)), Answer::Done, "nothing was changed");
        assert_eq!(house.ask(conn, Command::Rotate(good)), Answer::Done);
    }

    #[test]
    fn a_rotation_that_the_store_did_not_take_changes_nothing() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let (conn, alice) = (house.reader(&bob), house.greeted());
        let rotate = bob.rotate(&house, conn, hash(9));
        house.fail_storage(true);
        assert!(matches!(house.ask(conn, rotate), Answer::Busy { .. }));
        house.fail_storage(false);
        assert_eq!(house.ask(alice, send(&bob, 1, 1)), Answer::Done);
    }
}
