//! What can be typed. The requests to a client travel in the same shapes over its socket.

use std::{
    io::{self, IsTerminal as _, Read as _, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand, ValueEnum, error::ErrorKind};
use clap_complete::Shell;
use serde::{Deserialize, Serialize};
use sotto_driver::platform;

use crate::failure::{self, Failure};

/// Private messages through a relay that sees only bytes that look random.
#[derive(Debug, Parser)]
#[command(name = "sotto-cli", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 ok, 1 user error, 2 internal, 3 network, 4 identity changed, 5 rate-limited, \
    6 not found, 7 locked, 8 timeout (queued, not lost), 9 store in use.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Flags of every verb.
#[derive(Args, Debug)]
pub(crate) struct Globals {
    /// The profile's folder [default: $XDG_DATA_HOME/sotto]
    #[arg(long, global = true, value_name = "DIR")]
    profile: Option<PathBuf>,
    /// One JSON object a line, errors too
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Results only, no sentences
    #[arg(long, global = true)]
    pub(crate) quiet: bool,
    /// Read the passphrase from the first line of a file [else: the system's keyring, else SOTTO_PASSPHRASE, else it is
    /// asked]
    #[arg(long, global = true, value_name = "F")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Speak to no relay: what is sent goes out next time
    #[arg(long, global = true)]
    pub(crate) offline: bool,
}

impl Globals {
    /// The profile's folder, as an absolute path.
    pub(crate) fn profile(&self) -> Result<PathBuf, Failure> {
        let missing = || {
            Failure::user("no_profile_folder", "There is no home folder to keep a profile in.", "Give --profile DIR.")
        };
        let profile = self.profile.clone().or_else(platform::default_profile).ok_or_else(missing)?;
        std::path::absolute(profile).map_err(|error| Failure::internal(&error))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make a profile; prints its recovery key, once
    Init(Init),
    #[command(flatten)]
    Client(Request),
    /// Stay connected and serve other verbs over a socket, until SIGTERM
    Daemon(Daemon),
    /// Look whether everything works: profile, permissions, keyring, relay, clock
    Doctor,
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Init {
    /// Your name, told to your contacts only
    #[arg(long, value_name = "N")]
    pub(crate) name: String,
    /// The address your relay's host gave you: sotto://…
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) relay: String,
    /// Reach relays through a SOCKS5 proxy, from the first connection on: socks5://HOST:PORT
    #[arg(long, value_name = "PROXY")]
    pub(crate) proxy: Option<String>,
    /// What your relay's host gave you so that it admits you; with - it is read from standard input, where no list of
    /// processes shows it
    #[arg(long, value_name = "CREDENTIAL")]
    pub(crate) admit: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Daemon {
    /// Where to listen [default: daemon.sock in the profile]
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
}

/// What a running client can be asked.
#[derive(Debug, Deserialize, Serialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// Who you are, whether you are online, what waits
    Status,
    /// See and change what is set for this profile
    #[command(subcommand)]
    Profile(Profile),
    /// See whether your relays admit you, and give the credential that one asks for
    #[command(subcommand)]
    Relay(Relay),
    /// Print a link to give to someone: your contact address, or an invitation that works once
    Invite(Invite),
    /// Ask the owner of a link to connect
    Connect(Connect),
    /// See, accept and decline requests to connect
    #[command(subcommand)]
    Requests(Requests),
    /// See, verify, reconnect and block contacts
    #[command(subcommand)]
    Contact(Contact),
    /// Send a message
    Send(Send),
    /// Print a conversation, newest last, and mark it as seen
    History(History),
    /// Print events as they happen
    Listen(Listen),
}

#[derive(Debug, Deserialize, Serialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Profile {
    /// Name, relay, proxy
    Show,
    /// Change what is given
    Set(ProfileSet),
}

#[derive(Args, Debug, Deserialize, Serialize)]
#[group(required = true, multiple = true)]
pub(crate) struct ProfileSet {
    /// Reach relays through a SOCKS5 proxy, socks5://HOST:PORT, or with none straight
    #[arg(long, value_name = "PROXY")]
    pub(crate) proxy: Option<String>,
    /// Keep your mailboxes at this relay; given twice, at both, the first preferred. Your contacts are told
    #[arg(long = "relay", value_name = "ADDRESS")]
    #[serde(default)]
    pub(crate) relays: Vec<String>,
}

#[derive(Debug, Deserialize, Serialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Relay {
    /// How you stand with each of your relays
    Show,
    /// Give the credential that a relay's host minted for you, or that its page showed you
    Admit(Admit),
}

