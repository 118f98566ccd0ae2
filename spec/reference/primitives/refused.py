"""Bytes from outside that are refused, and why. The reasons are those of spec/vectors (`error`)."""


class Refused(Exception):
    """What was given is refused; whoever holds a state keeps it as it was. `reason` is one word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def require(condition: bool, reason: str) -> None:
    """Refuses with `reason` unless `condition` holds."""
    if not condition:
        raise Refused(reason)
