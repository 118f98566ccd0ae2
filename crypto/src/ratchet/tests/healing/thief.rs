//! A thief of all bytes of one side, who goes on listening to both directions of the wire.
//!
//! It is as strong as its knowledge: it forgets no key, walks every chain it has, steps each ratchet whose private half it
//! holds, and gathers the chunks of a key pair that was stolen until it can decapsulate. It knows who sealed what, and hears
//! also what the network lost. What it lacks is what is drawn after the theft, unless that comes of a generator it stole.

use super::{
    super::super::{
        body,
        braid::{Braid, Message},
        epoch_key::EpochMessageKey,
        header::Kind,
        message_key::MessageKey,
    },
    double_ratchet::{DoubleRatchet, Place},
    epoch_keys::EpochKeys,
    talk::{Loot, Sent, Step, Talk},
    *,
};

/// The thief and all it knows.
pub(super) struct Thief<'t> {
    /// Who was robbed.
    victim: usize,
    associated: AssociatedData,
    ratchet: KnownRatchet<'t>,
    epochs: EpochKeys,
    /// The stolen Braid, which hears all that the other side says of it.
    braid: Option<Braid>,
    /// The victim itself, run with its own generator, as long as that foretells what it seals.
    shadow: Option<Party>,
}

/// The Double Ratchet, as a thief has it.
enum KnownRatchet<'t> {
    /// As far as what was stolen reaches.
    Stolen(DoubleRatchet),
    /// All of it, by message: X25519 is broken.
    Broken(&'t [Place]),
}

impl<'t> Thief<'t> {
    /// Takes all bytes of `victim`. With `broken`, the Double Ratchet lies open besides.
    pub(super) fn steal(victim: usize, loot: &Loot, broken: Option<&'t [Place]>) -> Self {
        let session = Session::decode(&loot.session).unwrap();
        let shadow = loot.generator.clone().map(|rng| Party {
            rows: Rows(loot.rows.clone()),
            rng,
            ..Party::new(session.duplicate(), 0)
        });
        Self {
            victim,
            associated: session.associated.clone(),
            ratchet: match broken {
                Some(places) => KnownRatchet::Broken(places),
                None => KnownRatchet::Stolen(DoubleRatchet::stolen(victim, &session, &loot.rows)),
            },
            epochs: EpochKeys::stolen(victim, &session.epochs, &loot.rows),
            braid: session.braid.as_ref().map(Braid::duplicate),
            shadow,
        }
    }

    /// Goes one step along with the talk. Whether a message was read in it.
    pub(super) fn follow(&mut self, talk: &Talk, step: Step) -> bool {
        let (Step::Sealed(number) | Step::Opened(number)) = step;
        let sent = &talk.sent[number];
        match step {
            Step::Sealed(_) if sent.by == self.victim => self.foresee(|shadow| {
                let sealed = shadow.seal(b"whatever");
                sealed[..NONCE_BYTES] == sent.packet[..NONCE_BYTES]
            }),
            Step::Opened(_) if sent.by != self.victim => self.foresee(|shadow| shadow.open(&sent.packet).is_ok()),
            Step::Sealed(_) | Step::Opened(_) => {}
        }
        matches!(step, Step::Sealed(_)) && self.read(number, sent)
    }

    /// Reads a message, and learns what its header tells.
    pub(super) fn read(&mut self, number: usize, sent: &Sent) -> bool {
        let (sealed_header, body) = sent.packet.split_first_chunk().unwrap();
        let found;
        let Place { header, key } = match &mut self.ratchet {
            KnownRatchet::Stolen(ratchet) => {
                let Some(place) = ratchet.place(sent.by, sealed_header) else { return false };
                found = place;
                &found
            }
            KnownRatchet::Broken(places) => &places[number],
        };
        let Kind::Message { previous: _, number: _, slot } = header.kind else { return false };
        if sent.by != self.victim {
            self.hear(&slot.message);
        }
        let epoch_key = self.epochs.key(slot.message.epoch.before().0, sent.by, slot.number);
        let (Some(key), Some(epoch_key)) = (key, epoch_key) else { return false };
        let key = EpochMessageKey::new(epoch_key).mix(&MessageKey::new(key.duplicate()));
        body::open(key.as_bytes(), &self.associated, sealed_header, body).is_ok()
    }

    /// What the other side says to the Braid. A key pair that was stolen opens what is encapsulated to it.
    fn hear(&mut self, message: &Message) {
        // Where the victim would have gone on with a draw of its own, the stolen Braid is left behind, and fails.
        let Some(Ok((braid, known))) = self.braid.take().map(|braid| braid.receive(message)) else { return };
        self.braid = Some(braid);
        if let Some(known) = known {
            self.epochs.add(&known);
        }
    }

    /// Lets the victim's shadow do what the victim does, and robs it again if that was right.
    fn foresee(&mut self, act: impl FnOnce(&mut Party) -> bool) {
        self.shadow = self.shadow.take().and_then(|mut shadow| act(&mut shadow).then_some(shadow));
        if let Some(Party { session, rows, .. }) = &self.shadow {
            if let KnownRatchet::Stolen(ratchet) = &mut self.ratchet {
                ratchet.learn(&session.private);
            }
            self.epochs.learn(self.victim, &session.epochs, &rows.0);
        }
    }
}
