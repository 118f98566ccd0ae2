//! What fuzzers were given and what they found, replayed: each input once broke something or leads far.

use std::{fs, path::PathBuf};

use sotto_tests::{
    fuzz::{cast::cast, decoders, forge::Forge, hostile, party::Party, session, stored::Stored},
    layering::root,
};

/// The inputs kept for a target.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = root().join("fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Gives every input of a target to its body.
fn replay(target: &str, run: fn(&[u8])) {
    let inputs = corpus(target);
    assert!(inputs.len() >= 10, "{target} has a corpus");
    for (path, data) in inputs {
        eprintln!("{}", path.display());
        run(&data);
    }
}

#[test]
fn every_kept_input_of_the_decoders_holds() {
    replay("decoders", decoders::run);
}

#[test]
fn every_kept_story_of_two_over_a_bad_network_holds() {
    replay("session", session::run);
}

#[test]
fn every_kept_story_of_a_hostile_peer_holds() {
    replay("hostile", hostile::run);
}

#[test]
fn every_decoder_has_an_input_of_its_own() {
    let inputs = corpus("decoders");
    for (number, (name, _)) in decoders::DECODERS.iter().enumerate() {
        let is_its_own = |data: &[u8]| data.first().is_some_and(|first| usize::from(*first) == number);
        assert!(inputs.iter().any(|(_, data)| is_its_own(data)), "{name}");
    }
}

#[test]
fn the_corpora_stay_small() {
    let all: Vec<_> = ["decoders", "session", "hostile"].into_iter().flat_map(corpus).collect();
    let bytes: usize = all.iter().map(|(_, data)| data.len()).sum();
    assert!(all.len() <= 220 && bytes <= 300 << 10, "{} files, {bytes} bytes", all.len());
}

/// Without this every forgery might be refused for another reason than the one it was made for.
#[test]
fn a_forgery_that_changes_nothing_opens() {
    let (alice, bob) = cast().sessions();
    let (mut alice, mut bob) = (Party::new(alice, 1), Party::new(bob, 2));
    let mut forge = Forge::default();
    for turn in 0..60_u8 {
        forge.learn(&Stored::of(&alice.session));
        let honest = alice.seal(&[turn]).unwrap();
        forge.learn(&Stored::of(&alice.session));
        let header = forge.header(&honest).unwrap();
        // The first packet of a sending chain is known to its session alone.
        if header[36..40] == [0; 4] {
            bob.open(&honest, 1).unwrap();
            continue;
        }
        let forged = forge.seal(&header, [turn; 12], &[turn, 0x80, 0]).unwrap();
        assert_eq!(bob.open(&forged, 1).unwrap().content, [turn]);
        bob.open(&honest, 1).expect_err("its number is used");
        if turn % 3 == 0 {
            let answer = bob.seal(b"well").unwrap();
            alice.open(&answer, 1).unwrap();
        }
    }
    assert!(Stored::of(&bob.session).braid.unwrap().epoch >= 2, "forgeries carry the Braid on");
}
