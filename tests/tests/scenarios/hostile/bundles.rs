//! Bundles that are not what their owner published: forged, mixed, older than seen, with manifests that contradict each other.

use sotto_crypto::{Root, manifest_hash, seal_main, seal_part};
use sotto_engine::{
    ContactId, ContactState, Happening, HoldReason, Intent, Rows, Table, Value,
    record::{Account, CurrentPrekeys, OwnMailbox, PrekeyRow, Record},
    view,
};
use sotto_inner::{BundleMain, Link, MailboxAddress, Manifest, ManifestBody, ManifestHash, PrekeyKind};
use sotto_outer::{Bundle, MailboxKind};
use sotto_tests::world::{
    World,
    chance::{Chance, seed_or},
    client::ClientId,
    clock::{DAY, HOUR, MINUTE},
};

use super::{happened, journal};
use crate::{link, send, state, table, wait_for};

fn record<R: Record>(world: &World, of: ClientId, key: &[u8]) -> R {
    let row = world.client(of).rows().get(R::TABLE, key).unwrap();
    R::from_row(&row.expect("there is such a row")).unwrap()
}

fn root_of(world: &World, of: ClientId) -> (Root, Manifest) {
    let account: Account = record(world, of, Account::KEY);
    (Root::from_bytes(account.root.as_slice()).unwrap(), account.manifest)
}

/// The bundle that an owner would publish under this manifest, with the last-resort key.
fn bundle_with(world: &World, of: ClientId, link: &Link, manifest: Manifest) -> Bundle {
    let current: CurrentPrekeys = record(world, of, CurrentPrekeys::KEY);
    let prekey = |kind, id| record::<PrekeyRow>(world, of, &PrekeyRow::key(kind, id)).public;
    let mailboxes = table(world, of, Table::Mailbox).into_iter().map(|(_, row)| OwnMailbox::from_row(&row).unwrap());
    let own = mailboxes.into_iter().find(|own| own.kind == MailboxKind::Contact).expect("a link leads to a mailbox");
    let mut chance = Chance::fork(world.seed(), "forger", 0);
    let main = BundleMain {
        device: manifest.body.devices[0].id,
        manifest,
        signed: prekey(PrekeyKind::Signed, current.signed),
        seal: prekey(PrekeyKind::Seal, current.seal),
        mailbox: MailboxAddress { relay: own.relay, send_id: own.send_id, capability: own.capability },
        name: "alice".to_owned(),
    };
    let last_resort = prekey(PrekeyKind::LastResort, current.last_resort);
    Bundle {
        main: seal_main(chance.rng(), &link.secret, &link.bundle, &main),
        pair: None,
        last_resort: Some(seal_part(chance.rng(), &link.secret, &link.bundle, &last_resort)),
    }
}

fn released_by(world: &World, client: ClientId) -> usize {
    world.released().iter().filter(|released| released.from == client).count()
}

/// What a person is told of a contact's way through states.
fn entered(world: &World, client: ClientId, contact: ContactId, wanted: ContactState) -> usize {
    happened(
        world,
        client,
        |h| matches!(h, Happening::Contact { contact: c, state } if (*c, *state) == (contact, wanted)),
    )
}

/// Uses a link whose bundle is refused: one notice, and nothing leaves for its owner.
#[track_caller]
fn refused(world: &mut World, guest: ClientId, link: &Link, as_state: ContactState, why: &str) {
    let (released, told) = (released_by(world, guest), entered(world, guest, link.root, as_state));
    world.expect(guest, Intent::Connect { link: link.clone(), text: None });
    world.run_for(10 * MINUTE);
    assert_eq!(state(world, guest, &link.root), Some(as_state), "{why}");
    assert_eq!(entered(world, guest, link.root, as_state), told + 1, "{why}: told once");
    assert_eq!(released_by(world, guest), released, "{why}: something was sent to it");
}

/// Uses a link of an honest relay, and talks.
#[track_caller]
fn meet(world: &mut World, owner: ClientId, guest: ClientId, link: &Link) {
    world.forge_bundles(None);
    let root = world.root(guest);
    world.expect(guest, Intent::Connect { link: link.clone(), text: Some("at last".to_owned()) });
    wait_for(world, owner, root, ContactState::Incoming);
    world.expect(owner, Intent::Accept { contact: root });
    wait_for(world, guest, link.root, ContactState::Connected);
    send(world, owner, guest, "that took you long");
    send(world, guest, owner, "the relay was in the way");
    world.settle();
}

