//! Work that relays ask for what strangers do: shown at once where a relay's terms say so, and again where it asks for more.
//! [REL-45]

use sotto_outer::{
    Answer, Proof,
    work::{Purpose, challenge},
};

use crate::{Change, Line, RelayProblem, memory::LineMemory, work::Work};

/// More is not computed: it would take a slow machine minutes.
const BITS_MAX: u8 = 24;
/// How often in a row a relay may ask for more before it is left alone for a while: its asking rises with its load, and no faster.
const TIMES_MAX: u8 = 8;

impl Work<'_> {
    /// The proof of work that a relay asks for this, as far as it said so.
    pub(crate) fn prove(&mut self, line: Line, purpose: &Purpose) -> Option<Proof> {
        let nonce = self.nonce(line)?;
        let memory = self.memory.lines.get_mut(&line)?;
        let bits = *asked(memory, purpose);
        if bits == 0 || bits > BITS_MAX {
            return None;
        }
        let challenge = challenge(&line.relay, &nonce, purpose);
        // That all of so many tries fail happens once in e^64 times.
        let proof = sotto_crypto::find_proof(&challenge, bits, memory.proof_counter, 1 << (bits + 6))?;
        memory.proof_counter = u64::from_be_bytes(*proof.as_bytes()).saturating_add(1);
        Some(proof)
    }

    /// A relay asked for work, or for more. Says whether the same is to be asked again at once, with a proof.
    pub(crate) fn accept_toll(&mut self, line: Line, purpose: &Purpose, bits: u8) -> bool {
        let Some(memory) = self.memory.lines.get_mut(&line) else { return false };
        memory.tolls = memory.tolls.saturating_add(1);
        let fair = bits <= BITS_MAX && memory.tolls <= TIMES_MAX;
        if fair {
            *asked(memory, purpose) = bits;
        } else {
            memory.tolls = 0;
            self.show(Change::RelayRefused { relay: line.relay, problem: RelayProblem::AsksTooMuch });
        }
        fair
    }

    /// Whatever else a relay answers, it did not ask for more.
    pub(crate) fn note_toll(&mut self, line: Line, answer: &Answer) {
        if !matches!(answer, Answer::Work { bits: _ })
            && let Some(memory) = self.memory.lines.get_mut(&line)
        {
            memory.tolls = 0;
        }
    }
}

fn asked<'m>(memory: &'m mut LineMemory, purpose: &Purpose) -> &'m mut u8 {
    let work = &mut memory.terms.work;
    match purpose {
        Purpose::Send(..) => &mut work.send,
        Purpose::Fetch(_) => &mut work.fetch,
        Purpose::Create(_) => &mut work.create,
        Purpose::Token(_) => &mut memory.token_bits,
    }
}
