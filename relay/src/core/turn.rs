//! One call of the core.

use bytes::Bytes;
use rand_core::CryptoRng;
use sotto_outer::{Answer, RefusedReason, RelayFrame};

use super::{Asker, Conn, Output, Tag};
use crate::time::Timestamp;

/// One call of [`Core::handle`]: what it may use, and what has come out so far.
pub(crate) struct Turn<'a> {
    pub(crate) now: Timestamp,
    pub(crate) rng: &'a mut dyn CryptoRng,
    pub(super) outputs: Vec<Output>,
}

impl Turn<'_> {
    pub(crate) fn answer(&mut self, asker: Asker, answer: Answer) {
        let Asker { conn, request } = asker;
        self.outputs.push(Output::Reply(conn, RelayFrame::Answer { request, answer }));
    }

    pub(crate) fn refuse(&mut self, asker: Asker, reason: RefusedReason) {
        self.answer(asker, Answer::Refused { reason });
    }

    pub(crate) fn reply(&mut self, conn: Conn, frame: RelayFrame) {
        self.outputs.push(Output::Reply(conn, frame));
    }

    pub(crate) fn broadcast(&mut self, readers: Vec<Conn>, frame: Bytes) {
        self.outputs.push(Output::Broadcast { readers, frame });
    }

    pub(crate) fn wake(&mut self, tag: Tag) {
        self.outputs.push(Output::Wake(tag));
    }
}
