"""What a session and its parts refuse, without vectors: bounds, order, forgery, a peer that lies in a good packet."""

import copy
from collections.abc import Callable
from dataclasses import replace

from checks.talks import Talk
from checks.tally import Tally
from primitives import mlkem
from primitives.randomness import Seeded
from ratchet import erasure
from ratchet.braid_states import Ct1Sampled, Ct2Sampled, HeaderSent, KeysUnsampled
from ratchet.header import SEALED_BYTES
from ratchet.session import Session
from ratchet.slot import Chunk, Message, Slot
from registry import SKIPPED_GAP_MAX, SKIPPED_KEYS_MAX

CONTENT = b"content"


def chunks(tally: Tally) -> None:
    """Any N chunks of an object give it back; a repeated index gives nothing; padding must be zero."""
    chance = Seeded(b"chunks")
    for length in (160, 960, 1_152):
        data, layout = chance.draw(length), erasure.Layout(length)
        for _ in range(5):
            decoder = erasure.Decoder(layout)
            while not decoder.complete:
                index = chance.below(60) if chance.below(4) else chance.below(65_536)
                known = decoder.add(index, erasure.encode(data, index))
                tally.equal("a repeated index", known.add(index, bytes(96)), known)
                decoder = known
            tally.equal(f"{length} bytes of {sorted(decoder.chunks)}", decoder.decode(), data)
    wrong = erasure.Decoder(erasure.Layout(160), {0: bytes(96), 1: bytes(95) + b"\x01"})
    tally.refuses("padding that is not zero", "Padding", wrong.decode)


def halves(tally: Tally) -> None:
    """Encapsulation in two halves is the encapsulation of FIPS 203, for any key and randomness."""
    chance = Seeded(b"halves")
    for parameters in (mlkem.ML_KEM_768, mlkem.ML_KEM_1024):
        for _ in range(10):
            pair, m = mlkem.key_pair(parameters, chance.draw(64)), chance.draw(32)
            secret, ciphertext = mlkem.encapsulate(parameters, pair.ek, m)
            tally.equal("decapsulated", pair.decapsulate(ciphertext), secret)
            at = chance.below(len(ciphertext))
            other = ciphertext[:at] + bytes([ciphertext[at] ^ 1]) + ciphertext[at + 1 :]
            tally.equal("implicitly rejected", pair.decapsulate(other) == secret, False)
        large = b"\xff\xff" + pair.ek[2:]
        tally.refuses("a coefficient above q", "Key", lambda: mlkem.require_valid(parameters, large))


def slots(tally: Tally) -> None:
    """A slot has one layout."""
    slot = Slot(Message(7, Chunk.CT1, 300, bytes(range(96))), 20, 9)
    tally.equal("slot", Slot.decode(slot.encode()), slot)
    empty = Slot(Message(7), 20, 9).encode()
    tally.equal("empty slot", Slot.decode(empty), Slot(Message(7), 20, 9))
    for what, data, at, value in (
        ("epoch 0", slot.encode(), 3, 0),
        ("type 6", slot.encode(), 4, 6),
        ("the zero byte", slot.encode(), 15, 1),
        ("no chunk, and an index", empty, 6, 1),
        ("no chunk, and a chunk", empty, 111, 1),
        ("a second chunk of a header", Slot(Message(7, Chunk.HEADER), 20, 9).encode(), 6, 1),
    ):
        tally.refuses(what, "MalformedHeader", lambda: Slot.decode(data[:at] + bytes([value]) + data[at + 1 :]))


def sessions(tally: Tally) -> None:
    talk = Talk.begin(b"bounds")
    tally.refuses("a responder that opened nothing", "NotYet", lambda: talk.bob.seal(CONTENT, talk.chance))
    _flips(tally, talk)
    _gaps(tally, talk)
    _ephemeral(tally, talk)
    _second_step(tally, talk)
    _liars(tally)


def _flips(tally: Tally, talk: Talk) -> None:
    """A flipped bit anywhere is refused, and a cut."""
    _, packet = talk.alice.seal(CONTENT, talk.chance)
    for at in range(0, len(packet), 41):
        flipped = packet[:at] + bytes([packet[at] ^ 1]) + packet[at + 1 :]
        reason = "NotOurs" if at < SEALED_BYTES else "BodyNotAuthentic"
        tally.refuses(f"a bit of byte {at}", reason, lambda: talk.bob.open(flipped))
    tally.refuses("a byte short", "BodyNotAuthentic", lambda: talk.bob.open(packet[:-1]))
    tally.refuses("a byte long", "BodyNotAuthentic", lambda: talk.bob.open(packet + b"\x00"))


