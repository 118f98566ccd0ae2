//! `create` of a channel: ids and keys are the client's choice; the same content again is `done` again.

use sotto_outer::{Answer, CreateChannel, ReceiveId, TokenPurpose, work::Purpose};

use crate::{
    core::{Asker, Awaiting, Core, Turn, Work},
    storage::{
        Op,
        channel::{ChannelOp, GenerationKeys, NewChannel},
    },
};

pub(crate) fn handle(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, create: CreateChannel) {
    let CreateChannel { channel, owner, verify_key, read_hash, token, proof } = create;
    if let Err(retry_after_secs) = let_in(core, turn, asker) {
        return turn.answer(asker, Answer::Busy { retry_after_secs });
    }
    let purpose = Purpose::Create(ReceiveId::from(*channel.as_bytes()));
    if let Some(bits) = core.owed(turn.now, asker.conn, &purpose, proof.as_ref()) {
        return turn.answer(asker, Answer::Work { bits });
    }
    let keys = GenerationKeys { verify_key, read_hash };
    let new = NewChannel { channel, owner, keys, day: turn.now.day() };
    let make = |spend| Op::Channel(ChannelOp::Create(new, spend));
    core.store_for_token(turn, asker, (TokenPurpose::Channel, token), make, Awaiting::Done(asker));
}

fn let_in(core: &mut Core, turn: &mut Turn<'_>, asker: Asker) -> Result<(), u32> {
    core.admit(turn, Work::Create)?;
    core.take_from_origin(turn.now, asker.conn)?;
    let Some(connection) = core.connections.get_mut(&asker.conn) else { return Ok(()) };
    connection.creates.take(turn.now, core.config.create_rate, 1)
}

#[cfg(test)]
mod tests {
    use sotto_outer::Command;

    use super::*;
    use crate::command::testing::{House, Log};

    #[test]
    fn the_same_channel_again_is_done_again_and_another_denied() {
        let mut house = House::new();
        let (conn, log) = (house.greeted(), Log::new(1));
        let create = log.create();
        assert_eq!(house.ask(conn, Command::CreateChannel(create.clone())), Answer::Done);
        assert_eq!(house.ask(conn, Command::CreateChannel(create.clone())), Answer::Done);
        let variants = [
            CreateChannel { owner: [9; 32].into(), ..create.clone() },
            CreateChannel { verify_key: [9; 32].into(), ..create.clone() },
            CreateChannel { read_hash: [9; 32].into(), ..create },
        ];
        for variant in variants {
            assert_eq!(house.ask(conn, Command::CreateChannel(variant)), Answer::Denied);
        }
    }
}
