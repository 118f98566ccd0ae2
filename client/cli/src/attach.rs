//! The way to a running client: its Unix socket, of this user alone. One line asks, lines answer, the last one ends it.
//!
//! ```text
//! us:   {"version":1,"request":{…}}        then, for a listener that acknowledges: one cursor a line
//! it:   {"item":{…}}  {"item":{…}}  …      {"done":null} or {"failed":{…}}
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sotto_driver::platform;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixStream, unix::OwnedWriteHalf},
};

use crate::{
    args::Request,
    failure::{Code, Failure},
    output::{Item, Output},
};

/// The version of this little protocol.
pub(crate) const VERSION: u8 = 1;

/// What is asked.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Question {
    pub(crate) version: u8,
    pub(crate) request: Request,
}

/// The same, without owning the request.
#[derive(Serialize)]
struct QuestionOf<'a> {
    version: u8,
    request: &'a Request,
}

/// One line of an answer.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Item(Item),
    Done(()),
    Failed(Failure),
}

/// Where the socket of a profile's client is, or leads.
pub(crate) fn socket_path(profile: &Path) -> PathBuf {
    profile.join("daemon.sock")
}

/// A connection to the running client of a profile, if there is one.
pub(crate) async fn reach(profile: &Path) -> Result<Option<UnixStream>, Failure> {
    let path = socket_path(profile);
    // A socket elsewhere is found by a link here; its own path may be the shorter one, and sockets have short paths.
    let path = fs::read_link(&path).unwrap_or(path);
    let stream = match UnixStream::connect(&path).await {
        Ok(stream) => stream,
        Err(error) if nobody_there(&error) => return Ok(None),
        Err(error) => return Err(Failure::internal(&error)),
    };
    let peer = stream.peer_cred().map_err(|error| Failure::internal(&error))?;
    if peer.uid() != platform::user() {
        let error = "The socket in this profile belongs to another user. Nothing was sent to it.";
        return Err(Failure::user("foreign_socket", error, "Check who may write to the profile's folder."));
    }
    Ok(Some(stream))
}

/// No socket, one left behind by a crash or closed at this moment, or a path too long to have ever been one.
fn nobody_there(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::InvalidInput
    )
}

/// Asks the running client and passes its answer on.
pub(crate) async fn forward(stream: UnixStream, request: &Request, output: &mut Output) -> Result<(), Failure> {
    let (incoming, mut outgoing) = stream.into_split();
    let question = QuestionOf { version: VERSION, request };
    let mut line = serde_json::to_vec(&question).map_err(|error| Failure::internal(&error))?;
    line.push(b'\n');
    outgoing.write_all(&line).await.map_err(|_| went_away())?;
    let mut answers = BufReader::new(incoming).lines();
    let cursors = async {
        if matches!(request, Request::Listen(listen) if listen.ack) {
            pass_cursors(&mut outgoing).await;
        }
        std::future::pending::<()>().await;
    };
    let answered = async {
        while let Some(line) = answers.next_line().await.map_err(|_| went_away())? {
            match serde_json::from_str(&line).map_err(|error| Failure::internal(&error))? {
                Answer::Item(item) => output.item(item).await?,
                Answer::Done(()) => return Ok(()),
                Answer::Failed(failure) => return Err(failure),
            }
        }
        Err(went_away())
    };
    tokio::select! {
        result = answered => result,
        () = cursors => Ok(()),
    }
}

/// Passes on the cursors that a listener acknowledges.
async fn pass_cursors(outgoing: &mut OwnedWriteHalf) {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if outgoing.write_all(format!("{line}\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

fn went_away() -> Failure {
    let hint = "What it had stored is safe. Look at history, then try again.";
    Failure::new(Code::Internal, "client_went_away", "The running client ended before it had answered.", hint)
}
