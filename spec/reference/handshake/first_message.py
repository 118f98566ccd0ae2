"""First messages and repair handshakes: 4,096 bytes, sealed to the weekly seal key. [SES-9], [SES-25]"""

from people.prekey import PrekeySecret
from primitives import aead, hpke, padding, xwing
from primitives.integers import be32
from primitives.randomness import Randomness
from primitives.refused import require
from registry import FIRST_MESSAGE_BYTES, label

TAG_BYTES = 16
SEAL_ID_BYTES = 4


def _padded_bytes(front: bytes) -> int:
    return FIRST_MESSAGE_BYTES - len(front) - xwing.CIPHERTEXT_BYTES - aead.TAG_BYTES


def _seal(front: bytes, name: str, seal_key: bytes, message: bytes, randomness: Randomness) -> bytes:
    """What stands in front is the associated data. Draws 64 bytes."""
    padded = padding.pad(message, _padded_bytes(front))
    return front + hpke.seal(seal_key, label(name), front, padded, randomness.draw(xwing.ENCAPSULATION_SEED_BYTES))


def seal_first(seal_id: int, seal_key: bytes, message: bytes, randomness: Randomness) -> bytes:
    """Behind the seal key's id."""
    return _seal(be32(seal_id), "first message", seal_key, message, randomness)


def seal_repair(tag: bytes, seal_key: bytes, message: bytes, randomness: Randomness) -> bytes:
    """Behind the tag of a repair bundle."""
    return _seal(tag, "repair", seal_key, message, randomness)


def open_first(secret: PrekeySecret, envelope: bytes) -> bytes:
    """The encoded first message, or Refused: another length, another seal key, or nothing of ours."""
    require(len(envelope) == FIRST_MESSAGE_BYTES, "Length")
    front, sealed = envelope[:SEAL_ID_BYTES], envelope[SEAL_ID_BYTES:]
    require(front == be32(secret.id), "Prekeys")
    return padding.unpad(hpke.open_sealed(secret.secret, label("first message"), front, sealed))


def open_repair(secret: PrekeySecret, envelope: bytes) -> bytes:
    """The same behind a tag, which finds the secret and is authenticated with the rest."""
    require(len(envelope) == FIRST_MESSAGE_BYTES, "Length")
    front, sealed = envelope[:TAG_BYTES], envelope[TAG_BYTES:]
    return padding.unpad(hpke.open_sealed(secret.secret, label("repair"), front, sealed))
