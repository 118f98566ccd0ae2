//! `create`: makes a mailbox. Ids and keys are the client's choice; the same content again is `done` again.

use sotto_outer::{Answer, Create, TokenPurpose, work::Purpose};

use crate::{
    core::{Asker, Awaiting, Core, Turn, Work},
    storage::{NewMailbox, Op},
};

pub(crate) fn handle(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, create: Create) {
    let Create { kind, receive_id, send_id, owner, capability_hash, token, proof } = create;
    if let Err(retry_after_secs) = let_in(core, turn, asker) {
        return turn.answer(asker, Answer::Busy { retry_after_secs });
    }
    if let Some(bits) = core.owed(turn.now, asker.conn, &Purpose::Create(receive_id), proof.as_ref()) {
        return turn.answer(asker, Answer::Work { bits });
    }
    let mailbox = NewMailbox { kind, receive_id, send_id, owner, capability_hash, day: turn.now.day() };
    let token = (TokenPurpose::Mailbox, token);
    core.store_for_token(turn, asker, token, |spend| Op::Create(mailbox, spend), Awaiting::Done(asker));
}

fn let_in(core: &mut Core, turn: &mut Turn<'_>, asker: Asker) -> Result<(), u32> {
    core.admit(turn, Work::Create)?;
    core.take_from_origin(turn.now, asker.conn)?;
    let Some(connection) = core.connections.get_mut(&asker.conn) else { return Ok(()) };
    connection.creates.take(turn.now, core.config.create_rate, 1)
}

#[cfg(test)]
mod tests {
    use sotto_outer::{Command, MailboxKind};

    use super::*;
    use crate::{
        command::testing::{House, Owner, proof},
        core::{Admission, Config, Rate, Toll},
    };

    #[test]
    fn the_same_mailbox_again_is_done_again() {
        let mut house = House::new();
        let (conn, alice) = (house.greeted(), Owner::new(1));
        assert_eq!(house.ask(conn, alice.create()), Answer::Done);
        assert_eq!(house.ask(conn, alice.create()), Answer::Done);
    }

    #[test]
    fn other_content_under_a_taken_id_is_denied() {
        let mut house = House::new();
        let (conn, alice, mallory) = (house.greeted(), Owner::new(1), Owner::new(2));
        house.ask(conn, alice.create());
        let Command::Create(mine) = alice.create() else { unreachable!("a create") };
        let Command::Create(other) = mallory.create() else { unreachable!("a create") };
        let variants = [
            Create { owner: other.owner, ..mine.clone() },
            Create { capability_hash: other.capability_hash, ..mine.clone() },
            Create { send_id: other.send_id, ..mine.clone() },
            Create { receive_id: other.receive_id, ..mine.clone() },
            Create { kind: MailboxKind::Contact, ..mine },
        ];
        for variant in variants {
            assert_eq!(house.ask(conn, Command::Create(variant)), Answer::Denied);
        }
        assert_eq!(house.ask(conn, mallory.create()), Answer::Done, "no variant was stored");
    }

    #[test]
    fn beyond_its_rate_a_connection_waits() {
        let rate = Rate { burst: 2, interval_millis: 5_000 };
        let mut house = House::with(Config { create_rate: rate, ..Config::default() });
        let conn = house.greeted();
        assert_eq!(house.ask(conn, Owner::new(1).create()), Answer::Done);
        assert_eq!(house.ask(conn, Owner::new(2).create()), Answer::Done);
        assert_eq!(house.ask(conn, Owner::new(3).create()), Answer::Busy { retry_after_secs: 5 });
        house.wait_secs(5);
        assert_eq!(house.ask(conn, Owner::new(3).create()), Answer::Done);
    }

    #[test]
    fn under_load_new_mailboxes_go_first() {
        let admission = Admission { create_max: 0, ..Admission::default() };
        let mut house = House::with(Config { admission, ..Config::default() });
        let conn = house.greeted();
        assert!(matches!(house.ask(conn, Owner::new(1).create()), Answer::Busy { .. }));
    }

    #[test]
    fn where_work_is_asked_a_mailbox_is_worked_for() {
        let toll = Toll { create: 8, ..Toll::NONE };
        let mut house = House::with(Config { toll, ..Config::default() });
        let (conn, alice) = (house.greeted(), Owner::new(1));
        assert_eq!(house.ask(conn, alice.create()), Answer::Work { bits: 8 });
        let Command::Create(create) = alice.create() else { unreachable!("a create") };
        let proof = proof(&house, conn, &Purpose::Create(create.receive_id), 8, 0);
        assert_eq!(house.ask(conn, Command::Create(Create { proof: Some(proof), ..create })), Answer::Done);
    }

    #[test]
    fn a_failing_store_is_busy() {
        let mut house = House::new();
        let (conn, alice) = (house.greeted(), Owner::new(1));
        house.fail_storage(true);
        assert!(matches!(house.ask(conn, alice.create()), Answer::Busy { .. }));
        house.fail_storage(false);
        assert_eq!(house.ask(conn, alice.create()), Answer::Done);
    }
}
