//! `spec/openapi.yaml` and what a relay answers: the same paths, the same methods.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
};

use crate::{join, page};

const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"];

/// A path of the document.
#[derive(Debug, Default)]
struct Item {
    methods: BTreeSet<String>,
    /// It has a server of its own, which is the port for metrics.
    is_local: bool,
    /// Clients' port and that of metrics have it.
    is_health: bool,
}

/// The paths of the document. Its indentation is our own: two spaces a level.
fn documented() -> BTreeMap<String, Item> {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../spec/openapi.yaml")).unwrap();
    let (_, paths) = text.split_once("\npaths:\n").unwrap();
    let mut items = BTreeMap::<String, Item>::new();
    let mut path = String::new();
    for line in paths.lines().take_while(|line| line.is_empty() || line.starts_with([' ', '#'])) {
        let Some((key, _)) = line.split_once(':') else { continue };
        match key.len() - key.trim_start().len() {
            2 => path = key.trim().to_owned(),
            6 if line.trim() == "tags: [health]" => items.entry(path.clone()).or_default().is_health = true,
            4 if key.trim() == "servers" => items.entry(path.clone()).or_default().is_local = true,
            4 => {
                let method = key.trim().to_uppercase();
                if METHODS.contains(&method.as_str()) {
                    items.entry(path.clone()).or_default().methods.insert(method);
                }
            }
            _ => {}
        }
    }
    items
}

/// The paths that the server's sources route.
fn routed(folder: &Path, paths: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            routed(&path, paths);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let found = text.split(".route(").skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
            paths.extend(found.map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
    }
}

/// One request on a connection of its own, and the whole answer.
pub(crate) fn ask(relay: SocketAddr, method: &str, path: &str) -> String {
    let mut socket = TcpStream::connect(relay).unwrap();
    let asked = format!("{method} {path} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    socket.write_all(asked.as_bytes()).unwrap();
    let mut answer = vec![];
    socket.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap()
}

#[test]
fn openapi_names_every_path_and_method_and_no_others() {
    let documented = documented();
    let mut paths = BTreeSet::new();
    routed(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/server")), &mut paths);
    assert_eq!(documented.keys().cloned().collect::<BTreeSet<_>>(), paths);

    let dir = tempfile::tempdir().unwrap();
    // With pages, and a login whose issuer is not there.
    join::init(dir.path(), "http://127.0.0.1:1", &[]);
    let relay = page::start(dir.path());
    for (path, item) in &documented {
        let port = if item.is_local { relay.metrics } else { relay.address };
        // A method that nobody has makes the relay say which ones it may take; none is beyond those tried next.
        let answer = ask(port, "BREW", path);
        assert_eq!(status(&answer), "405", "{path}");
        let allow = answer.lines().find_map(|line| line.strip_prefix("allow: ")).unwrap();
        let taken: BTreeSet<&str> = allow.split(',').map(str::trim).collect();
        assert!(taken.iter().all(|method| METHODS.contains(method)), "{path}: {allow}");
        for method in METHODS {
            let answer = ask(port, method, path);
            let is_taken = !matches!(status(&answer), "404" | "405");
            assert_eq!(is_taken, item.methods.contains(method), "{method} {path}: {answer}");
        }
        if item.is_local {
            assert_eq!(status(&ask(relay.address, "GET", path)), "404", "{path} is for this machine alone");
        } else if !item.is_health {
            assert_eq!(status(&ask(relay.metrics, "GET", path)), "404", "{path} is for clients alone");
        }
    }
}
