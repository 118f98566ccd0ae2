//! `init`: makes a relay's folder and prints the address that people are given.

use std::{
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    path::Path,
};

use qrcodegen::{QrCode, QrCodeEcc};
use rand::rngs::SysRng;
use rand_core::{Rng, UnwrapErr};
use zeroize::Zeroizing;

use super::CliError;
use crate::{
    config::{DEFAULT_LISTEN, DataDir, write_config},
    storage::sqlite::SqliteStorage,
};

pub(super) async fn init(data: &Path, listen: Option<SocketAddr>, public: &str, tls: &str) -> Result<(), CliError> {
    let dir = DataDir::new(data);
    let listen = listen.unwrap_or(DEFAULT_LISTEN);
    let mut secret = Zeroizing::new([0; 32]);
    UnwrapErr(SysRng).fill_bytes(&mut *secret);
    dir.create(&write_config(listen, public, tls)?, &secret)?;
    SqliteStorage::open(&dir.database()).await?.close().await;

    let mut out = io::stdout();
    writeln!(
        out,
        "A relay is in {}. Its configuration is relay.toml; its key is identity.key, back that up.",
        data.display()
    )?;
    writeln!(out, "Start it: sotto-relay run --data {}", data.display())?;
    if public.is_empty() && listen.port() == 0 {
        writeln!(out, "The system chooses its port at each start; `run` prints its address then.")?;
        return Ok(());
    }
    let address = dir.read_config()?.address(*dir.read_identity()?.public(), listen)?;
    writeln!(out, "Give this address to those who may use it:")?;
    if out.is_terminal() {
        write!(out, "{}", qr(&address.to_string()))?;
    }
    writeln!(out, "{address}")?;
    Ok(())
}

/// A QR code of half-block characters, light on dark as terminals are, with the quiet zone that readers need.
fn qr(text: &str) -> String {
    const QUIET: i32 = 2;
    let Ok(code) = QrCode::encode_text(text, QrCodeEcc::Low) else { return String::new() };
    let span = -QUIET..code.size() + QUIET;
    let mut lines = String::new();
    for y in span.clone().step_by(2) {
        for x in span.clone() {
            lines.push(match (code.get_module(x, y), code.get_module(x, y + 1)) {
                (false, false) => '█',
                (false, true) => '▀',
                (true, false) => '▄',
                (true, true) => ' ',
            });
        }
        lines.push('\n');
    }
    lines
}
