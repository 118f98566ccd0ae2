"""HPKE base mode, one message a context (RFC 9180): X-Wing, HKDF-SHA256, ChaCha20-Poly1305. [SES-9]"""

from primitives import aead, xwing
from primitives.hkdf import expand, extract
from primitives.integers import be16

KEM_ID = 0x647A  # X-Wing (draft-connolly-cfrg-xwing-kem, IANA considerations)
KDF_ID = 0x0001  # HKDF-SHA256
AEAD_ID = 0x0003  # ChaCha20-Poly1305
SUITE_ID = b"HPKE" + be16(KEM_ID) + be16(KDF_ID) + be16(AEAD_ID)
MODE_BASE = b"\x00"


def _labeled_extract(salt: bytes, label: bytes, secret: bytes) -> bytes:
    """RFC 9180 section 4."""
    return extract(salt, b"HPKE-v1" + SUITE_ID + label + secret)


def _labeled_expand(key: bytes, label: bytes, info: bytes, length: int) -> bytes:
    """RFC 9180 section 4."""
    return expand(key, be16(length) + b"HPKE-v1" + SUITE_ID + label + info, length)


def _key_and_nonce(shared_secret: bytes, info: bytes) -> tuple[bytes, bytes]:
    """KeySchedule (RFC 9180 section 5.1) in base mode; the nonce is that of sequence number 0."""
    context = MODE_BASE + _labeled_extract(b"", b"psk_id_hash", b"") + _labeled_extract(b"", b"info_hash", info)
    secret = _labeled_extract(shared_secret, b"secret", b"")
    return _labeled_expand(secret, b"key", context, 32), _labeled_expand(secret, b"base_nonce", context, 12)


def seal(key: bytes, info: bytes, associated: bytes, plain: bytes, seed: bytes) -> bytes:
    """enc ‖ ciphertext (RFC 9180 section 6.1), with 64 random bytes for the encapsulation."""
    shared_secret, enc = xwing.encapsulate(key, seed)
    aead_key, nonce = _key_and_nonce(shared_secret, info)
    return enc + aead.seal(aead_key, nonce, plain, associated)


def open_sealed(secret: bytes, info: bytes, associated: bytes, sealed: bytes) -> bytes:
    """The plaintext of enc ‖ ciphertext, or Refused("Unopenable")."""
    enc, ciphertext = sealed[: xwing.CIPHERTEXT_BYTES], sealed[xwing.CIPHERTEXT_BYTES :]
    aead_key, nonce = _key_and_nonce(xwing.decapsulate(secret, enc), info)
    return aead.open_sealed(aead_key, nonce, ciphertext, associated)
