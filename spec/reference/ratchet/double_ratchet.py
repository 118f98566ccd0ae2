"""The Double Ratchet with header encryption (Signal, The Double Ratchet Algorithm, section 4). [SES-12] to [SES-16]

A step's sending half waits for the next seal. Everything here changes in place: who may have to go back keeps a copy.
"""

from dataclasses import dataclass, field

from primitives import x25519
from primitives.randomness import Randomness
from primitives.refused import Refused, require
from ratchet.chain import Start, Step, chain_step
from ratchet.header import Header
from ratchet.skipped import Skipped, require_gap


@dataclass
class SendingChain:
    header_key: bytes
    chain_key: bytes
    ephemeral_key: bytes
    number: int = 0


@dataclass
class ReceivingChain:
    header_key: bytes
    chain_key: bytes
    ephemeral_key: bytes
    number: int = 0


@dataclass
class DoubleRatchet:
    """`sending` is absent while the sending half of a step waits; `previous` is the length of the chain before it."""

    root_key: bytes
    ratchet_secret: bytes
    peer_key: bytes | None
    next_sending_header_key: bytes
    next_receiving_header_key: bytes
    sending: SendingChain | None = None
    receiving: ReceivingChain | None = None
    previous: int = 0
    skipped: Skipped[bytes] = field(default_factory=Skipped)

    @classmethod
    def initiator(cls, start: Start, signed_prekey: bytes, randomness: Randomness) -> "DoubleRatchet":
        """Alice steps at once, with Bob's signed prekey as his first ratchet key. Draws 32 bytes."""
        ratchet = cls(
            root_key=start.root_key,
            ratchet_secret=b"",
            peer_key=signed_prekey,
            next_sending_header_key=start.initiator_header_key,
            next_receiving_header_key=start.responder_header_key,
        )
        ratchet._step_sending(randomness)
        return ratchet

    @classmethod
    def responder(cls, start: Start, signed_secret: bytes) -> "DoubleRatchet":
        return cls(
            root_key=start.root_key,
            ratchet_secret=signed_secret,
            peer_key=None,
            next_sending_header_key=start.responder_header_key,
            next_receiving_header_key=start.initiator_header_key,
        )

    # ---- sending ----

    def prepare_sending(self, randomness: Randomness) -> SendingChain:
        """The chain to seal with; takes the sending half of a step where it waits, and draws 32 bytes then."""
        require(self.peer_key is not None, "NotYet")
        if self.sending is None:
            self._step_sending(randomness)
        assert self.sending is not None
        return self.sending

    def next_message_key(self) -> bytes:
        """The message key of the packet numbered `sending.number`, which is spent by it."""
        assert self.sending is not None
        self.sending.chain_key, key = chain_step(self.sending.chain_key)
        self.sending.number += 1
        return key

    @property
    def ratchet_key(self) -> bytes:
        return x25519.public_key(self.ratchet_secret)

    def _step_sending(self, randomness: Randomness) -> None:
        assert self.peer_key is not None
        self.ratchet_secret = randomness.draw(32)
        step = Step.derive(self.root_key, x25519.agree(self.ratchet_secret, self.peer_key))
        self.root_key = step.root_key
        self.sending = SendingChain(self.next_sending_header_key, step.chain_key, step.ephemeral_key)
        self.next_sending_header_key = step.next_header_key

    # ---- receiving ----

    def open_header(self, sealed: bytes) -> tuple[bytes, Header]:
        """The header and the key that opened it: of the receiving chain, the next one, or an ended one. [SES-19]"""
        for key in self.header_keys():
            try:
                return key, Header.open(key, sealed)
            except Refused as refused:
                if refused.reason != "NotOurs":
                    raise
        raise Refused("NotOurs")

    def header_keys(self) -> list[bytes]:
        """In the order of trial."""
        current = [] if self.receiving is None else [self.receiving.header_key]
        return [*current, self.next_receiving_header_key, *self.skipped.ended]

    def receive(self, header_key: bytes, header: Header, day: int) -> bytes:
        """The message key of a packet whose header this key opened."""
        if header_key == self.next_receiving_header_key:
            self._step_receiving(header, day)
        receiving = self.receiving
        if receiving is None or header_key != receiving.header_key or header.number < receiving.number:
            return self.skipped.take(header_key, header.number)
        require(header.ratchet_key == self.peer_key, "MalformedHeader")
        self._walk(header.number, day)
        receiving.chain_key, key = chain_step(receiving.chain_key)
        receiving.number += 1
        return key

    def ephemeral_key(self, header_key: bytes, header: Header) -> bytes:
        """The key of an ephemeral packet, which must be of the step that is received now. [SES-22]"""
        receiving = self.receiving
        if receiving is None or header_key != receiving.header_key:
            raise Refused("EphemeralOutOfStep")
        require(header.ratchet_key == self.peer_key, "MalformedHeader")
        return receiving.ephemeral_key

    def _step_receiving(self, header: Header, day: int) -> None:
        """The receiving half of a step; refused while our own sending half of the last one waits. [SES-15]"""
        require(self.receiving is None or self.sending is not None, "MalformedHeader")
        if self.receiving is not None:
            self._walk(header.previous, day)
            self.skipped.end(self.receiving.header_key)
        step = Step.derive(self.root_key, x25519.agree(self.ratchet_secret, header.ratchet_key))
        self.root_key = step.root_key
        self.peer_key = header.ratchet_key
        self.receiving = ReceivingChain(self.next_receiving_header_key, step.chain_key, step.ephemeral_key)
        self.next_receiving_header_key = step.next_header_key
        if self.sending is not None:
            self.previous = self.sending.number
        self.sending = None

    def _walk(self, number: int, day: int) -> None:
        """Walks the receiving chain to `number`; the keys passed over are kept."""
        receiving = self.receiving
        assert receiving is not None
        require_gap(receiving.number, number)
        while receiving.number < number:
            receiving.chain_key, key = chain_step(receiving.chain_key)
            self.skipped.keep(receiving.header_key, receiving.number, key, day)
            receiving.number += 1
