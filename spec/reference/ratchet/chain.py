"""The one-way steps of keys: root, chains, and the key of a body. [SES-15] to [SES-17]"""

import hashlib
from dataclasses import dataclass

from primitives.hkdf import NO_SALT, expand, hkdf
from primitives.integers import split
from registry import label


@dataclass(frozen=True)
class Start:
    """What the handshake's secret becomes. [SES-12]"""

    root_key: bytes
    initiator_header_key: bytes
    responder_header_key: bytes
    braid_secret: bytes

    @classmethod
    def derive(cls, secret: bytes) -> "Start":
        return cls(*split(hkdf(NO_SALT, secret, label("session"), 128), 32, 32, 32, 32))


@dataclass(frozen=True)
class Step:
    """What a Diffie-Hellman step gives. [SES-15]"""

    root_key: bytes
    chain_key: bytes
    next_header_key: bytes
    ephemeral_key: bytes

    @classmethod
    def derive(cls, root_key: bytes, agreed: bytes) -> "Step":
        return cls(*split(hkdf(root_key, agreed, label("root step"), 128), 32, 32, 32, 32))


def chain_step(chain_key: bytes) -> tuple[bytes, bytes]:
    """Next chain key and message key. [SES-16]"""
    next_key, message_key = split(expand(chain_key, label("chain step"), 64), 32, 32)
    return next_key, message_key


def mix(epoch_message_key: bytes, message_key: bytes) -> bytes:
    """The message key of both ratchets. [SES-14]"""
    return hkdf(epoch_message_key, message_key, label("message key"), 32)


def body_key(message_key: bytes, sealed_header: bytes) -> tuple[bytes, bytes]:
    """Key and nonce of a body, bound to the sealed header with its nonce. [SES-17]"""
    salt = hashlib.sha256(sealed_header).digest()
    key, nonce = split(hkdf(salt, message_key, label("body key"), 44), 32, 12)
    return key, nonce
