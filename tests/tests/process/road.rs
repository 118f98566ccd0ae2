//! The road between people and their relay, as bad networks make it: a proxy that refuses WebSockets, one that cuts every
//! connection, one that delays, one that only records; and a SOCKS5 server, the only way out of some networks.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use sotto_tests::world::chance::Chance;

/// What happens to what travels on it.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// A request for a WebSocket is answered with 403, as some companies' proxies do; others pass.
    RefusesUpgrade,
    /// Every connection ends after this long.
    Cuts(Duration),
    /// One piece of a thousand bytes in twenty waits this long, and what follows waits behind it.
    Delays(Duration, u64),
}

/// A proxy before a relay.
pub(crate) struct Road {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// What one connection carried.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) up: Vec<u8>,
    pub(crate) down: Vec<u8>,
}

impl Road {
    /// Begins to carry connections to a relay that listens there.
    pub(crate) fn new(to: &str, fault: Fault) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (to, all) = (to.to_owned(), Arc::clone(&seen));
        thread::spawn(move || {
            for (number, client) in listener.incoming().enumerate() {
                let (Ok(client), to, all) = (client, to.clone(), Arc::clone(&all)) else { return };
                thread::spawn(move || {
                    // A connection that fails is one that failed: its two ends notice.
                    let _failed = carry(client, &to, fault, number as u64, &all);
                });
            }
        });
        Self { port, seen }
    }

    /// Where people reach the relay by this road.
    pub(crate) fn place(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// What each connection carried, up to now.
    pub(crate) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

fn carry(mut client: TcpStream, to: &str, fault: Fault, number: u64, all: &Mutex<Vec<Seen>>) -> io::Result<()> {
    let index = {
        let mut all = all.lock().unwrap();
        all.push(Seen::default());
        all.len() - 1
    };
    let mut beginning = Vec::new();
    if matches!(fault, Fault::RefusesUpgrade) {
        beginning = head(&mut client)?;
        if String::from_utf8_lossy(&beginning).to_ascii_lowercase().contains("upgrade: websocket") {
            return client.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    }
    let mut relay = TcpStream::connect(to)?;
    for stream in [&client, &relay] {
        stream.set_nodelay(true)?;
    }
    note(all, index, |seen| &mut seen.up, &beginning);
    relay.write_all(&beginning)?;
    let until = match fault {
        Fault::Cuts(after) => Some(Instant::now() + after),
        Fault::None | Fault::RefusesUpgrade | Fault::Delays(..) => None,
    };
    thread::scope(|scope| {
        let down = scope.spawn(|| {
            let note = |bytes: &[u8]| note(all, index, |seen| &mut seen.down, bytes);
            pump(&relay, &client, fault, (until, number * 2), note)
        });
        let note = |bytes: &[u8]| note(all, index, |seen| &mut seen.up, bytes);
        let up = pump(&client, &relay, fault, (until, number * 2 + 1), note);
        up.and(down.join().expect("a pump does not panic"))
    })
}

fn note(all: &Mutex<Vec<Seen>>, index: usize, side: impl Fn(&mut Seen) -> &mut Vec<u8>, bytes: &[u8]) {
    // Gone if what was seen was taken: a connection that began before is of no interest after.
    if let Some(seen) = all.lock().unwrap().get_mut(index) {
        side(seen).extend_from_slice(bytes);
    }
}

/// A request's head, byte by byte: nothing behind it is taken.
fn head(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") && bytes.len() < 16 * 1024 {
        client.read_exact(&mut byte)?;
        bytes.push(byte[0]);
    }
    Ok(bytes)
}

/// Carries one direction until it ends or is cut; then both directions end.
fn pump(
    mut from: &TcpStream,
    mut to: &TcpStream,
    fault: Fault,
    (until, fork): (Option<Instant>, u64),
    note: impl Fn(&[u8]),
) -> io::Result<()> {
    let mut delays = Delays::new(fault, fork);
    let mut bytes = [0; 1_000];
    let result = loop {
        if let Some(until) = until {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break Err(io::ErrorKind::ConnectionReset.into());
            }
            from.set_read_timeout(Some(left))?;
        }
        match from.read(&mut bytes) {
            Ok(0) => break Ok(()),
            Ok(count) => {
                note(&bytes[..count]);
                delays.wait();
                if let Err(error) = to.write_all(&bytes[..count]) {
                    break Err(error);
                }
            }
            Err(error) => break Err(error),
        }
    };
    for stream in [from, to] {
        // It may be closed already.
        let _closed = stream.shutdown(Shutdown::Both);
    }
    result
}

/// When a piece waits.
struct Delays(Option<(Duration, Chance)>);

impl Delays {
    fn new(fault: Fault, fork: u64) -> Self {
        match fault {
            Fault::Delays(by, seed) => Self(Some((by, Chance::fork(seed, "road", fork)))),
            Fault::None | Fault::RefusesUpgrade | Fault::Cuts(_) => Self(None),
        }
    }

    fn wait(&mut self) {
        if let Some((by, chance)) = &mut self.0
            && chance.one_in(20)
        {
            thread::park_timeout(*by);
        }
    }
}

/// A SOCKS5 server (RFC 1928, RFC 1929) that knows one name.
pub(crate) struct Socks {
    port: u16,
    asked: mpsc::Receiver<Asked>,
}

/// What one client asked for.
pub(crate) struct Asked {
    pub(crate) username: String,
    pub(crate) host: String,
}

impl Socks {
    /// Leads connections to `name` on, to a relay that listens there, and refuses all others.
    pub(crate) fn new(name: &str, to: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, asked) = mpsc::channel();
        let (name, to) = (name.to_owned(), to.to_owned());
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), name, to, tell) = (client, name.clone(), to.clone(), tell.clone()) else { return };
                thread::spawn(move || {
                    let _failed = lead(client, &name, &to, &tell);
                });
            }
        });
        Self { port, asked }
    }

    pub(crate) fn address(&self) -> String {
        format!("socks5://127.0.0.1:{}", self.port)
    }

    /// What was asked up to now.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        let mut all = Vec::new();
        loop {
            match self.asked.recv_timeout(Duration::ZERO) {
                Ok(asked) => all.push(asked),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return all,
            }
        }
    }
}

fn lead(mut client: TcpStream, name: &str, to: &str, tell: &mpsc::Sender<Asked>) -> io::Result<()> {
    let [_, methods] = take(&mut client)?;
    let mut offered = vec![0; usize::from(methods)];
    client.read_exact(&mut offered)?;
    assert!(offered.contains(&2), "a client that gives no name shares its circuit with everyone");
    client.write_all(&[5, 2])?;
    let [_] = take(&mut client)?;
    let username = text(&mut client)?;
    let _password = text(&mut client)?;
    client.write_all(&[1, 0])?;
    let [_, command, _, kind] = take(&mut client)?;
    assert_eq!((command, kind), (1, 3), "connect, by name: names are not resolved here");
    let host = text(&mut client)?;
    let [_, _] = take(&mut client)?;
    let known = host == name;
    // Nobody listens once the test has ended.
    let _ended = tell.send(Asked { username, host });
    client.write_all(&[5, if known { 0 } else { 4 }, 0, 1, 0, 0, 0, 0, 0, 0])?;
    if !known {
        return Ok(());
    }
    carry(client, to, Fault::None, 0, &Mutex::new(Vec::new()))
}

fn take<const N: usize>(client: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn text(client: &mut TcpStream) -> io::Result<String> {
    let [len] = take(client)?;
    let mut bytes = vec![0; usize::from(len)];
    client.read_exact(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
}
