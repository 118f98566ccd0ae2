//! A wire with a clock: passes bytes between a client and a relay, and tells when the client put something long on it.

use std::time::Instant;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

/// The least that an envelope puts on the wire; all else that a quiet client says is shorter.
const ENVELOPE_BYTES: usize = 1_024;

/// Listens at a port and passes on to another. Gives the moments at which envelopes left.
pub(crate) async fn lay(port: u16, relay: u16) -> UnboundedReceiver<Instant> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a port");
    let (moments, sent) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(relay) = TcpStream::connect(("127.0.0.1", relay)).await else { continue };
            client.set_nodelay(true).expect("a socket");
            relay.set_nodelay(true).expect("a socket");
            let ((from_client, to_client), (from_relay, to_relay)) = (client.into_split(), relay.into_split());
            tokio::spawn(pass(from_client, to_relay, Some(moments.clone())));
            tokio::spawn(pass(from_relay, to_client, None));
        }
    });
    sent
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, moments: Option<UnboundedSender<Instant>>) {
    let mut buffer = vec![0; 64 * 1_024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if let Some(moments) = &moments
            && count >= ENVELOPE_BYTES
        {
            let _unheard = moments.send(Instant::now());
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
