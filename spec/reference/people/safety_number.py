"""Safety numbers: twelve groups of five digits that both read aloud. [SES-29]"""

import hashlib
import re

from primitives.refused import require
from registry import label

SHAPE = re.compile(r"[0-9]{5}( [0-9]{5}){11}", re.ASCII)


def _half(root: bytes) -> str:
    """Six groups, from the first thirty bytes of the hash."""
    digest = hashlib.sha256(label("safety number") + root).digest()
    groups = (int.from_bytes(digest[5 * i : 5 * i + 5], "big") % 100_000 for i in range(6))
    return " ".join(f"{group:05}" for group in groups)


def safety_number(one: bytes, other: bytes) -> str:
    """Of two roots, the same whichever comes first."""
    return " ".join(sorted((_half(one), _half(other))))


def require_shape(text: str) -> None:
    """Refused("Malformed") for what is no safety number."""
    require(SHAPE.fullmatch(text) is not None, "Malformed")
