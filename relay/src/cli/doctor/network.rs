//! The network: the port, the name, and whether who dials the name comes out here.

use std::{
    fs,
    io::{self, Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConnection, StreamOwned, pki_types::ServerName};
use sotto_outer::{RelayAddress, Tls};

use super::{Finding, Patient};
use crate::forward;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn examine(patient: &Patient) -> Vec<Finding> {
    let Some(address) = address(patient) else {
        let says = "this relay has no address yet: the system chooses its port when it starts";
        return vec![Finding::ok("address", says)];
    };
    let resolved = (address.host(), address.port()).to_socket_addrs().map(|found| found.collect::<Vec<_>>());
    let mut findings = vec![port(patient)];
    match resolved {
        Ok(found) if !found.is_empty() => {
            findings.push(name(&address, &found));
            findings.push(reach(patient, &address, &found));
        }
        Ok(_) | Err(_) => findings.push(Finding::fault(
            "name",
            format!("{} is not found: nobody reaches this relay by its address", address.host()),
            "give it an A or AAAA record, or mend `public` in relay.toml",
        )),
    }
    findings
}

/// As people have it.
pub(super) fn address(patient: &Patient) -> Option<RelayAddress> {
    let announced = fs::read_to_string(patient.dir.listening()).ok().filter(|_| patient.is_running);
    if let Some(line) = announced.as_deref().and_then(|text| text.lines().last()) {
        return line.parse().ok();
    }
    let (config, identity) = (patient.config.as_ref()?, patient.dir.read_identity().ok()?);
    if !config.is_address_known() {
        return None;
    }
    config.address(*identity.public(), config.listen()).ok()
}

fn port(patient: &Patient) -> Finding {
    let Some(config) = &patient.config else { return Finding::ok("port", "not known") };
    if patient.is_running {
        return Finding::ok("port", "this relay runs and holds it");
    }
    match TcpListener::bind(config.listen()) {
        Ok(_) => Finding::ok("port", "it is free for this relay"),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            Finding::fault("port", "another program holds it", "stop that program, or change `listen` in relay.toml")
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Finding::fault(
            "port",
            "this user may not open it: ports below 1024 need a right",
            "run as the unit does (CAP_NET_BIND_SERVICE), or choose a higher port",
        ),
        Err(error) => Finding::fault("port", format!("it cannot be opened ({error})"), "mend `listen` in relay.toml"),
    }
}

fn name(address: &RelayAddress, found: &[SocketAddr]) -> Finding {
    if found.iter().any(|found| is_here(found.ip())) {
        return Finding::ok("name", format!("{} leads to this machine", address.host()));
    }
    Finding::warning(
        "name",
        format!(
            "{} leads to an address that no interface here has: right behind NAT or a proxy, else not",
            address.host()
        ),
        "see that the router or proxy hands the port on to this machine",
    )
}

/// Only an address of this machine can be listened at.
fn is_here(address: IpAddr) -> bool {
    TcpListener::bind((address, 0)).is_ok()
}

fn reach(patient: &Patient, address: &RelayAddress, found: &[SocketAddr]) -> Finding {
    if !patient.is_running {
        return Finding::ok("reachable", "not tried: the relay is not running");
    }
    let remedy = "open the port in the firewall; behind NAT some routers refuse only dialling from inside, so try from elsewhere too";
    let Some(stream) = found.iter().find_map(|found| TcpStream::connect_timeout(found, PATIENCE).ok()) else {
        return Finding::fault("reachable", "nobody answers where the address leads", remedy);
    };
    let timeouts = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
    match timeouts.and_then(|()| alive(stream, address)) {
        Ok(true) => Finding::ok("reachable", "who dials the address comes out at this relay"),
        Ok(false) => Finding::fault(
            "reachable",
            "something else than a relay answers there",
            "see what holds the port, and what the name leads to",
        ),
        Err(error) => Finding::fault(
            "reachable",
            format!("it answers, and not as clients expect ({error})"),
            "see that what stands before the relay passes TCP through: TLS ends at the relay itself",
        ),
    }
}

/// Whether a relay says that it lives: under `own` after its certificate was checked against the identity in the address.
fn alive(mut stream: TcpStream, address: &RelayAddress) -> io::Result<bool> {
    match address.tls() {
        Tls::Own => ask(pinned(stream, address)?, address),
        Tls::Off => ask(&mut stream, address),
        // Who answers there the public web says, and the proof in `info`; that somebody listens is known here.
        Tls::Acme => Ok(true),
    }
}

/// TLS as a client of an `own` relay checks it.
fn pinned(stream: TcpStream, address: &RelayAddress) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let config = forward::pinned(address.identity()).map_err(io::Error::other)?;
    let name = ServerName::try_from(address.host().to_owned()).map_err(io::Error::other)?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    Ok(StreamOwned::new(connection, stream))
}

fn ask(mut stream: impl Read + Write, address: &RelayAddress) -> io::Result<bool> {
    write!(stream, "GET /livez HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", address.host())?;
    stream.flush()?;
    let mut answer = vec![];
    let read = stream.take(4_096).read_to_end(&mut answer);
    // A peer may close without TLS's goodbye once all is said.
    if answer.is_empty() {
        read?;
    }
    Ok(String::from_utf8_lossy(&answer).contains("alive"))
}
