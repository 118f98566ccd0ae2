"""The private half of a device, as vectors list it: id 16 ‖ Ed25519 seed 32 ‖ X25519 secret 32."""

from dataclasses import dataclass

from people.manifest import Device
from primitives import ed25519, x25519
from primitives.integers import split


@dataclass(frozen=True)
class DeviceSecret:
    id: bytes
    signing_seed: bytes
    agreement_secret: bytes

    @classmethod
    def decode(cls, data: bytes) -> "DeviceSecret":
        return cls(*split(data, 16, 32, 32))

    def device(self) -> Device:
        return Device(self.id, ed25519.public_key(self.signing_seed), x25519.public_key(self.agreement_secret))
