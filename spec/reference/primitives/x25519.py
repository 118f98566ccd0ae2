"""X25519 (RFC 7748 section 5) that takes canonical points alone and gives no zero secret. [SES-5]"""

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from primitives.refused import Refused, require

KEY_BYTES = 32
PRIME = 2**255 - 19


def public_key(secret: bytes) -> bytes:
    """The point of a secret of 32 bytes, which RFC 7748 clamps where it is used."""
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def require_point(point: bytes) -> None:
    """Refuses a u-coordinate of p or more (also one with the highest bit set), and one of small order.

    A scalar is a multiple of 8, so any one of them, here 8 itself, leads a point of small order to zero.
    """
    require(len(point) == KEY_BYTES, "Length")
    require(int.from_bytes(point, "little") < PRIME, "NonCanonicalPoint")
    agree_unchecked((8).to_bytes(32, "little"), point)


def agree(secret: bytes, point: bytes) -> bytes:
    """The shared secret, 32 bytes; Refused where the point is not canonical or the result is all zero."""
    require_point(point)
    return agree_unchecked(secret, point)


def agree_unchecked(secret: bytes, point: bytes) -> bytes:
    """X25519 as RFC 7748 has it, but for an all-zero result, which is refused (section 6.1)."""
    try:
        return X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(point))
    except ValueError:
        raise Refused("NonContributory") from None
