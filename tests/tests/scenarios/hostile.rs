//! A relay that does not keep to its rules, and whoever else can put bytes into a mailbox.
//!
//! Whatever it does, no message is shown twice, a client begins at most one repair a day, nothing leaves in answer to what is
//! injected but acknowledgements, and each notice has its cause. Once the relay is honest again the talk goes on.

mod answers;
mod bundles;
mod lies;
mod noise;
mod order;
mod replay;

use sotto_engine::{
    Happening, Table,
    record::{MessageRow, Record},
    view,
};
use sotto_inner::{Body, Content};
use sotto_tests::world::{
    World,
    client::ClientId,
    clock::{DAY, SECOND},
    reader::Verdict,
};

use crate::table;

/// Everything that an envelope could change, but for the memory of envelopes.
fn mind(world: &World, client: ClientId) -> Vec<Vec<(Vec<u8>, Vec<u8>)>> {
    let tables = [
        Table::Contact,
        Table::Session,
        Table::SkippedKey,
        Table::Message,
        Table::Prekey,
        Table::Outbox,
        Table::Receipt,
        Table::Journal,
    ];
    tables.map(|of| table(world, client, of)).into()
}

/// All that people said to a client, as it shows it: remarks on what happened are no messages.
fn messages(world: &World, client: ClientId) -> Vec<(Vec<u8>, Vec<u8>)> {
    let said = |row: &[u8]| MessageRow::from_row(row).unwrap().remark.is_none();
    table(world, client, Table::Message).into_iter().filter(|(_, row)| said(row)).collect()
}

/// What happened at a client so far, and when.
fn journal(world: &World, client: ClientId) -> Vec<(u64, Happening)> {
    let journal = view::journal(world.client(client).rows(), 0, usize::MAX).unwrap();
    journal.into_iter().map(|(_, entry)| (entry.time, entry.happening)).collect()
}

fn happened(world: &World, client: ClientId, is_it: impl Fn(&Happening) -> bool) -> usize {
    journal(world, client).iter().filter(|(_, happening)| is_it(happening)).count()
}

const REPAIRED: fn(&Happening) -> bool = |happening| matches!(happening, Happening::SessionRepaired { contact: _ });

/// The moments at which a client began a repair, told by what it let go.
fn repairs_begun(world: &World, client: ClientId) -> Vec<u64> {
    let mut begun = std::collections::BTreeMap::new();
    for released in world.released().iter().filter(|released| released.from == client) {
        let Verdict::Opened(content) = &released.verdict else { continue };
        if let Ok(Content { id, time: _, body: Body::Repaired(_) }) = Content::decode(content) {
            begun.entry(id).or_insert(released.time);
        }
    }
    let mut times: Vec<_> = begun.into_values().collect();
    times.sort_unstable();
    times
}

/// No two of these lie within a day of each other; engines count whole seconds.
#[track_caller]
fn assert_one_a_day(what: &str, times: &[u64]) {
    let closest = times.windows(2).map(|pair| pair[1] - pair[0]).min();
    assert!(closest.is_none_or(|closest| closest > DAY - SECOND), "two {what} are {closest:?} ms apart: {times:?}");
}

/// Lets something be injected into a client and be digested: nothing but acknowledgements leaves for it.
#[track_caller]
fn only_acks(world: &mut World, client: ClientId, inject: impl FnOnce(&mut World)) {
    let (before, released) = (world.client(client).said(), world.released().len());
    inject(world);
    let after = world.client(client).said();
    assert_eq!(after.others, before.others, "something else than an acknowledgement left");
    assert!(after.acks > before.acks, "nothing came in");
    assert_eq!(world.released().len(), released, "a packet left in answer to what was injected");
}
