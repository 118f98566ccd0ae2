"""What agreed and what did not."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from primitives.refused import Refused

SPEC = Path(__file__).resolve().parents[2]

Entry = dict[str, str]


class Tally:
    """Counts of one subject; a disagreement is kept in words."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.computed = 0
        self.refused = 0
        self.disagreements: list[str] = []
        self.note = ""

    def equal(self, what: str, ours: object, theirs: object) -> None:
        """Something computed again must be what the vector says."""
        self.computed += 1
        if ours != theirs:
            self.disagreements.append(f"{what}: {_short(ours)}, the vector has {_short(theirs)}")

    def refuses(self, what: str, reason: str | None, attempt: Callable[[], object]) -> None:
        """`attempt` must be refused, for `reason` where one is told."""
        self.refused += 1
        try:
            attempt()
        except Refused as refused:
            if reason is not None and refused.reason != reason:
                self.disagreements.append(f"{what}: refused as {refused.reason}, the vector says {reason}")
        else:
            self.disagreements.append(f"{what}: taken, the vector says refused")

    @contextmanager
    def taken(self, what: str) -> Iterator[None]:
        """What happens inside must not be refused or fail."""
        try:
            yield
        except Refused as refused:
            self.disagreements.append(f"{what}: refused as {refused.reason}, the vector says taken")
        except (KeyError, ValueError, TypeError, AssertionError) as error:
            self.disagreements.append(f"{what}: {type(error).__name__}: {error}")


def vectors(name: str) -> Any:
    """The content of spec/vectors/`name`."""
    return json.loads((SPEC / "vectors" / name).read_text(encoding="utf-8"))


def splice(data: bytes, entry: Entry) -> bytes:
    """`data` with `remove` bytes replaced by `insert` at `at`; without these fields, as it is."""
    if "at" not in entry:
        return data
    at, remove = int(entry["at"]), int(entry["remove"])
    return data[:at] + bytes.fromhex(entry["insert"]) + data[at + remove :]


def _short(value: object) -> str:
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= 80 else f"{text[:48]}…{text[-24:]} ({len(text)} characters)"