#[test]
fn a_bundle_that_is_wrong_in_any_one_way_is_called_forged_and_nothing_is_sent_to_it() {
    let mut world = World::new(seed_or(250));
    let [alice, bob, carol, dave] = ["alice", "bob", "carol", "dave"].map(|name| world.add_person(name));
    let (to_alice, to_dave) = (link(&mut world, alice, false), link(&mut world, dave, false));
    // What the relay saw while others met.
    for link in [&to_alice, &to_dave] {
        world.expect(carol, Intent::Connect { link: link.clone(), text: None });
        wait_for(&mut world, carol, link.root, ContactState::Requested);
    }
    let [ours, theirs] = [0, 1].map(|number| world.bundles()[number].clone());
    assert!(ours.pair.is_some() && theirs.pair.is_some());
    let mut chance = Chance::fork(world.seed(), "test", 0);
    let mut flip = |part: &[u8]| {
        let mut part = part.to_vec();
        let at = chance.below(part.len() as u64) as usize;
        part[at] ^= 1 << chance.below(8);
        part
    };
    let true_main = || ours.main.clone();
    let flipped_main = flip(&ours.main);
    let flipped_pair = flip(ours.pair.as_ref().unwrap());
    let noise = Chance::fork(world.seed(), "noise", 0).bytes(ours.main.len());
    let wrong = [
        ("noise for the main part", Bundle { main: noise, ..ours.clone() }),
        ("one bit of the main part", Bundle { main: flipped_main, ..ours.clone() }),
        ("one bit of the pair", Bundle { pair: Some(flipped_pair), ..ours.clone() }),
        ("someone else's bundle", theirs.clone()),
        ("someone else's pair", Bundle { main: true_main(), ..theirs.clone() }),
        ("someone else's main part", Bundle { main: theirs.main.clone(), ..ours.clone() }),
        ("no key at all", Bundle { pair: None, last_resort: None, ..ours.clone() }),
        ("a pair in place of the last resort", Bundle { pair: None, last_resort: ours.pair.clone(), ..ours.clone() }),
        ("both keys", Bundle { last_resort: ours.pair.clone(), ..ours.clone() }),
    ];
    for (why, bundle) in wrong {
        world.forge_bundles(Some(bundle));
        refused(&mut world, bob, &to_alice, ContactState::LinkForged, why);
    }
    assert_eq!(released_by(&world, alice), 0);
    meet(&mut world, alice, bob, &to_alice);
}

#[test]
fn a_bundle_older_than_its_keys_is_a_dead_link_and_a_used_one_reaches_nobody() {
    let mut world = World::new(seed_or(251));
    let [alice, bob, carol, dave] = ["alice", "bob", "carol", "dave"].map(|name| world.add_person(name));
    let address = link(&mut world, alice, false);
    let root_b = world.root(bob);
    meet(&mut world, alice, carol, &address);
    let used = world.bundles()[0].clone();
    assert!(used.pair.is_some());

    // Its one-time pair made carol's session: alice has no key for it, and says nothing.
    world.forge_bundles(Some(used.clone()));
    let (before, released) = (journal(&world, alice).len(), released_by(&world, alice));
    world.expect(bob, Intent::Connect { link: address.clone(), text: Some("it is me".to_owned()) });
    world.run_for(12 * HOUR);
    assert_eq!(state(&world, bob, &address.root), Some(ContactState::Requested));
    assert_eq!(journal(&world, alice).len(), before, "a used pair made something happen");
    assert_eq!(released_by(&world, alice), released, "a used pair was answered");
    // Whoever asks again the next day gets noise, and asks once more.
    world.forge_bundles(Some(Bundle { main: vec![7; used.main.len()], ..used.clone() }));
    world.run_for(DAY);
    assert_eq!(
        state(&world, bob, &address.root),
        Some(ContactState::Requested),
        "a request that stands is not given up"
    );
    world.forge_bundles(None);
    let arrived = world.run_until(10 * DAY, |world| state(world, alice, &root_b) == Some(ContactState::Incoming));
    assert!(arrived, "one lie ends no request");
    world.expect(alice, Intent::Accept { contact: root_b });
    wait_for(&mut world, bob, address.root, ContactState::Connected);
    send(&mut world, bob, alice, "third time lucky");
    world.settle();

    world.run_for(40 * DAY);
    world.forge_bundles(Some(used));
    refused(&mut world, dave, &address, ContactState::LinkDead, "its keys have expired");
    meet(&mut world, alice, dave, &address);
}

/// Alice, who has the second of her manifests, and Bob, who asked her and knows it.
fn asked_under_the_second(seed: u64) -> (World, ClientId, ClientId, Link, Manifest) {
    let mut world = World::new(seed_or(seed));
    let (alice, bob) = (world.add_person("alice"), world.add_person("bob"));
    let address = link(&mut world, alice, false);
    let (root, first) = root_of(&world, alice);
    let body = ManifestBody { sequence: 2, previous: Some(manifest_hash(&first)), ..first.body.clone() };
    let second = root.sign_manifest(body);
    let mut account: Account = record(&world, alice, Account::KEY);
    account.manifest = second;
    world.stop(alice);
    world.edit_rows(alice, |rows| rows.set(Table::Meta, Account::KEY, Some(Value::new(account.to_row().to_vec()))));
    world.start(alice);
    world.expect(alice, Intent::SetName { name: "alice".to_owned() });
    world.run_for(MINUTE);
    world.expect(bob, Intent::Connect { link: address.clone(), text: None });
    wait_for(&mut world, bob, address.root, ContactState::Requested);
    let root_b = world.root(bob);
    wait_for(&mut world, alice, root_b, ContactState::Incoming);
    world.run_for(MINUTE);
    (world, alice, bob, address, first)
}

