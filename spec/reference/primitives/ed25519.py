"""Ed25519 (RFC 8032), verified strictly: neither key nor R may be of small order or in a second spelling. [SES-1]"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from primitives.refused import Refused, require

PRIME = 2**255 - 19
# y of the eight points whose order divides 8: the neutral one, (0, -1), two of order 4 (y = 0), and four of order 8,
# whose y are the roots of d·y⁴ + 2·y² = 1.
_Y8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
SMALL_ORDER_Y = frozenset({0, 1, PRIME - 1, _Y8, PRIME - _Y8})


def public_key(seed: bytes) -> bytes:
    """The public key of a seed of 32 bytes (RFC 8032 section 5.1.5)."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed: bytes, message: bytes) -> bytes:
    """A signature of 64 bytes (RFC 8032 section 5.1.6): the same seed and message give the same bytes."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def verify(key: bytes, message: bytes, signature: bytes) -> None:
    """Refused("Signature") unless `signature` is over `message` by `key` (RFC 8032 section 5.1.7, without cofactor)."""
    require(len(key) == 32 and len(signature) == 64, "Signature")
    for point in (key, signature[:32]):
        y = int.from_bytes(point, "little") & (2**255 - 1)
        require(y < PRIME and y not in SMALL_ORDER_Y, "Signature")
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise Refused("Signature") from None
