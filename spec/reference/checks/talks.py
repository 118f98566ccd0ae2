"""The reference against itself: two sessions that talk for several epochs over a network that loses and reorders."""

import copy
import os
from dataclasses import dataclass, field

from checks.tally import Tally
from primitives import x25519
from primitives.randomness import Seeded
from primitives.refused import Refused
from ratchet.braid_states import State
from ratchet.session import People, Session

STATES = 11
SEED = os.environ.get("SEED", "81b2")
PEOPLE = People(bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 16, bytes([4]) * 16)


@dataclass(frozen=True)
class Pattern:
    """How they talk: packets in a row of alice and of bob; of a hundred how many are lost; among how many waiting one
    is delivered next.

    Nothing is passed over more than `waiting` times: what is later than five ended chains may be given up. [SES-20]
    """

    name: str
    bursts: tuple[int, int]
    loss: int
    waiting: int
    packets: int


PATTERNS = (
    Pattern("ping-pong", bursts=(1, 1), loss=0, waiting=1, packets=240),
    Pattern("bursts of 5", bursts=(5, 5), loss=0, waiting=1, packets=400),
    Pattern("bursts of 5, 10 % lost", bursts=(5, 5), loss=10, waiting=1, packets=400),
    Pattern("one talks seven times as much", bursts=(7, 1), loss=0, waiting=1, packets=400),
    Pattern("bursts of 3, out of order", bursts=(3, 3), loss=0, waiting=8, packets=400),
    Pattern("bursts of 7, 20 % lost, out of order", bursts=(7, 7), loss=20, waiting=10, packets=600),
)


@dataclass
class UnderWay:
    content: bytes
    packet: bytes
    passed_over: int = 0


@dataclass
class Talk:
    """Both sessions, what is under way to each, and what was seen."""

    chance: Seeded
    alice: Session
    bob: Session
    under_way: dict[str, list[UnderWay]] = field(default_factory=lambda: {"alice": [], "bob": []})
    states: set[type[State]] = field(default_factory=set)
    opened: int = 0

    @classmethod
    def begin(cls, seed: bytes) -> "Talk":
        chance = Seeded(seed)
        secret, signed_secret = chance.draw(32), chance.draw(32)
        alice = Session.initiator(PEOPLE, secret, x25519.public_key(signed_secret), chance)
        return cls(chance, alice, Session.responder(PEOPLE, secret, signed_secret))

    def seal(self, name: str, loss: int) -> None:
        content = self.chance.draw(1 + self.chance.below(40))
        after, packet = getattr(self, name).seal(content, self.chance)
        setattr(self, name, after)
        self._see(after)
        if self.chance.below(100) >= loss:
            self.under_way["bob" if name == "alice" else "alice"].append(UnderWay(content, packet))

    def deliver(self, name: str, waiting: int, tally: Tally) -> None:
        """One of the first `waiting` packets under way arrives; a replay of it afterwards must change nothing."""
        content, packet = self._next(self.under_way[name], waiting)
        before = copy.deepcopy(getattr(self, name))
        after, opened = before.open(packet)
        if before != getattr(self, name):
            tally.disagreements.append("opening changed the state before")
        tally.equal("content", (opened.content, opened.failure), (content, None))
        tally.refuses("a replay", None, lambda: after.open(packet))
        setattr(self, name, after)
        self._see(after)
        self.opened += 1

    def _next(self, queue: list[UnderWay], waiting: int) -> tuple[bytes, bytes]:
        late = queue[0].passed_over >= waiting
        at = 0 if late else self.chance.below(min(waiting, len(queue)))
        for passed in queue[:at]:
            passed.passed_over += 1
        chosen = queue.pop(at)
        return chosen.content, chosen.packet

    def _see(self, session: Session) -> None:
        assert session.braid is not None
        self.states.add(type(session.braid))


def talks(tally: Tally) -> None:
    """Every pattern, from a seed that is printed; SEED=… tools/spec-reference takes another."""
    epochs = []
    states: set[type[State]] = set()
    for number, pattern in enumerate(PATTERNS):
        talk = Talk.begin(f"{SEED} {number}".encode())
        with tally.taken(pattern.name):
            _run(talk, pattern, tally)
        states |= talk.states
        epochs.append(talk.bob.epochs.sending.epoch)
    tally.equal("states seen", len(states), STATES)
    tally.note = f"SEED={SEED}, to epochs {', '.join(map(str, epochs))}"


def _run(talk: Talk, pattern: Pattern, tally: Tally) -> None:
    names = ("alice", "bob")
    turn, sealed = 0, 0
    while sealed < pattern.packets:
        for _ in range(pattern.bursts[turn]):
            try:
                talk.seal(names[turn], pattern.loss)
            except Refused as refused:
                if refused.reason != "NotYet":
                    raise
            sealed += 1
        other = names[1 - turn]
        while len(talk.under_way[other]) >= pattern.waiting:
            talk.deliver(other, pattern.waiting, tally)
        turn = 1 - turn
    for name in names:
        while talk.under_way[name]:
            talk.deliver(name, pattern.waiting, tally)
