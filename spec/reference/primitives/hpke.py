"""HPKE base mode, one message a context (RFC 9180): X-Wing, HKDF-SHA256, ChaCha20-Poly1305. [SES-9], [REL-65]"""

from dataclasses import dataclass

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


@dataclass(frozen=True)
class Context:
    """What both sides hold after the encapsulation (RFC 9180 section 5.1); the nonce is that of sequence number 0."""

    key: bytes
    nonce: bytes
    exporter_secret: bytes

    def export(self, exporter_context: bytes, length: int) -> bytes:
        """A secret for another use (RFC 9180 section 5.3)."""
        return _labeled_expand(self.exporter_secret, b"sec", exporter_context, length)


def _context(shared_secret: bytes, info: bytes) -> Context:
    """KeySchedule (RFC 9180 section 5.1) in base mode."""
    schedule = MODE_BASE + _labeled_extract(b"", b"psk_id_hash", b"") + _labeled_extract(b"", b"info_hash", info)
    secret = _labeled_extract(shared_secret, b"secret", b"")
    return Context(
        key=_labeled_expand(secret, b"key", schedule, 32),
        nonce=_labeled_expand(secret, b"base_nonce", schedule, 12),
        exporter_secret=_labeled_expand(secret, b"exp", schedule, 32),
    )


def sender(key: bytes, info: bytes, seed: bytes) -> tuple[bytes, Context]:
    """enc and context (RFC 9180 section 5.1.1), with 64 random bytes for the encapsulation."""
    shared_secret, enc = xwing.encapsulate(key, seed)
    return enc, _context(shared_secret, info)


def receiver(secret: bytes, info: bytes, enc: bytes) -> Context:
    """The context of who holds the secret key."""
    return _context(xwing.decapsulate(secret, enc), info)


def seal(key: bytes, info: bytes, associated: bytes, plain: bytes, seed: bytes) -> bytes:
    """enc ‖ ciphertext (RFC 9180 section 6.1), with 64 random bytes for the encapsulation."""
    enc, context = sender(key, info, seed)
    return enc + aead.seal(context.key, context.nonce, plain, associated)


def open_sealed(secret: bytes, info: bytes, associated: bytes, sealed: bytes) -> bytes:
    """The plaintext of enc ‖ ciphertext, or Refused("Unopenable")."""
    enc, ciphertext = sealed[: xwing.CIPHERTEXT_BYTES], sealed[xwing.CIPHERTEXT_BYTES :]
    context = receiver(secret, info, enc)
    return aead.open_sealed(context.key, context.nonce, ciphertext, associated)
