"""X-Wing (draft-connolly-cfrg-xwing-kem): X25519 and ML-KEM-768 as one KEM."""

import hashlib

from primitives import mlkem, x25519
from primitives.integers import split
from primitives.refused import require

SECRET_BYTES = 32
KEY_BYTES = 1_216
CIPHERTEXT_BYTES = 1_120
ENCAPSULATION_SEED_BYTES = 64

_LABEL = rb"\./" + rb"/^" + b"\\"


def _expand(secret: bytes) -> tuple[mlkem.KeyPair, bytes]:
    """expandDecapsulationKey: the ML-KEM pair and the X25519 secret of 32 bytes."""
    seed, agreement = split(hashlib.shake_256(secret).digest(96), 64, 32)
    return mlkem.key_pair(mlkem.ML_KEM_768, seed), agreement


def _combine(kem_secret: bytes, agreed: bytes, ciphertext_point: bytes, key_point: bytes) -> bytes:
    return hashlib.sha3_256(kem_secret + agreed + ciphertext_point + key_point + _LABEL).digest()


def public_key(secret: bytes) -> bytes:
    """The ML-KEM key, 1,184 bytes, then the X25519 key."""
    pair, agreement = _expand(secret)
    return pair.ek + x25519.public_key(agreement)


def require_valid(key: bytes) -> None:
    """Length, and the checks of the ML-KEM half (FIPS 203 section 7.2)."""
    require(len(key) == KEY_BYTES, "Length")
    mlkem.require_valid(mlkem.ML_KEM_768, key[:1_184])


def encapsulate(key: bytes, seed: bytes) -> tuple[bytes, bytes]:
    """Shared secret and ciphertext, from 64 random bytes: the first half is ML-KEM's, the second the ephemeral key."""
    require(len(key) == KEY_BYTES, "Length")
    kem_key, point = split(key, 1_184, 32)
    m, ephemeral = split(seed, 32, 32)
    kem_secret, kem_ciphertext = mlkem.encapsulate(mlkem.ML_KEM_768, kem_key, m)
    ephemeral_point = x25519.public_key(ephemeral)
    agreed = x25519.agree_unchecked(ephemeral, point)
    return _combine(kem_secret, agreed, ephemeral_point, point), kem_ciphertext + ephemeral_point


def decapsulate(secret: bytes, ciphertext: bytes) -> bytes:
    """The shared secret of a ciphertext of 1,120 bytes."""
    require(len(ciphertext) == CIPHERTEXT_BYTES, "Length")
    pair, agreement = _expand(secret)
    kem_ciphertext, point = split(ciphertext, 1_088, 32)
    agreed = x25519.agree_unchecked(agreement, point)
    return _combine(pair.decapsulate(kem_ciphertext), agreed, point, x25519.public_key(agreement))
