//! The limit of blobs: the same bytes through bare TLS into files, each durable under its name before it is answered, and back.
//! Threads that block, no HTTP, no capability; what a commit of one row costs beside is a page in a log.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Seek, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustls::{
    ClientConnection, ServerConfig, ServerConnection, StreamOwned,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

use crate::{
    blob::UPLOADS,
    blobs_client::{self, Blob},
};

const BUFFER_BYTES: usize = 256 * 1024;
/// What a commit adds to a write-ahead log at the least.
const PAGE_BYTES: usize = 4_096;
/// Instead of a part: all of them are asked for.
const ALL: u32 = u32::MAX;

type Stream = StreamOwned<ServerConnection, TcpStream>;

/// How long it took.
pub(crate) struct Limit {
    pub(crate) up: Duration,
    pub(crate) down: Duration,
}

/// A process that ends with its owner.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Serves a folder until it is killed.
pub(crate) fn serve(dir: &Path) {
    let key = rcgen::generate_simple_self_signed(["limit.invalid".to_owned()]).expect("a certificate");
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private)
        .expect("a certificate");
    let (config, log) = (Arc::new(config), File::create(dir.join("log")).expect("a file"));
    let log = Arc::new(Mutex::new(log));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    writeln!(std::io::stdout(), "{}", listener.local_addr().expect("an address")).expect("an output");
    for stream in listener.incoming() {
        let stream = stream.expect("a client");
        stream.set_nodelay(true).expect("a socket");
        let tls = ServerConnection::new(Arc::clone(&config)).expect("a connection");
        let (dir, log) = (dir.to_owned(), Arc::clone(&log));
        thread::spawn(move || connection(StreamOwned::new(tls, stream), &dir, &log));
    }
}

/// Each request is the number of a part, its size, and its bytes.
fn connection(mut stream: Stream, dir: &Path, log: &Mutex<File>) {
    let (mut head, mut buffer) = ([0; 8], vec![0; BUFFER_BYTES]);
    while stream.read_exact(&mut head).is_ok() {
        let [part, bytes] = [&head[..4], &head[4..]].map(|number| u32::from_be_bytes(number.try_into().expect("4")));
        if part == ALL {
            (0..bytes).for_each(|part| give(&mut stream, &dir.join(part.to_string()), &mut buffer));
        } else {
            take(&mut stream, dir, (part, bytes), &mut buffer);
            let mut log = log.lock().expect("a lock");
            log.rewind()
                .and_then(|()| log.write_all(&buffer[..PAGE_BYTES]))
                .and_then(|()| log.sync_data())
                .expect("a disk");
            drop(log);
            stream.write_all(&[1]).expect("a client");
        }
        stream.flush().expect("a client");
    }
}

fn take(stream: &mut Stream, dir: &Path, (part, bytes): (u32, u32), buffer: &mut [u8]) {
    let new: PathBuf = dir.join(format!("new-{part}"));
    let (mut file, mut left) = (File::create(&new).expect("a file"), bytes as usize);
    while left > 0 {
        let size = left.min(buffer.len());
        stream.read_exact(&mut buffer[..size]).expect("a client");
        file.write_all(&buffer[..size]).expect("a disk");
        left -= size;
    }
    file.sync_data().expect("a disk");
    fs::rename(&new, dir.join(part.to_string())).expect("a disk");
    File::open(dir).and_then(|folder| folder.sync_all()).expect("a disk");
}

fn give(stream: &mut Stream, path: &Path, buffer: &mut [u8]) {
    let mut file = File::open(path).expect("a file");
    loop {
        let size = file.read(buffer).expect("a disk");
        if size == 0 {
            return;
        }
        stream.write_all(&buffer[..size]).expect("a client");
    }
}

/// Takes a blob up and down again.
pub(crate) fn run(blob: &Blob) -> Limit {
    let dir = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    let mut child = command.arg("bare-blob").arg(dir.path()).stdout(Stdio::piped()).spawn().expect("a process");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    let (_server, address) = (Server(child), line.trim().parse().expect("an address"));
    let started = Instant::now();
    let next = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..UPLOADS {
            scope.spawn(|| upload(address, blob, &next));
        }
    });
    let up = started.elapsed();
    let started = Instant::now();
    download(address, blob);
    Limit { up, down: started.elapsed() }
}

fn upload(address: SocketAddr, blob: &Blob, next: &AtomicU32) {
    let mut stream = connect(address);
    loop {
        let part = next.fetch_add(1, Ordering::Relaxed);
        if part >= blob.parts() {
            return;
        }
        let bytes = blob.part(part);
        let size = u32::try_from(bytes.len()).expect("4 MiB");
        stream.write_all(&[part.to_be_bytes(), size.to_be_bytes()].concat()).expect("a server");
        stream.write_all(&bytes).and_then(|()| stream.flush()).expect("a server");
        stream.read_exact(&mut [0]).expect("an answer");
    }
}

fn download(address: SocketAddr, blob: &Blob) {
    let (mut stream, mut buffer) = (connect(address), vec![0; BUFFER_BYTES]);
    stream.write_all(&[ALL.to_be_bytes(), blob.parts().to_be_bytes()].concat()).expect("a server");
    let mut left = blob.bytes;
    while left > 0 {
        left -= stream.read(&mut buffer).expect("a server") as u64;
    }
}

fn connect(address: SocketAddr) -> StreamOwned<ClientConnection, TcpStream> {
    let stream = TcpStream::connect(address).expect("a server");
    stream.set_nodelay(true).expect("a socket");
    let tls = ClientConnection::new(blobs_client::trusting(), blobs_client::name()).expect("a connection");
    StreamOwned::new(tls, stream)
}
