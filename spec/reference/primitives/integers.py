"""Integers as bytes: big-endian, of a fixed length, everywhere outside CBOR."""


def be8(value: int) -> bytes:
    return value.to_bytes(1, "big")


def be16(value: int) -> bytes:
    return value.to_bytes(2, "big")


def be32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def be64(value: int) -> bytes:
    return value.to_bytes(8, "big")


def split(data: bytes, *lengths: int) -> list[bytes]:
    """`data` cut into pieces of these lengths, which must add up."""
    if sum(lengths) != len(data):
        raise ValueError(f"{len(data)} bytes do not split into {lengths}")
    pieces, start = [], 0
    for length in lengths:
        pieces.append(data[start : start + length])
        start += length
    return pieces
