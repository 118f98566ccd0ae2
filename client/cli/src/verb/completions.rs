//! `completions`: for a shell.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::{args::Cli, failure::Failure, output::print_line};

pub(crate) fn run(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sotto-cli", &mut script);
    print_line(String::from_utf8_lossy(&script).trim_end())
}
