//! `delete`: removes a mailbox with all in it, or a bundle with its parts, on its owner's signature.

use sotto_outer::{Answer, Delete, OwnerSignature, Target, signed};

use super::{BUSY, done, mismatch};
use crate::{
    core::{self, Asker, Core, Turn},
    storage::{Op, Outcome, Owned},
};

/// Somebody who would delete; the owner is being looked up.
#[derive(Debug)]
pub(crate) struct AwaitingOwner {
    asker: Asker,
    target: Target,
    signature: OwnerSignature,
}

/// An owner whose thing is being deleted.
#[derive(Debug)]
pub(crate) struct Awaiting {
    asker: Asker,
    target: Target,
}

/// Takes the frame.
pub(crate) fn handle(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, delete: Delete) {
    let Delete { target, signature } = delete;
    let Some(connection) = core.connections.get_mut(&asker.conn) else { return };
    if let Err(retry_after_secs) = connection.publishes.take(turn.now, core.config.publish_rate, 1) {
        return turn.answer(asker, Answer::Busy { retry_after_secs });
    }
    let thing = match target {
        Target::Mailbox(id) => Owned::Mailbox(id),
        Target::Bundle(id) => Owned::Bundle(id),
    };
    core.store(turn, Op::Owners(vec![thing]), core::Awaiting::Deleter(AwaitingOwner { asker, target, signature }));
}

/// The owner is known: the signature is checked.
pub(crate) fn owner_known(core: &mut Core, turn: &mut Turn<'_>, awaiting: AwaitingOwner, outcome: &Outcome) {
    let AwaitingOwner { asker, target, signature } = awaiting;
    let owner = match outcome {
        Outcome::Owners(owners) => owners.first().copied().flatten(),
        Outcome::Failed => return turn.answer(asker, BUSY),
        other => return turn.answer(asker, mismatch(other)),
    };
    let Some(connection) = core.connections.get(&asker.conn) else { return };
    let bytes = signed::delete(core.identity.public(), &connection.nonce, &target);
    let is_signed = core.identity.signed_by(owner.as_ref(), &bytes, &signature);
    let Some(owner) = owner.filter(|_| is_signed) else { return turn.answer(asker, Answer::Denied) };
    let op = match target {
        Target::Mailbox(mailbox) => Op::DeleteMailbox { mailbox, owner },
        Target::Bundle(bundle) => Op::DeleteBundle { bundle, owner },
    };
    core.store(turn, op, core::Awaiting::Delete(Awaiting { asker, target }));
}

/// It is deleted; a mailbox has no reader any more.
pub(crate) fn stored(core: &mut Core, turn: &mut Turn<'_>, awaiting: Awaiting, outcome: &Outcome) {
    let Awaiting { asker, target } = awaiting;
    turn.answer(asker, done(outcome));
    match target {
        Target::Mailbox(mailbox) if *outcome == Outcome::Done => core.detach(&mailbox),
        Target::Mailbox(_) | Target::Bundle(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use sotto_outer::{Command, Fetch};

    use super::*;
    use crate::command::testing::{House, Owner, envelope_id};

    #[test]
    fn a_deleted_mailbox_is_gone_with_all_in_it() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let (reading, alice) = (house.reader(&bob), house.greeted());
        house.ask(alice, bob.send(1));
        let delete = bob.delete(&house, alice, Target::Mailbox(bob.receive_id()));
        assert_eq!(house.ask(alice, delete.clone()), Answer::Done, "from any connection");
        assert_eq!(house.storage.durable_payloads().count(), 0);
        assert_eq!(house.ask(alice, bob.send(2)), Answer::Denied);
        assert_eq!(house.ask(reading, bob.ack(&[envelope_id(1)])), Answer::Denied);
        assert_eq!(house.ask(alice, delete), Answer::Denied, "it is not there any more");
    }

    #[test]
    fn a_deleted_bundle_is_gone() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let conn = house.greeted();
        let publish = bob.publish(&house, conn, 0, 1);
        house.ask(conn, Command::Publish(publish));
        let delete = bob.delete(&house, conn, Target::Bundle(bob.bundle_id()));
        assert_eq!(house.ask(conn, delete), Answer::Done);
        let fetch = Command::Fetch(Fetch { bundle: bob.bundle_id(), proof: None });
        assert_eq!(house.ask(conn, fetch), Answer::Denied);
    }

    #[test]
    fn only_the_owner_deletes_and_only_what_was_signed_for() {
        let (mut house, bob, mallory) = (House::new(), Owner::new(1), Owner::new(2));
        let (conn, other) = (house.reader(&bob), house.greeted());
        let mailbox = Target::Mailbox(bob.receive_id());
        let forged = mallory.delete(&house, conn, mailbox);
        let elsewhere = bob.delete(&house, other, mailbox);
        let Command::Delete(of_bundle) = bob.delete(&house, conn, Target::Bundle(bob.bundle_id())) else {
            unreachable!("a delete")
        };
        let retargeted = Command::Delete(Delete { target: mailbox, ..of_bundle });
        let missing = mallory.delete(&house, conn, Target::Mailbox(mallory.receive_id()));
        for delete in [forged, elsewhere, retargeted, missing] {
            assert_eq!(house.ask(conn, delete), Answer::Denied);
        }
        assert_eq!(house.ask(other, bob.send(1)), Answer::Done, "it is still there");
    }
}
