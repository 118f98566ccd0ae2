//! Whether `denied` takes equal time whatever was wrong: a mailbox that is missing, or one that is there and whose owner is
//! another. [REL-5] `tools/timing`, or `cargo bench -p sotto-relay --bench timing`.
//!
//! The core alone, from what the store knows of the owner to what follows. What a store's own look-up takes is not in it; nor is
//! the comparison of a capability, which stores do themselves, with the function that the bench of `crypto` measures.

#![allow(missing_docs, reason = "a program")]

#[path = "../../crypto/benches/dudect/mod.rs"]
mod dudect;

use std::{
    cell::RefCell,
    io::{self, Write},
    process::ExitCode,
};

use dudect::{Verdict, head, measure};
use ed25519_dalek::{Signer, SigningKey};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use sotto_outer::{
    Answer, CapabilityHash, ClientFrame, Command, Create, Delete, Info, LeaseOutcome, MailboxKind, ReceiveId,
    RelayFrame, Subscribe, Subscribed, Subscription, Target, VERSION,
};
use sotto_relay::{
    Identity, Timestamp,
    core::{Config, Conn, Context, Core, Input, Output},
    storage::{Op, Outcome, memory::MemoryStorage},
};

/// Mailboxes that are there. Their ids and the missing ones' lie among each other.
const MAILBOXES: u64 = 1_024;
const MEASUREMENTS: usize = 100_000;
/// Milliseconds between two requests: no rate is reached.
const PAUSE_MILLIS: u64 = 10_000;

fn main() -> ExitCode {
    if !std::env::args().any(|word| word == "--bench") {
        return ExitCode::SUCCESS;
    }
    say(&head());
    let all = [
        ("subscribe: mailbox missing, signed by another", denied(subscribe)),
        ("delete: mailbox missing, signed by another", denied(delete)),
    ];
    for (name, verdict) in &all {
        say(&verdict.line(name));
    }
    if all.iter().all(|(_, verdict)| verdict.is_alike()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn say(line: &str) {
    writeln!(io::stdout(), "{line}").expect("standard output");
}

/// Asks for a mailbox, with the signature of somebody who owns none.
type Ask = fn(&mut ChaCha20Rng, &SigningKey, [u8; 16]) -> Command;

fn subscribe(rng: &mut ChaCha20Rng, key: &SigningKey, id: [u8; 16]) -> Command {
    let entry = Subscription {
        mailbox: ReceiveId::from(id),
        confirmed: None,
        new: [9; 16].into(),
        signature: key.sign(&bytes::<32>(rng)).to_bytes().into(),
    };
    Command::Subscribe(Subscribe { mailboxes: vec![entry] })
}

fn delete(rng: &mut ChaCha20Rng, key: &SigningKey, id: [u8; 16]) -> Command {
    let signature = key.sign(&bytes::<32>(rng)).to_bytes().into();
    Command::Delete(Delete { target: Target::Mailbox(ReceiveId::from(id)), signature })
}

fn denied(ask: Ask) -> Verdict {
    let house = RefCell::new(House::new());
    let stranger = SigningKey::from_bytes(&[3; 32]);
    let mut request = 1;
    let draw = |rng: &mut ChaCha20Rng, there: bool| {
        let known = house_id(rng.next_u64() % MAILBOXES);
        let mut id = bytes::<16>(rng);
        if there {
            id = known;
        }
        request += 1;
        let mut house = house.borrow_mut();
        house.settle();
        let begun = house.input(Input::Frame(Conn(1), ClientFrame { request, command: ask(rng, &stranger, id) }));
        let [Output::Store(ticket, op)] = &begun[..] else { panic!("the owner is looked up") };
        Input::Stored(*ticket, house.apply(op.clone()))
    };
    // What is left to be done for the answer is done before the next request.
    let verdict = measure(1, MEASUREMENTS, draw, |known| {
        let mut house = house.borrow_mut();
        house.left = house.input(known);
    });
    house.borrow_mut().settle();
    verdict
}

/// A relay with its store.
struct House {
    core: Core,
    storage: MemoryStorage,
    now: u64,
    rng: ChaCha20Rng,
    /// What came out of the last call and is not done.
    left: Vec<Output>,
}

impl House {
    fn new() -> Self {
        let core = Core::new(Config::default(), Identity::from_secret(&[7; 32]));
        let rng = ChaCha20Rng::seed_from_u64(1);
        let mut house = Self { core, storage: MemoryStorage::new(), now: 1_800_000_000_000, rng, left: vec![] };
        house.input(Input::Opened(Conn(1)));
        let info = Command::Info(Info { version: VERSION, nonce: [1; 32].into() });
        house.input(Input::Frame(Conn(1), ClientFrame { request: 0, command: info }));
        for number in 0..MAILBOXES {
            let owner = SigningKey::from_bytes(&bytes(&mut house.rng));
            let create = Create {
                kind: MailboxKind::Pairwise,
                receive_id: house_id(number).into(),
                send_id: house_id(number).into(),
                owner: owner.verifying_key().to_bytes().into(),
                capability_hash: CapabilityHash::from(bytes::<32>(&mut house.rng)),
                token: None,
                proof: None,
            };
            let created =
                house.input(Input::Frame(Conn(1), ClientFrame { request: 0, command: Command::Create(create) }));
            assert_eq!(house.answer(created), Some(Answer::Done));
        }
        house
    }

    /// Does all that is left, to an answer that denies.
    fn settle(&mut self) {
        let left = std::mem::take(&mut self.left);
        if left.is_empty() {
            return;
        }
        match self.answer(left) {
            Some(Answer::Denied) => {}
            Some(Answer::Subscribed(Subscribed { outcomes })) => assert_eq!(outcomes, [LeaseOutcome::Denied]),
            other => panic!("{other:?} instead of denied"),
        }
    }

    /// The answer among what comes out, once the store has done all that is asked of it.
    fn answer(&mut self, mut outputs: Vec<Output>) -> Option<Answer> {
        while let Some(output) = outputs.pop() {
            match output {
                Output::Store(ticket, op) => {
                    let outcome = self.apply(op);
                    outputs.extend(self.input(Input::Stored(ticket, outcome)));
                }
                Output::Reply(_, RelayFrame::Answer { request: _, answer }) => return Some(answer),
                Output::Reply(..)
                | Output::Forward(..)
                | Output::Broadcast { .. }
                | Output::Wake(_)
                | Output::Host(..)
                | Output::Job(..)
                | Output::Close(_) => {}
            }
        }
        None
    }

    fn apply(&mut self, op: Op) -> Outcome {
        let outcome = self.storage.apply(vec![op]).pop().expect("an outcome for each operation");
        self.storage.commit();
        outcome
    }

    fn input(&mut self, input: Input) -> Vec<Output> {
        self.now += PAUSE_MILLIS;
        let mut cx = Context { now: Timestamp::from_millis(self.now), rng: &mut self.rng };
        self.core.handle(&mut cx, input)
    }
}

/// The id of a mailbox that is there: by its number, and as random to look at as any.
fn house_id(number: u64) -> [u8; 16] {
    bytes(&mut ChaCha20Rng::seed_from_u64(1_000 + number))
}

fn bytes<const N: usize>(rng: &mut ChaCha20Rng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}
