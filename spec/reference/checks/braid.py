"""erasure.json and braid.json"""

from collections.abc import Callable
from typing import NamedTuple

from checks.tally import Entry, Tally, vectors
from primitives.randomness import Given
from ratchet import braid, erasure
from ratchet.authenticator import Authenticator
from ratchet.braid_states import State, epoch_secret, first_state
from ratchet.slot import Chunk, Message


def _field(entry: Entry, name: str) -> bytes:
    return bytes.fromhex(entry[name])


# ---- the erasure code ----


def erasures(tally: Tally) -> None:
    content = vectors("erasure.json")
    for entry in content["accepted"]:
        data = _field(entry, "object")
        if "chunk" in entry:
            chunk = erasure.encode(data, int(entry["index"]))
            tally.equal(f"chunk {entry['index']} of {entry['chunks']}", chunk.hex(), entry["chunk"])
        else:
            with tally.taken(entry["indices"]):
                tally.equal(f"the object of {entry['indices']}", _decode(entry, len(data)), data)
    for entry in content["refused"]:
        tally.refuses(entry["why"], entry["error"], lambda: _decode(entry, int(entry["bytes"])))


def _decode(entry: Entry, length: int) -> bytes:
    decoder = erasure.Decoder(erasure.Layout(length))
    if decoder.layout.chunks != int(entry["chunks"]):
        raise ValueError(f"{length} bytes do not fill {entry['chunks']} chunks")
    given, size = _field(entry, "given"), erasure.CHUNK_BYTES
    for at, index in enumerate(entry["indices"].split()):
        decoder = decoder.add(int(index), given[size * at : size * (at + 1)])
    return decoder.decode()


# ---- single steps ----


def _authenticator_start(tally: Tally, entry: Entry) -> None:
    _equal(tally, entry, **vars(Authenticator.start(_field(entry, "braid_secret"))))


def _authenticator_update(tally: Tally, entry: Entry) -> None:
    before = Authenticator(_field(entry, "from_root"), bytes(32))
    _equal(tally, entry, **vars(before.update(int(entry["epoch"]), _field(entry, "epoch_secret"))))


def _epoch_secret(tally: Tally, entry: Entry) -> None:
    _equal(tally, entry, epoch_secret=epoch_secret(int(entry["epoch"]), _field(entry, "kem_secret")))


def _header_tag(tally: Tally, entry: Entry) -> None:
    auth = Authenticator(bytes(32), _field(entry, "mac_key"))
    _equal(tally, entry, tag=auth.header_mac(int(entry["epoch"]), _field(entry, "header")))


def _ciphertext_tag(tally: Tally, entry: Entry) -> None:
    auth = Authenticator(bytes(32), _field(entry, "mac_key"))
    ciphertext = _field(entry, "ct1") + _field(entry, "ct2")
    _equal(tally, entry, tag=auth.ciphertext_mac(int(entry["epoch"]), ciphertext))


def _equal(tally: Tally, entry: Entry, **ours: bytes) -> None:
    """Each of `ours` must be the field of that name."""
    for name, value in ours.items():
        tally.equal(f"{entry['step']}: {name}", value.hex(), entry[name])


STEPS: dict[str, Callable[[Tally, Entry], None]] = {
    "authenticator start": _authenticator_start,
    "authenticator update": _authenticator_update,
    "epoch secret": _epoch_secret,
    "header tag": _header_tag,
    "ciphertext tag": _ciphertext_tag,
}


# ---- talks of two Braids ----


def braids(tally: Tally) -> None:
    content = vectors("braid.json")
    first = [entry["step"] for entry in content["accepted"]].index("begin")
    for entry in content["accepted"][:first]:
        STEPS[entry["step"]](tally, entry)
    talk = BraidTalk(tally)
    for at, entry in enumerate(content["accepted"][first:]):
        with tally.taken(f"entry {at}, {entry['step']}"):
            talk.go_on(entry)
    for entry in content["refused"]:
        tally.refuses(entry["why"], entry["error"], lambda: talk.refuse(entry))


class Sides(NamedTuple):
    """Both Braids as they are after an entry."""

    alice: State
    bob: State


class BraidTalk:
    """Every talk in order, and what stood after each entry, so that a refusal can be tried in the midst."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.after: list[Sides] = []
        self.messages: dict[str, Message] = {}

    def go_on(self, entry: Entry) -> None:
        if entry["step"] == "begin":
            secret = _field(entry, "braid_secret")
            self.after.append(Sides(first_state(True, secret), first_state(False, secret)))
            return
        state: State = getattr(self.after[-1], entry["by"])
        try:
            state, born = self._send(state, entry) if entry["step"] == "send" else self._receive(state, entry)
        finally:
            self.after.append(self.after[-1]._replace(**{entry["by"]: state}))
        what = f"entry {len(self.after) - 1}, {entry['step']}"
        self.tally.equal(f"{what}: state", f"{type(state).__name__}({state.epoch})", entry["braid"])
        self.tally.equal(f"{what}: secret", None if born is None else born.secret.hex(), entry.get("epoch_secret"))

    def _send(self, state: State, entry: Entry) -> tuple[State, braid.Born | None]:
        randomness = Given(_field(entry, "random"))
        state, message, born = braid.send(state, randomness)
        self.tally.equal(f"message {entry['message']}", message, _message(entry))
        self.tally.equal(f"random bytes left of {entry['message']}", randomness.left, 0)
        self.messages[entry["message"]] = message
        return state, born

    def _receive(self, state: State, entry: Entry) -> tuple[State, braid.Born | None]:
        """The message of that number, or the one that is written out, which a liar made."""
        message = self.messages[entry["message"]] if "message" in entry else _message(entry)
        return braid.receive(state, message)

    def refuse(self, entry: Entry) -> object:
        return braid.receive(getattr(self.after[int(entry["after"])], entry["by"]), _message(entry))


def _message(entry: Entry) -> Message:
    kind, index = Chunk(int(entry["type"])), int(entry["index"])
    return Message(int(entry["epoch"]), kind, index, _field(entry, "chunk"))
