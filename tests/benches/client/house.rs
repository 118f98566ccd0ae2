//! A relay's process, clients in folders, and how they meet.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use sotto_driver::{
    Client, ContactId, ContactState, Intent, Options, Outcome, Passphrase, RecoveryKey, RelayAddress, Unlock, view,
};
use sotto_store::Snapshot;
use tempfile::TempDir;
use tokio::{sync::broadcast::error::RecvError, time::timeout};

/// Long enough for any machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// A relay's process in a folder of its own. It ends with its owner.
pub(crate) struct Relay {
    child: Child,
    _folder: TempDir,
    pub(crate) address: RelayAddress,
    /// Where it listens itself; people may be given another place.
    pub(crate) port: u16,
}

impl Relay {
    /// Starts one that people reach at `public`, or where it listens.
    pub(crate) fn start(public: Option<u16>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let listen = format!("127.0.0.1:{port}");
        let public = format!("127.0.0.1:{}", public.unwrap_or(port));
        let init = ["init", "--listen", &listen, "--public", &public, "--data"];
        let made = Command::new(binary()).args(init).arg(folder.path()).output().expect("a relay");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let run = Command::new(binary()).args(["run", "--data"]).arg(folder.path()).stdout(Stdio::piped()).spawn();
        let mut child = run.expect("a relay");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let address = lines.find_map(|line| line.expect("text").parse().ok()).expect("the relay tells its address");
        // Whatever else it says goes nowhere.
        std::thread::spawn(move || lines.count());
        Self { child, _folder: folder, address, port }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// A profile's folder, and what opens it in no time.
pub(crate) struct Profile {
    folder: TempDir,
    unlock: Unlock,
}

impl Profile {
    /// A profile with an account.
    pub(crate) async fn create(name: &str, relay: &RelayAddress) -> (Self, Client) {
        let folder = tempfile::tempdir().expect("a folder");
        let passphrase = Unlock::Passphrase(Passphrase::new("correct horse battery staple".to_owned()));
        let (client, recovery) = Client::create(&options(folder.path()), &passphrase).expect("a client");
        let create = Intent::CreateProfile { name: name.to_owned(), relay: relay.clone() };
        client.intent(create).await.expect("an account");
        (Self { folder, unlock: Unlock::Recovery(recovery) }, client)
    }

    pub(crate) fn open(&self) -> Client {
        Client::open(&options(self.folder.path()), &self.unlock).expect("a client")
    }
}

fn options(profile: &Path) -> Options {
    Options { profile: profile.to_owned(), network: true }
}

/// One invites, the other comes, and both know it.
pub(crate) async fn befriend(host: &Client, guest: &Client) -> ContactId {
    let Outcome::Link(link) = host.intent(Intent::Invite { once: true }).await.expect("a link") else {
        panic!("an invitation is a link")
    };
    let root = |client: &Client| client.view(|rows| view::account(rows)).expect("rows").expect("an account").root;
    let (hosts, guests) = (root(host), root(guest));
    guest.intent(Intent::Connect { link, text: None }).await.expect("a contact");
    wait_for(host, &guests, ContactState::Incoming).await;
    host.intent(Intent::Accept { contact: guests }).await.expect("a contact");
    wait_for(guest, &hosts, ContactState::Connected).await;
    hosts
}

async fn wait_for(client: &Client, contact: &ContactId, state: ContactState) {
    until(client, |rows| view::contact(rows, contact).expect("rows").is_some_and(|contact| contact.state == state))
        .await;
}

/// Waits until something is so; looks after each change.
pub(crate) async fn until(client: &Client, mut is_so: impl FnMut(&Snapshot<'_>) -> bool) {
    let mut changes = client.changes();
    let watch = async {
        while !client.view(|rows| Ok(is_so(rows))).expect("rows") {
            match changes.recv().await {
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => panic!("the client is gone"),
            }
        }
    };
    timeout(PATIENCE, watch).await.expect("it takes too long");
}

/// Waits until nothing is to come and nothing to go.
pub(crate) async fn settle(client: &Client) {
    let (_, settled) = client.wait_settled(PATIENCE).await;
    assert!(settled, "something is still on its way");
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).expect("a port").local_addr().expect("an address").port()
}

/// Beside this bench's own folder.
fn binary() -> PathBuf {
    let own = env::current_exe().expect("this program");
    let path = own.ancestors().nth(2).expect("…/release/deps/client-0123").join("sotto-relay");
    assert!(path.exists(), "{} is not there: `cargo build --release -p sotto-relay` builds it", path.display());
    path
}

/// CPU time so far of the thread of this process with this name, in seconds; the sum if there are several.
pub(crate) fn thread_cpu_secs(name: &str) -> f64 {
    let tasks = fs::read_dir("/proc/self/task").expect("a process");
    let own = tasks
        .flatten()
        .filter(|task| fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim() == name));
    own.filter_map(|task| {
        let stat = fs::read_to_string(task.path().join("schedstat")).ok()?;
        stat.split_whitespace().next()?.parse::<f64>().ok()
    })
    .sum::<f64>()
        / 1e9
}

/// A recovery key as text, for another process.
pub(crate) fn recovery(text: &str) -> Unlock {
    Unlock::Recovery(RecoveryKey::parse(text).expect("a recovery key"))
}
