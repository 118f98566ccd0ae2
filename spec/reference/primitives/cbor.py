"""Deterministic CBOR (RFC 8949 section 4.2.1), as much of it as the protocol uses, strict both ways. [REL-1]

Unsigned integers, byte strings, text, arrays, maps with unsigned keys, booleans. Integers and lengths are the
shortest, lengths definite, keys ascending and each once, nothing is after. Anything else is Refused("Malformed").
"""

from typing import Union

from primitives.refused import Refused, require

Value = Union[int, bytes, str, bool, list["Value"], dict[int, "Value"]]

UNSIGNED, BYTES, TEXT, ARRAY, MAP, SIMPLE = 0, 2, 3, 4, 5, 7
FALSE, TRUE = 20, 21


def encode(value: Value) -> bytes:
    """The one encoding of `value`."""
    if isinstance(value, bool):
        return _head(SIMPLE, TRUE if value else FALSE)
    if isinstance(value, int):
        return _head(UNSIGNED, value)
    if isinstance(value, bytes):
        return _head(BYTES, len(value)) + value
    if isinstance(value, str):
        text = value.encode("utf-8")
        return _head(TEXT, len(text)) + text
    if isinstance(value, list):
        return _head(ARRAY, len(value)) + b"".join(encode(item) for item in value)
    items = sorted(value.items())
    return _head(MAP, len(items)) + b"".join(encode(key) + encode(item) for key, item in items)


def decode(data: bytes) -> Value:
    """The value of all of `data`."""
    value, end = _value(data, 0)
    require(end == len(data), "Malformed")
    return value


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    for extra, length in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << 8 * length:
            return bytes([major << 5 | extra]) + argument.to_bytes(length, "big")
    raise ValueError("an integer of more than 64 bits")


def _read_head(data: bytes, at: int) -> tuple[int, int, int]:
    """Major type, argument, and where it ends; only the shortest form is taken."""
    require(at < len(data), "Malformed")
    major, extra = data[at] >> 5, data[at] & 31
    if extra < 24:
        return major, extra, at + 1
    require(extra <= 27, "Malformed")
    end = at + 1 + (1 << extra - 24)
    require(end <= len(data), "Malformed")
    argument = int.from_bytes(data[at + 1 : end], "big")
    require(_head(major, argument) == data[at:end], "Malformed")
    return major, argument, end


def _value(data: bytes, at: int) -> tuple[Value, int]:
    major, argument, at = _read_head(data, at)
    if major == UNSIGNED:
        return argument, at
    if major in (BYTES, TEXT):
        return _string(data, at, argument, major)
    if major == ARRAY:
        return _array(data, at, argument)
    if major == MAP:
        return _map(data, at, argument)
    require(major == SIMPLE and argument in (FALSE, TRUE), "Malformed")
    return argument == TRUE, at


def _string(data: bytes, at: int, length: int, major: int) -> tuple[Value, int]:
    end = at + length
    require(end <= len(data), "Malformed")
    if major == BYTES:
        return data[at:end], end
    try:
        return data[at:end].decode("utf-8"), end
    except UnicodeDecodeError:
        raise Refused("Malformed") from None


def _array(data: bytes, at: int, length: int) -> tuple[Value, int]:
    items: list[Value] = []
    for _ in range(length):
        item, at = _value(data, at)
        items.append(item)
    return items, at


def _map(data: bytes, at: int, length: int) -> tuple[Value, int]:
    items: dict[int, Value] = {}
    last = -1
    for _ in range(length):
        major, key, at = _read_head(data, at)
        require(major == UNSIGNED and key > last, "Malformed")
        items[key], at = _value(data, at)
        last = key
    return items, at