fn held(world: &World, of: ClientId, contact: &ContactId) -> Option<HoldReason> {
    view::contact(world.client(of).rows(), contact).unwrap().unwrap().held
}

const CONFLICT: fn(&Happening) -> bool = |happening| matches!(happening, Happening::IdentityConflict { contact: _ });
const CHANGED: fn(&Happening) -> bool = |happening| matches!(happening, Happening::DevicesChanged { contact: _ });

/// The relay is honest again: Alice accepts, and they talk.
fn accept_and_talk(world: &mut World, alice: ClientId, bob: ClientId) {
    world.run_for(MINUTE);
    let (root_a, root_b) = (world.root(alice), world.root(bob));
    world.expect(alice, Intent::Accept { contact: root_b });
    wait_for(world, bob, root_a, ContactState::Connected);
    send(world, alice, bob, "so it is you");
    send(world, bob, alice, "it always was");
    world.settle();
}

#[test]
fn a_manifest_of_a_lower_number_is_refused() {
    let (mut world, alice, bob, address, first) = asked_under_the_second(252);
    let older = bundle_with(&world, alice, &address, first);
    world.forge_bundles(Some(older));
    refused(&mut world, bob, &address, ContactState::LinkForged, "the first manifest after the second");
    assert_eq!((happened(&world, bob, CONFLICT), held(&world, bob, &address.root)), (0, None), "old, and no conflict");
    assert_eq!(happened(&world, bob, CHANGED), 0);
    world.forge_bundles(None);
    world.expect(bob, Intent::Connect { link: address, text: None });
    accept_and_talk(&mut world, alice, bob);
}

#[test]
fn manifests_that_contradict_the_known_one_are_told_and_held() {
    let second_hash = |manifest: &Manifest| Some(manifest_hash(manifest));
    let other = Some(ManifestHash::from([9; 32]));
    type Change = Box<dyn Fn(&Manifest) -> (u64, Option<ManifestHash>)>;
    let wrong: [(&str, Change); 4] = [
        ("another at the same number", Box::new(move |_| (2, other))),
        ("a chain that does not join", Box::new(move |_| (3, other))),
        ("a chain that goes back", Box::new(move |known| (3, known.body.previous))),
        ("a number left out", Box::new(move |known| (4, second_hash(known)))),
    ];
    for (why, change) in wrong {
        let (mut world, alice, bob, address, _) = asked_under_the_second(253);
        let (root, known) = root_of(&world, alice);
        let (sequence, previous) = change(&known);
        let offered = root.sign_manifest(ManifestBody { sequence, previous, ..known.body.clone() });
        let offered_hash = manifest_hash(&offered);
        let forked = bundle_with(&world, alice, &address, offered);
        world.forge_bundles(Some(forked));
        refused(&mut world, bob, &address, ContactState::LinkForged, why);
        assert_eq!(held(&world, bob, &address.root), Some(HoldReason::IdentityConflict), "{why}");
        assert_eq!(happened(&world, bob, CONFLICT), 1, "{why}");
        refused(&mut world, bob, &address, ContactState::LinkForged, why);
        assert_eq!(happened(&world, bob, CONFLICT), 1, "{why}: told once");
        // One more that contradicts does not take the place of what the person looks at.
        let another = root.sign_manifest(ManifestBody { sequence: 9, previous: other, ..known.body.clone() });
        world.forge_bundles(Some(bundle_with(&world, alice, &address, another)));
        refused(&mut world, bob, &address, ContactState::LinkForged, why);
        assert_eq!(happened(&world, bob, CONFLICT), 1, "{why}: told once while it stands");
        // The true bundle again: what is written waits until the person has chosen.
        world.forge_bundles(None);
        let released = released_by(&world, bob);
        world.expect(bob, Intent::Connect { link: address.clone(), text: None });
        world.run_for(HOUR);
        assert_eq!(released_by(&world, bob), released, "{why}: something left for one who is held");
        let shown = view::contact(world.client(bob).rows(), &address.root).unwrap().unwrap().offered;
        assert_eq!(shown, Some(offered_hash), "{why}: the person is shown another");
        world.expect(bob, Intent::AcceptIdentity { contact: address.root, offered: shown });
        accept_and_talk(&mut world, alice, bob);
    }
}

#[test]
fn the_next_manifest_of_a_chain_is_a_quiet_notice() {
    let (mut world, alice, bob, address, _) = asked_under_the_second(254);
    let (root, known) = root_of(&world, alice);
    let previous = Some(manifest_hash(&known));
    let third =
        bundle_with(&world, alice, &address, root.sign_manifest(ManifestBody { sequence: 3, previous, ..known.body }));
    world.forge_bundles(Some(third));
    world.expect(bob, Intent::Connect { link: address.clone(), text: None });
    world.run_for(MINUTE);
    assert_eq!(state(&world, bob, &address.root), Some(ContactState::Requested));
    assert_eq!((happened(&world, bob, CHANGED), happened(&world, bob, CONFLICT)), (1, 0));
}