def _gaps(tally: Tally, talk: Talk) -> None:
    """2,000 may be skipped at once and 2,000 are kept; the oldest give way, and all after 28 days."""
    packets = []
    alice = talk.alice
    for _ in range(SKIPPED_GAP_MAX + 2):
        alice, packet = alice.seal(CONTENT, talk.chance)
        packets.append(packet)
    tally.refuses("2,001 skipped", "GapTooLarge", lambda: talk.bob.open(packets[-1]))
    bob, _ = talk.bob.open(packets[-2])
    tally.equal("keys kept", len(bob.ratchet.skipped.rows), SKIPPED_KEYS_MAX)
    tally.equal("the first, on the 27th day", bob.open(packets[0], day=27)[1].content, CONTENT)
    tally.refuses("the first, on the 28th day", "Replayed", lambda: bob.open(packets[0], day=28))
    alice, _ = alice.seal(CONTENT, talk.chance)
    alice, packet = alice.seal(CONTENT, talk.chance)
    bob, _ = bob.open(packet)
    tally.equal("keys still kept", len(bob.ratchet.skipped.rows), SKIPPED_KEYS_MAX)
    tally.refuses("the oldest", "Replayed", lambda: bob.open(packets[0]))
    tally.equal("a later one", bob.open(packets[5])[1].content, CONTENT)


def _ephemeral(tally: Tally, talk: Talk) -> None:
    """Ephemeral packets advance nothing, open in any order, and only in their own step."""
    first, second = (talk.alice.seal_ephemeral(CONTENT, talk.chance) for _ in range(2))
    tally.refuses("before its step", "EphemeralOutOfStep", lambda: talk.bob.open(first))
    alice, packet = talk.alice.seal(CONTENT, talk.chance)
    bob, _ = talk.bob.open(packet)
    for ephemeral in (second, first, first):
        after, opened = bob.open(ephemeral)
        tally.equal("ephemeral", (opened.content, opened.ephemeral, after), (CONTENT, True, bob))
    bob, packet = bob.seal(CONTENT, talk.chance)
    alice, _ = alice.open(packet)
    alice, packet = alice.seal(CONTENT, talk.chance)
    bob, _ = bob.open(packet)
    tally.refuses("after its step", None, lambda: bob.open(first))


def _second_step(tally: Tally, talk: Talk) -> None:
    """A peer that steps again without an answer in between."""
    alice, packet = talk.alice.seal(CONTENT, talk.chance)
    bob, _ = talk.bob.open(packet)
    hasty = copy.deepcopy(alice)
    hasty.ratchet.sending = None
    _, packet = hasty.seal(CONTENT, talk.chance)
    tally.refuses("a second step", "MalformedHeader", lambda: bob.open(packet))


def _liars(tally: Tally) -> None:
    """A peer whose packets open and whose Braid lies: the content stands, the session is broken and seals no more."""
    _lie(tally, "a MAC of the header that is wrong", "NotAuthentic", "alice", KeysUnsampled, _forget_authenticator)
    _lie(tally, "a key that its header did not announce", "Key", "alice", HeaderSent, _change_key)
    _lie(tally, "a MAC of the ciphertext that is wrong", "NotAuthentic", "bob", Ct2Sampled, _change_ct2)
    _lie(tally, "another first half than was authenticated", "NotAuthentic", "bob", Ct1Sampled, _change_ct1)


def _forget_authenticator(session: Session) -> None:
    assert isinstance(session.braid, KeysUnsampled)
    session.braid = replace(session.braid, auth=replace(session.braid.auth, mac_key=bytes(32)))


def _change_key(session: Session) -> None:
    assert isinstance(session.braid, HeaderSent)
    session.braid = replace(session.braid, seed=bytes(64))


def _change_ct2(session: Session) -> None:
    assert isinstance(session.braid, Ct2Sampled)
    session.braid = replace(session.braid, ct2=bytes(32) + session.braid.ct2[32:])


def _change_ct1(session: Session) -> None:
    assert isinstance(session.braid, Ct1Sampled)
    session.braid = replace(session.braid, ct1=session.braid.ct1[:-1] + bytes([session.braid.ct1[-1] ^ 1]))


def _lie(
    tally: Tally, what: str, reason: str, liar: str, state: type[object], change: Callable[[Session], None]
) -> None:
    """They talk in turns; the liar's state is changed where it first is `state`; the other must fail for `reason`."""
    talk = Talk.begin(b"a liar")
    lied = False
    for turn in range(120):
        sender, receiver = ("alice", "bob") if turn % 2 == 0 else ("bob", "alice")
        session = getattr(talk, sender)
        if sender == liar and not lied and isinstance(session.braid, state):
            change(session)
            lied = True
        session, packet = session.seal(CONTENT, talk.chance)
        setattr(talk, sender, session)
        session, opened = getattr(talk, receiver).open(packet)
        setattr(talk, receiver, session)
        if opened.failure is not None:
            break
    broken = getattr(talk, "bob" if liar == "alice" else "alice")
    tally.equal(what, (opened.content, opened.failure, broken.broken), (CONTENT, reason, True))
    tally.refuses(f"sealing after {what}", "Broken", lambda: broken.seal(CONTENT, talk.chance))
