//! A verb on its own: lock the store, connect, catch up, act, give what was queued a moment, leave.

use std::{path::Path, time::Duration};

use sotto_driver::{Client, Health, Options};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
};

use crate::{
    args::{Globals, Request},
    failure::{Code, Failure},
    output::Output,
    unlock,
    verb::{self, Session},
};

/// How long catching up with what waits at the relay may take.
const CATCH_UP: Duration = Duration::from_secs(10);
/// How long what was queued may take to reach the relay; after that it goes out in the next run.
const HAND_OVER: Duration = Duration::from_secs(5);

/// Carries out a request with a client of its own.
pub(crate) async fn run(
    globals: &Globals,
    profile: &Path,
    request: &Request,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut stop = Stop::new()?;
    let options = Options { profile: profile.to_owned(), network: !globals.offline };
    let client = unlock::open(globals, &options)?;
    let session = Session { client: &client, profile, network: options.network };
    let result = tokio::select! {
        result = act(&session, request, output) => result,
        () = stop.asked() => interrupted(request),
    };
    client.close().await;
    result
}

/// A listener is ended like this; any other verb had more to do.
fn interrupted(request: &Request) -> Result<(), Failure> {
    if matches!(request, Request::Listen(_)) {
        return Ok(());
    }
    let hint = "What was stored before is safe, and goes out in the next run.";
    Err(Failure::new(Code::Timeout, "interrupted", "Interrupted before it was done.", hint))
}

async fn act(session: &Session<'_>, request: &Request, output: &mut Output) -> Result<(), Failure> {
    // A listener wants to see things come in; all others want to find them there.
    if session.network && !matches!(request, Request::Listen(_)) {
        caught_up(session.client, CATCH_UP).await;
    }
    let result = verb::execute(session, request, &mut typed_cursors(request), output).await;
    if session.network {
        caught_up(session.client, HAND_OVER).await;
    }
    result
}

/// The cursors that a listener acknowledges on standard input; of no other verb is it read.
fn typed_cursors(request: &Request) -> mpsc::Receiver<String> {
    let (cursors, typed) = mpsc::channel(1);
    if matches!(request, Request::Listen(listen) if listen.ack) {
        tokio::spawn(async move {
            let mut lines = BufReader::new(tokio::io::stdin()).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if cursors.send(line).await.is_err() {
                    return;
                }
            }
        });
    }
    typed
}

/// Waits until all is quiet, or the disk refuses: then the verb itself will say so.
pub(crate) async fn caught_up(client: &Client, patience: Duration) -> Health {
    client.wait_until(patience, |health| health.settled() || health.storage.is_some()).await.0
}

/// The signals that end a client with grace.
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    pub(crate) fn new() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::internal(&error));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    pub(crate) async fn asked(&mut self) {
        let Self { interrupt, terminate } = self;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}
