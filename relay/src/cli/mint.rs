//! `mint`: prints credentials, one a line. Whoever has one may have so many tokens of each purpose for it; it is like a ticket, so
//! give each to one person, and in private.

use std::{
    io::{self, Write},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use rand::rngs::SysRng;
use rand_core::{Rng, UnwrapErr};

use super::CliError;
use crate::{config::DataDir, time::Timestamp};

pub(super) fn mint(data: &Path, uses: u32, days: u32, count: u32) -> Result<(), CliError> {
    let mint = DataDir::new(data).mint()?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    let until = now.plus_millis(u64::from(days) * 86_400_000);
    let mut out = io::stdout().lock();
    for _ in 0..count {
        let mut sub = [0; 16];
        UnwrapErr(SysRng).fill_bytes(&mut sub);
        writeln!(out, "{}", mint.mint(&sub, uses, until))?;
    }
    Ok(())
}
