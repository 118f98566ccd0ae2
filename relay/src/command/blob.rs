//! `blob commit` and `blob delete`, and the sweep of blobs whose time is over. Parts are put and read over HTTP, and are
//! checked by the store against the same rows.

use sotto_outer::{Answer, BlobWriter, RefusedReason, limits::BLOB_TTL_SECS};

use super::{BUSY, mismatch};
use crate::{
    access::blob_capability_hash,
    core::{Asker, Awaiting, Core, Turn},
    storage::{
        Op, Outcome,
        blob::{BlobOp, BlobOutcome},
    },
};

/// When to try again where no more blobs fit: they go by the hour, not by the second.
const FULL_RETRY_SECS: u32 = 3_600;

/// Takes a `blob commit`.
pub(crate) fn commit(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, writer: &BlobWriter) {
    if !let_in(core, turn, asker) {
        return;
    }
    let (shown, now) = (blob_capability_hash(&writer.capability), turn.now);
    let op = BlobOp::Commit { blob: writer.blob, shown, now, expires_at: now.plus_secs(BLOB_TTL_SECS) };
    core.store(turn, Op::Blob(op), Awaiting::BlobState(asker));
}

/// Takes a `blob delete`.
pub(crate) fn delete(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, writer: &BlobWriter) {
    if !let_in(core, turn, asker) {
        return;
    }
    let shown = blob_capability_hash(&writer.capability);
    let op = BlobOp::Delete { blob: writer.blob, shown, now: turn.now };
    core.store(turn, Op::Blob(op), Awaiting::Done(asker));
}

/// Whether this relay keeps blobs and the connection is within its rate; where not, that is answered.
pub(super) fn let_in(core: &mut Core, turn: &mut Turn<'_>, asker: Asker) -> bool {
    if core.config.blobs.is_none() {
        turn.refuse(asker, RefusedReason::Unavailable);
        return false;
    }
    let Some(connection) = core.connections.get_mut(&asker.conn) else { return false };
    match connection.blobs.take(turn.now, core.config.blob_rate, 1) {
        Ok(()) => true,
        Err(retry_after_secs) => {
            turn.answer(asker, Answer::Busy { retry_after_secs });
            false
        }
    }
}

/// The answer to `blob create` and `blob commit`.
pub(crate) fn state(outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Blob(BlobOutcome::State(state)) => Answer::Blob(state),
        Outcome::Denied => Answer::Denied,
        Outcome::Spent => Answer::Refused { reason: RefusedReason::Token },
        Outcome::Full => Answer::Full { retry_after_secs: FULL_RETRY_SECS },
        Outcome::Failed => BUSY,
        other => mismatch(&other),
    }
}

/// Begins to delete what has outlived its time, unless that is on its way.
pub(crate) fn sweep(core: &mut Core, turn: &mut Turn<'_>) {
    if !core.sweeping_blobs {
        core.sweeping_blobs = true;
        core.store(turn, Op::Blob(BlobOp::Expire { now: turn.now }), Awaiting::BlobSweep);
    }
}

