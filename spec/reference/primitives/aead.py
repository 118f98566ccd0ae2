"""ChaCha20-Poly1305 with full tags (RFC 8439 section 2.8)."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from primitives.refused import Refused

NONCE_BYTES = 12
TAG_BYTES = 16


def seal(key: bytes, nonce: bytes, plain: bytes, associated: bytes = b"") -> bytes:
    """Ciphertext and tag."""
    return ChaCha20Poly1305(key).encrypt(nonce, plain, associated)


def open_sealed(key: bytes, nonce: bytes, sealed: bytes, associated: bytes = b"") -> bytes:
    """The plaintext, or Refused("Unopenable")."""
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, sealed, associated)
    except InvalidTag:
        raise Refused("Unopenable") from None
