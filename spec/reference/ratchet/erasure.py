"""The erasure code: objects cut into 96-byte chunks, any N different ones of which give the object back. [SES-39]

An object of N chunks is N * 48 symbols of 16 bits; symbol i belongs to polynomial i mod 48 and is its value at i / 48.
The polynomials have degrees below N. Chunk k is their 48 values at k, so the chunks below N are the object's own bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from primitives.refused import Refused, require
from ratchet.gf16 import lagrange, multiply

CHUNK_BYTES = 96
SYMBOLS = CHUNK_BYTES // 2
INDICES = 65_536  # after which they begin anew [SES-37]


@dataclass(frozen=True)
class Layout:
    """How long an object is, and how many chunks it fills; what is left over is zero."""

    length: int

    @property
    def chunks(self) -> int:
        return -(-self.length // CHUNK_BYTES)


def _symbols(chunk: bytes) -> list[int]:
    return [int.from_bytes(chunk[i : i + 2], "big") for i in range(0, CHUNK_BYTES, 2)]


def _evaluate(chunks: Mapping[int, bytes], x: int) -> bytes:
    """The chunk at `x` of the polynomials through these chunks."""
    if x in chunks:
        return chunks[x]
    values = [0] * SYMBOLS
    for coefficient, chunk in zip(lagrange(list(chunks), x), chunks.values()):
        for i, symbol in enumerate(_symbols(chunk)):
            values[i] ^= multiply(coefficient, symbol)
    return b"".join(value.to_bytes(2, "big") for value in values)


def encode(data: bytes, index: int) -> bytes:
    """Chunk `index` of an object, 96 bytes."""
    padded = data + bytes(-len(data) % CHUNK_BYTES)
    chunks = {k: padded[CHUNK_BYTES * k : CHUNK_BYTES * (k + 1)] for k in range(len(padded) // CHUNK_BYTES)}
    return _evaluate(chunks, index)


@dataclass(frozen=True)
class Decoder:
    """Chunks of one object by index. The first of an index stays; N are enough and more are ignored."""

    layout: Layout
    chunks: Mapping[int, bytes] = field(default_factory=dict)

    def add(self, index: int, chunk: bytes) -> "Decoder":
        if self.complete or index in self.chunks:
            return self
        return Decoder(self.layout, {**self.chunks, index: chunk})

    @property
    def complete(self) -> bool:
        return len(self.chunks) == self.layout.chunks

    def decode(self) -> bytes:
        """The object; Refused("Padding") where what fills the last chunk is not zero."""
        if not self.complete:
            raise Refused("Incomplete")
        padded = b"".join(_evaluate(self.chunks, k) for k in range(self.layout.chunks))
        require(not any(padded[self.layout.length :]), "Padding")
        return padded[: self.layout.length]
