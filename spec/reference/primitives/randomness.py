"""Randomness is an argument: bytes that were given, in the order in which they are drawn."""

import hashlib
from typing import Protocol


class Randomness(Protocol):
    def draw(self, length: int) -> bytes:
        """The next `length` bytes."""
        ...


class Given:
    """The random bytes that a vector lists. Drawing more than there is, or leaving some, is a disagreement."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def draw(self, length: int) -> bytes:
        drawn = self._data[self._at : self._at + length]
        if len(drawn) != length:
            raise ValueError(f"{length} random bytes wanted, {len(drawn)} left")
        self._at += length
        return drawn

    @property
    def left(self) -> int:
        return len(self._data) - self._at


class Seeded:
    """Endless bytes from a seed, for talks that replay: SHA-256 of seed and a counter."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._block = 0
        self._left = b""

    def draw(self, length: int) -> bytes:
        while len(self._left) < length:
            self._left += hashlib.sha256(self._seed + self._block.to_bytes(8, "big")).digest()
            self._block += 1
        drawn, self._left = self._left[:length], self._left[length:]
        return drawn

    def below(self, bound: int) -> int:
        """A number from 0 to `bound` - 1, near enough to evenly."""
        return int.from_bytes(self.draw(8), "big") % bound
