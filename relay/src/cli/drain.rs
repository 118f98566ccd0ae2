//! `drain`: ends the running relay in order, as SIGTERM does, by its own door.

use std::{
    io::{self, Write},
    path::Path,
};

use super::{CliError, asked, asked_to_the_end};
use crate::admin::Request;

pub(super) async fn drain(data: &Path, wait: bool) -> Result<(), CliError> {
    let mut out = io::stdout();
    if !wait {
        asked(data, Request::Drain).await?;
        writeln!(out, "The relay takes nobody new, answers what it was asked, and ends. `--wait` waits for that.")?;
        return Ok(());
    }
    asked_to_the_end(data, Request::Drain).await?;
    writeln!(out, "The relay has ended; all that it answered is stored.")?;
    Ok(())
}
