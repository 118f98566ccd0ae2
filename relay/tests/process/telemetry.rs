//! Traces: none unless a host asks, words and numbers where one does, and no client waits for a collector.

use std::{collections::BTreeSet, fs, net::SocketAddr, path::Path};

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use serde_json::Value;
use sotto_outer::{Answer, EnvelopeId};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use crate::{
    client::{Client, Owner},
    relay::{self, RelayProcess},
    story::{get, is_word},
};

/// Words of spans that are no words of metrics.
const NAMES: [&str; 4] = ["store.queue", "store.commit", "store.batch", "hand_over"];

/// Takes what is exported, and gives each request as it came.
async fn collector() -> (SocketAddr, mpsc::UnboundedReceiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, exported) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(take(BufReader::new(stream), sender.clone()));
        }
    });
    (address, exported)
}

/// Takes the requests of a connection until it ends.
async fn take(mut stream: BufReader<TcpStream>, exported: mpsc::UnboundedSender<(String, Value)>) -> Option<()> {
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let start = head.len();
            if stream.read_line(&mut head).await.ok()? == 0 {
                return None;
            }
            if let Some(bytes) = head[start..].to_ascii_lowercase().strip_prefix("content-length: ") {
                length = bytes.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
        exported.send((head + &String::from_utf8_lossy(&body), serde_json::from_slice(&body).unwrap())).ok()?;
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

/// A relay that traces all requests.
fn traced(data: &Path, collector: SocketAddr) -> RelayProcess {
    relay::init(data);
    let config = data.join("relay.toml");
    let text = fs::read_to_string(&config).unwrap();
    let text = text.replacen("otlp_endpoint = \"\"", &format!("otlp_endpoint = \"http://{collector}\""), 1);
    let text = text.replacen("sample_ratio = 0.01", "sample_ratio = 1.0", 1);
    assert!(text.contains("sample_ratio = 1.0") && text.contains(&collector.to_string()), "{text}");
    fs::write(&config, text).unwrap();
    RelayProcess::start(data)
}

fn spans(exported: &Value) -> Vec<Value> {
    exported["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone()
}

fn dropped(metrics: &str) -> u64 {
    let count = metrics.lines().find_map(|line| line.strip_prefix("sotto_relay_spans_dropped_total "));
    count.unwrap().parse().unwrap()
}

/// A number as somebody might write it who wants to name somebody by it.
fn writings(bytes: &[u8]) -> [String; 5] {
    let list = format!("{bytes:?}");
    let list = list.trim_matches(['[', ']']).to_owned();
    [HEXLOWER.encode(bytes), HEXUPPER.encode(bytes), BASE64.encode(bytes), BASE64URL_NOPAD.encode(bytes), list]
}

/// A word that a span may have, or a number.
fn check_attributes(span: &Value) {
    let of_value = |attribute: &Value| match (&attribute["value"]["stringValue"], &attribute["value"]["intValue"]) {
        (Value::String(word), Value::Null) => assert!(is_word(word) || word == "gone", "{span}"),
        (Value::Null, Value::String(count)) => assert!(count.parse::<u32>().is_ok(), "{span}"),
        _ => panic!("{span}"),
    };
    span["attributes"].as_array().unwrap().iter().for_each(of_value);
    let name = span["name"].as_str().unwrap();
    assert!(is_word(name) || NAMES.contains(&name), "{span}");
}

fn text_of<'a>(json: &'a Value, key: &str) -> &'a str {
    json[key].as_str().unwrap()
}

/// Parts are of a request that was told, commits of a batch that was told, and each lies where it belongs.
fn check_ties(all: &[Value]) {
    let ids = |span| ["traceId", "spanId"].map(|key| text_of(span, key));
    let told: BTreeSet<_> = all.iter().map(ids).collect();
    assert_eq!(told.len(), all.len(), "each has a name of its own");
    for span in all {
        let [trace, parent] = ["traceId", "parentSpanId"].map(|key| text_of(span, key));
        assert!(parent.is_empty() || told.contains(&[trace, parent]), "{span}");
        let is_request = !NAMES.contains(&span["name"].as_str().unwrap());
        assert_eq!(span["kind"], if is_request { 2 } else { 1 }, "{span}");
        let links = span["links"].as_array().unwrap();
        assert_eq!(links.len(), usize::from(span["name"] == "store.commit"), "{span}");
        for link in links {
            let batch = all.iter().find(|span| ids(span) == ids(link)).unwrap();
            assert_eq!(batch["name"], "store.batch");
        }
        let [start, end] =
            ["startTimeUnixNano", "endTimeUnixNano"].map(|key| text_of(span, key).parse::<u64>().unwrap());
        assert!(start <= end, "{span}");
    }
}

#[tokio::test]
async fn spans_are_words_and_numbers_and_name_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let (collector, mut exported) = collector().await;
    let relay = traced(dir.path(), collector);
    let bob = Owner::new(1);
    let mut reader = Client::reader(relay.address, &bob).await.unwrap();
    let mut alice = Client::connect(relay.address).await.unwrap();
    let id = EnvelopeId::from([0xab; 16]);
    assert_eq!(alice.ask(bob.send(id, vec![0xcd; 3_000])).await.unwrap(), Answer::Done);
    assert_eq!(reader.deliver().await.unwrap().id, id);
    assert_eq!(reader.ask(bob.ack(vec![id])).await.unwrap(), Answer::Done);

    let (mut text, mut all) = (String::new(), vec![]);
    let expected = ["info", "create", "subscribe", "send", "ack"].into_iter().chain(NAMES);
    let mut missing: BTreeSet<_> = expected.collect();
    // Parts are told before what they are part of, but for handing over: that is told whenever the socket has it.
    while !missing.is_empty() {
        let (request, json) = exported.recv().await.unwrap();
        text += &request;
        all.extend(spans(&json));
        missing.retain(|name| !all.iter().any(|span| span["name"] == *name));
    }
    all.iter().for_each(check_attributes);
    check_ties(&all);
    let send = all.iter().find(|span| span["name"] == "send").unwrap();
    let parts = all.iter().filter(|span| span["parentSpanId"] == send["spanId"]);
    let parts: BTreeSet<_> = parts.map(|span| span["name"].as_str().unwrap()).collect();
    assert_eq!(parts, ["hand_over", "store.commit", "store.queue"].into());
    let said = send["attributes"].to_string();
    assert!(said.contains("done") && said.contains("websocket") && said.contains("\"4096\""), "{said}");

    let mut names: Vec<String> = bob.numbers().iter().flat_map(|bytes| writings(bytes)).collect();
    names
        .extend([[0xab; 16], *reader.nonce.as_bytes().first_chunk().unwrap()].iter().flat_map(|bytes| writings(bytes)));
    names.extend(writings(&[0xcd; 8]));
    names.extend(writings(reader.relay.as_bytes()));
    names.push(dir.path().display().to_string());
    names.push(relay.address.to_string());
    for client in [&reader, &alice] {
        names.push(client.socket.get_ref().local_addr().unwrap().to_string());
    }
    for name in names {
        assert!(!text.contains(&name), "{name} in\n{text}");
    }
}

