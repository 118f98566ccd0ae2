//! A client that stays: it keeps its relays connected and serves requests over a socket that only its user can open.

use std::{
    convert::Infallible,
    fs, io,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde_json::json;
use sotto_driver::{Client, Options, platform};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    net::{UnixListener, UnixStream, unix::OwnedReadHalf},
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};

use crate::{
    args::{Daemon, Globals},
    attach::{self, Answer, Question},
    failure::{Code, Failure},
    local::Stop,
    output::{Item, Output, write_answer},
    unlock,
    verb::{self, Session},
};

/// The longest line a request may have: a long text, escaped.
const LINE_BYTES_MAX: u64 = 1 << 21;
/// How long a peer may take to take its last line.
const GRACE: Duration = Duration::from_secs(2);

/// Serves until it is asked to end.
pub(crate) async fn run(globals: &Globals, daemon: Daemon, output: &mut Output) -> Result<(), Failure> {
    let mut stop = Stop::new()?;
    let profile = globals.profile()?;
    if attach::reach(&profile).await?.is_some() {
        let error = "A client is already running for this profile.";
        return Err(Failure::new(Code::InUse, "in_use", error, "Use it: other verbs find it by themselves."));
    }
    let options = Options { profile: profile.clone(), network: !globals.offline };
    let client = Arc::new(unlock::open(globals, &options)?);
    // From here the profile is locked by us, so a socket that is still there is a dead one's.
    let served = match Socket::open(&profile, daemon.socket) {
        Ok(socket) => {
            let line = json!({ "status": "ready", "socket": socket.path.to_string_lossy() });
            // Whoever started it need not read what it says.
            let _unread = output.item(Item::remark(line, "Running. End it with Ctrl+C or SIGTERM.")).await;
            tokio::select! {
                never = serve(&socket, &client, &profile, options.network) => match never {},
                () = stop.asked() => Ok(()),
            }
        }
        Err(failure) => Err(failure),
    };
    client.close().await;
    served
}

/// Accepts for ever. Requests under way end with it.
async fn serve(socket: &Socket, client: &Arc<Client>, profile: &Path, network: bool) -> Infallible {
    let mut sessions = JoinSet::new();
    loop {
        match socket.listener.accept().await {
            Ok((stream, _)) => {
                let (client, profile) = (Arc::clone(client), profile.to_owned());
                sessions.spawn(async move { answer(stream, &client, &profile, network).await });
            }
            // Too many open files: requests under way will close some.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
        while sessions.try_join_next().is_some() {}
    }
}

/// One request. A peer that is not this user, or asks nothing that can be read, gets no answer.
async fn answer(stream: UnixStream, client: &Client, profile: &Path, network: bool) {
    if stream.peer_cred().is_ok_and(|peer| peer.uid() != platform::user()) {
        return;
    }
    let (incoming, outgoing) = stream.into_split();
    let mut incoming = BufReader::new(incoming);
    let mut output = Output::Socket(outgoing);
    let result = match read_question(&mut incoming).await {
        Ok(question) => {
            let session = Session { client, profile, network };
            let (cursors, mut told) = mpsc::channel(1);
            tokio::select! {
                result = verb::execute(&session, &question.request, &mut told, &mut output) => result,
                () = hung_up(incoming, cursors) => return,
            }
        }
        Err(failure) => Err(failure),
    };
    let last = match result {
        Ok(()) => Answer::Done(()),
        Err(failure) => Answer::Failed(failure),
    };
    if let Output::Socket(mut socket) = output {
        let _gone = timeout(GRACE, write_answer(&mut socket, &last)).await;
    }
}

async fn read_question(incoming: &mut BufReader<OwnedReadHalf>) -> Result<Question, Failure> {
    let unread = |error: &dyn std::fmt::Display| {
        Failure::user(
            "unknown_request",
            &format!("The running client does not understand the request ({error})."),
            "Both should be of one version: restart the daemon.",
        )
    };
    let mut line = String::new();
    incoming.take(LINE_BYTES_MAX).read_line(&mut line).await.map_err(|error| unread(&error.kind()))?;
    let question: Question = serde_json::from_str(&line).map_err(|error| unread(&error))?;
    if question.version == attach::VERSION { Ok(question) } else { Err(unread(&"another version")) }
}

/// Passes on the cursors a listener acknowledges, until the peer hangs up.
async fn hung_up(incoming: BufReader<OwnedReadHalf>, cursors: mpsc::Sender<String>) {
    let mut lines = incoming.lines();
    while let Ok(Some(line)) = lines.next_line().await {
        // Verbs that take no cursors let them lie.
        let _untaken = cursors.try_send(line);
    }
}

/// The listening socket, removed at the end.
struct Socket {
    listener: UnixListener,
    path: PathBuf,
    link: Option<PathBuf>,
}

impl Socket {
    /// Listens in the profile, or elsewhere with a link in the profile that leads there.
    fn open(profile: &Path, elsewhere: Option<PathBuf>) -> Result<Self, Failure> {
        let usual = attach::socket_path(profile);
        remove(&usual)?;
        let path = match elsewhere {
            Some(path) => std::path::absolute(path).map_err(|error| cannot_listen(&error))?,
            None => usual.clone(),
        };
        remove_socket(&path)?;
        let listener = UnixListener::bind(&path).map_err(|error| cannot_listen(&error))?;
        let mut socket = Self { listener, path, link: None };
        fs::set_permissions(&socket.path, fs::Permissions::from_mode(0o600)).map_err(|error| cannot_listen(&error))?;
        if socket.path != usual {
            symlink(&socket.path, &usual).map_err(|error| cannot_listen(&error))?;
            socket.link = Some(usual);
        }
        Ok(socket)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let Self { listener: _, path, link } = self;
        for path in link.iter().chain([&*path]) {
            // What stays behind is found dead by the next client, which listens in its place.
            let _stays = fs::remove_file(path);
        }
    }
}

fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot_listen(&error)),
        _ => Ok(()),
    }
}

/// Removes a dead socket, and nothing else that a mistyped path may name.
fn remove_socket(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::FileTypeExt as _;
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => remove(path),
        Ok(_) => Err(Failure::user(
            "not_a_socket",
            "There is something else where the socket should be. It was left as it is.",
            "Choose another path after --socket.",
        )),
        Err(_) => Ok(()),
    }
}

fn cannot_listen(error: &io::Error) -> Failure {
    let hint = "A socket's path has at most 107 bytes, and its folder must be there: give a short one with --socket.";
    Failure::new(Code::User, "cannot_listen", format!("The socket could not be made ({}).", error.kind()), hint)
}
