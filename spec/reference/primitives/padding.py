"""Padding of what is sealed: content ‖ 0x80 ‖ 0x00*. [SES-18]"""

from primitives.refused import require


def pad(content: bytes, length: int) -> bytes:
    """`content` padded to `length` bytes; at least one byte of padding."""
    require(len(content) < length, "Length")
    return content + b"\x80" + bytes(length - len(content) - 1)


def unpad(padded: bytes) -> bytes:
    """The content; Refused("Padding") where no 0x80 stands before the zeros."""
    stripped = padded.rstrip(b"\x00")
    require(stripped.endswith(b"\x80"), "Padding")
    return stripped[:-1]
