//! Two lines to each relay, one to read and one to send; the way they are dialled; and lines that nothing needs any more.
//!
//! That every command leaves on its own line the world checks with each.

use sotto_engine::{Intent, Line, ProxyAddress, Role, view};
use sotto_tests::world::{World, client::ClientId, clock::MINUTE};

use crate::{friends, holds, send};

fn roles(world: &World, client: ClientId) -> Vec<Role> {
    world.client(client).lines().map(|line: Line| line.role).collect()
}

#[test]
fn whoever_has_no_contact_only_reads() {
    let (mut world, alice, bob) = friends(60);
    let carol = world.add_person("carol");
    world.run_for(MINUTE);
    assert_eq!(roles(&world, carol), [Role::Reading]);
    assert_eq!(roles(&world, alice), [Role::Reading, Role::Sending]);

    let contact = world.root(alice);
    world.expect(bob, Intent::Block { contact });
    world.run_for(MINUTE);
    assert_eq!(roles(&world, bob), [Role::Reading], "nobody is left to send to");
}

#[test]
fn a_proxy_is_told_before_anything_is_dialled_and_all_is_dialled_anew_when_it_changes() {
    let proxy: ProxyAddress = "socks5://127.0.0.1:9050".parse().unwrap();
    let (mut world, alice, bob) = friends(61);
    assert_eq!(world.client(bob).proxy(), Some(&None));

    world.expect(bob, Intent::SetProxy { proxy: Some(proxy.clone()) });
    assert_eq!(world.client(bob).proxy(), Some(&Some(proxy.clone())));
    let id = send(&mut world, alice, bob, "still there?");
    assert!(world.run_until(MINUTE, |world| holds(world, bob, &id)), "its lines were dialled again");
    world.settle();

    world.restart(bob);
    world.run_for(MINUTE);
    assert_eq!(world.client(bob).proxy(), Some(&Some(proxy.clone())), "it outlives the process");
    assert_eq!(view::proxy(world.client(bob).rows()).unwrap(), Some(proxy));
    world.expect(bob, Intent::SetProxy { proxy: None });
    assert_eq!(world.client(bob).proxy(), Some(&None));
    send(&mut world, bob, alice, "yes");
    world.settle();
}

#[test]
fn a_proxy_can_be_set_before_there_is_an_account() {
    let mut world = World::new(sotto_tests::world::chance::seed_or(62));
    let alice = world.add_client("alice");
    let proxy: ProxyAddress = "socks5://[::1]:1080".parse().unwrap();
    world.expect(alice, Intent::SetProxy { proxy: Some(proxy.clone()) });
    assert_eq!(roles(&world, alice), []);
    assert_eq!(world.client(alice).proxy(), Some(&Some(proxy)));
}
