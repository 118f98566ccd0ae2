//! A client of a real relay over a WebSocket: just enough to create, send, subscribe and acknowledge.

use std::net::SocketAddr;

use ed25519_dalek::{Signer, SigningKey};
use futures_util::{SinkExt, StreamExt};
use sha2::{Digest, Sha256};
use sotto_outer::{
    Ack, Answer, CapabilityHash, ClientFrame, Command, ConnectionNonce, Create, Deliver, EnvelopeId, Info, InfoAnswer,
    Lease, LeaseOutcome, MailboxKind, OwnerKey, OwnerSignature, ReceiveId, RelayFrame, RelayIdentity, Send,
    SendCapability, SendId, Subscribe, Subscribed, Subscription, VERSION, signed,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Error, Message, protocol::WebSocketConfig},
};

/// Why a client cannot go on: the relay is gone, mostly because a test ended it.
#[derive(Debug)]
pub(crate) struct Gone;

/// Somebody with one mailbox.
#[derive(Clone)]
pub(crate) struct Owner {
    key: SigningKey,
    name: [u8; 16],
}

/// A connection that has been greeted; plain, where nothing else is said.
pub(crate) struct Client<S = TcpStream> {
    pub(crate) socket: WebSocketStream<S>,
    pub(crate) relay: RelayIdentity,
    pub(crate) nonce: ConnectionNonce,
    pub(crate) next_request: u32,
}

impl From<Error> for Gone {
    fn from(_: Error) -> Self {
        Self
    }
}

impl From<std::io::Error> for Gone {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

impl Owner {
    pub(crate) fn new(number: u64) -> Self {
        let digest: [u8; 32] = Sha256::digest(number.to_be_bytes()).into();
        let name = *digest.first_chunk().expect("32 bytes");
        Self { key: SigningKey::from_bytes(&digest), name }
    }

    pub(crate) fn receive_id(&self) -> ReceiveId {
        self.name.into()
    }

    pub(crate) fn create(&self) -> Command {
        Command::Create(Create {
            kind: MailboxKind::Pairwise,
            receive_id: self.receive_id(),
            send_id: self.send_id(),
            owner: OwnerKey::from(self.key.verifying_key().to_bytes()),
            capability_hash: CapabilityHash::from(<[u8; 32]>::from(Sha256::digest(self.capability().as_bytes()))),
            token: None,
            proof: None,
        })
    }

    pub(crate) fn send(&self, id: EnvelopeId, payload: Vec<u8>) -> Command {
        let (mailbox, capability) = (self.send_id(), self.capability());
        Command::Send(Send { mailbox, capability, id, ttl_secs: None, payload, proof: None })
    }

    pub(crate) fn subscribe<S>(&self, client: &Client<S>) -> Command {
        Command::Subscribe(Subscribe { mailboxes: vec![self.subscription(client)] })
    }

    /// Signed for this connection.
    pub(crate) fn subscription<S>(&self, client: &Client<S>) -> Subscription {
        let (mailbox, new) = (self.receive_id(), Lease::from([1; 16]));
        let bytes = signed::subscribe(&client.relay, &client.nonce, &mailbox, None, &new);
        let signature = self.sign(&bytes);
        Subscription { mailbox, confirmed: None, new, signature }
    }

    pub(crate) fn ack(&self, ids: Vec<EnvelopeId>) -> Command {
        Command::Ack(Ack { mailbox: self.receive_id(), ids })
    }

    pub(crate) fn sign(&self, bytes: &[u8]) -> OwnerSignature {
        self.key.sign(bytes).to_bytes().into()
    }

    /// All numbers by which a relay could name this mailbox.
    pub(crate) fn numbers(&self) -> Vec<Vec<u8>> {
        let capability = self.capability();
        let hash = Sha256::digest(capability.as_bytes()).to_vec();
        let owner = self.key.verifying_key().to_bytes().to_vec();
        vec![
            self.receive_id().as_bytes().to_vec(),
            self.send_id().as_bytes().to_vec(),
            owner,
            capability.as_bytes().to_vec(),
            hash,
        ]
    }

