//! The contact address: reset, switched off, and knocked at by a crowd.

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use sotto_crypto::{DeviceKeys, Padding, Root, initiate, open_bundle, seal_first, seal_main, seal_part};
use sotto_engine::{
    ContactId, ContactState, Intent, IntentError, Outcome, Rows, Table,
    record::{Account, CurrentPrekeys, Known, OwnMailbox, PrekeyRow, Record},
    view::{self, AddressView},
};
use sotto_inner::{
    Body, BundleMain, Content, FirstMessage, HybridTime, Link, LinkKind, MailboxAddress, Mailboxes, ManifestBody,
    Prekey, PrekeyId, PrekeyKind,
};
use sotto_outer::{Bundle, MailboxKind};
use sotto_tests::world::{
    World,
    chance::seed_or,
    client::ClientId,
    clock::{DAY, HOUR, MINUTE},
};

use crate::{befriend, link, send, state, table, wait_for};

fn record<R: Record>(world: &World, of: ClientId, key: &[u8]) -> R {
    let row = world.client(of).rows().get(R::TABLE, key).unwrap();
    R::from_row(&row.expect("there is such a row")).unwrap()
}

/// People whom no client runs for, and who know all that the link of a client leads to.
struct Crowd {
    rng: ChaCha20Rng,
    link: Link,
    bundle: Bundle,
    seal: Prekey,
    mailbox: MailboxAddress,
    now: u64,
}

impl Crowd {
    fn with_link(world: &World, of: ClientId, link: Link) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(world.seed());
        let account: Account = record(world, of, Account::KEY);
        let current: CurrentPrekeys = record(world, of, CurrentPrekeys::KEY);
        let prekey = |kind, id: PrekeyId| record::<PrekeyRow>(world, of, &PrekeyRow::key(kind, id)).public;
        let mailboxes =
            table(world, of, Table::Mailbox).into_iter().map(|(_, row)| OwnMailbox::from_row(&row).unwrap());
        let invited = link.kind == LinkKind::Invitation || account.address.is_none();
        let own = mailboxes.into_iter().find(|own| own.kind == MailboxKind::Contact && own.invited_only == invited);
        let own = own.expect("the link leads to a mailbox");
        let mailbox = MailboxAddress { relay: own.relay, send_id: own.send_id, capability: own.capability };
        let main = BundleMain {
            manifest: account.manifest.clone(),
            device: account.manifest.body.devices[0].id,
            signed: prekey(PrekeyKind::Signed, current.signed),
            seal: prekey(PrekeyKind::Seal, current.seal),
            mailbox: mailbox.clone(),
            name: account.name.clone(),
        };
        let last_resort = prekey(PrekeyKind::LastResort, current.last_resort);
        let bundle = Bundle {
            main: seal_main(&mut rng, &link.secret, &link.bundle, &main),
            pair: None,
            last_resort: Some(seal_part(&mut rng, &link.secret, &link.bundle, &last_resort)),
        };
        Self { rng, bundle, seal: main.seal, mailbox, now: world.now(), link }
    }

    /// A stranger's request.
    fn request(&mut self) -> (ContactId, Vec<u8>) {
        let (root, device) = (Root::generate(&mut self.rng), DeviceKeys::generate(&mut self.rng));
        let body = ManifestBody { root: root.public(), sequence: 1, previous: None, devices: vec![device.public()] };
        let manifest = root.sign_manifest(body);
        let bundle = open_bundle(&self.link, &self.bundle, self.now / 1_000).unwrap();
        let initiated = initiate(&mut self.rng, &manifest, &device, &bundle, &self.link).unwrap();
        let body = Body::Hello {
            name: "n".repeat(64),
            mailboxes: Mailboxes { generation: 1, addresses: vec![self.mailbox.clone(); 2] },
            text: Some("t".repeat(256)),
        };
        let content = Content { id: [9; 16].into(), time: HybridTime::from_millis(self.now), body };
        let packet = initiated.session.seal(&mut self.rng, &content.encode(), Padding::None).unwrap();
        let message = FirstMessage { handshake: initiated.handshake, packet: packet.into_parts().2.into() };
        (root.public(), seal_first(&mut self.rng, &self.seal, &message).expect("the longest greeting fits"))
    }
}

fn waiting(world: &World, of: ClientId) -> usize {
    let contacts = view::contacts(world.client(of).rows()).unwrap();
    contacts.iter().filter(|contact| contact.state == ContactState::Incoming).count()
}

