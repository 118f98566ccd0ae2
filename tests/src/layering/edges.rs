//! Dependencies as cargo resolves them for this machine, tests' own left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;

/// Names of packages, each with those it depends on.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// What cargo says of the workspace, without a network.
///
/// # Panics
/// If cargo fails: the dependencies were fetched, or nothing here would have been built.
pub fn metadata() -> Value {
    let output = cargo(&["metadata", "--format-version", "1", "--filter-platform", &host()]);
    serde_json::from_str(&output).expect("cargo metadata is JSON")
}

/// The features with which the relay stands when it is built alone, as `cargo tree` prints them.
///
/// # Panics
/// If cargo fails.
pub fn relay_features() -> String {
    cargo(&["tree", "--package", "sotto-relay", "--edges", "features,normal", "--prefix", "none"])
}

fn cargo(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(args)
        .args(["--offline", "--quiet"])
        .current_dir(super::root())
        .output()
        .expect("cargo is here: it built this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo writes UTF-8")
}

fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().expect("rustc is here: it built this test");
    let text = String::from_utf8(output.stdout).expect("rustc writes UTF-8");
    text.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host").to_owned()
}

/// Normal dependencies of all packages, by name.
///
/// # Panics
/// If the value is no account of `cargo metadata`.
pub fn graph(metadata: &Value) -> Graph {
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let names: BTreeMap<String, String> =
        list(&metadata["packages"]).iter().map(|package| (text(&package["id"]), text(&package["name"]))).collect();
    let is_normal = |dep: &Value| list(&dep["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
    let mut graph = Graph::new();
    for node in list(&metadata["resolve"]["nodes"]) {
        // Two versions of one package are one here: what one may not reach, the other may not either.
        let edges = graph.entry(names[&text(&node["id"])].clone()).or_default();
        edges.extend(
            list(&node["deps"]).iter().filter(|dep| is_normal(dep)).map(|dep| names[&text(&dep["pkg"])].clone()),
        );
    }
    graph
}

/// Everything reached from a package, itself left out.
pub fn reach(graph: &Graph, from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(name) = next.pop() {
        for edge in graph.get(name).into_iter().flatten() {
            if reached.insert(edge.clone()) {
                next.push(edge);
            }
        }
    }
    reached
}

/// Where the real edges between our rooms differ from the table, one a line.
pub fn departures(graph: &Graph, rooms: &[(&str, &[&str])]) -> Vec<String> {
    let ours = |name: &&String| name.starts_with("sotto-");
    let mut wrong = vec![];
    for name in graph.keys().filter(ours).filter(|name| rooms.iter().all(|(room, _)| room != name)) {
        wrong.push(format!("{name} has no place in the table"));
    }
    for (room, allowed) in rooms {
        let real: BTreeSet<&str> = graph.get(*room).into_iter().flatten().filter(ours).map(String::as_str).collect();
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        wrong.extend(real.difference(&allowed).map(|edge| format!("{room} must not depend on {edge}")));
        wrong.extend(
            allowed.difference(&real).map(|edge| format!("{room} no longer depends on {edge}: mend the table")),
        );
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph_of(edges: &[(&str, &[&str])]) -> Graph {
        edges
            .iter()
            .map(|(from, to)| ((*from).to_owned(), to.iter().map(|name| (*name).to_owned()).collect()))
            .collect()
    }

    #[test]
    fn an_edge_that_is_not_allowed_is_found() {
        let graph = graph_of(&[("sotto-relay", &["sotto-outer", "sotto-inner"]), ("sotto-outer", &[])]);
        let rooms: [(&str, &[&str]); 2] = [("sotto-relay", &["sotto-outer"]), ("sotto-outer", &[])];
        assert_eq!(departures(&graph, &rooms), ["sotto-relay must not depend on sotto-inner"]);
    }

    #[test]
    fn a_line_that_is_no_longer_true_is_found() {
        let rooms: [(&str, &[&str]); 1] = [("sotto-relay", &["sotto-outer"])];
        let found = departures(&graph_of(&[("sotto-relay", &["tokio"])]), &rooms);
        assert_eq!(found, ["sotto-relay no longer depends on sotto-outer: mend the table"]);
    }

    #[test]
    fn a_room_without_a_line_is_found() {
        assert_eq!(departures(&graph_of(&[("sotto-new", &[])]), &[]), ["sotto-new has no place in the table"]);
    }

    #[test]
    fn a_reach_goes_through_strangers() {
        let graph = graph_of(&[("sotto-relay", &["a"]), ("a", &["b"]), ("b", &["sotto-inner", "a"])]);
        assert!(reach(&graph, "sotto-relay").contains("sotto-inner"));
    }

    #[test]
    fn tests_own_dependencies_are_no_edges() {
        let metadata: Value = serde_json::from_str(
            r#"{"packages": [{"id": "1", "name": "x"}, {"id": "2", "name": "y"}, {"id": "3", "name": "z"}],
                "resolve": {"nodes": [{"id": "1", "deps": [
                    {"pkg": "2", "dep_kinds": [{"kind": null}]}, {"pkg": "3", "dep_kinds": [{"kind": "dev"}]}]}]}}"#,
        )
        .unwrap();
        assert_eq!(graph(&metadata), graph_of(&[("x", &["y"])]));
    }
}
