//! A conversation as it is written down: every seal with the bytes it drew, every packet that is opened, and beside them
//! what is refused at that point.

use super::*;
use crate::vectors::Recorder;

/// Which side.
pub(super) const ALICE: usize = 0;
pub(super) const BOB: usize = 1;
const NAMES: [&str; 2] = ["alice", "bob"];
const DAY: u64 = 86_400;

/// Two sessions, and what has been written of them.
pub(super) struct Talk {
    pub(super) sides: [Party; 2],
    rng: Recorder,
    day: u64,
    packets: Vec<Vec<u8>>,
    contents: Vec<Vec<u8>>,
    pub(super) written: Vec<Case>,
    pub(super) refused: Vec<Case>,
}

impl Talk {
    /// Of the shared secret, with Bob's signed prekey and all bytes from seeds.
    pub(super) fn begin() -> Self {
        let mut rng = Recorder::new(0x7a1c);
        let signed = PrivateKey::generate(&mut rng);
        let secret = Secret32::random(&mut rng);
        rng.drawn();
        let (roots, devices) = ([[0x11; 32], [0x22; 32]], [[0x33; 16], [0x44; 16]]);
        let associated =
            AssociatedData::new((&roots[0].into(), &devices[0].into()), (&roots[1].into(), &devices[1].into()));
        let id = [7; 32].into();
        let of = || SessionSecret::new(secret.duplicate());
        let alice = Session::initiator(id, of(), *signed.public(), associated.clone(), &mut rng).unwrap();
        let bob = Session::responder(id, of(), &signed, associated);
        let begin = Case::default()
            .text("step", "begin")
            .hex("secret", secret.as_bytes())
            .hex("alice_root", &roots[0])
            .hex("bob_root", &roots[1])
            .hex("alice_device", &devices[0])
            .hex("bob_device", &devices[1])
            .hex("signed_secret", &signed.to_bytes())
            .hex("random", &rng.drawn());
        let mut talk = Self {
            sides: [Party::new(alice, 0), Party::new(bob, 0)],
            rng,
            day: 0,
            packets: Vec::new(),
            contents: Vec::new(),
            written: vec![begin],
            refused: Vec::new(),
        };
        talk.on_day(0);
        talk
    }

    /// From now on it is this day.
    pub(super) fn on_day(&mut self, day: u64) {
        self.day = day;
        for side in &mut self.sides {
            side.now = day * DAY;
        }
    }

    /// Seals one packet, which gets the number that is returned.
    pub(super) fn seal(&mut self, by: usize, padding: Padding, content: &[u8]) -> usize {
        let staged = self.sides[by].session.seal(&mut self.rng, content, padding).unwrap();
        let (session, changes, packet) = staged.into_parts();
        assert!(changes.is_empty());
        self.sides[by].session = session;
        let padding = match padding {
            Padding::Bucket => "bucket",
            Padding::None => "none",
        };
        let slot = &self.header(by, &packet)[HEADER_BYTES - BRAID_SLOT_BYTES..];
        let case = self.action("seal", by).text("padding", padding).hex("slot", slot);
        self.keep(case, content, packet)
    }

    pub(super) fn seal_ephemeral(&mut self, by: usize, content: &[u8]) -> usize {
        let packet = self.sides[by].session.seal_ephemeral(&mut self.rng, content).unwrap();
        let case = self.action("seal ephemeral", by);
        self.keep(case, content, packet)
    }

    fn keep(&mut self, case: Case, content: &[u8], packet: Vec<u8>) -> usize {
        let number = self.packets.len();
        let random = self.rng.drawn();
        let case = case.text("packet", number).hex("random", &random).hex("content", content);
        self.written.push(case.hex("bytes", &packet));
        self.packets.push(packet);
        self.contents.push(content.to_vec());
        number
    }

    pub(super) fn open(&mut self, by: usize, number: usize) {
        assert_eq!(self.sides[by].open(&self.packets[number]).unwrap(), self.contents[number], "packet {number}");
        let braid = format!("{:?}", self.sides[by].session.braid.as_ref().unwrap());
        let case = self.action("open", by).text("packet", number).text("day", self.day).text("braid", braid);
        self.written.push(case);
    }

    fn action(&self, step: &str, by: usize) -> Case {
        Case::default().text("step", step).text("by", NAMES[by])
    }

    /// The header of a packet of the running chain, as its sender wrote it.
    fn header(&self, by: usize, packet: &[u8]) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        with_header(&self.sides[by].session, packet, |opened| header = *opened);
        header
    }

    pub(super) fn packet(&self, number: usize) -> &[u8] {
        &self.packets[number]
    }

    /// What this side refuses here: a packet as another one is changed.
    pub(super) fn refuse(&mut self, why: &str, by: usize, number: usize, changed: &[u8]) {
        let error = self.sides[by].open(changed).expect_err(why);
        let case = self.here(why, by).text("packet", number).splice(&self.packets[number], changed);
        self.refused.push(case.text("error", flat(error)));
    }

    pub(super) fn refuse_as_it_is(&mut self, why: &str, by: usize, number: usize) {
        let packet = self.packets[number].clone();
        self.refuse(why, by, number, &packet);
    }

    /// The same with a header that has the sender's own tag.
    pub(super) fn refuse_header(
        &mut self,
        why: &str,
        by: usize,
        number: usize,
        change: impl FnOnce(&mut [u8; HEADER_BYTES]),
    ) {
        let changed = with_header(&self.sides[1 - by].session, &self.packets[number], change);
        self.refuse(why, by, number, &changed);
    }

    /// A packet that verifies and whose Braid lies, if it is one: it gives its content, and the session is broken.
    pub(super) fn refuse_lie(
        &mut self,
        why: &str,
        by: usize,
        liar: &Session,
        say: impl Fn(&mut [u8; BRAID_SLOT_BYTES]),
    ) -> bool {
        // Bytes of its own, so that the conversation draws the same whatever lies are told beside it.
        let rng = &mut Recorder::new(self.written.len() as u64);
        let (_, packet) = lie(liar, rng, b"a lie beside it", say);
        rng.drawn();
        let side = &self.sides[by];
        let (session, _, opened) = side.session.open(&packet, side.now, &side.rows).unwrap().into_parts();
        if opened.broke {
            assert!(session.is_broken());
            let refused = session.seal(rng, b"no more", Padding::Bucket);
            assert_eq!(refused.unwrap_err(), SealError::Broken);
            assert!(rng.drawn().is_empty(), "a seal that is refused draws nothing");
            let case = self.here(why, by).hex("bytes", &packet).hex("content", &opened.content);
            self.refused.push(case.text("error", "Broken"));
        }
        opened.broke
    }

    fn here(&self, why: &str, by: usize) -> Case {
        Case::why(why).text("after", self.written.len() - 1).text("by", NAMES[by]).text("day", self.day)
    }
}

/// An error's own name, whoever is to blame.
fn flat(error: OpenError) -> String {
    match error {
        OpenError::PeerMisbehaved(error) => format!("{error:?}"),
        error => format!("{error:?}"),
    }
}
