//! A locked profile: what arrives is counted and left at the relay, and nothing that is left in memory opens it.

use sotto_engine::{
    Happening, Table,
    record::{Account, Record, SessionRow},
    view,
};
use sotto_tests::world::{
    World,
    client::ClientId,
    clock::{HOUR, MINUTE},
};

use crate::{friends, holds, send};

fn arrivals(world: &World, client: ClientId) -> u64 {
    world.client(client).watcher().expect("the client is locked").arrivals()
}

/// Everything a locked profile has no use for, byte by byte.
fn secrets(world: &World, client: ClientId) -> Vec<Vec<u8>> {
    let rows = world.client(client).rows();
    let account = rows.table(Table::Meta).find(|(key, _)| *key == Account::KEY).unwrap().1;
    let account = Account::from_row(account).unwrap();
    let sessions = rows.table(Table::Session).map(|(_, row)| SessionRow::from_row(row).unwrap());
    let states = sessions.map(|row| row.state.as_slice().to_vec());
    [account.root.as_slice().to_vec(), account.device.as_slice().to_vec()].into_iter().chain(states).collect()
}

/// Whether any piece of a secret, as short as a key, stands in these bytes.
fn leaks(bytes: &[u8], secret: &[u8]) -> bool {
    secret.windows(32).any(|piece| bytes.windows(32).any(|other| other == piece))
}

#[test]
fn what_arrives_while_locked_is_counted_and_comes_once_after_unlocking() {
    let (mut world, alice, bob) = friends(70);
    send(&mut world, alice, bob, "before the lock");
    world.settle();
    world.lock(bob);
    let before: Vec<_> = Table::ALL.iter().map(|of| crate::table(&world, bob, *of)).collect();
    let released = world.released().iter().filter(|released| released.from == bob).count();

    let mut ids: Vec<_> =
        (0..3).map(|number| send(&mut world, alice, bob, &format!("while locked {number}"))).collect();
    assert!(world.run_until(MINUTE, |world| arrivals(world, bob) == 3), "{} arrived", arrivals(&world, bob));
    world.set_online(bob, false);
    ids.extend((3..5).map(|number| send(&mut world, alice, bob, &format!("while away {number}"))));
    world.run_for(HOUR);
    world.set_online(bob, true);
    assert!(world.run_until(HOUR, |world| arrivals(world, bob) == 5), "{} arrived", arrivals(&world, bob));
    world.run_for(HOUR);

    assert_eq!(arrivals(&world, bob), 5, "what is delivered again counts once");
    assert_eq!(world.relay().payloads().count(), 5, "nothing was acknowledged");
    assert!(!ids.iter().any(|id| holds(&world, bob, id)), "nothing was opened");
    let after: Vec<_> = Table::ALL.iter().map(|of| crate::table(&world, bob, *of)).collect();
    assert!(before == after, "nothing was written");
    assert_eq!(world.released().iter().filter(|released| released.from == bob).count(), released, "nothing was sent");

    world.unlock(bob);
    world.settle();
    assert!(ids.iter().all(|id| holds(&world, bob, id)));
    let journal = view::journal(world.client(bob).rows(), 0, usize::MAX).unwrap();
    let copies = journal.iter().filter(|(_, entry)| matches!(entry.happening, Happening::CopyNoticed { .. })).count();
    assert_eq!(copies, 0, "the lock showed leases as a reconnect does");
}

#[test]
fn what_watches_holds_no_key_that_opens_anything() {
    let (mut world, alice, bob) = friends(71);
    send(&mut world, alice, bob, "a text that nobody sees while it is locked");
    world.settle();
    world.lock(bob);
    let watcher = world.client(bob).watcher().unwrap().to_bytes();
    assert!(watcher.len() > 100, "it holds mailboxes");
    for secret in secrets(&world, bob) {
        assert!(secret.len() >= 32 && !leaks(&watcher, &secret), "a key stayed in memory");
    }
    assert!(!watcher.windows(6).any(|piece| piece == b"a text"));
}
