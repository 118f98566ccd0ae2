//! `blob create`: makes a blob that is still empty. The same content again gets the present state, which is how an upload
//! that broke goes on.

use sotto_outer::{Answer, BlobCreate, ReceiveId, RefusedReason, TokenPurpose, work::Purpose};

use super::blob;
use crate::{
    core::{Asker, Awaiting, Core, Turn, Work},
    storage::{
        Op,
        blob::{BlobOp, NewBlob, ObjectKey},
    },
};

pub(crate) fn handle(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, create: BlobCreate) {
    let BlobCreate { blob, bytes, write_hash, read_hash, token, proof } = create;
    let Some(quota) = core.config.blobs else { return turn.refuse(asker, RefusedReason::Unavailable) };
    if bytes == 0 || bytes > quota.blob_bytes_max {
        return turn.refuse(asker, RefusedReason::Limit);
    }
    let let_in = core.admit(turn, Work::Create).and_then(|()| core.take_from_origin(turn.now, asker.conn));
    if let Err(retry_after_secs) = let_in {
        return turn.answer(asker, Answer::Busy { retry_after_secs });
    }
    if !blob::let_in(core, turn, asker) {
        return;
    }
    let purpose = Purpose::Create(ReceiveId::from(*blob.as_bytes()));
    if let Some(bits) = core.owed(turn.now, asker.conn, &purpose, proof.as_ref()) {
        return turn.answer(asker, Answer::Work { bits });
    }
    let mut object = [0; 16];
    turn.rng.fill_bytes(&mut object);
    let new = NewBlob { blob, object: ObjectKey(object), bytes, write_hash, read_hash, now: turn.now, quota };
    let make = |spend| Op::Blob(BlobOp::Create(new, spend));
    core.store_for_token(turn, asker, (TokenPurpose::Blob, token), make, Awaiting::BlobState(asker));
}

#[cfg(test)]
pub(super) mod tests {
    use sotto_outer::{BlobCapability, BlobId, BlobState, BlobWriter, Command, limits::BLOB_BYTES_MAX};

    use super::*;
    use crate::{
        access::blob_capability_hash,
        command::{
            blob::tests::fill,
            testing::{House, proof},
        },
        core::{Config, Rate, Toll},
        storage::blob::BlobQuota,
    };

