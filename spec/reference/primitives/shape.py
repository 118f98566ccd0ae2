"""Reading a decoded CBOR value as the type that inner.cddl gives it; another shape is Refused("Malformed")."""

from primitives.cbor import Value
from primitives.refused import Refused, require


class Fields:
    """A map whose keys are taken one by one; `end` refuses what nobody asked for."""

    def __init__(self, value: Value) -> None:
        if not isinstance(value, dict):
            raise Refused("Malformed")
        self._left = dict(value)

    def take(self, key: int) -> Value:
        require(key in self._left, "Malformed")
        return self._left.pop(key)

    def unsigned(self, key: int, size: int = 8) -> int:
        """An unsigned integer of at most `size` bytes."""
        value = self.take(key)
        if isinstance(value, bool) or not isinstance(value, int) or value >= 1 << 8 * size:
            raise Refused("Malformed")
        return value

    def bytes(self, key: int, length: int | None = None) -> bytes:
        """A byte string, of `length` bytes where that is given."""
        value = self.take(key)
        if not isinstance(value, bytes) or length not in (None, len(value)):
            raise Refused("Malformed")
        return value

    def text(self, key: int, limit: int) -> str:
        """Text of at most `limit` bytes of UTF-8."""
        value = self.take(key)
        if not isinstance(value, str) or len(value.encode("utf-8")) > limit:
            raise Refused("Malformed")
        return value

    def array(self, key: int) -> list[Value]:
        value = self.take(key)
        if not isinstance(value, list):
            raise Refused("Malformed")
        return value

    def __contains__(self, key: int) -> bool:
        return key in self._left

    def end(self) -> None:
        require(not self._left, "Malformed")
