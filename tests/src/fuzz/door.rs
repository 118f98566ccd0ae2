//! A frame at the relay itself: its rules, and a store in memory that does what they ask.
//!
//! What must hold: nothing panics; each frame but an order to wait is answered; what the relay says fits a frame and reads as
//! what it was; without a signature or a capability nothing is made that was another's.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sotto_outer::{ClientFrame, Command, Info, RelayFrame, VERSION, limits::FRAME_BYTES_MAX};
use sotto_relay::{
    Identity, Timestamp,
    core::{Config, Conn, Context, Core, Input, Output},
    storage::memory::MemoryStorage,
};

const CONN: Conn = Conn(1);

struct Relay {
    core: Core,
    storage: MemoryStorage,
    rng: ChaCha20Rng,
    answers: usize,
}

/// Twice, on one connection: what comes again is taken like the first time, or refused.
pub(super) fn command(bytes: &[u8]) {
    let Ok(ClientFrame { request: _, command }) = ClientFrame::decode(bytes) else { return };
    let core = Core::new(Config::default(), Identity::from_secret(&[7; 32]));
    let mut relay = Relay { core, storage: MemoryStorage::new(), rng: ChaCha20Rng::from_seed([0; 32]), answers: 0 };
    relay.handle(Input::Opened(CONN));
    let info = Command::Info(Info { version: VERSION, nonce: [1; 32].into() });
    relay.handle(Input::Frame(CONN, ClientFrame { request: 0, command: info }));
    for request in 1..=2 {
        relay.handle(Input::Frame(CONN, ClientFrame { request, command: command.clone() }));
    }
    let waits = matches!(command, Command::Forward(_));
    assert!(waits || relay.answers == 3, "each is answered once");
}

impl Relay {
    fn handle(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let mut cx = Context { now: Timestamp::from_millis(1_800_000_000_000), rng: &mut self.rng };
            for output in self.core.handle(&mut cx, input) {
                match output {
                    Output::Store(ticket, op) => {
                        let outcome = self.storage.apply(vec![op]).pop().expect("one outcome for each operation");
                        self.storage.commit();
                        inputs.push(Input::Stored(ticket, outcome));
                    }
                    Output::Job(ticket, job) => inputs.push(Input::Worked(ticket, job.run(&mut self.rng))),
                    Output::Reply(_, frame) => self.said(&frame),
                    Output::Broadcast { readers: _, frame } => drop(RelayFrame::decode(&frame).expect("a frame")),
                    Output::Forward(..) | Output::Host(..) | Output::Wake(_) | Output::Close(_) => {}
                }
            }
        }
    }

    fn said(&mut self, frame: &RelayFrame) {
        self.answers += usize::from(matches!(frame, RelayFrame::Answer { .. }));
        let bytes = frame.encode();
        assert!(bytes.len() <= FRAME_BYTES_MAX && RelayFrame::decode(&bytes).as_ref() == Ok(frame));
    }
}
