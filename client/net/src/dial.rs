//! From an address to a stream on which HTTP can be spoken: the route, TCP, TLS, the pin.

use sotto_outer::{RelayAddress, Tls};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{NetError, Route, tls};

/// A stream to a relay.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A stream that stands, and the TLS exporter (RFC 9266) where a public certificate carries TLS.
pub(crate) struct Dialled {
    pub(crate) stream: Box<dyn Stream>,
    pub(crate) exporter: Option<[u8; 32]>,
}

/// Dials a relay. Nothing of ours is sent on the stream yet.
pub(crate) async fn dial(address: &RelayAddress, route: &Route) -> Result<Dialled, NetError> {
    let stream = route.reach(address.host(), address.port()).await?;
    let (stream, exporter): (Box<dyn Stream>, _) = match address.tls() {
        Tls::Own => (Box::new(tls::connect_own(address.host(), address.identity(), stream).await?), None),
        Tls::Acme => {
            let stream = tls::connect_acme(address.host(), stream).await?;
            let exporter = tls::exporter(&stream)?;
            (Box::new(stream), Some(exporter))
        }
        Tls::Off => (Box::new(stream), None),
    };
    Ok(Dialled { stream, exporter })
}
