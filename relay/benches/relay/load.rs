//! The load: frames made before the clock runs, so that little of what is measured is this side's work.

use std::collections::{BTreeMap, HashMap};

use futures_util::{FutureExt, SinkExt};
use sotto_outer::{Answer, ClientFrame, EnvelopeId, RelayFrame};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::client::{Client, Owner};

/// An envelope's id.
pub(crate) fn id(number: u64) -> EnvelopeId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes.into()
}

/// Send frames for one mailbox.
pub(crate) fn sends(owner: &Owner, numbers: std::ops::Range<u64>, payload_bytes: usize) -> Vec<Bytes> {
    let frame = |number| {
        let request = u32::try_from(number % 1_000_000).expect("a small number");
        ClientFrame { request, command: owner.send(id(number), vec![7; payload_bytes]) }.encode().into()
    };
    numbers.map(frame).collect()
}

/// Sends all of them, `window` at a time on their way, and has all of them answered `done`.
pub(crate) async fn send(frames: Vec<Bytes>, mut client: Client, window: usize) -> Client {
    let (count, mut frames, mut answered) = (frames.len(), frames.into_iter(), 0);
    let mut on_their_way = 0;
    while answered < count {
        while on_their_way < window {
            let Some(frame) = frames.next() else { break };
            client.socket.send(Message::Binary(frame)).await.expect("a relay");
            on_their_way += 1;
        }
        let RelayFrame::Answer { answer, .. } = client.receive().await.expect("a relay") else { panic!("an answer") };
        assert_eq!(answer, Answer::Done);
        answered += 1;
        on_their_way -= 1;
    }
    client
}

/// Takes `count` envelopes of one owner or several, and acknowledges whatever has come, in one frame a mailbox. The answers to
/// the last acks are not waited for.
pub(crate) async fn read(owners: Vec<Owner>, mut reader: Client, count: usize) -> Client {
    let owner_of: HashMap<_, _> = owners.into_iter().map(|owner| (owner.receive_id(), owner)).collect();
    let mut got = 0;
    while got < count {
        let (mut ids, mut next) = (BTreeMap::<_, Vec<_>>::new(), Some(reader.receive().await.expect("a relay")));
        while let Some(frame) = next {
            match frame {
                RelayFrame::Deliver(deliver) => ids.entry(deliver.mailbox).or_default().push(deliver.id),
                RelayFrame::Answer { answer: Answer::Done | Answer::Subscribed(_), .. } => {}
                RelayFrame::Answer { answer, .. } => panic!("{answer:?}"),
                RelayFrame::CaughtUp { .. } | RelayFrame::Entry(_) => {}
            }
            next = reader.receive().now_or_never().map(|frame| frame.expect("a relay"));
        }
        for (mailbox, ids) in ids {
            got += ids.len();
            reader.request(owner_of[&mailbox].ack(ids)).await.expect("a relay");
        }
    }
    reader
}