    fn send_id(&self) -> SendId {
        self.name.map(|byte| byte ^ 0xff).into()
    }

    fn capability(&self) -> SendCapability {
        SendCapability::from(self.key.to_bytes())
    }
}

impl Client {
    /// Connects and is greeted.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self, Gone> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Self::over(stream, address).await
    }

    /// A connection that reads `owner`'s mailbox, made where it is not yet.
    pub(crate) async fn reader(address: SocketAddr, owner: &Owner) -> Result<Self, Gone> {
        let mut client = Self::connect(address).await?;
        client.make_and_read(owner).await?;
        Ok(client)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Is greeted over a stream that stands.
    pub(crate) async fn over(stream: S, address: SocketAddr) -> Result<Self, Gone> {
        let config = WebSocketConfig::default().read_buffer_size(8 * 1024).write_buffer_size(8 * 1024);
        let url = format!("ws://{address}/v1/stream");
        let (socket, _) = client_async_with_config(url, stream, Some(config)).await?;
        let mut client = Self { socket, relay: [0; 32].into(), nonce: [0; 32].into(), next_request: 0 };
        let info = Info { version: VERSION, nonce: [3; 32].into() };
        let Answer::Info(InfoAnswer { identity, nonce, .. }) = client.ask(Command::Info(info)).await? else {
            panic!("a relay greets")
        };
        (client.relay, client.nonce) = (identity, nonce);
        Ok(client)
    }

    /// Becomes the reader of a mailbox, made where it is not yet.
    pub(crate) async fn make_and_read(&mut self, owner: &Owner) -> Result<(), Gone> {
        assert_eq!(self.ask(owner.create()).await?, Answer::Done);
        self.read(owner).await
    }

    /// Becomes the reader of a mailbox.
    pub(crate) async fn read(&mut self, owner: &Owner) -> Result<(), Gone> {
        let subscribe = owner.subscribe(self);
        let answer = self.ask(subscribe).await?;
        let Answer::Subscribed(Subscribed { outcomes }) = answer else { panic!("not subscribed: {answer:?}") };
        assert_eq!(outcomes, [LeaseOutcome::Same]);
        Ok(())
    }

    /// Sends a request and does not wait; gives its number.
    pub(crate) async fn request(&mut self, command: Command) -> Result<u32, Gone> {
        self.next_request += 1;
        let frame = ClientFrame { request: self.next_request, command };
        self.socket.send(Message::Binary(frame.encode().into())).await?;
        Ok(self.next_request)
    }

    /// The next frame.
    pub(crate) async fn receive(&mut self) -> Result<RelayFrame, Gone> {
        loop {
            match self.socket.next().await.ok_or(Gone)?? {
                Message::Binary(bytes) => return Ok(RelayFrame::decode(&bytes).expect("a relay's frame")),
                Message::Close(_) => return Err(Gone),
                _ => {}
            }
        }
    }

    /// Asks, and gives the answer; what is told before it is dropped.
    pub(crate) async fn ask(&mut self, command: Command) -> Result<Answer, Gone> {
        let asked = self.request(command).await?;
        loop {
            match self.receive().await? {
                RelayFrame::Answer { request, answer } if request == asked => return Ok(answer),
                RelayFrame::Answer { .. }
                | RelayFrame::Deliver(_)
                | RelayFrame::CaughtUp { .. }
                | RelayFrame::Entry(_) => {}
            }
        }
    }

    /// The next delivery; what is told before it is dropped.
    pub(crate) async fn deliver(&mut self) -> Result<Deliver, Gone> {
        loop {
            if let RelayFrame::Deliver(deliver) = self.receive().await? {
                return Ok(deliver);
            }
        }
    }
}
