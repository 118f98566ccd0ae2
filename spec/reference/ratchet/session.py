"""A session: both ratchets, sealing and opening. A value: sealing and opening give the next one and change nothing."""

import copy
from dataclasses import dataclass, field

from primitives import aead
from primitives.integers import be8
from primitives.randomness import Randomness
from primitives.refused import Refused
from ratchet import braid
from ratchet.body import OVERHEAD_BYTES, open_body, seal_body
from ratchet.braid_states import State, first_state
from ratchet.chain import Start, mix
from ratchet.double_ratchet import DoubleRatchet
from ratchet.epoch_chains import EpochChains
from ratchet.header import SEALED_BYTES, Header
from ratchet.slot import SLOT_BYTES, Slot
from registry import BUCKETS, VERSION


@dataclass(frozen=True)
class People:
    """Whose session it is: bound to every body. Devices are their ids of 16 bytes. [SES-18]"""

    alice_root: bytes
    bob_root: bytes
    alice_device: bytes
    bob_device: bytes

    def associated(self) -> bytes:
        """What stands before the sealed header in associated data."""
        return be8(VERSION) + self.alice_root + self.bob_root + self.alice_device + self.bob_device


@dataclass
class Session:
    """`braid` is absent once the Braid has failed: the session is broken, and repair is due. [SES-42]"""

    people: People
    ratchet: DoubleRatchet
    braid: State | None
    epochs: EpochChains

    @classmethod
    def initiator(cls, people: People, secret: bytes, signed_prekey: bytes, randomness: Randomness) -> "Session":
        """Alice's, from SK and Bob's signed prekey. Draws 32 bytes. [SES-12]"""
        start = Start.derive(secret)
        ratchet = DoubleRatchet.initiator(start, signed_prekey, randomness)
        return cls._start(people, start, ratchet, initiator=True)

    @classmethod
    def responder(cls, people: People, secret: bytes, signed_secret: bytes) -> "Session":
        """Bob's, from SK and the secret of his signed prekey."""
        start = Start.derive(secret)
        return cls._start(people, start, DoubleRatchet.responder(start, signed_secret), initiator=False)

    @classmethod
    def _start(cls, people: People, start: Start, ratchet: DoubleRatchet, initiator: bool) -> "Session":
        state = first_state(initiator, start.braid_secret)
        return cls(people, ratchet, state, EpochChains.start(start.braid_secret, initiator))

    @property
    def broken(self) -> bool:
        return self.braid is None

    # ---- sealing ----

    def seal(self, content: bytes, randomness: Randomness, length: int | None = None) -> tuple["Session", bytes]:
        """The next state and a packet: of the smallest bucket that holds the content, or of `length` bytes. [SES-13]

        Draws 32 bytes where a step's sending half is due, then what the Braid draws, then the header's nonce, 12.
        """
        after = copy.deepcopy(self)
        sending = after.ratchet.prepare_sending(randomness)
        slot, epoch_key = after._advance_braid(randomness)
        number, key = sending.number, after.ratchet.next_message_key()
        header = Header(after.ratchet.ratchet_key, after.ratchet.previous, number, False, slot.encode())
        sealed_header = header.seal(sending.header_key, randomness.draw(aead.NONCE_BYTES))
        mixed = mix(epoch_key, key)
        body = seal_body(mixed, self.people.associated(), sealed_header, content, length or bucket(content))
        return after, sealed_header + body

    def seal_ephemeral(self, content: bytes, randomness: Randomness) -> bytes:
        """A packet of the smallest bucket that advances nothing. Draws the header's nonce, 12 bytes. [SES-22]"""
        sending = self.ratchet.sending
        if sending is None:
            raise Refused("NotYet")
        header = Header(self.ratchet.ratchet_key, 0, 0, True, bytes(SLOT_BYTES))
        sealed_header = header.seal(sending.header_key, randomness.draw(aead.NONCE_BYTES))
        people = self.people.associated()
        return sealed_header + seal_body(sending.ephemeral_key, people, sealed_header, content, BUCKETS[0])

    def _advance_braid(self, randomness: Randomness) -> tuple[Slot, bytes]:
        """What the Braid says now, and the epoch message key of this packet; changes this session."""
        if self.braid is None:
            raise Refused("Broken")
        self.braid, message, born = braid.send(self.braid, randomness)
        if born is not None:
            self.epochs.add(born.epoch, born.secret)
        slot = Slot(message, self.epochs.sending.number, self.epochs.previous)
        return slot, self.epochs.sending.step()

    # ---- opening ----

    def open(self, packet: bytes, day: int = 0) -> tuple["Session", "Opened"]:
        """The next state and what was in the packet, or Refused, and then nothing has changed. [SES-19]

        `day` counts whole days; it dates the keys that are skipped and lets old ones go.
        """
        sealed_header, body = packet[:SEALED_BYTES], packet[SEALED_BYTES:]
        people = self.people.associated()
        after = copy.deepcopy(self)
        after.ratchet.skipped.age(day)
        after.epochs.skipped.age(day)
        header_key, header = after.ratchet.open_header(sealed_header)
        if header.ephemeral:
            key = after.ratchet.ephemeral_key(header_key, header)
            return self, Opened(open_body(key, people, sealed_header, body), ephemeral=True)
        slot = Slot.decode(header.slot)
        key = after.ratchet.receive(header_key, header, day)
        epoch_key = after.epochs.receive(slot.message.epoch - 1, slot.counter, slot.previous, day)
        content = open_body(mix(epoch_key, key), people, sealed_header, body)
        failure = after._hear(slot)
        return after, Opened(content, failure=failure)

    def _hear(self, slot: Slot) -> str | None:
        """The Braid hears a packet whose body has opened [SES-38]. A failure breaks the session and is told."""
        if self.braid is None:
            return None
        try:
            self.braid, born = braid.receive(self.braid, slot.message)
        except Refused as refused:
            self.braid = None
            return refused.reason
        if born is not None:
            self.epochs.add(born.epoch, born.secret)
        self.epochs.send_under(self.braid.epoch - 1)
        return None


@dataclass(frozen=True)
class Opened:
    """`failure` is why the Braid failed inside this packet, whose content holds nevertheless."""

    content: bytes
    ephemeral: bool = False
    failure: str | None = field(default=None)


def bucket(content: bytes) -> int:
    """The smallest bucket that holds the content."""
    for length in BUCKETS:
        if len(content) + OVERHEAD_BYTES <= length:
            return length
    raise Refused("Length")
