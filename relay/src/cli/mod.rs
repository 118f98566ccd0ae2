//! What a host types: one command, one file.

mod backup;
mod block;
mod check;
mod completions;
mod doctor;
mod drain;
mod init;
mod inspect;
mod mint;
mod questions;
mod rotate_cert;
mod run;
mod status;
mod upgrade;
mod words;

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
};

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use nix::sys::stat::{Mode, umask};

use self::{init::Wishes, upgrade::What};
use crate::{
    admin::{self, AdminError, Answer, Request},
    backup::BackupError,
    config::{ConfigError, DataDir},
    forward::KeysError,
    server::StartError,
    storage::{
        blocked::ReportedId,
        sqlite::{DatabaseError, upgrade::RollBackError},
    },
};

/// The blind relay of Sotto: stores and forwards what it cannot read.
#[derive(Parser)]
#[command(name = "sotto-relay", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a relay in a folder, and print its address
    ///
    /// At a terminal it asks for what no flag says; elsewhere the defaults hold.
    Init {
        /// The relay's folder
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Where to listen for clients [default: 127.0.0.1:4433]
        #[arg(long, value_name = "ADDR:PORT")]
        listen: Option<SocketAddr>,
        /// Host and port as clients reach them, where that is not what `--listen` says
        #[arg(long, value_name = "HOST:PORT")]
        public: Option<String>,
        /// `own`: a certificate of the relay's own key; `acme`: one of the public web, for a name; `off`: none, for
        /// loopback, an onion service or a VPN [default: own]
        #[arg(long, value_name = "own|acme|off")]
        tls: Option<String>,
    },
    /// Run the relay until SIGTERM or Ctrl-C
    Run {
        /// The relay's folder
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Say whether configuration, key and database are right
    Check {
        /// The relay's folder
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Look at everything around the relay that can go wrong, and say what to do
    ///
    /// Disk, clock, port, name, TLS, database, limits, key. The exit code is 1 where something is at fault.
    Doctor {
        /// The relay's folder
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// As a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Say how the running relay goes; the exit code is 0 where it is ready
    Status {
        /// The relay's folder
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Suspend mailboxes, bundles, blobs and channels by ids that people reported
    ///
    /// To clients a suspended thing is missing; nobody is told more. Nothing is deleted, and `unblock` gives it back. A running
    /// relay does it at once.
    Block {
        /// The relay's folder
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// 16 bytes each, in hexadecimal or base64url
        #[arg(required = true, value_name = "ID")]
        ids: Vec<ReportedId>,
        /// As a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Give back what was suspended
    Unblock {
        /// The relay's folder
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// As `blocked` lists them
        #[arg(required = true, value_name = "ID")]
        ids: Vec<ReportedId>,
        /// As a JSON array
        #[arg(long)]
        json: bool,
    },
    /// List what is suspended
    Blocked {
        /// The relay's folder
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// As a JSON array
        #[arg(long)]
        json: bool,
    },
    /// End the running relay in order, as SIGTERM does
    Drain {
        /// The relay's folder
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Return when it has ended
        #[arg(long)]
        wait: bool,
    },
    /// Show clients another certificate, without a restart
    ///
    /// The relay's own with a new key, what the host's files have now, or one that the authority is asked for.
    RotateCert {
        /// The relay's folder
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Write all that makes this relay this relay into one file; it may be running or not
    ///
    /// Identity key, configuration, mailboxes, bundles and what is blocked; no envelopes. Whoever has the file has the relay's
    /// identity: keep it elsewhere, and safe.
    Backup {
        /// The relay's folder
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// A new file, or a folder in which a file is named by the time
        #[arg(value_name = "FILE|DIR")]
        to: PathBuf,
    },
    /// Prove every part of a backup
    Verify {
        /// What `backup` wrote
        #[arg(value_name = "FILE")]
        backup: PathBuf,
    },
    /// Make a relay of a backup, in a new or empty folder
    Restore {
        /// What `backup` wrote
        #[arg(value_name = "FILE")]
        backup: PathBuf,
        /// The folder to make
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Bring the database to this version's form, as `run` does at its start
    Upgrade {
        /// The relay's folder
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Only say what it would do
        #[arg(long)]
        check: bool,
        /// Put back the copy from before the last upgrade; what was stored since is set aside
        #[arg(long, conflicts_with = "check")]
        rollback: bool,
    },
    /// Print what a shell needs to complete this program's words
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print credentials for people who may make mailboxes here, where admission is minted
    Mint {
        /// The relay's folder
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Tokens of each purpose that one credential is good for; a person needs one for each contact, and again each month
        #[arg(long, default_value_t = 200)]
        uses: u32,
        /// Days for which it can be used
        #[arg(long, default_value_t = 30)]
        days: u32,
        /// How many credentials
        #[arg(long, default_value_t = 1)]
        count: u32,
    },
    /// Show everything the relay knows now; it may be running or not
    Inspect {
        /// The relay's folder
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The folder or what is in it.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The network.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The running relay could not be asked, or would not.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The relay runs and is not ready.
    #[error("this relay is not ready: {0}")]
    NotReady(String),
    /// There is no backup, or none of use.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// An upgrade could not be taken back.
    #[error(transparent)]
    RollBack(#[from] RollBackError),
    /// `doctor` found a fault.
    #[error("something is at fault; each line says what to do")]
    Doctor,
    /// `check` found something.
    #[error("this relay is not ready to run")]
    Check,
    /// The system.
    #[error("{0}")]
    System(#[from] io::Error),
    /// A part of the relay ended by itself.
    #[error("the relay ended unexpectedly; what was answered is stored, start it again")]
    Ended,
}

impl CliError {
    /// 1: the host can mend it. 2: the machine or the program. 3: the network.
    fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_)
            | Self::Check
            | Self::Doctor
            | Self::Backup(_)
            | Self::RollBack(RollBackError::NoCopy | RollBackError::Damaged)
            | Self::NotReady(_)
            | Self::Admin(
                AdminError::NotRunning(_) | AdminError::NotAllowed | AdminError::Misunderstood | AdminError::Refused(_),
            )
            | Self::Database(
                DatabaseError::Missing { .. }
                | DatabaseError::Version(_)
                | DatabaseError::Outdated
                | DatabaseError::Copy(_),
            ) => 1,
            Self::Database(DatabaseError::Unusable(_)) | Self::System(_) | Self::Ended | Self::RollBack(_) => 2,
            Self::Admin(AdminError::Silent(_) | AdminError::System(_)) => 2,
            Self::Start(StartError::Tls(_) | StartError::Blobs(_) | StartError::ForwardKeys(KeysError::File(_))) => 2,
            Self::Start(StartError::ForwardKeys(KeysError::Damaged)) => 1,
            Self::Start(StartError::Nowhere | StartError::IssuerRoot) => 1,
            Self::Start(StartError::Listen { .. }) => 3,
        }
    }
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Where even that cannot be printed there is nobody to tell.
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    match dispatch(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "sotto-relay: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

/// Threads that carry frames: a core is left to the store's own thread. Beside it another one of ours would mostly be woken
/// to find nothing: on two cores that took a tenth of all that a message costs.
fn workers() -> usize {
    thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1))
}

fn dispatch(command: Command) -> Result<(), CliError> {
    // Whatever is made from here on is for its owner alone, the database's files too, which SQLite makes. [REL-85]
    umask(Mode::S_IRWXG | Mode::S_IRWXO);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers()).enable_all().build()?;
    match command {
        Command::Init { data, listen, public, tls } => {
            runtime.block_on(init::init(&data, Wishes { listen, public, tls }))
        }
        Command::Run { data } => runtime.block_on(run::run(&data)),
        Command::Check { data } => runtime.block_on(check::check(&data)),
        Command::Doctor { data, json } => runtime.block_on(doctor::doctor(&data, json)),
        Command::Status { data, json } => runtime.block_on(status::status(&data, json)),
        Command::Block { data, ids, json } => runtime.block_on(block::block(&data, &ids, true, json)),
        Command::Unblock { data, ids, json } => runtime.block_on(block::block(&data, &ids, false, json)),
        Command::Blocked { data, json } => runtime.block_on(block::list(&data, json)),
        Command::Drain { data, wait } => runtime.block_on(drain::drain(&data, wait)),
        Command::RotateCert { data } => runtime.block_on(rotate_cert::rotate_cert(&data)),
        Command::Backup { data, to } => runtime.block_on(backup::backup(&data, &to)),
        Command::Verify { backup } => runtime.block_on(backup::verify(&backup)),
        Command::Restore { backup, data } => runtime.block_on(backup::restore(&backup, &data)),
        Command::Upgrade { data, check, rollback } => {
            let what = match (check, rollback) {
                (true, _) => What::Check,
                (_, true) => What::RollBack,
                (false, false) => What::Now,
            };
            runtime.block_on(upgrade::upgrade(&data, what))
        }
        Command::Completions { shell } => completions::completions(shell),
        Command::Mint { data, uses, days, count } => mint::mint(&data, uses, days, count),
        Command::Inspect { data, json } => runtime.block_on(inspect::inspect(&data, json)),
    }
}

/// A folder that has a relay in it.
fn found(data: &Path) -> Result<DataDir, ConfigError> {
    let dir = DataDir::new(data);
    if dir.database().exists() { Ok(dir) } else { Err(ConfigError::Missing(data.to_owned())) }
}

/// What the running relay answers.
async fn asked(data: &Path, request: Request) -> Result<Answer, CliError> {
    check_running(data)?;
    Ok(admin::ask(data, request).await?)
}

/// The same, when its process has ended.
async fn asked_to_the_end(data: &Path, request: Request) -> Result<Answer, CliError> {
    check_running(data)?;
    Ok(admin::ask_and_wait(data, request).await?)
}

fn check_running(data: &Path) -> Result<(), CliError> {
    match found(data)?.try_lock()? {
        Some(_lock) => Err(AdminError::NotRunning(data.to_owned()).into()),
        None => Ok(()),
    }
}
