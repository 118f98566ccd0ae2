//! `completions`: what a shell needs to complete this program's words.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use super::{Arguments, CliError};

pub(super) fn completions(shell: Shell) -> Result<(), CliError> {
    let mut script = vec![];
    generate(shell, &mut Arguments::command(), "sotto-relay", &mut script);
    io::stdout().write_all(&script)?;
    Ok(())
}
