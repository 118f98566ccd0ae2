//! The bare router: the least that a durable relay over WebSocket does. One table, one insert and one delete for each message,
//! in batches of whatever waits, `synchronous=FULL`.
//!
//! A sender's message is 8 bytes of id and a payload; it is answered with the id when it is committed, and goes to the
//! reader of the same number under the row's own id, or waits where there is none. A reader's message is row ids; they are
//! deleted, and nothing is answered. Its first message, without any, makes it the reader and brings what waits.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::Path as FilePath,
    process::{Child, Stdio},
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
    AssertSqlSafe, ConnectOptions, Connection, Row, SqliteConnection,
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
    Read { pair: u64, reader: Outbox },
}

struct Insert {
    /// As it came, under the sender's id.
    message: Bytes,
    pair: u64,
    sender: Outbox,
}

/// The writer, with all that it knows beside the file.
struct Writer {
    connection: SqliteConnection,
    next_row: i64,
    readers: HashMap<u64, Outbox>,
    /// Rows for pairs without a reader.
    kept: HashMap<u64, Vec<i64>>,
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

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
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
        let writer = Writer { connection, next_row: 0, readers: HashMap::new(), kept: HashMap::new() };
        tokio::spawn(writer.run(waiting));
        let router = AxumRouter::new().route("/{role}/{pair}", get(accept)).with_state(work);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut out = std::io::stdout();
        writeln!(out, "{}", listener.local_addr().expect("an address")).expect("an output");
        use axum::serve::ListenerExt;
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("a socket"));
        axum::serve(listener, router).await.expect("a server");
    });
}

async fn accept(
    State(work): State<UnboundedSender<Work>>,
    Path((role, pair)): Path<(String, u64)>,
    upgrade: WebSocketUpgrade,
) -> axum::response::Response {
    let upgrade = upgrade.read_buffer_size(4 * 1024).write_buffer_size(16 * 1024);
    upgrade.on_upgrade(move |socket| connection(socket, work, role == "send", pair))
}

async fn connection(mut socket: WebSocket, to_writer: UnboundedSender<Work>, is_sender: bool, pair: u64) {
    let (outbox, mut outgoing) = unbounded_channel::<Bytes>();
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
                let work = match () {
                    () if is_sender => Work::Insert(Insert { message: bytes, pair, sender: outbox.clone() }),
                    () if bytes.is_empty() => Work::Read { pair, reader: outbox.clone() },
                    () => Work::Delete(bytes),
                };
                if to_writer.send(work).is_err() {
                    return;
                }
            }
        }
    }
}

impl Writer {
    async fn run(mut self, mut waiting: UnboundedReceiver<Work>) {
        let mut batch = vec![];
        while waiting.recv_many(&mut batch, BATCH_MAX).await > 0 {
            let (mut inserts, mut deletes, mut reads) = (vec![], vec![], vec![]);
            for work in batch.drain(..) {
                match work {
                    Work::Insert(insert) => inserts.push(insert),
                    Work::Delete(ids) => deletes.extend(ids.chunks_exact(8).map(number)),
                    Work::Read { pair, reader } => reads.push((pair, reader)),
                }
            }
            if !inserts.is_empty() || !deletes.is_empty() {
                self.write(&inserts, &deletes).await;
            }
            for Insert { message, pair, sender } in inserts {
                let _ = sender.send(message.slice(..8));
                self.deliver(pair, &message[8..]);
            }
            for (pair, reader) in reads {
                self.read(pair, &reader).await;
                self.readers.insert(pair, reader);
            }
        }
    }

    async fn write(&mut self, inserts: &[Insert], deletes: &[i64]) {
        let connection = &mut self.connection;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await.expect("a transaction");
        insert(connection, self.next_row, inserts).await;
        if !deletes.is_empty() {
            let delete = sqlx::query("DELETE FROM message WHERE id IN (SELECT value FROM json_each(?))");
            let ids = serde_json::to_string(deletes).expect("numbers");
            delete.bind(ids).execute(&mut *connection).await.expect("a delete");
        }
        sqlx::query("COMMIT").execute(&mut *connection).await.expect("a commit");
    }

    /// To its reader, or to those that wait for one.
    fn deliver(&mut self, pair: u64, payload: &[u8]) {
        match self.readers.get(&pair) {
            Some(reader) => drop(reader.send([&self.next_row.to_be_bytes()[..], payload].concat().into())),
            None => self.kept.entry(pair).or_default().push(self.next_row),
        }
        self.next_row += 1;
    }

    async fn read(&mut self, pair: u64, reader: &Outbox) {
        let Some(rows) = self.kept.remove(&pair) else { return };
        let select =
            sqlx::query("SELECT id, payload FROM message WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id");
        let rows = select.bind(serde_json::to_string(&rows).expect("numbers")).fetch_all(&mut self.connection);
        for row in rows.await.expect("rows") {
            let (id, payload): (i64, &[u8]) = (row.get(0), row.get(1));
            let _ = reader.send([&id.to_be_bytes()[..], payload].concat().into());
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

/// Messages under the ids from `first` on.
pub(crate) fn messages(first: u64, count: u64, payload_bytes: usize) -> Vec<Bytes> {
    let message = |id: u64| [&id.to_be_bytes()[..], &vec![7; payload_bytes]].concat().into();
    (first..first + count).map(message).collect()
}

/// Sends all of them, `window` at a time on their way.
pub(crate) async fn send(
    mut socket: WebSocketStream<TcpStream>,
    messages: Vec<Bytes>,
    window: usize,
) -> WebSocketStream<TcpStream> {
    let (count, mut messages, mut answered, mut on_their_way) = (messages.len(), messages.into_iter(), 0, 0);
    while answered < count {
        while on_their_way < window {
            let Some(message) = messages.next() else { break };
            socket.send(tungstenite::Message::Binary(message)).await.expect("a router");
            on_their_way += 1;
        }
        socket.next().await.expect("an answer").expect("a router");
        answered += 1;
        on_their_way -= 1;
    }
    socket
}

/// Becomes the reader, takes `count` messages, and acknowledges whatever has come, in one message.
pub(crate) async fn read(mut socket: WebSocketStream<TcpStream>, count: u64) -> WebSocketStream<TcpStream> {
    let mut got = 0;
    socket.send(tungstenite::Message::Binary(Bytes::new())).await.expect("a router");
    while got < count {
        let (mut ids, mut next) = (vec![], socket.next().await);
        while let Some(message) = next {
            ids.extend_from_slice(&message.expect("a router").into_data()[..8]);
            got += 1;
            next = socket.next().now_or_never().flatten();
        }
        socket.send(tungstenite::Message::Binary(ids.into())).await.expect("a router");
    }
    socket
}