    fn id(name: u16) -> BlobId {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&name.to_be_bytes());
        id.into()
    }

    fn write_capability(name: u16) -> BlobCapability {
        BlobCapability::from([name.to_be_bytes()[1]; 32])
    }

    pub(in crate::command) fn read_capability(name: u16) -> BlobCapability {
        BlobCapability::from([!name.to_be_bytes()[1]; 32])
    }

    pub(in crate::command) fn blob(name: u16, bytes: u64) -> BlobCreate {
        BlobCreate {
            blob: id(name),
            bytes,
            write_hash: blob_capability_hash(&write_capability(name)),
            read_hash: blob_capability_hash(&read_capability(name)),
            token: None,
            proof: None,
        }
    }

    pub(in crate::command) fn writer(name: u16) -> BlobWriter {
        BlobWriter { blob: id(name), capability: write_capability(name) }
    }

    #[test]
    fn the_same_blob_again_is_answered_with_its_state() {
        let mut house = House::new();
        let conn = house.greeted();
        let empty = Answer::Blob(BlobState { held: vec![0], committed: false });
        assert_eq!(house.ask(conn, Command::BlobCreate(blob(1, 1))), empty);
        assert_eq!(house.ask(conn, Command::BlobCreate(blob(1, 1))), empty);
    }

    #[test]
    fn another_blob_under_a_taken_id_is_denied() {
        let mut house = House::new();
        let conn = house.greeted();
        house.ask(conn, Command::BlobCreate(blob(1, 1)));
        let first = blob(1, 1);
        let variants = [
            blob(1, 2),
            BlobCreate { write_hash: [9; 32].into(), ..first.clone() },
            BlobCreate { read_hash: [9; 32].into(), ..first },
        ];
        for variant in variants {
            assert_eq!(house.ask(conn, Command::BlobCreate(variant)), Answer::Denied);
        }
    }

    #[test]
    fn sizes_have_bounds() {
        let mut house = House::new();
        let conn = house.greeted();
        let refused = Answer::Refused { reason: RefusedReason::Limit };
        for bytes in [0, BLOB_BYTES_MAX + 1, u64::MAX] {
            assert_eq!(house.ask(conn, Command::BlobCreate(blob(1, bytes))), refused);
        }
        let largest = house.ask(conn, Command::BlobCreate(blob(1, BLOB_BYTES_MAX)));
        assert_eq!(largest, Answer::Blob(BlobState { held: vec![0; 36], committed: false }));
    }

    #[test]
    fn where_work_is_asked_a_blob_is_worked_for() {
        let toll = Toll { create: 8, ..Toll::NONE };
        let mut house = House::with(Config { toll, ..Config::default() });
        let conn = house.greeted();
        assert_eq!(house.ask(conn, Command::BlobCreate(blob(1, 1))), Answer::Work { bits: 8 });
        let purpose = Purpose::Create(ReceiveId::from(*blob(1, 1).blob.as_bytes()));
        let proof = Some(proof(&house, conn, &purpose, 8, 0));
        let worked = Command::BlobCreate(BlobCreate { proof, ..blob(1, 1) });
        assert!(matches!(house.ask(conn, worked), Answer::Blob(_)));
    }

    #[test]
    fn names_alone_keep_nobody_out() {
        let quota = BlobQuota { blob_bytes_max: 20_000, bytes_max: 30_000 };
        let mut house = House::with(Config { blobs: Some(quota), ..Config::default() });
        let (mallory, alice) = (house.greeted(), house.greeted());
        for name in 1..=2 {
            assert!(matches!(house.ask(mallory, Command::BlobCreate(blob(name, 12_000))), Answer::Blob(_)));
        }
        assert!(matches!(house.ask(alice, Command::BlobCreate(blob(3, 12_000))), Answer::Blob(_)));
    }

    #[test]
    fn beyond_the_quota_it_is_full_until_something_goes() {
        let quota = BlobQuota { blob_bytes_max: 20_000, bytes_max: 20_000 };
        let mut house = House::with(Config { blobs: Some(quota), ..Config::default() });
        let conn = house.greeted();
        assert!(matches!(house.ask(conn, Command::BlobCreate(blob(1, 12_000))), Answer::Blob(_)));
        fill(&mut house, &blob(1, 12_000));
        assert!(matches!(house.ask(conn, Command::BlobCreate(blob(2, 12_000))), Answer::Full { .. }));
        assert!(matches!(house.ask(conn, Command::BlobCreate(blob(1, 12_000))), Answer::Blob(_)), "it is there");
        assert_eq!(house.ask(conn, Command::BlobDelete(writer(1))), Answer::Done);
        assert!(matches!(house.ask(conn, Command::BlobCreate(blob(2, 12_000))), Answer::Blob(_)));
    }

    #[test]
    fn beyond_its_rate_and_on_a_low_disk_a_client_waits() {
        let rate = Rate { burst: 1, interval_millis: 3_000 };
        let mut house = House::with(Config { blob_rate: rate, ..Config::default() });
        let conn = house.greeted();
        house.core.set_disk_low(true);
        assert!(matches!(house.ask(conn, Command::BlobCreate(blob(1, 1))), Answer::Busy { .. }));
        house.core.set_disk_low(false);
        assert!(matches!(house.ask(conn, Command::BlobCreate(blob(1, 1))), Answer::Blob(_)));
        assert_eq!(house.ask(conn, Command::BlobCreate(blob(2, 1))), Answer::Busy { retry_after_secs: 3 });
    }

    #[test]
    fn a_failing_store_is_busy() {
        let mut house = House::new();
        let conn = house.greeted();
        house.fail_storage(true);
        assert!(matches!(house.ask(conn, Command::BlobCreate(blob(1, 1))), Answer::Busy { .. }));
        assert!(matches!(house.ask(conn, Command::BlobCommit(writer(1))), Answer::Busy { .. }));
    }
}
