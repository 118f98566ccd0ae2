"""Manifests: which devices an account has, signed by its root. [SES-1]"""

import hashlib
from dataclasses import dataclass
from itertools import pairwise

from primitives import cbor, ed25519, x25519
from primitives.refused import Refused, require
from primitives.shape import Fields
from registry import MANIFEST_DEVICES_MAX, label


@dataclass(frozen=True)
class Device:
    """A device as its manifest lists it: 16 bytes of id, an Ed25519 and an X25519 key."""

    id: bytes
    signing_key: bytes
    agreement_key: bytes

    def value(self) -> cbor.Value:
        return {0: self.id, 1: self.signing_key, 2: self.agreement_key}

    @classmethod
    def read(cls, value: cbor.Value) -> "Device":
        fields = Fields(value)
        device = cls(fields.bytes(0, 16), fields.bytes(1, 32), fields.bytes(2, 32))
        fields.end()
        return device


@dataclass(frozen=True)
class Manifest:
    """The body of a manifest. `previous` is the hash of the one before, absent in the first."""

    root: bytes
    sequence: int
    previous: bytes | None
    devices: tuple[Device, ...]

    def body(self) -> cbor.Value:
        value: dict[int, cbor.Value] = {0: self.root, 1: self.sequence, 3: [device.value() for device in self.devices]}
        if self.previous is not None:
            value[2] = self.previous
        return value

    def signed_bytes(self) -> bytes:
        return label("manifest") + cbor.encode(self.body())

    def sign(self, root_seed: bytes) -> bytes:
        """The encoded manifest."""
        return cbor.encode({0: self.body(), 1: ed25519.sign(root_seed, self.signed_bytes())})

    def device(self, device_id: bytes) -> Device:
        """The device of this id, or Refused("UnknownDevice")."""
        for device in self.devices:
            if device.id == device_id:
                return device
        raise Refused("UnknownDevice")

    @classmethod
    def read(cls, value: cbor.Value) -> "Manifest":
        """A manifest whose signature and rules hold; else "Malformed", "Signature" or "Manifest", in this order."""
        outer = Fields(value)
        body, signature = Fields(outer.take(0)), outer.bytes(1, 64)
        outer.end()
        manifest = cls(
            root=body.bytes(0, 32),
            sequence=body.unsigned(1),
            previous=body.bytes(2, 32) if 2 in body else None,
            devices=tuple(Device.read(device) for device in body.array(3)),
        )
        body.end()
        ed25519.verify(manifest.root, manifest.signed_bytes(), signature)
        manifest._require_rules()
        return manifest

    @classmethod
    def decode(cls, data: bytes) -> "Manifest":
        return cls.read(cbor.decode(data))

    def _require_rules(self) -> None:
        require(self.sequence >= 1 and (self.previous is None) == (self.sequence == 1), "Manifest")
        require(1 <= len(self.devices) <= MANIFEST_DEVICES_MAX, "Manifest")
        ids = [device.id for device in self.devices]
        require(all(lower < higher for lower, higher in pairwise(ids)), "Manifest")
        for device in self.devices:
            _require_agreement_key(device.agreement_key)


def _require_agreement_key(key: bytes) -> None:
    try:
        x25519.require_point(key)
    except Refused:
        raise Refused("Manifest") from None


def manifest_hash(encoded: bytes) -> bytes:
    """The hash of a manifest: SHA-256 of the whole encoding, signature included."""
    return hashlib.sha256(encoded).digest()
