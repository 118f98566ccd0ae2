"""The handshake as it travels, and the name that it gives the session. [SES-8]"""

import hashlib
from dataclasses import dataclass

from people.manifest import Manifest
from people.prekey import Kind
from primitives import cbor
from primitives.refused import require
from primitives.shape import Fields
from registry import VERSION, label

CIPHERTEXT_BYTES = 1_568


@dataclass(frozen=True)
class Handshake:
    """What Alice sends. `kem_kind` tells which of two prekey ids is named; `invitation` is a bundle id or absent."""

    manifest: cbor.Value
    device_id: bytes
    responder_manifest_hash: bytes
    responder_device_id: bytes
    signed_id: int
    kem_kind: Kind
    kem_id: int
    ephemeral_key: bytes
    ciphertext: bytes
    invitation: bytes | None

    def encode(self) -> bytes:
        return cbor.encode(self.value())

    def value(self) -> cbor.Value:
        value: dict[int, cbor.Value] = {
            0: VERSION,
            1: self.manifest,
            2: self.device_id,
            3: self.responder_manifest_hash,
            4: self.responder_device_id,
            5: self.signed_id,
            (6 if self.kem_kind == Kind.ONE_TIME_PAIR else 7): self.kem_id,
            8: self.ephemeral_key,
            9: self.ciphertext,
        }
        if self.invitation is not None:
            value[10] = self.invitation
        return value

    @classmethod
    def read(cls, value: cbor.Value) -> "Handshake":
        """A handshake of this version that names exactly one of pair and last resort."""
        fields = Fields(value)
        require(fields.unsigned(0) == VERSION, "Version")
        manifest, device_id = fields.take(1), fields.bytes(2, 16)
        responder_hash, responder_device_id = fields.bytes(3, 32), fields.bytes(4, 16)
        signed_id = fields.unsigned(5, 4)
        require((6 in fields) != (7 in fields), "Prekeys")
        kind = Kind.ONE_TIME_PAIR if 6 in fields else Kind.LAST_RESORT
        kem_id = fields.unsigned(6 if kind == Kind.ONE_TIME_PAIR else 7, 4)
        ephemeral_key, ciphertext = fields.bytes(8, 32), fields.bytes(9)
        invitation = fields.bytes(10, 16) if 10 in fields else None
        fields.end()
        require(len(ciphertext) == CIPHERTEXT_BYTES, "Length")
        return cls(
            manifest,
            device_id,
            responder_hash,
            responder_device_id,
            signed_id,
            kind,
            kem_id,
            ephemeral_key,
            ciphertext,
            invitation,
        )

    @classmethod
    def decode(cls, data: bytes) -> "Handshake":
        return cls.read(cbor.decode(data))

    def name(self) -> bytes:
        """The handshake's name, and the session's."""
        return hashlib.sha256(label("handshake") + self.encode()).digest()

    def initiator(self) -> Manifest:
        """The initiator's manifest, verified."""
        return Manifest.read(self.manifest)