#[derive(Args, Debug, Deserialize, Serialize)]
pub(crate) struct Admit {
    /// The credential; without it, or with -, it is read from standard input, where no list of processes shows it
    pub(crate) credential: Option<String>,
    /// How long to wait for the relay's answer
    #[arg(long, value_name = "SECS", default_value_t = 30)]
    pub(crate) timeout: u64,
}

#[derive(Args, Debug, Deserialize, Serialize)]
pub(crate) struct Invite {
    /// An invitation that works once, and that protects the first contact best
    #[arg(long)]
    pub(crate) once: bool,
    /// Draw it as a QR code too
    #[arg(long)]
    pub(crate) qr: bool,
    /// Make your contact address anew and print it; the old link is dead, your contacts stay
    #[arg(long, conflicts_with = "once")]
    #[serde(default)]
    pub(crate) reset: bool,
    /// Switch your contact address off; one-time invitations go on to work
    #[arg(long, conflicts_with_all = ["once", "qr", "reset"])]
    #[serde(default)]
    pub(crate) off: bool,
    /// Switch your contact address on again, with a new link
    #[arg(long, conflicts_with_all = ["once", "reset", "off"])]
    #[serde(default)]
    pub(crate) on: bool,
}

#[derive(Args, Debug, Deserialize, Serialize)]
pub(crate) struct Connect {
    /// The link you were given
    pub(crate) link: String,
    /// A short text shown with your request
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) message: Option<String>,
    /// How long to wait for the request to be made
    #[arg(long, value_name = "SECS", default_value_t = 15)]
    pub(crate) timeout: u64,
}

#[derive(Debug, Deserialize, Serialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Requests {
    /// Who asks to connect with you
    List,
    /// Connect with someone who asked
    Accept(Who),
    /// Do not; they are not told
    Decline(Who),
}

#[derive(Args, Debug, Deserialize, Serialize)]
pub(crate) struct Who {
    /// An id, the first 4 or more of its letters, or a name
    pub(crate) id: String,
}

#[derive(Debug, Deserialize, Serialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Contact {
    /// All contacts
    List,
    /// One contact, with the safety number
    Show(Who),
    /// Compare the safety number with the one on their screen
    Verify(Verify),
    /// Take nothing more from someone; they are not told
    Block(Who),
    /// Go on with someone whose identity changed: what waits is sent, and they are not verified any more
    AcceptIdentity(Who),
    /// Use a new link of someone who cannot be reached any more
    Reconnect(Reconnect),
}

#[derive(Args, Debug, Deserialize, Serialize)]
pub(crate) struct Reconnect {
    /// An id, the first 4 or more of its letters, or a name
    pub(crate) id: String,
    /// Their new link
    pub(crate) link: String,
}

#[derive(Args, Debug, Deserialize, Serialize)]
pub(crate) struct Verify {
    /// An id, the first 4 or more of its letters, or a name
    pub(crate) id: String,
    /// The 60 digits that their device shows
    #[arg(long, value_name = "DIGITS")]
    pub(crate) number: Option<String>,
}

#[derive(Args, Debug, Deserialize, Serialize)]
pub(crate) struct Send {
    /// An id, the first 4 or more of its letters, or a name
    pub(crate) to: String,
    /// The text; without it, or with -, standard input is read
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) message: Option<String>,
    /// Wait until the message is at the relay, or on their device
    #[arg(long, requires = "timeout")]
    pub(crate) wait: Option<Wait>,
    /// How long to wait; then exit code 8, and the message stays queued
    #[arg(long, value_name = "SECS", requires = "wait")]
    pub(crate) timeout: Option<u64>,
    /// A second send with the same key sends nothing and gives the first one's message
    #[arg(long, value_name = "K")]
    pub(crate) idempotency_key: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wait {
    /// At the relay
    Sent,
    /// On their device
    Delivered,
}

