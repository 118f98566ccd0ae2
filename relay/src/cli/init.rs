//! `init`: makes a relay's folder and prints the address that people are given. At a terminal it asks for what no flag says.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    net::SocketAddr,
    path::Path,
};

use qrcodegen::{QrCode, QrCodeEcc};
use rand::rngs::SysRng;
use rand_core::{Rng, UnwrapErr};
use zeroize::Zeroizing;

use super::{CliError, questions::Questions};
use crate::{
    config::{DEFAULT_LISTEN, DataDir, write_config},
    storage::sqlite::SqliteStorage,
};

/// What a host says of a new relay, by flags or when asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes {
    pub(super) listen: Option<SocketAddr>,
    pub(super) public: Option<String>,
    pub(super) tls: Option<String>,
}

/// What is asked where nothing was said: everybody's port, for who runs a relay wants to be reached.
const LISTEN_OFFERED: &str = "0.0.0.0:4433";
const ABOUT_LISTEN: &str = "\
Where to listen. 0.0.0.0 is every IPv4 address of this machine, [::] every IPv6 one and mostly IPv4 too; 127.0.0.1 is this
machine alone: to try it out, or behind a proxy on it that passes TCP through.";
const ABOUT_PUBLIC: &str = "\
How people reach this machine: a name or an address, and the port, as relay.example.org:4433. It is part of the address
that they are given, so it should stay.";
/// A name that any way of TLS could have, until the host says theirs.
const ANY_NAME: &str = "relay.example:443";
const ABOUT_TLS: &str = "\
How the port is protected. own: by this relay's own key, which its address pins; no authority, nothing to renew. acme: by a
certificate of the public web, for a name. off: by nothing, for loopback, an onion service or a VPN.";

pub(super) async fn init(data: &Path, wishes: Wishes) -> Result<(), CliError> {
    let dir = DataDir::new(data);
    dir.check_vacant()?;
    let is_asked = io::stdin().is_terminal() && io::stdout().is_terminal();
    let wishes =
        if is_asked { ask(Questions { answers: io::stdin().lock(), screen: io::stdout() }, wishes)? } else { wishes };
    let (listen, public) = (wishes.listen.unwrap_or(DEFAULT_LISTEN), wishes.public.unwrap_or_default());
    let (public, tls) = (public.as_str(), wishes.tls.as_deref().unwrap_or("own"));
    let mut secret = Zeroizing::new([0; 32]);
    UnwrapErr(SysRng).fill_bytes(&mut *secret);
    let (config, mut out) = (write_config(listen, public, tls)?, io::stdout());
    if data.exists() && dir.keep_private()? {
        writeln!(
            out,
            "Other users of this machine could look into {}; it is for its owner alone now.",
            data.display()
        )?;
    }
    dir.create(&config, &secret)?;
    SqliteStorage::open(&dir.database()).await?.close().await;

    writeln!(
        out,
        "A relay is in {}. Its configuration is relay.toml; its key is identity.key, back that up.",
        data.display()
    )?;
    writeln!(out, "Start it:      sotto-relay run --data {}", data.display())?;
    writeln!(out, "See how it is: sotto-relay doctor --data {}", data.display())?;
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

/// Asks for what is missing.
fn ask(mut host: Questions<impl BufRead, impl Write>, wishes: Wishes) -> io::Result<Wishes> {
    let listen = match wishes.listen {
        Some(listen) => listen,
        None => host.ask(ABOUT_LISTEN, "Listen at", Some(LISTEN_OFFERED), str::parse::<SocketAddr>)?,
    };
    // Somebody who listens everywhere must say a name.
    let offered = if listen.ip().is_unspecified() { None } else { Some("") };
    let tls = match wishes.tls {
        Some(tls) => tls,
        None => host.ask(ABOUT_TLS, "TLS", Some("own"), |tls| {
            write_config(DEFAULT_LISTEN, ANY_NAME, tls).map(|_| tls.to_owned())
        })?,
    };
    let public = match wishes.public {
        Some(public) => public,
        None => host.ask(ABOUT_PUBLIC, "Reached at", offered, |public| {
            write_config(listen, public, &tls).map(|_| public.to_owned())
        })?,
    };
    Ok(Wishes { listen: Some(listen), public: Some(public), tls: Some(tls) })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(answers: &str, wishes: Wishes) -> (io::Result<Wishes>, String) {
        let mut screen = vec![];
        let asked = ask(Questions { answers: answers.as_bytes(), screen: &mut screen }, wishes);
        (asked, String::from_utf8(screen).unwrap())
    }

    #[test]
    fn what_no_flag_says_is_asked_and_a_wrong_answer_is_asked_again() {
        let (wishes, screen) = answered("\nyes\n\n\nrelay.example\nrelay.example:4433\n", Wishes::default());
        let Wishes { listen, public, tls } = wishes.unwrap();
        assert_eq!(listen, Some(LISTEN_OFFERED.parse().unwrap()));
        assert_eq!((public.as_deref(), tls.as_deref()), (Some("relay.example:4433"), Some("own")));
        assert_eq!(screen.matches("That cannot be").count(), 2, "{screen}");
    }

    #[test]
    fn what_a_flag_says_is_not_asked() {
        let wishes = Wishes { listen: Some(DEFAULT_LISTEN), public: Some(String::new()), tls: Some("off".to_owned()) };
        assert_eq!(answered("", wishes).1, "");
    }
}
