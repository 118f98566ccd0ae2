//! The relay's program; all of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    sotto_relay::cli::main()
}
