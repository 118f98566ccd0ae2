"""The Braid's slot in a header, 112 bytes: what it says, and where the packet stands in its epoch chain. [SES-40]"""

from dataclasses import dataclass
from enum import IntEnum

from primitives.integers import be8, be16, be32, split
from primitives.refused import require
from ratchet.erasure import CHUNK_BYTES

SLOT_BYTES = 112


class Chunk(IntEnum):
    """What a chunk is of. A header is one chunk, of index 0. VECTOR_CT1_CAME is of the same object as VECTOR."""

    NONE = 0
    HEADER = 1
    VECTOR = 2
    VECTOR_CT1_CAME = 3
    CT1 = 4
    CT2 = 5


@dataclass(frozen=True)
class Message:
    """What the Braid says in one packet: the sender's epoch, and a chunk or none."""

    epoch: int
    kind: Chunk = Chunk.NONE
    index: int = 0
    chunk: bytes = bytes(CHUNK_BYTES)


@dataclass(frozen=True)
class Slot:
    """`counter` counts the sender's packets in chain epoch - 1, `previous` those that its chain epoch - 2 had."""

    message: Message
    counter: int
    previous: int

    def encode(self) -> bytes:
        message = self.message
        front = be32(message.epoch) + be8(message.kind) + be16(message.index) + be32(self.counter) + be32(self.previous)
        return front + be8(0) + message.chunk

    @classmethod
    def decode(cls, data: bytes) -> "Slot":
        """Strict: Refused("MalformedHeader") for whatever no sender writes."""
        *fields, chunk = split(data, 4, 1, 2, 4, 4, 1, CHUNK_BYTES)
        epoch, kind, index, counter, previous, zero = (int.from_bytes(field, "big") for field in fields)
        require(epoch >= 1 and kind <= Chunk.CT2 and zero == 0, "MalformedHeader")
        require(kind not in (Chunk.NONE, Chunk.HEADER) or index == 0, "MalformedHeader")
        require(kind != Chunk.NONE or not any(chunk), "MalformedHeader")
        return cls(Message(epoch, Chunk(kind), index, chunk), counter, previous)