/// Goes on where there is more.
pub(crate) fn swept(core: &mut Core, turn: &mut Turn<'_>, outcome: &Outcome) {
    core.sweeping_blobs = false;
    if matches!(outcome, Outcome::Blob(BlobOutcome::Expired { more: true, .. })) {
        sweep(core, turn);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use sotto_outer::{BlobCreate, BlobState, Command};

    use super::*;
    use crate::{
        command::{blob_create::tests::*, testing::House},
        core::{Config, Conn, Input},
        storage::blob::ObjectKey,
    };

    /// Every part of a blob becomes durable.
    pub(in crate::command) fn fill(house: &mut House, blob: &BlobCreate) {
        for part in 0..sotto_outer::blob::parts(blob.bytes) {
            let object = object(house, blob);
            house.storage.apply(vec![Op::Blob(BlobOp::PartStored { object, part })]);
        }
        house.storage.commit();
    }

    fn object(house: &mut House, blob: &BlobCreate) -> ObjectKey {
        let (shown, now) = (blob.write_hash, house.now());
        match &house.storage.apply(vec![Op::Blob(BlobOp::Write { blob: blob.blob, shown, now })])[..] {
            [Outcome::Blob(BlobOutcome::Writable { object, .. })] => *object,
            other => panic!("{other:?}"),
        }
    }

    fn is_readable(house: &mut House, blob: &BlobCreate) -> bool {
        let (shown, now) = (blob.read_hash, house.now());
        let read = house.storage.apply(vec![Op::Blob(BlobOp::Read { blob: blob.blob, shown, now })]);
        matches!(read[..], [Outcome::Blob(BlobOutcome::Readable { .. })])
    }

    fn gone(house: &mut House) -> usize {
        match &house.storage.apply(vec![Op::Blob(BlobOp::Gone)])[..] {
            [Outcome::Blob(BlobOutcome::Gone(gone))] => gone.len(),
            other => panic!("{other:?}"),
        }
    }

    fn committed(house: &mut House, conn: Conn) -> BlobCreate {
        let blob = blob(1, 5_000_000);
        house.ask(conn, Command::BlobCreate(blob.clone()));
        fill(house, &blob);
        let state = BlobState { held: vec![0b11], committed: true };
        assert_eq!(house.ask(conn, Command::BlobCommit(writer(1))), Answer::Blob(state));
        blob
    }

    #[test]
    fn a_blob_with_a_part_missing_is_not_committed() {
        let mut house = House::new();
        let (conn, blob) = (house.greeted(), blob(1, 5_000_000));
        house.ask(conn, Command::BlobCreate(blob.clone()));
        let object = object(&mut house, &blob);
        house.storage.apply(vec![Op::Blob(BlobOp::PartStored { object, part: 1 })]);
        let missing = Answer::Blob(BlobState { held: vec![0b10], committed: false });
        assert_eq!(house.ask(conn, Command::BlobCommit(writer(1))), missing);
        assert!(!is_readable(&mut house, &blob));
        assert_eq!(house.ask(conn, Command::BlobCreate(blob)), missing, "so an upload goes on");
    }

    #[test]
    fn a_committed_blob_is_read_for_28_days() {
        let mut house = House::new();
        let conn = house.greeted();
        house.wait_secs(86_400);
        let blob = committed(&mut house, conn);
        assert!(is_readable(&mut house, &blob));
        house.wait_secs(BLOB_TTL_SECS - 1);
        house.input(Input::Tick);
        assert!(is_readable(&mut house, &blob) && gone(&mut house) == 0);
        house.wait_secs(1);
        assert!(!is_readable(&mut house, &blob), "though nothing has swept yet");
        house.input(Input::Tick);
        assert_eq!(gone(&mut house), 1);
    }

    #[test]
    fn a_blob_that_is_not_committed_lives_for_2_days() {
        let mut house = House::new();
        let conn = house.greeted();
        house.ask(conn, Command::BlobCreate(blob(1, 1)));
        fill(&mut house, &blob(1, 1));
        house.wait_secs(sotto_outer::limits::BLOB_UPLOAD_SECS - 1);
        house.input(Input::Tick);
        assert_eq!(gone(&mut house), 0);
        house.wait_secs(1);
        assert_eq!(house.ask(conn, Command::BlobCommit(writer(1))), Answer::Denied);
        house.input(Input::Tick);
        assert_eq!(gone(&mut house), 1);
    }

    #[test]
    fn a_blob_of_which_no_part_comes_lives_for_half_an_hour() {
        let mut house = House::new();
        let conn = house.greeted();
        house.ask(conn, Command::BlobCreate(blob(1, 1)));
        house.wait_secs(1_799);
        house.input(Input::Tick);
        assert_eq!(gone(&mut house), 0);
        house.wait_secs(1);
        house.input(Input::Tick);
        assert_eq!(gone(&mut house), 1);
        let empty = Answer::Blob(BlobState { held: vec![0], committed: false });
        assert_eq!(house.ask(conn, Command::BlobCreate(blob(1, 1))), empty, "it can be begun anew");
    }

    #[test]
    fn a_sweep_goes_on_until_nothing_is_left() {
        let mut house = House::with(Config {
            blob_rate: crate::core::Rate { burst: 1_000, interval_millis: 1 },
            ..Config::default()
        });
        let conn = house.greeted();
        for name in 0..=250 {
            house.ask(conn, Command::BlobCreate(blob(name, 1)));
        }
        house.wait_secs(sotto_outer::limits::BLOB_UPLOAD_SECS);
        house.input(Input::Tick);
        for name in 0..=250 {
            assert!(matches!(house.ask(conn, Command::BlobDelete(writer(name))), Answer::Denied));
        }
        assert_eq!(gone(&mut house), crate::storage::blob::BLOB_ROWS_MAX);
    }

    #[test]
    fn only_the_writer_commits_and_deletes() {
        let mut house = House::new();
        let conn = house.greeted();
        let blob = committed(&mut house, conn);
        let reader = BlobWriter { blob: blob.blob, capability: read_capability(1) };
        for wrong in [reader, BlobWriter { blob: blob.blob, ..writer(2) }, writer(3)] {
            assert_eq!(house.ask(conn, Command::BlobCommit(wrong.clone())), Answer::Denied);
            assert_eq!(house.ask(conn, Command::BlobDelete(wrong)), Answer::Denied);
        }
        assert!(is_readable(&mut house, &blob));
        assert_eq!(house.ask(conn, Command::BlobDelete(writer(1))), Answer::Done);
        assert_eq!(house.ask(conn, Command::BlobDelete(writer(1))), Answer::Denied);
        assert!(!is_readable(&mut house, &blob) && gone(&mut house) == 1);
    }

    #[test]
    fn a_relay_without_blobs_says_so() {
        let mut house = House::with(Config { blobs: None, ..Config::default() });
        let conn = house.greeted();
        let commands =
            [Command::BlobCreate(blob(1, 1)), Command::BlobCommit(writer(1)), Command::BlobDelete(writer(1))];
        for command in commands {
            assert_eq!(house.ask(conn, command), Answer::Refused { reason: RefusedReason::Unavailable });
        }
    }
}