/// Local and remote ports of the TCP connections that a process has open.
fn connections(pid: u32) -> Vec<(u16, u16)> {
    let links =
        fs::read_dir(format!("/proc/{pid}/fd")).unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let own: BTreeSet<_> = links.map(|link| link.display().to_string()).collect();
    let mut found = vec![];
    for table in ["tcp", "tcp6"] {
        let Ok(text) = fs::read_to_string(format!("/proc/{pid}/net/{table}")) else { continue };
        for line in text.lines().skip(1) {
            let fields: Vec<_> = line.split_whitespace().collect();
            let port = |at: usize| u16::from_str_radix(fields[at].rsplit(':').next().unwrap(), 16).unwrap();
            if own.contains(&format!("socket:[{}]", fields[9])) {
                found.push((port(1), port(2)));
            }
        }
    }
    found
}

#[tokio::test]
async fn by_default_nothing_is_dialled() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let relay = RelayProcess::start(dir.path());
    let bob = Owner::new(1);
    let mut reader = Client::reader(relay.address, &bob).await.unwrap();
    assert_eq!(reader.ask(bob.send(EnvelopeId::from([1; 16]), vec![1])).await.unwrap(), Answer::Done);
    let open = connections(relay.pid());
    assert!(open.len() > 2, "{open:?}");
    for (local, _) in &open {
        assert!([relay.address.port(), relay.metrics.port()].contains(local), "{open:?}");
    }
}

#[tokio::test]
async fn clients_wait_for_no_collector() {
    // One that is away, and one that takes connections and says nothing.
    let away = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addresses = [&away, &silent].map(|listener| listener.local_addr().unwrap());
    drop(away);
    for collector in addresses {
        let dir = tempfile::tempdir().unwrap();
        let mut relay = traced(dir.path(), collector);
        let bob = Owner::new(1);
        let mut reader = Client::reader(relay.address, &bob).await.unwrap();
        let mut alice = Client::connect(relay.address).await.unwrap();
        let mut sent = 0_u32;
        while sent < 50 || dropped(&get(relay.metrics, "/metrics").await) == 0 {
            for _ in 0..50 {
                let id: [u8; 4] = sent.to_be_bytes();
                let id = EnvelopeId::from([id; 4].concat().first_chunk().copied().unwrap());
                assert_eq!(alice.ask(bob.send(id, vec![1])).await.unwrap(), Answer::Done);
                assert_eq!(reader.deliver().await.unwrap().id, id);
                assert_eq!(reader.ask(bob.ack(vec![id])).await.unwrap(), Answer::Done);
                sent += 1;
            }
        }
        let (status, log) = relay.terminate();
        assert!(status.success() && !log.contains(&collector.to_string()), "{log}");
    }
}
