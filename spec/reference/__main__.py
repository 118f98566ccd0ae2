"""Recomputes everything and prints what agreed: `python spec/reference`. Exits 1 on any disagreement."""

import sys
import time
from collections.abc import Callable

from checks import bounds, braid, handshake, kem, people, ratchet, registry, relay, strictness, talks
from checks.tally import Tally

CHECKS: dict[str, Callable[[Tally], None]] = {
    "registry.toml": registry.registered,
    "CBOR": strictness.encodings,
    "points": strictness.points,
    "manifest.json": people.manifests,
    "prekey.json": people.prekeys,
    "link.json": people.links,
    "bundle.json": people.bundles,
    "safety_number.json": people.safety_numbers,
    "xwing.json": handshake.xwings,
    "pqxdh.json": handshake.pqxdhs,
    "first_message.json": handshake.first_messages,
    "forward.json": relay.forwards,
    "mlkem768.json": kem.kems,
    "erasure.json": braid.erasures,
    "braid.json": braid.braids,
    "ratchet.json": ratchet.ratchets,
    "chunks": bounds.chunks,
    "ML-KEM in halves": bounds.halves,
    "slots": bounds.slots,
    "sessions": bounds.sessions,
    "two sessions talk": talks.talks,
}

# Of each subject's disagreements; the first tells most.
SHOWN = 20


def run(subject: str, check: Callable[[Tally], None]) -> Tally:
    """One subject: its line of the table, and its disagreements below."""
    tally, started = Tally(subject), time.monotonic()
    with tally.taken("the check"):
        check(tally)
    verdict = "agrees" if not tally.disagreements else f"{len(tally.disagreements)} DISAGREE"
    seconds = time.monotonic() - started
    print(f"{subject:<24}{tally.computed:>10}{tally.refused:>10}{seconds:>9.1f} s  {verdict}  {tally.note}".rstrip())
    for disagreement in tally.disagreements[:SHOWN]:
        print(f"    {disagreement}")
    if len(tally.disagreements) > SHOWN:
        print(f"    and {len(tally.disagreements) - SHOWN} more")
    sys.stdout.flush()
    return tally


def main() -> int:
    print(f"{'':<24}{'computed':>10}{'refused':>10}")
    tallies = [run(subject, check) for subject, check in CHECKS.items()]
    return 1 if any(tally.disagreements for tally in tallies) else 0


if __name__ == "__main__":
    sys.exit(main())
