"""HKDF with SHA-256 (RFC 5869)."""

import hashlib
import hmac

NO_SALT = bytes(32)


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA256 (RFC 2104), 32 bytes."""
    return hmac.new(key, message, hashlib.sha256).digest()


def extract(salt: bytes, secret: bytes) -> bytes:
    """HKDF-Extract (RFC 5869 section 2.2): a pseudorandom key of 32 bytes."""
    return hmac_sha256(salt, secret)


def expand(key: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand (RFC 5869 section 2.3): `length` bytes, at most 255 * 32."""
    output, block = b"", b""
    for counter in range(1, (length + 31) // 32 + 1):
        block = hmac_sha256(key, block + info + bytes([counter]))
        output += block
    return output[:length]


def hkdf(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    """`HKDF(salt, input, info, n)` as 05-session.md writes it."""
    return expand(extract(salt, secret), info, length)
