"""The epoch chains: one in each direction for every secret of the Braid; epoch 0 is of the handshake. [SES-41]"""

from dataclasses import dataclass, field

from primitives.hkdf import NO_SALT, expand, hkdf
from primitives.integers import be32, split
from primitives.refused import Refused, require
from ratchet.skipped import Skipped, require_gap
from registry import label


def epoch_step(chain_key: bytes, number: int) -> tuple[bytes, bytes]:
    """Next chain key and epoch message key of the packet `number`."""
    next_key, message_key = split(expand(chain_key, label("epoch step") + be32(number), 64), 32, 32)
    return next_key, message_key


@dataclass
class EpochChain:
    epoch: int
    chain_key: bytes
    number: int = 0

    def step(self) -> bytes:
        self.chain_key, key = epoch_step(self.chain_key, self.number)
        self.number += 1
        return key


@dataclass
class EpochChains:
    """`previous` is the length of our sending chain before this one; `ahead_*` are of the newest epoch, until begun."""

    initiator: bool
    root: bytes
    sending: EpochChain
    receiving: EpochChain
    previous: int = 0
    ahead_sending: EpochChain | None = None
    ahead_receiving: EpochChain | None = None
    skipped: Skipped[int] = field(default_factory=Skipped)

    @classmethod
    def start(cls, braid_secret: bytes, initiator: bool) -> "EpochChains":
        root, first, second = split(hkdf(NO_SALT, braid_secret, label("braid start"), 96), 32, 32, 32)
        ours, theirs = (first, second) if initiator else (second, first)
        return cls(initiator, root, EpochChain(0, ours), EpochChain(0, theirs))

    def add(self, epoch: int, epoch_secret: bytes) -> None:
        """The secret of `epoch` becomes a chain in each direction, which neither has begun yet."""
        assert self.ahead_sending is None and self.ahead_receiving is None
        self.root, first, second = split(hkdf(self.root, epoch_secret, label("braid chains"), 96), 32, 32, 32)
        ours, theirs = (first, second) if self.initiator else (second, first)
        self.ahead_sending, self.ahead_receiving = EpochChain(epoch, ours), EpochChain(epoch, theirs)

    def send_under(self, epoch: int) -> None:
        """Our sending moves to the chain of `epoch`, if it is not there yet; the old key is gone."""
        if self.sending.epoch == epoch:
            return
        assert self.ahead_sending is not None and self.ahead_sending.epoch == epoch
        self.previous = self.sending.number
        self.sending, self.ahead_sending = self.ahead_sending, None

    def receive(self, epoch: int, counter: int, previous: int, day: int) -> bytes:
        """The epoch message key of packet `counter` in the peer's chain of `epoch`."""
        if epoch == self.receiving.epoch + 1:
            self._begin_ahead(previous, day)
        if epoch < self.receiving.epoch or (epoch == self.receiving.epoch and counter < self.receiving.number):
            return self.skipped.take(epoch, counter)
        require(epoch == self.receiving.epoch, "MalformedHeader")
        self._walk(counter, day)
        return self.receiving.step()

    def _begin_ahead(self, previous: int, day: int) -> None:
        """The peer's old chain had `previous` packets: those that did not come are kept, and it ends."""
        if self.ahead_receiving is None:
            raise Refused("MalformedHeader")
        self._walk(previous, day)
        self.skipped.end(self.receiving.epoch)
        self.receiving, self.ahead_receiving = self.ahead_receiving, None

    def _walk(self, counter: int, day: int) -> None:
        require_gap(self.receiving.number, counter)
        while self.receiving.number < counter:
            number = self.receiving.number
            self.skipped.keep(self.receiving.epoch, number, self.receiving.step(), day)
