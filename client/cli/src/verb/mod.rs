//! The verbs, one a file. The same code answers on a terminal and over the socket.

pub(crate) mod completions;
mod connect;
mod contact;
pub(crate) mod doctor;
mod history;
pub(crate) mod init;
mod invite;
mod listen;
pub(crate) mod profile;
pub(crate) mod relay;
mod requests;
mod send;
mod status;

use std::path::Path;

use sotto_driver::{AccountView, Change, Client, ContactId, ContactView, Intent, IntentError, Outcome, view};
use tokio::{
    sync::{broadcast, mpsc},
    time::{Instant, timeout_at},
};

use crate::{args::Request, failure::Failure, find, output::Output};

/// What a verb works with.
pub(crate) struct Session<'a> {
    pub(crate) client: &'a Client,
    pub(crate) profile: &'a Path,
    /// Whether relays are dialled at all.
    pub(crate) network: bool,
}

/// Carries out a request. `cursors` are what a listener acknowledges meanwhile.
pub(crate) async fn execute(
    session: &Session<'_>,
    request: &Request,
    cursors: &mut mpsc::Receiver<String>,
    output: &mut Output,
) -> Result<(), Failure> {
    match request {
        Request::Status => status::run(session, output).await,
        Request::Profile(profile) => profile::run(session, profile, output).await,
        Request::Relay(relay) => relay::run(session, relay, output).await,
        Request::Invite(invite) => invite::run(session, invite, output).await,
        Request::Connect(connect) => connect::run(session, connect, output).await,
        Request::Requests(requests) => requests::run(session, requests, output).await,
        Request::Contact(contact) => contact::run(session, contact, output).await,
        Request::Send(send) => send::run(session, send, output).await,
        Request::History(history) => history::run(session, history, output).await,
        Request::Listen(listen) => listen::run(session, listen, cursors, output).await,
    }
}

impl Session<'_> {
    /// Who the profile belongs to.
    fn account(&self) -> Result<AccountView, Failure> {
        let account = self.client.view(|rows| view::account(rows))?;
        account.ok_or_else(|| (&IntentError::NoProfile).into())
    }

    /// All contacts of the account.
    fn contacts(&self) -> Result<Vec<ContactView>, Failure> {
        self.account()?;
        Ok(self.client.view(|rows| view::contacts(rows))?)
    }

    /// The contact that is meant.
    fn find(&self, text: &str) -> Result<ContactView, Failure> {
        find::contact(self.contacts()?, text)
    }

    /// A contact that is known to be there.
    fn contact(&self, id: &ContactId) -> Result<ContactView, Failure> {
        let contact = self.client.view(|rows| view::contact(rows, id))?;
        contact.ok_or_else(|| (&IntentError::NoContact).into())
    }

    async fn intent(&self, intent: Intent) -> Result<Outcome, Failure> {
        Ok(self.client.intent(intent).await?)
    }
}

/// Looks now and after each change until there is something, or the time is over.
async fn wait_for<T>(
    changes: &mut broadcast::Receiver<Change>,
    deadline: Instant,
    mut look: impl FnMut() -> Result<Option<T>, Failure>,
) -> Result<Option<T>, Failure> {
    loop {
        if let Some(found) = look()? {
            return Ok(Some(found));
        }
        match timeout_at(deadline, changes.recv()).await {
            // Those that were missed are looked at with the others.
            Ok(Ok(_) | Err(broadcast::error::RecvError::Lagged(_))) => {}
            Ok(Err(broadcast::error::RecvError::Closed)) | Err(_) => return Ok(None),
        }
    }
}
