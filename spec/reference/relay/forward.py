"""Two hops: the key of a week, commands sealed to it, and the sealed answers. [REL-64], [REL-65]

A request is week (4) ‖ X-Wing ciphertext (1,120) ‖ the padded command, sealed; a response is nonce (12) ‖ the padded
answer, sealed under what HPKE exports for it. Padded is length (4) ‖ the item ‖ zeros.
"""

import hashlib
from dataclasses import dataclass

from primitives import aead, cbor, ed25519, hpke, xwing
from primitives.integers import be8, be32
from primitives.randomness import Randomness
from primitives.refused import require
from registry import (
    FORWARD_ANSWER_BYTES,
    FORWARD_COMMAND_BYTES,
    FORWARD_REQUEST_BYTES,
    FORWARD_RESPONSE_BYTES,
    label,
)

LENGTH_BYTES = 4
WEEK_BYTES = 4
RESPONSE_KEY_BYTES = 32


def signed(identity: bytes, week: int, key: bytes) -> bytes:
    """What the relay identity signs of a key. [REL-64]"""
    name = label("forward key")
    return be8(len(name)) + name + identity + be32(week) + key


def verify_key(identity: bytes, week: int, key: bytes, signature: bytes) -> None:
    """Refused unless the relay with this identity signed the key, and commands can be sealed to it."""
    ed25519.verify(identity, signed(identity, week, key), signature)
    xwing.require_valid(key)


def pad(item: bytes, length: int) -> bytes:
    require(LENGTH_BYTES + len(item) <= length, "Length")
    return be32(len(item)) + item + bytes(length - LENGTH_BYTES - len(item))


def unpad(padded: bytes, length: int) -> cbor.Value:
    """The one item in front of nothing but zeros."""
    require(len(padded) == length, "Malformed")
    end = LENGTH_BYTES + int.from_bytes(padded[:LENGTH_BYTES], "big")
    require(end <= length and not any(padded[end:]), "Malformed")
    return cbor.decode(padded[LENGTH_BYTES:end])


def _info(identity: bytes, week: int) -> bytes:
    return label("forward request") + identity + be32(week)


def nonce(request: bytes) -> bytes:
    """What names the command to the relay, where a connection's nonce would be asked for."""
    return hashlib.sha256(request[WEEK_BYTES : WEEK_BYTES + xwing.CIPHERTEXT_BYTES]).digest()


@dataclass(frozen=True)
class Exchange:
    """One command on its way, at either end: what seals or opens the answer."""

    response_key: bytes

    def seal(self, item: bytes, randomness: Randomness) -> bytes:
        """The relay's answer. Draws 12 bytes."""
        drawn = randomness.draw(aead.NONCE_BYTES)
        return drawn + aead.seal(self.response_key, drawn, pad(item, FORWARD_ANSWER_BYTES))

    def open(self, response: bytes) -> cbor.Value:
        """What the relay answered, or Refused."""
        require(len(response) == FORWARD_RESPONSE_BYTES, "Length")
        drawn, sealed = response[: aead.NONCE_BYTES], response[aead.NONCE_BYTES :]
        return unpad(aead.open_sealed(self.response_key, drawn, sealed), FORWARD_ANSWER_BYTES)


def _exchange(context: hpke.Context) -> Exchange:
    return Exchange(context.export(label("forward response"), RESPONSE_KEY_BYTES))


def seal_request(identity: bytes, week: int, key: bytes, item: bytes, randomness: Randomness) -> tuple[bytes, Exchange]:
    """The client's half. Draws 64 bytes."""
    enc, context = hpke.sender(key, _info(identity, week), randomness.draw(xwing.ENCAPSULATION_SEED_BYTES))
    sealed = aead.seal(context.key, context.nonce, pad(item, FORWARD_COMMAND_BYTES))
    return be32(week) + enc + sealed, _exchange(context)


def open_request(identity: bytes, secret: bytes, request: bytes) -> tuple[cbor.Value, Exchange]:
    """The relay's half: the forwarded command, or Refused."""
    require(len(request) == FORWARD_REQUEST_BYTES, "Length")
    week, sealed = int.from_bytes(request[:WEEK_BYTES], "big"), request[WEEK_BYTES:]
    enc, ciphertext = sealed[: xwing.CIPHERTEXT_BYTES], sealed[xwing.CIPHERTEXT_BYTES :]
    context = hpke.receiver(secret, _info(identity, week), enc)
    plain = aead.open_sealed(context.key, context.nonce, ciphertext)
    return unpad(plain, FORWARD_COMMAND_BYTES), _exchange(context)