#[derive(Args, Debug, Deserialize, Serialize)]
pub(crate) struct History {
    /// An id, the first 4 or more of its letters, or a name
    pub(crate) to: String,
    /// Messages before this one
    #[arg(long, value_name = "ID")]
    pub(crate) before: Option<String>,
    /// How many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    pub(crate) limit: usize,
}

#[derive(Args, Debug, Deserialize, Serialize)]
pub(crate) struct Listen {
    /// Begin after this cursor [default: now; with --ack, after what was acknowledged]
    #[arg(long, value_name = "CURSOR")]
    pub(crate) since: Option<String>,
    /// Only these, separated by commas: message.new, contact.*, …
    #[arg(long, value_delimiter = ',', value_name = "TYPES")]
    pub(crate) types: Vec<String>,
    /// What came up to --since was processed and need not come again, and so for each cursor read from standard input
    #[arg(long)]
    pub(crate) ack: bool,
}

impl Request {
    /// Reads from standard input what was left to it, before the request travels.
    pub(crate) fn complete(mut self) -> Result<Self, Failure> {
        if let Self::Send(send) = &mut self
            && send.message.as_deref().is_none_or(|text| text == "-")
        {
            send.message = Some(read_text("Type the message; end it with Ctrl+D.")?);
        }
        if let Self::Relay(Relay::Admit(admit)) = &mut self
            && admit.credential.as_deref().is_none_or(|text| text == "-")
        {
            admit.credential = Some(read_credential()?);
        }
        Ok(self)
    }
}

impl Init {
    /// Reads from standard input what was left to it.
    pub(crate) fn complete(mut self) -> Result<Self, Failure> {
        if self.admit.as_deref() == Some("-") {
            self.admit = Some(read_credential()?);
        }
        Ok(self)
    }
}

fn read_credential() -> Result<String, Failure> {
    read_text("Paste the credential, then press Enter and Ctrl+D.")
}

fn read_text(prompt: &str) -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        // A hint for whoever wonders why nothing happens.
        let _unread = writeln!(io::stderr(), "{prompt}");
    }
    let mut bytes = Vec::new();
    // One byte over the limit is enough to be refused.
    io::stdin()
        .lock()
        .take(MESSAGE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::internal(&error))?;
    let mut text = String::from_utf8(bytes)
        .map_err(|_| Failure::user("not_text", "Standard input is not text (UTF-8).", "Text is expected there."))?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

/// More than any message; the engine knows the true limit.
const MESSAGE_BYTES_MAX: u64 = 1 << 20;

/// Parses the command line. What is wrong with it is told here, in the asked form, with the exit code.
pub(crate) fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A closed pipe is the reader's choice.
            let _closed = error.print();
            ExitCode::SUCCESS
        }
        _ if std::env::args_os().any(|arg| arg == "--json") => {
            let text = error.to_string();
            let sentence = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            Failure::user("usage", &sentence, "See sotto-cli --help.").report(true)
        }
        _ => {
            let _closed = error.print();
            failure::Code::User.into()
        }
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn waiting_needs_a_timeout() {
        assert!(Cli::try_parse_from(["sotto-cli", "send", "anna", "-m", "hi", "--wait", "sent"]).is_err());
        assert!(
            Cli::try_parse_from(["sotto-cli", "send", "anna", "-m", "hi", "--wait", "sent", "--timeout", "3"]).is_ok()
        );
    }

    #[test]
    fn a_request_travels_as_it_was_typed() {
        let cli = Cli::try_parse_from(["sotto-cli", "listen", "--types", "message.new,contact.*", "--ack"]).unwrap();
        let Verb::Client(request) = cli.verb else { panic!("listen is asked of a client") };
        let line = serde_json::to_string(&request).unwrap();
        let Ok(Request::Listen(listen)) = serde_json::from_str(&line) else { panic!("{line}") };
        assert_eq!(listen.types, ["message.new", "contact.*"]);
        assert!(listen.ack && listen.since.is_none());
    }
}
