//! `spec/vectors/ratchet.json`: every step alone, and a conversation over two epochs of the Braid.

use super::*;
use crate::{
    people::FixedRng,
    vectors::{Case, Vectors},
};

mod script;
mod steps;
mod talk;

#[test]
fn the_ratchet() {
    let talk = script::conversation();
    let mut accepted = steps::accepted();
    let begins = accepted.len();
    accepted.extend(talk.written);
    let mut refused = steps::refused();
    refused.extend(talk.refused);
    assert!(begins > 10 && refused.len() > 50);
    Vectors { about: ABOUT, accepted, refused }.check("ratchet.json");
}

const ABOUT: &str = "\
The triple ratchet. Entries before `begin` are single steps, told by `step`, with input and output. From `begin` on, \
entries are one conversation in order: `secret` is what the handshake agreed on, `signed_secret` the private half of Bob's \
signed prekey, X25519; `random` are the bytes that this very entry draws, in order (at `begin`: Alice's first ratchet key; \
at a seal: a ratchet key of 32 where a step is due, then what the Braid draws, 64 for a key pair, 32 for an encapsulation, \
or nothing, then the header's nonce of 12). `seal`: `padding` is `bucket`, the smallest that fits, or `none`, content and \
198 bytes; `slot` is what stands in the header, `bytes` the packet, numbered by `packet`. `open`: the packet of that number \
gives the content with which it was sealed; afterwards this side's Braid stands in the state and epoch `braid`; the time \
is `day` times 86,400 seconds. A refusal with `step` is of that step; a splice there is of the value it names. Others are \
refusals within the conversation: just after the entry that is the `after`-th from `begin` (which is number 0), `by` \
refuses the packet numbered `packet` with the splice, or as it is if nothing is removed and inserted, and stays as it was. \
`NotOurs`: no header key opens it; `Replayed`: its key is used or gone. With the error `Broken` the packet is `bytes`: it \
opens and gives `content`, but its Braid's part is wrong, so this side is broken and seals no more; the conversation goes \
on without it.";
