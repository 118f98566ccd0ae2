"""The header of a packet, sealed under a header key with a fresh random nonce. [SES-13]"""

from dataclasses import dataclass

from primitives import aead
from primitives.integers import be8, be32, split
from primitives.refused import Refused, require
from ratchet.slot import SLOT_BYTES

PLAIN_BYTES = 32 + 4 + 4 + 1 + SLOT_BYTES
SEALED_BYTES = aead.NONCE_BYTES + PLAIN_BYTES + aead.TAG_BYTES

MESSAGE, EPHEMERAL = 0, 1


@dataclass(frozen=True)
class Header:
    """`slot` is the encoded slot of the Braid; of an ephemeral packet it and both counters are zero."""

    ratchet_key: bytes
    previous: int
    number: int
    ephemeral: bool
    slot: bytes

    def encode(self) -> bytes:
        flag = EPHEMERAL if self.ephemeral else MESSAGE
        return self.ratchet_key + be32(self.previous) + be32(self.number) + be8(flag) + self.slot

    @classmethod
    def decode(cls, data: bytes) -> "Header":
        key, previous, number, flag, slot = split(data, 32, 4, 4, 1, SLOT_BYTES)
        require(flag[0] in (MESSAGE, EPHEMERAL), "MalformedHeader")
        header = cls(key, int.from_bytes(previous, "big"), int.from_bytes(number, "big"), flag[0] == EPHEMERAL, slot)
        if header.ephemeral:
            require(header.previous == 0 and header.number == 0 and not any(slot), "MalformedHeader")
        return header

    def seal(self, header_key: bytes, nonce: bytes) -> bytes:
        """nonce ‖ ciphertext ‖ tag."""
        return nonce + aead.seal(header_key, nonce, self.encode())

    @classmethod
    def open(cls, header_key: bytes, sealed: bytes) -> "Header":
        """The header under this key; Refused("NotOurs") where the key does not open it, also one that is cut."""
        require(len(sealed) == SEALED_BYTES, "NotOurs")
        nonce, ciphertext = sealed[: aead.NONCE_BYTES], sealed[aead.NONCE_BYTES :]
        try:
            plain = aead.open_sealed(header_key, nonce, ciphertext)
        except Refused:
            raise Refused("NotOurs") from None
        return cls.decode(plain)