#[test]
fn a_thousand_requests_leave_two_hundred_and_nothing_is_answered() {
    let mut world = World::new(seed_or(80));
    let (alice, bob) = (world.add_person("alice"), world.add_person("bob"));
    befriend(&mut world, alice, bob);
    world.settle();
    let (released, notices) = (world.released().len(), world.client(alice).seen().notices.len());
    let address = link(&mut world, alice, false);
    let mut crowd = Crowd::with_link(&world, alice, address);
    let mut asked = Vec::new();
    for _ in 0..1_000 {
        let (who, payload) = crowd.request();
        world.knock(alice, &payload);
        world.run_for(200);
        asked.push(who);
    }
    world.run_for(HOUR);
    assert_eq!(waiting(&world, alice), 200);
    let kept = |who: &ContactId| state(&world, alice, who) == Some(ContactState::Incoming);
    assert!(asked[..200].iter().all(kept), "the newest are refused");
    assert_eq!(world.released().len(), released, "a request was answered");
    assert_eq!(world.client(alice).seen().notices.len(), notices + 200);
    assert_eq!(table(&world, alice, Table::Session).len(), 201);
    let bytes: usize = Table::ALL.iter().flat_map(|of| table(&world, alice, *of)).map(|(k, v)| k.len() + v.len()).sum();
    assert!(bytes < 2 << 20, "200 requests fill {bytes} bytes");

    // Whoever is blocked makes room for another, and does not come back.
    let (first, again) = (asked[0], crowd.request());
    world.expect(alice, Intent::Block { contact: first });
    world.knock(alice, &again.1);
    world.run_for(MINUTE);
    assert_eq!(state(&world, alice, &again.0), Some(ContactState::Incoming));
    assert_eq!(state(&world, alice, &first), Some(ContactState::Blocked));
    assert_eq!(waiting(&world, alice), 200);
    send(&mut world, bob, alice, "you are popular");
    world.run_for(HOUR);
    assert_eq!(view::totals(world.client(bob).rows()).unwrap().waiting, 0, "friends are not crowded out");
}

#[test]
fn noise_fills_no_disk() {
    let (mut world, alice, bob) = crate::friends(81);
    world.settle();
    let digests = |world: &World| table(world, bob, Table::Digest).len();
    let before = digests(&world);
    for _ in 0..30 {
        world.inject_junk(bob, 100);
        world.run_for(MINUTE);
    }
    let most = 1_000 * 2;
    assert!(
        digests(&world) <= before + most,
        "{} digests after 3,000 envelopes of noise in each mailbox",
        digests(&world)
    );
    assert!(digests(&world) > before + 900, "what a contact's mailbox could not open is known again");
    world.run_for(33 * DAY);
    assert!(digests(&world) <= before + 100, "{} digests a month later", digests(&world));
    send(&mut world, alice, bob, "quiet again");
    world.settle();
}

#[test]
fn a_reset_address_kills_the_old_link_and_nothing_else() {
    let mut world = World::new(seed_or(82));
    let (alice, bob, carol) = (world.add_person("alice"), world.add_person("bob"), world.add_person("carol"));
    let (dave, erin) = (world.add_person("dave"), world.add_person("erin"));
    befriend(&mut world, alice, bob);
    let old = link(&mut world, alice, false);
    let invitation = link(&mut world, alice, true);
    let (root_a, root_c, root_e) = (world.root(alice), world.root(carol), world.root(erin));
    world.expect(carol, Intent::Connect { link: old.clone(), text: None });
    wait_for(&mut world, alice, root_c, ContactState::Incoming);

    world.expect(alice, Intent::ResetAddress);
    world.run_for(HOUR);
    world.expect(dave, Intent::Connect { link: old.clone(), text: None });
    wait_for(&mut world, dave, root_a, ContactState::LinkDead);
    assert_eq!(state(&world, alice, &root_c), Some(ContactState::Incoming), "a request that waits stays");
    world.expect(alice, Intent::Accept { contact: root_c });
    wait_for(&mut world, carol, root_a, ContactState::Connected);
    world.expect(erin, Intent::Connect { link: invitation, text: None });
    wait_for(&mut world, alice, root_e, ContactState::Incoming);
    world.expect(alice, Intent::Accept { contact: root_e });
    wait_for(&mut world, erin, root_a, ContactState::Connected);

    let new = link(&mut world, alice, false);
    assert!(new != old);
    let root_d = world.root(dave);
    world.expect(dave, Intent::Connect { link: new, text: None });
    wait_for(&mut world, alice, root_d, ContactState::Incoming);
    for friend in [bob, carol, erin] {
        send(&mut world, alice, friend, "I have a new card");
        send(&mut world, friend, alice, "I need none");
    }
    world.settle();
}

