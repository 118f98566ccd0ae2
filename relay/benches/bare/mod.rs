//! The bare router: the least that a durable relay over WebSocket does. One table, one insert and one delete for each message,
//! in batches of whatever waits, `synchronous=FULL`.
//!
//! A sender's message is 8 bytes of id and a payload; it is answered with the id when it is committed, and goes to the
//! reader of the same number under the row's own id. A reader's message is row ids; they are deleted, and nothing is answered.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::Path as FilePath,
    process::{Child, Stdio},
    sync::{Arc, Mutex},
};

use axum::{
    Router as AxumRouter,
    extract::{
        Path, State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    routing::get,
};
use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{self, protocol::WebSocketConfig},
};

const BATCH_MAX: usize = 1_024;
const INSERT_ROWS: [usize; 5] = [128, 32, 8, 2, 1];

type Outbox = UnboundedSender<Bytes>;

/// A bare router in a process of its own.
pub(crate) struct Router {
    child: Child,
    pub(crate) address: SocketAddr,
}

enum Work {
    Insert(Insert),
    Delete(Bytes),
}

struct Insert {
    /// As it came, under the sender's id.
    message: Bytes,
    pair: u64,
    sender: Outbox,
}

#[derive(Clone)]
struct Shared {
    work: UnboundedSender<Work>,
    readers: Arc<Mutex<HashMap<u64, Outbox>>>,
}

impl Router {
    pub(crate) fn start(dir: &FilePath) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut child = std::process::Command::new(program);
        let mut child = child.arg("bare-router").arg(dir).stdout(Stdio::piped()).spawn().expect("a process");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        Self { child, address: line.trim().parse().expect("an address") }
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the router until it is killed.
pub(crate) fn serve(dir: &FilePath) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let options = SqliteConnectOptions::new()
            .filename(dir.join("bare.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // As the relay has it, so that only what they do differs.
            .pragma("wal_autocheckpoint", "8000")
            .pragma("cache_size", "-32000")
            .disable_statement_logging();
        let mut connection = SqliteConnection::connect_with(&options).await.expect("a database");
        let create = sqlx::query("CREATE TABLE message (id INTEGER PRIMARY KEY, payload BLOB NOT NULL)");
        create.execute(&mut connection).await.expect("a table");
        let (work, waiting) = unbounded_channel();
        let readers = Arc::default();
        tokio::spawn(write(connection, waiting, Arc::clone(&readers)));
        let router = AxumRouter::new().route("/{role}/{pair}", get(accept)).with_state(Shared { work, readers });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut out = std::io::stdout();
        writeln!(out, "{}", listener.local_addr().expect("an address")).expect("an output");
        use axum::serve::ListenerExt;
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("a socket"));
        axum::serve(listener, router).await.expect("a server");
    });
}

async fn accept(
    State(shared): State<Shared>,
    Path((role, pair)): Path<(String, u64)>,
    upgrade: WebSocketUpgrade,
) -> axum::response::Response {
    let upgrade = upgrade.read_buffer_size(4 * 1024).write_buffer_size(16 * 1024);
    upgrade.on_upgrade(move |socket| connection(socket, shared, role == "send", pair))
}

async fn connection(mut socket: WebSocket, shared: Shared, is_sender: bool, pair: u64) {
    let (outbox, mut outgoing) = unbounded_channel::<Bytes>();
    if !is_sender {
        shared.readers.lock().expect("a lock").insert(pair, outbox.clone());
    }
    loop {
        tokio::select! {
            biased;
            bytes = outgoing.recv() => {
                let mut next = bytes;
                while let Some(bytes) = next {
                    if socket.feed(Message::Binary(bytes)).await.is_err() {
                        return;
                    }
                    next = outgoing.try_recv().ok();
                }
                if socket.flush().await.is_err() {
                    return;
                }
            }
            message = socket.recv() => {
                let Some(Ok(message)) = message else { return };
                let bytes = message.into_data();
                let work = if is_sender {
                    Work::Insert(Insert { message: bytes, pair, sender: outbox.clone() })
                } else {
                    Work::Delete(bytes)
                };
                if shared.work.send(work).is_err() {
                    return;
                }
            }
        }
    }
}

