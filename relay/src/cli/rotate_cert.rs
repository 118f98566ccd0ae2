//! `rotate-cert`: clients are shown another certificate from now on, without a restart.

use std::{
    io::{self, Write},
    path::Path,
};

use super::{CliError, asked, found};
use crate::admin::Request;

pub(super) async fn rotate_cert(data: &Path) -> Result<(), CliError> {
    let source = found(data)?.read_config()?.certificate_source()?;
    asked(data, Request::RotateCert).await?;
    writeln!(io::stdout(), "{source} Connections that stand stay.")?;
    Ok(())
}
