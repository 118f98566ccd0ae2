"""Keys of packets that did not come yet, kept within bounds. [SES-20]

The Double Ratchet keeps them by header key and number, the Braid's chains by epoch and number; the bounds are the same.
"""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from primitives.refused import require
from registry import SKIPPED_CHAINS_MAX, SKIPPED_GAP_MAX, SKIPPED_KEY_SECS, SKIPPED_KEYS_MAX

DAY_SECS = 86_400

Chain = TypeVar("Chain", bytes, int)


@dataclass
class Skipped(Generic[Chain]):
    """Rows in the order of skipping: (chain, number) to (key, day). `ended` are old chains of which rows are left."""

    rows: dict[tuple[Chain, int], tuple[bytes, int]] = field(default_factory=dict)
    ended: list[Chain] = field(default_factory=list)

    def keep(self, chain: Chain, number: int, key: bytes, day: int) -> None:
        """One more key; the oldest gives way beyond the bound."""
        self.rows[chain, number] = (key, day)
        if len(self.rows) > SKIPPED_KEYS_MAX:
            del self.rows[next(iter(self.rows))]
            self._forget_empty()

    def take(self, chain: Chain, number: int) -> bytes:
        """The key of one packet, which is gone then; Refused("Replayed") where there is none."""
        require((chain, number) in self.rows, "Replayed")
        key, _ = self.rows.pop((chain, number))
        self._forget_empty()
        return key

    def end(self, chain: Chain) -> None:
        """The chain gets no more keys; beyond the bound the oldest ended one gives way with all it has."""
        self.ended.append(chain)
        self._forget_empty()
        while len(self.ended) > SKIPPED_CHAINS_MAX:
            oldest = self.ended.pop(0)
            self.rows = {at: row for at, row in self.rows.items() if at[0] != oldest}

    def age(self, day: int) -> None:
        """Deletes what was skipped 28 days ago, counted in whole days."""
        oldest = day - SKIPPED_KEY_SECS // DAY_SECS
        self.rows = {at: row for at, row in self.rows.items() if row[1] > oldest}
        self._forget_empty()

    def _forget_empty(self) -> None:
        alive = {chain for chain, _ in self.rows}
        self.ended = [chain for chain in self.ended if chain in alive]


def require_gap(number: int, wanted: int) -> None:
    """A walk from `number` to `wanted` skips at most 2,000."""
    require(wanted - number <= SKIPPED_GAP_MAX, "GapTooLarge")
