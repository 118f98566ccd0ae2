//! The answering end: a socket that is there while the relay runs.

use std::{
    fs,
    future::pending,
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use nix::unistd::Uid;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
    task::JoinHandle,
    time::timeout,
};

use super::{Answer, Desk, Question, REQUEST_BYTES_MAX, Request, VERSION, socket};

/// Questions at once.
const CONNECTIONS_MAX: usize = 16;
/// How long a question may take to arrive, and its answer to leave.
const EXCHANGE_SECS: u64 = 10;

/// The open socket. Dropped, it is gone.
pub(crate) struct Door {
    path: PathBuf,
    listening: JoinHandle<()>,
}

impl Door {
    /// Opens the socket in the relay's folder. The folder's lock must be held: what lies there is of a process that ended.
    ///
    /// # Errors
    /// The system's, above all for a path of more than 107 bytes (unix(7)).
    pub(crate) fn open(data: &Path, desk: Desk) -> io::Result<Self> {
        let path = socket(data);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        let listening = tokio::spawn(listen(listener, Arc::new(desk)));
        Ok(Self { path, listening })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.listening.abort();
        // Whatever is left there the next start removes.
        let _ = fs::remove_file(&self.path);
    }
}

async fn listen(listener: UnixListener, desk: Arc<Desk>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, mostly: the clients' port has the same trouble and says so.
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        };
        let desk = Arc::clone(&desk);
        tokio::spawn(async move {
            // Whoever breaks off has no answer to lose.
            let _ = exchange(stream, &desk).await;
            drop(place);
        });
    }
}

async fn exchange(stream: UnixStream, desk: &Desk) -> io::Result<()> {
    if !is_allowed(stream.peer_cred()?.uid()) {
        tracing::warn!("another user of this machine asked at the admin socket and was not heard");
        return Ok(());
    }
    let mut stream = BufReader::new(stream);
    let mut line = vec![];
    let mut bounded = (&mut stream).take(REQUEST_BYTES_MAX);
    let question = bounded.read_until(b'\n', &mut line);
    timeout(Duration::from_secs(EXCHANGE_SECS), question).await.map_err(|_| io::ErrorKind::TimedOut)??;
    let request = parse(&line);
    let answer = match &request {
        Ok(request) => desk.answer(request).await,
        Err(reason) => Answer::Refused { reason: (*reason).to_owned() },
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    timeout(Duration::from_secs(EXCHANGE_SECS), stream.write_all(&line))
        .await
        .map_err(|_| io::ErrorKind::TimedOut)??;
    if request == Ok(Request::Drain) {
        // The end of this connection tells the asker that the process has ended.
        desk.stop().await;
        pending::<()>().await;
    }
    Ok(())
}

fn parse(line: &[u8]) -> Result<Request, &'static str> {
    match serde_json::from_slice(line) {
        Ok(Question { version: VERSION, request }) => Ok(request),
        Ok(_) => Err("the relay that runs is of another version; restart it, nothing was changed"),
        Err(_) => Err("the relay that runs does not understand this; nothing was changed"),
    }
}

/// The user whom the relay runs as, and root.
fn is_allowed(uid: u32) -> bool {
    uid == 0 || uid == Uid::effective().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_whole_or_not_at_all() {
        let line = serde_json::to_vec(&Question { version: VERSION, request: Request::Status }).unwrap();
        assert_eq!(line, br#"{"version":1,"request":{"command":"status"}}"#);
        assert_eq!(parse(&line), Ok(Request::Status));
        let wrong: [&[u8]; 6] = [
            b"",
            b"status\n",
            br#"{"version":2,"request":{"command":"status"}}"#,
            br#"{"version":1,"request":{"command":"burn"}}"#,
            br#"{"version":1,"request":{"command":"block","ids":[]}}"#,
            br#"{"version":1,"request":{"command":"block","ids":[],"blocked":true,"more":1}}"#,
        ];
        for line in wrong {
            assert!(parse(line).is_err(), "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn root_and_the_relays_own_user_are_heard() {
        let own = Uid::effective().as_raw();
        assert!(is_allowed(0) && is_allowed(own));
        assert!(!is_allowed(own.wrapping_add(12_345)));
    }
}