#[test]
fn switched_off_nobody_asks_but_by_invitation() {
    let mut world = World::new(seed_or(83));
    let (alice, bob, carol) = (world.add_person("alice"), world.add_person("bob"), world.add_person("carol"));
    let (root_a, root_c) = (world.root(alice), world.root(carol));
    let old = link(&mut world, alice, false);
    world.expect(alice, Intent::SwitchAddress { on: false });
    world.run_for(HOUR);
    assert_eq!(world.answer(alice, Intent::Invite { once: false }), Err(IntentError::AddressOff));
    assert_eq!(world.answer(alice, Intent::ResetAddress), Err(IntentError::AddressOff));
    assert_eq!(view::address_state(world.client(alice).rows()).unwrap(), Some(AddressView::Off));
    assert_eq!(table(&world, alice, Table::Mailbox).len() + table(&world, alice, Table::Bundle).len(), 0);
    world.expect(bob, Intent::Connect { link: old, text: None });
    wait_for(&mut world, bob, root_a, ContactState::LinkDead);

    let invitation = link(&mut world, alice, true);
    world.expect(carol, Intent::Connect { link: invitation, text: None });
    wait_for(&mut world, alice, root_c, ContactState::Incoming);
    world.expect(alice, Intent::Accept { contact: root_c });
    wait_for(&mut world, carol, root_a, ContactState::Connected);

    world.expect(alice, Intent::SwitchAddress { on: true });
    let new = link(&mut world, alice, false);
    let Some(AddressView::On { link: shown, published: true }) =
        view::address_state(world.client(alice).rows()).unwrap()
    else {
        panic!("the address is on")
    };
    assert_eq!(shown, new);
    let root_b = world.root(bob);
    world.expect(bob, Intent::Connect { link: new, text: None });
    wait_for(&mut world, alice, root_b, ContactState::Incoming);
    world.expect(alice, Intent::Accept { contact: root_b });
    wait_for(&mut world, bob, root_a, ContactState::Connected);
    world.settle();
}

#[test]
fn a_dead_address_is_not_read_though_its_relay_keeps_it() {
    for intent in [Intent::SwitchAddress { on: false }, Intent::ResetAddress] {
        let mut world = World::new(seed_or(85));
        let alice = world.add_person("alice");
        let address = link(&mut world, alice, false);
        let payload = Crowd::with_link(&world, alice, address).request().1;
        world.expect(alice, intent);
        let dead = |(_, row): &(Vec<u8>, Vec<u8>)| OwnMailbox::from_row(row).unwrap().known == Known::Unwanted;
        assert!(table(&world, alice, Table::Mailbox).iter().any(dead), "its relay has not deleted it yet");
        let acks = world.client(alice).said().acks;
        world.knock_at_dead(alice, &payload);
        world.run_for(MINUTE);
        assert!(world.client(alice).said().acks > acks, "what the relay delivered all the same is acknowledged");
        assert_eq!(waiting(&world, alice), 0, "a request came through an address that is dead");
    }
}

#[test]
fn an_invitations_mailbox_takes_nothing_else() {
    let mut world = World::new(seed_or(84));
    let alice = world.add_person("alice");
    world.expect(alice, Intent::SwitchAddress { on: false });
    let invitation = link(&mut world, alice, true);
    // Someone who had the invitation goes by its mailbox and leaves the invitation out.
    let mut mallory = Crowd::with_link(&world, alice, Link { kind: LinkKind::Address, ..invitation.clone() });
    let (_, payload) = mallory.request();
    world.knock(alice, &payload);
    world.run_for(MINUTE);
    assert_eq!(waiting(&world, alice), 0, "the mailbox alone is no way in");
    let (_, payload) = Crowd::with_link(&world, alice, invitation.clone()).request();
    world.knock(alice, &payload);
    world.run_for(MINUTE);
    assert_eq!(waiting(&world, alice), 1, "the invitation is");
    let (_, payload) = Crowd { rng: ChaCha20Rng::seed_from_u64(7), ..mallory }.request();
    world.knock(alice, &payload);
    world.run_for(MINUTE);
    assert_eq!(waiting(&world, alice), 1);
    let Outcome::Link(_) = world.expect(alice, Intent::Invite { once: true }) else { panic!("a link") };
}