async fn write(
    mut connection: SqliteConnection,
    mut waiting: UnboundedReceiver<Work>,
    readers: Arc<Mutex<HashMap<u64, Outbox>>>,
) {
    let (mut batch, mut next_row) = (vec![], 0_i64);
    while waiting.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let (mut inserts, mut deletes) = (vec![], vec![]);
        for work in batch.drain(..) {
            match work {
                Work::Insert(insert) => inserts.push(insert),
                Work::Delete(ids) => deletes.extend(ids.chunks_exact(8).map(number)),
            }
        }
        sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.expect("a transaction");
        insert(&mut connection, next_row, &inserts).await;
        if !deletes.is_empty() {
            let delete = sqlx::query("DELETE FROM message WHERE id IN (SELECT value FROM json_each(?))");
            let ids = serde_json::to_string(&deletes).expect("numbers");
            delete.bind(ids).execute(&mut connection).await.expect("a delete");
        }
        sqlx::query("COMMIT").execute(&mut connection).await.expect("a commit");
        let readers = readers.lock().expect("a lock");
        for Insert { message, pair, sender } in inserts {
            let _ = sender.send(message.slice(..8));
            let delivery = [&next_row.to_be_bytes()[..], &message[8..]].concat();
            let _ = readers[&pair].send(delivery.into());
            next_row += 1;
        }
    }
}

async fn insert(connection: &mut SqliteConnection, first_row: i64, messages: &[Insert]) {
    let (mut rest, mut row) = (messages, first_row);
    for rows in INSERT_ROWS {
        while let Some((chunk, others)) = rest.split_at_checked(rows) {
            rest = others;
            let values = vec!["(?, ?)"; rows].join(", ");
            let mut insert = sqlx::query(AssertSqlSafe(format!("INSERT INTO message (id, payload) VALUES {values}")));
            for Insert { message, .. } in chunk {
                insert = insert.bind(row).bind(&message[8..]);
                row += 1;
            }
            insert.execute(&mut *connection).await.expect("an insert");
        }
    }
}

fn number(bytes: &[u8]) -> i64 {
    i64::from_be_bytes(bytes.try_into().expect("8 bytes"))
}

/// A client's connection.
pub(crate) async fn connect(address: SocketAddr, role: &str, pair: u64) -> WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(address).await.expect("a router");
    stream.set_nodelay(true).expect("a socket");
    let config = WebSocketConfig::default().read_buffer_size(8 * 1024).write_buffer_size(8 * 1024);
    let url = format!("ws://{address}/{role}/{pair}");
    client_async_with_config(url, stream, Some(config)).await.expect("a router").0
}

/// Sends `count` messages from the id `first` on, `window` at a time on their way.
pub(crate) async fn send(
    mut socket: WebSocketStream<TcpStream>,
    first: u64,
    count: u64,
    window: u64,
    payload_bytes: usize,
) {
    let (mut sent, mut answered) = (0, 0);
    while answered < count {
        while sent < count && sent - answered < window {
            let message = [&(first + sent).to_be_bytes()[..], &vec![7; payload_bytes]].concat();
            socket.send(tungstenite::Message::Binary(message.into())).await.expect("a router");
            sent += 1;
        }
        socket.next().await.expect("an answer").expect("a router");
        answered += 1;
    }
}

/// Acknowledges whatever has come, in one message.
pub(crate) async fn read(mut socket: WebSocketStream<TcpStream>, count: u64) {
    let mut got = 0;
    while got < count {
        let (mut ids, mut next) = (vec![], socket.next().await);
        while let Some(message) = next {
            ids.extend_from_slice(&message.expect("a router").into_data()[..8]);
            got += 1;
            next = socket.next().now_or_never().flatten();
        }
        socket.send(tungstenite::Message::Binary(ids.into())).await.expect("a router");
    }
}
