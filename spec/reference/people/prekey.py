"""Prekeys: four kinds of public key, each signed by a device for one root. [SES-3]"""

from dataclasses import dataclass
from enum import IntEnum

from primitives import cbor, ed25519, mlkem, x25519, xwing
from primitives.integers import split
from primitives.refused import require
from primitives.shape import Fields
from registry import label


class Kind(IntEnum):
    """registry.toml, numbers.prekey_kind."""

    SIGNED = 0
    ONE_TIME_PAIR = 1
    LAST_RESORT = 2
    SEAL = 3


# Bytes of the private halves, and of the keys: X25519; X25519 ‖ ML-KEM-1024; ML-KEM-1024; X-Wing.
SECRET_BYTES = {Kind.SIGNED: 32, Kind.ONE_TIME_PAIR: 96, Kind.LAST_RESORT: 64, Kind.SEAL: 32}
KEY_BYTES = {Kind.SIGNED: 32, Kind.ONE_TIME_PAIR: 1_600, Kind.LAST_RESORT: 1_568, Kind.SEAL: 1_216}


@dataclass(frozen=True)
class Prekey:
    """The body of a prekey; times are Unix seconds."""

    kind: Kind
    id: int
    created: int
    expires: int
    key: bytes

    def body(self) -> cbor.Value:
        return {0: int(self.kind), 1: self.id, 2: self.created, 3: self.expires, 4: self.key}

    def signed_bytes(self, root: bytes, device_id: bytes) -> bytes:
        return label("prekey") + root + device_id + cbor.encode(self.body())

    def sign(self, root: bytes, device_id: bytes, signing_seed: bytes) -> bytes:
        """The encoded prekey."""
        return cbor.encode({0: self.body(), 1: ed25519.sign(signing_seed, self.signed_bytes(root, device_id))})

    @classmethod
    def read(
        cls, value: cbor.Value, kind: Kind, root: bytes, device_id: bytes, signing_key: bytes, now: int
    ) -> "Prekey":
        """A prekey that may be used now: kind, length, a canonical and usable key, signature, expiry, in this order."""
        outer = Fields(value)
        body, signature = Fields(outer.take(0)), outer.bytes(1, 64)
        outer.end()
        number = body.unsigned(0)
        rest = body.unsigned(1, 4), body.unsigned(2), body.unsigned(3), body.bytes(4)
        body.end()
        require(number == kind, "PrekeyKind")
        prekey = cls(kind, *rest)
        _require_key(prekey)
        ed25519.verify(signing_key, prekey.signed_bytes(root, device_id), signature)
        require(now < prekey.expires, "Expired")
        return prekey


def _require_key(prekey: Prekey) -> None:
    """Refuses a key of the wrong length, and one whose parts are no usable keys."""
    key = prekey.key
    require(len(key) == KEY_BYTES[prekey.kind], "Length")
    if prekey.kind == Kind.SIGNED:
        x25519.require_point(key)
    elif prekey.kind == Kind.ONE_TIME_PAIR:
        x25519.require_point(key[:32])
        mlkem.require_valid(mlkem.ML_KEM_1024, key[32:])
    elif prekey.kind == Kind.LAST_RESORT:
        mlkem.require_valid(mlkem.ML_KEM_1024, key)
    else:
        mlkem.require_valid(mlkem.ML_KEM_768, key[:1_184])
        x25519.require_point(key[1_184:])


@dataclass(frozen=True)
class PrekeySecret:
    """The private half, as vectors list it: kind 1 ‖ id 4 ‖ creation 8 ‖ expiry 8 ‖ secret.

    The secret is an X25519 secret, d ‖ z of ML-KEM, the two in this order for a pair, or the 32 bytes of X-Wing.
    """

    kind: Kind
    id: int
    created: int
    expires: int
    secret: bytes

    @classmethod
    def decode(cls, data: bytes) -> "PrekeySecret":
        kind = Kind(data[0])
        *numbers, secret = split(data[1:], 4, 8, 8, SECRET_BYTES[kind])
        number, created, expires = (int.from_bytes(field, "big") for field in numbers)
        return cls(kind, number, created, expires, secret)

    @property
    def agreement_secret(self) -> bytes:
        """Of a signed prekey or a pair: its X25519 secret."""
        return self.secret[:32]

    def kem_pair(self) -> mlkem.KeyPair:
        """Of a pair or a last-resort prekey: its ML-KEM-1024 key."""
        return mlkem.key_pair(mlkem.ML_KEM_1024, self.secret[-64:])

    def prekey(self) -> Prekey:
        return Prekey(self.kind, self.id, self.created, self.expires, self._key())

    def _key(self) -> bytes:
        if self.kind == Kind.SIGNED:
            return x25519.public_key(self.secret)
        if self.kind == Kind.ONE_TIME_PAIR:
            return x25519.public_key(self.agreement_secret) + self.kem_pair().ek
        if self.kind == Kind.LAST_RESORT:
            return self.kem_pair().ek
        return xwing.public_key(self.secret)
