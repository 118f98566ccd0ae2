//! What a host types: `init`, `run`, `check`, `inspect`.

mod check;
mod init;
mod inspect;
mod run;

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::{config::ConfigError, server::StartError, storage::sqlite::DatabaseError};

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
        /// `own`: a certificate of the relay's own key; `off`: none, as behind a proxy
        #[arg(long, value_name = "own|off", default_value = "own")]
        tls: String,
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
            | Self::Database(DatabaseError::Missing { .. } | DatabaseError::Version(_)) => 1,
            Self::Database(DatabaseError::Unusable(_)) | Self::System(_) | Self::Ended => 2,
            Self::Start(StartError::Tls(_)) => 2,
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

fn dispatch(command: Command) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match command {
        Command::Init { data, listen, public, tls } => {
            runtime.block_on(init::init(&data, listen, public.as_deref().unwrap_or_default(), &tls))
        }
        Command::Run { data } => runtime.block_on(run::run(&data)),
        Command::Check { data } => runtime.block_on(check::check(&data)),
        Command::Inspect { data, json } => runtime.block_on(inspect::inspect(&data, json)),
    }
}
