"""The transcript: everything that both sides must agree on. [SES-6]"""

import hashlib
from dataclasses import dataclass

from people.manifest import Device
from people.prekey import Kind
from primitives.integers import be8, be32
from registry import VERSION


@dataclass(frozen=True)
class Party:
    root: bytes
    manifest_hash: bytes
    device: Device


@dataclass(frozen=True)
class NamedKey:
    """A prekey as the transcript has it."""

    kind: Kind
    id: int
    key: bytes

    def encode(self) -> bytes:
        return be8(self.kind) + be32(self.id) + be32(len(self.key)) + self.key


@dataclass(frozen=True)
class Transcript:
    """Alice is the initiator and always comes first."""

    alice: Party
    bob: Party
    signed: NamedKey
    kem: NamedKey
    ephemeral_key: bytes
    ciphertext: bytes
    invitation: bytes | None

    def encode(self) -> bytes:
        parties = (self.alice, self.bob)
        parts = [be8(VERSION)]
        parts += [party.root for party in parties]
        parts += [party.manifest_hash for party in parties]
        parts += [p.device.id + p.device.signing_key + p.device.agreement_key for p in parties]
        parts += [self.signed.encode(), self.kem.encode(), self.ephemeral_key]
        parts += [be32(len(self.ciphertext)), self.ciphertext]
        parts += [be8(0) + bytes(16)] if self.invitation is None else [be8(1) + self.invitation]
        return b"".join(parts)

    def hash(self) -> bytes:
        return hashlib.sha256(self.encode()).digest()
