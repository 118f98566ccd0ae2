//! Why there is no connection, grouped by whose doing it is.

use std::io;

use sotto_outer::codec::CodecError;

/// Why a connection could not be made, or ended. Frames not answered are asked again by the engine: nothing is lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    // The network's doing, or a relay that is away: trying again helps.
    /// The name does not resolve.
    #[error("the relay's name is not known to this network; check the address, or the connection to the internet")]
    NameUnknown,
    /// No TCP connection, or none in time.
    #[error("the relay cannot be reached ({0}); it may be down, or this machine offline")]
    Unreachable(io::ErrorKind),
    /// The relay asks for patience.
    #[error("the relay is overloaded and asks to come back in {retry_after_secs} s")]
    Overloaded {
        /// When to dial again, in seconds.
        retry_after_secs: u32,
    },
    /// Nothing came, not even an answer to a ping.
    #[error("the relay fell silent")]
    Silent,
    /// The relay closed the connection, or the network broke it.
    #[error("the connection to the relay ended")]
    Ended,
    /// It takes frames slower than they come.
    #[error("the connection to the relay is too slow for what is to be sent")]
    TooSlow,

    // The proxy's doing, or that of the setting which names it.
    /// Nothing answers where the proxy should be, or it hung up.
    #[error(
        "the proxy cannot be reached ({0}); check that it runs and that the setting is right. Nothing was dialled around it"
    )]
    ProxyUnreachable(io::ErrorKind),
    /// The proxy did not connect to the relay.
    #[error("the proxy did not connect to the relay: {0}")]
    ProxyRefused(ProxyRefusal),
    /// The proxy asks for a user name and a password of its own.
    #[error("the proxy wants a password, and this version has none to give; use a proxy that asks for none")]
    ProxyWantsPassword,
    /// What answers does not speak SOCKS5.
    #[error("what answers at the proxy's address is no SOCKS5 proxy; check the setting. Nothing was dialled around it")]
    NotAProxy,

    // The doing of what answers there: trying again hardly helps.
    /// TLS could not be agreed on.
    #[error("the server there does not speak the TLS this address asks for: {0}")]
    TlsFailed(String),
    /// TLS stood, the leaf is not signed by the pinned identity.
    #[error(
        "the server at this address is not the relay it should be: nothing was sent to it. Compare the address with its source"
    )]
    WrongPin,
    /// It did not prove that it is the relay, or not in time.
    #[error("what answers at this address does not prove that it is the relay; it is tried again, and elsewhere")]
    Unproven,
    /// A certificate of the public web that does not hold.
    #[error("the relay's certificate does not hold: {0}. Nothing was sent to it")]
    CertificateRefused(String),
    /// Something answers, but no relay.
    #[error("what answers at this address is no relay (HTTP status {0})")]
    NotARelay(u16),
    /// WebSocket broken, or a message that is no frame.
    #[error("the relay sent what no relay sends: {0}")]
    Protocol(String),
    /// A frame that does not decode.
    #[error("the relay sent a frame that cannot be read ({0}); nothing was done with it")]
    Garbage(#[from] CodecError),

    // Ours.
    /// Another transport carries the next one.
    #[error("the connection moved to a WebSocket")]
    Moved,
    /// This side closed it.
    #[error("the connection was closed here")]
    ClosedHere,
}

/// Why a proxy did not connect (RFC 1928 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyRefusal {
    /// Reply 1.
    #[error("it failed and does not say why")]
    General,
    /// Reply 2.
    #[error("its rules do not allow this connection")]
    NotAllowed,
    /// Reply 3.
    #[error("the relay's network cannot be reached from there")]
    NetworkUnreachable,
    /// Reply 4.
    #[error("the relay's host cannot be reached from there; it may be down, or its name unknown")]
    HostUnreachable,
    /// Reply 5.
    #[error("the relay's host refuses connections; the relay may be down")]
    ConnectionRefused,
    /// Reply 6.
    #[error("the connection took too long")]
    Expired,
    /// Reply 7.
    #[error("it does not know how to connect")]
    CommandNotSupported,
    /// Reply 8.
    #[error("it does not know this kind of address")]
    AddressNotSupported,
}

impl NetError {
    /// A word for logs and JSON.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NameUnknown => "name_unknown",
            Self::Unreachable(_) => "unreachable",
            Self::ProxyUnreachable(_) => "proxy_unreachable",
            Self::ProxyRefused(_) => "proxy_refused",
            Self::ProxyWantsPassword => "proxy_wants_password",
            Self::NotAProxy => "not_a_proxy",
            Self::TlsFailed(_) => "tls_failed",
            Self::WrongPin => "wrong_pin",
            Self::Unproven => "unproven",
            Self::CertificateRefused(_) => "certificate_refused",
            Self::NotARelay(_) => "not_a_relay",
            Self::Overloaded { .. } => "overloaded",
            Self::Protocol(_) => "protocol",
            Self::Garbage(_) => "garbage",
            Self::Silent => "silent",
            Self::Ended => "ended",
            Self::TooSlow => "too_slow",
            Self::Moved => "moved",
            Self::ClosedHere => "closed_here",
        }
    }
}
