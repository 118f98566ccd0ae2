"""The Braid's authenticator: a root that every epoch's secret goes into, and a key of tags. [SES-36]"""

import hmac
from dataclasses import dataclass

from primitives.hkdf import NO_SALT, hkdf, hmac_sha256
from primitives.integers import be64, split
from primitives.refused import require
from registry import label


@dataclass(frozen=True)
class Authenticator:
    root: bytes
    mac_key: bytes

    @classmethod
    def start(cls, braid_secret: bytes) -> "Authenticator":
        return cls._derive(braid_secret, 0)

    def update(self, epoch: int, epoch_secret: bytes) -> "Authenticator":
        return self._derive(self.root + epoch_secret, epoch)

    @classmethod
    def _derive(cls, secret: bytes, epoch: int) -> "Authenticator":
        return cls(*split(hkdf(NO_SALT, secret, label("braid authenticator") + be64(epoch), 64), 32, 32))

    def header_mac(self, epoch: int, rho_and_hash: bytes) -> bytes:
        """Over ρ ‖ H(ek), with the key from before the epoch's update. [SES-37]"""
        return hmac_sha256(self.mac_key, label("braid header") + be64(epoch) + rho_and_hash)

    def ciphertext_mac(self, epoch: int, ciphertext: bytes) -> bytes:
        """Over ct1 ‖ ct2, with the key from after the epoch's update. [SES-37]"""
        return hmac_sha256(self.mac_key, label("braid ciphertext") + be64(epoch) + ciphertext)


def require_mac(ours: bytes, theirs: bytes) -> None:
    require(hmac.compare_digest(ours, theirs), "NotAuthentic")
