"""What the parts under everything refuse: one spelling of CBOR, no keys and points of small order."""

from checks.tally import Tally
from primitives import cbor, ed25519, x25519
from primitives.integers import be8

NOT_DETERMINISTIC = {
    "an integer longer than it must be": "1800",
    "a length longer than it must be": "580100",
    "an indefinite string": "5f4100ff",
    "an indefinite map": "bf0000ff",
    "keys out of order": "a201000000",
    "a key twice": "a200000000",
    "a key that is text": "a1616100",
    "a negative integer": "20",
    "a tag": "c000",
    "null": "f6",
    "a float": "f90000",
    "a string that is cut": "4200",
    "text that is not UTF-8": "61ff",
    "a byte behind": "0000",
    "nothing": "",
}


def encodings(tally: Tally) -> None:
    """Deterministic CBOR is taken back as it was; everything else is Malformed."""
    value: cbor.Value = {
        0: 23,
        1: 24,
        2: [2**16, 2**32, 2**64 - 1],
        24: b"\x00",
        300: "ü",
        301: {},
        302: True,
        303: False,
    }
    tally.equal("a value", cbor.decode(cbor.encode(value)), value)
    for what, encoded in NOT_DETERMINISTIC.items():
        tally.refuses(what, "Malformed", lambda: cbor.decode(bytes.fromhex(encoded)))


def points(tally: Tally) -> None:
    """A signature that is right for every message, by a key of small order; points of X25519 in a second spelling."""
    tally.equal("y of order 8", _order_eight(), 0)
    neutral = be8(1) + bytes(31)
    tally.refuses("a key of small order", "Signature", lambda: ed25519.verify(neutral, b"any", neutral + bytes(32)))
    seed = bytes(range(32))
    key, signature = ed25519.public_key(seed), ed25519.sign(seed, b"message")
    with tally.taken("a signature"):
        ed25519.verify(key, b"message", signature)
        tally.computed += 1
    second = int.from_bytes(signature[32:], "little") + 2**252 + 27742317777372353535851937790883648493
    larger = signature[:32] + second.to_bytes(32, "little")
    tally.refuses("s in a second spelling", "Signature", lambda: ed25519.verify(key, b"message", larger))
    for what, number, reason in (
        ("p + 9", x25519.PRIME + 9, "NonCanonicalPoint"),
        ("the highest bit", 9 | 1 << 255, "NonCanonicalPoint"),
        ("zero", 0, "NonContributory"),
        ("one", 1, "NonContributory"),
        ("p - 1", x25519.PRIME - 1, "NonContributory"),
    ):
        tally.refuses(what, reason, lambda: x25519.agree(seed, number.to_bytes(32, "little")))


def _order_eight() -> int:
    """d·y⁴ + 2·y² - 1 of a listed y, which is zero for the points of order 8 (RFC 8032 section 5.1 for d)."""
    prime = ed25519.PRIME
    d = -121665 * pow(121666, -1, prime)
    y = min(ed25519.SMALL_ORDER_Y - {0, 1})
    return (d * y**4 + 2 * y**2 - 1) % prime
