//! Which room knows which, and what no pure room names. See `sotto_tests::layering`.

use std::{collections::BTreeSet, fs};

use sotto_tests::layering::{
    CLOSED_TO_THE_RELAY, COMMITTERS, IMPURE_WORDS, OPENERS_OF_THE_RELAY, PURE_SOURCES, ROOMS,
    edges::{departures, graph, metadata, reach, relay_features},
    root,
    words::{findings, shipped_sources, sources},
};

#[test]
fn the_rooms_depend_on_each_other_as_the_table_says() {
    let wrong = departures(&graph(&metadata()), &ROOMS);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_relay_reaches_nothing_that_could_read_an_envelope() {
    let graph = graph(&metadata());
    assert!(graph.contains_key("sotto-relay") && graph.contains_key("sotto-inner"), "the packages are there");
    let reached = reach(&graph, "sotto-relay");
    let closed: Vec<_> = CLOSED_TO_THE_RELAY.iter().filter(|name| reached.contains(**name)).collect();
    assert!(closed.is_empty(), "the relay reaches {closed:?}");
}

#[test]
fn the_relay_opens_sealed_commands_in_one_room_alone() {
    let (openers, room) = OPENERS_OF_THE_RELAY;
    let mut found = BTreeSet::new();
    for path in shipped_sources(&root().join("relay/src")) {
        let source = fs::read_to_string(&path).unwrap();
        if openers.iter().any(|opener| source.contains(opener)) {
            found.insert(path.starts_with(root().join(room)));
        }
    }
    assert_eq!(found, [true].into(), "{room} names {openers:?}, and nothing else does");
}

#[test]
fn the_relay_stands_without_sqlcipher() {
    let features = relay_features();
    assert!(features.contains("libsqlite3-sys"), "the relay has its SQLite");
    assert!(!features.contains("sqlcipher"), "and no SQLCipher");
}

#[test]
fn pure_rooms_name_no_clock_socket_file_or_ambient_randomness() {
    let mut wrong = vec![];
    for folder in PURE_SOURCES {
        for path in shipped_sources(&root().join(folder)) {
            let source = fs::read_to_string(&path).unwrap();
            let found = findings(&source, &IMPURE_WORDS);
            wrong.extend(found.iter().map(|finding| format!("{}:{}: {}", path.display(), finding.line, finding.word)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_store_and_the_world_say_that_a_commit_is_durable() {
    let named = sources(&root()).into_iter().filter(|path| {
        let source = fs::read_to_string(path).unwrap();
        !findings(&source, &["after_commit"]).is_empty()
    });
    let named: BTreeSet<String> =
        named.map(|path| path.strip_prefix(root()).unwrap().to_string_lossy().into_owned()).collect();
    let may = |path: &&String| COMMITTERS.iter().any(|place| path.starts_with(place));
    let others: Vec<_> = named.iter().filter(|path| !may(path)).collect();
    assert!(others.is_empty(), "{others:?} say that a commit is durable");
    assert!(named.iter().any(|path| path.starts_with("client/store/")), "the store says so");
}

#[test]
fn every_room_forbids_unsafe_code_and_keeps_the_lints() {
    let manifest = |path: &str| -> toml::Table { fs::read_to_string(root().join(path)).unwrap().parse().unwrap() };
    let whole = manifest("Cargo.toml");
    assert_eq!(whole["workspace"]["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
    for member in whole["workspace"]["members"].as_array().unwrap() {
        let member = member.as_str().unwrap();
        let own = manifest(&format!("{member}/Cargo.toml"));
        assert_eq!(own["lints"]["workspace"].as_bool(), Some(true), "{member} takes the workspace's lints");
    }
}

#[test]
fn clippy_keeps_every_pure_crate_pure() {
    let lints = fs::read_to_string(root().join("spec/clippy.toml")).unwrap();
    assert!(lints.contains("std::time::SystemTime::now") && lints.contains("std::fs::read"));
    for room in ["crypto", "client/engine"] {
        let own = fs::read_to_string(root().join(room).join("clippy.toml")).unwrap();
        assert_eq!(own, lints, "{room} has the pure rooms' lints");
    }
}
