"""The body of a packet: padded content under the key that both ratchets gave. [SES-17], [SES-18]"""

from primitives import aead, padding
from primitives.refused import Refused, require
from ratchet.chain import body_key
from ratchet.header import SEALED_BYTES

OVERHEAD_BYTES = SEALED_BYTES + aead.TAG_BYTES + 1


def seal_body(message_key: bytes, people: bytes, sealed_header: bytes, content: bytes, packet_bytes: int) -> bytes:
    """The sealed body of a packet of `packet_bytes`; `people` is what stands before the header in associated data."""
    padded = padding.pad(content, packet_bytes - SEALED_BYTES - aead.TAG_BYTES)
    key, nonce = body_key(message_key, sealed_header)
    return aead.seal(key, nonce, padded, people + sealed_header)


def open_body(message_key: bytes, people: bytes, sealed_header: bytes, body: bytes) -> bytes:
    """The content, or Refused: "BodyNotAuthentic", or "MalformedBody" for one that nobody honest seals."""
    require(len(body) >= aead.TAG_BYTES, "MalformedBody")
    key, nonce = body_key(message_key, sealed_header)
    try:
        padded = aead.open_sealed(key, nonce, body, people + sealed_header)
    except Refused:
        raise Refused("BodyNotAuthentic") from None
    try:
        return padding.unpad(padded)
    except Refused:
        raise Refused("MalformedBody") from None
