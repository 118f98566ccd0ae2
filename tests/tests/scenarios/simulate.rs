//! Many worlds of two to five people who do what they like, while everything fails that can.
//!
//! `SEEDS=1000` makes that many, from `SEED` on if it is set; a failing one names its seed, and `SEED` alone replays it.

use std::{
    panic::catch_unwind,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use sotto_tests::world::{Faults, Mischief, Weather, World, chance::Chance, chance::seed_or, person::People};

/// Worlds made where nobody asks for more.
const SEEDS: u64 = 6;

#[test]
fn whatever_fails_nothing_is_lost_nothing_twice_and_no_key_serves_two_bodies() {
    let seeds = match std::env::var("SEEDS") {
        Ok(count) => count.parse().expect("SEEDS is a number"),
        Err(_) if std::env::var_os("SEED").is_some() => 1,
        Err(_) => SEEDS,
    };
    let first = seed_or(0x81b2);
    let next = AtomicU64::new(first);
    let live_all = || {
        let mut failed = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + seeds {
                return failed;
            }
            if catch_unwind(|| live(seed)).is_err() {
                failed.push(format!("{seed:x}"));
            }
        }
    };
    let failed = thread::scope(|scope| {
        let workers = thread::available_parallelism().map_or(1, usize::from).min(seeds as usize);
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(live_all)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("panics are caught inside")).collect::<Vec<_>>()
    });
    assert!(failed.is_empty(), "{} of {seeds} worlds failed: SEED={}", failed.len(), failed.join(", "));
}

/// One world, from nothing to rest.
fn live(seed: u64) {
    // In some worlds relays ask for tokens.
    let asks = Chance::fork(seed, "admission", 0).one_in(3);
    let mut world = if asks { World::minted(seed) } else { World::new(seed) };
    let mut chance = Chance::fork(seed, "fate", 0);
    let mut people = People::new(&mut world, chance.between(2, 5) as usize);
    // Some worlds have no faults of a kind, so that each kind is also seen alone.
    let mut rate = |one_in: u64| if chance.one_in(3) { 0 } else { chance.between(one_in / 2, one_in * 2) };
    world.set_weather(Weather { delay_millis_max: 20 + rate(800), cut_one_in: rate(60) });
    world.faults = Faults {
        client_crash_one_in: rate(120),
        client_commit_fails_one_in: rate(80),
        relay_crash_one_in: rate(200),
        relay_commit_fails_one_in: rate(100),
    };
    if rate(2) > 0 {
        world.set_mischief(Mischief {
            duplicate_one_in: rate(20),
            reorder_one_in: rate(20),
            withhold_one_in: rate(40),
            replay_one_in: rate(20),
            ..Mischief::default()
        });
    }
    people.live(&mut world, 150);
    world.settle();
}
