"""ratchet.json: every step by itself, then a conversation, and what is refused in the midst of it."""

from collections.abc import Callable

from checks.tally import Entry, Tally, splice, vectors
from primitives import x25519
from primitives.randomness import Given
from ratchet import chain
from ratchet.body import OVERHEAD_BYTES, open_body, seal_body
from ratchet.epoch_chains import EpochChains, epoch_step
from ratchet.header import SEALED_BYTES, Header
from ratchet.session import Opened, People, Session
from ratchet.slot import Chunk, Message, Slot


def ratchets(tally: Tally) -> None:
    content = vectors("ratchet.json")
    names = [entry["step"] for entry in content["accepted"]]
    begin = names.index("begin")
    for entry in content["accepted"][:begin]:
        with tally.taken(entry["step"]):
            STEPS[entry["step"]](tally, entry)
    talk = Conversation(tally, content["accepted"][begin])
    for entry in content["accepted"][begin + 1 :]:
        with tally.taken(f"{entry['step']} {entry['packet']} by {entry['by']}"):
            talk.go_on(entry)
    for entry in content["refused"]:
        if "step" in entry:
            tally.refuses(f"{entry['step']}: {entry['why']}", entry["error"], lambda: REFUSALS[entry["step"]](entry))
        elif entry["error"] == "Broken":
            with tally.taken(entry["why"]):
                talk.break_with(entry)
        else:
            tally.refuses(entry["why"], entry["error"], lambda: talk.refuse(entry))


# ---- single steps ----


def _field(entry: Entry, name: str) -> bytes:
    return bytes.fromhex(entry[name])


def _equal(tally: Tally, entry: Entry, **ours: bytes) -> None:
    """Each of `ours` must be the field of that name."""
    for name, value in ours.items():
        tally.equal(f"{entry['step']}: {name}", value.hex(), entry[name])


def _start(tally: Tally, entry: Entry) -> None:
    _equal(tally, entry, **vars(chain.Start.derive(_field(entry, "secret"))))


def _root_step(tally: Tally, entry: Entry) -> None:
    agreed = x25519.agree(_field(entry, "ours"), _field(entry, "theirs"))
    step = chain.Step.derive(_field(entry, "root_key"), agreed)
    _equal(tally, entry, agreed=agreed, next_root_key=step.root_key, chain_key=step.chain_key)
    _equal(tally, entry, next_header_key=step.next_header_key, ephemeral_key=step.ephemeral_key)


def _chain_step(tally: Tally, entry: Entry) -> None:
    next_key, message_key = chain.chain_step(_field(entry, "chain_key"))
    _equal(tally, entry, next_chain_key=next_key, message_key=message_key)


def _epoch_start(tally: Tally, entry: Entry) -> None:
    alice, bob = (EpochChains.start(_field(entry, "braid_secret"), initiator) for initiator in (True, False))
    _equal(tally, entry, next_epoch_root=alice.root, initiator_chain_key=alice.sending.chain_key)
    _equal(tally, entry, next_epoch_root=bob.root, responder_chain_key=bob.sending.chain_key)


def _chains(tally: Tally, entry: Entry) -> None:
    chains = EpochChains.start(bytes(32), initiator=True)
    chains.root = _field(entry, "epoch_root")
    chains.add(1, _field(entry, "epoch_secret"))
    assert chains.ahead_sending is not None and chains.ahead_receiving is not None
    _equal(tally, entry, next_epoch_root=chains.root, initiator_chain_key=chains.ahead_sending.chain_key)
    _equal(tally, entry, responder_chain_key=chains.ahead_receiving.chain_key)


def _epoch_step(tally: Tally, entry: Entry) -> None:
    next_key, message_key = epoch_step(_field(entry, "chain_key"), int(entry["number"]))
    _equal(tally, entry, next_chain_key=next_key, epoch_message_key=message_key)


def _mix(tally: Tally, entry: Entry) -> None:
    _equal(tally, entry, mixed=chain.mix(_field(entry, "epoch_message_key"), _field(entry, "message_key")))


def _body_key(tally: Tally, entry: Entry) -> None:
    key, nonce = chain.body_key(_field(entry, "message_key"), _field(entry, "sealed_header"))
    _equal(tally, entry, key=key, nonce=nonce)


def _slot(tally: Tally, entry: Entry) -> None:
    message = Message(int(entry["epoch"]), Chunk(int(entry["type"])), int(entry["index"]), _field(entry, "chunk"))
    slot = Slot(message, int(entry["counter"]), int(entry["previous"]))
    _equal(tally, entry, slot=slot.encode())
    tally.equal("slot decoded", Slot.decode(_field(entry, "slot")), slot)


def _header(tally: Tally, entry: Entry) -> None:
    header = Header.decode(_field(entry, "header"))
    _equal(tally, entry, header=header.encode())
    _equal(tally, entry, sealed_header=header.seal(_field(entry, "header_key"), _field(entry, "nonce")))
    tally.equal("header opened", _open_header(entry), header)


def _body(tally: Tally, entry: Entry) -> None:
    before = _field(entry, "message_key"), _field(entry, "associated_data"), _field(entry, "sealed_header")
    _equal(tally, entry, body=seal_body(*before, _field(entry, "content"), int(entry["packet_bytes"])))
    _equal(tally, entry, content=_open_body(entry))


def _open_header(entry: Entry) -> Header:
    return Header.open(_field(entry, "header_key"), _field(entry, "sealed_header"))


def _open_body(entry: Entry) -> bytes:
    before = _field(entry, "message_key"), _field(entry, "associated_data"), _field(entry, "sealed_header")
    return open_body(*before, _field(entry, "body"))


STEPS: dict[str, Callable[[Tally, Entry], None]] = {
    "start": _start,
    "root step": _root_step,
    "chain step": _chain_step,
    "epoch start": _epoch_start,
    "chains": _chains,
    "epoch step": _epoch_step,
    "mix": _mix,
    "body key": _body_key,
    "slot": _slot,
    "header": _header,
    "body": _body,
}

REFUSALS: dict[str, Callable[[Entry], object]] = {
    "root step": lambda entry: x25519.agree(_field(entry, "ours"), _field(entry, "theirs")),
    "slot": lambda entry: Slot.decode(splice(_field(entry, "slot"), entry)),
    "header": _open_header,
    "body": _open_body,
}


# ---- the conversation ----


class Conversation:
    """Both sessions as they are after each entry, so that what is refused can be tried in the midst."""

    def __init__(self, tally: Tally, begin: Entry) -> None:
        fields = (_field(begin, name) for name in ("alice_root", "bob_root", "alice_device", "bob_device"))
        people, secret, signed = People(*fields), _field(begin, "secret"), _field(begin, "signed_secret")
        randomness = Given(_field(begin, "random"))
        alice = Session.initiator(people, secret, x25519.public_key(signed), randomness)
        self.tally = tally
        self.after: list[dict[str, Session]] = [{"alice": alice, "bob": Session.responder(people, secret, signed)}]
        self.contents: dict[str, bytes] = {}
        self.packets: dict[str, bytes] = {}

    def go_on(self, entry: Entry) -> None:
        session = self.after[-1][entry["by"]]
        self.after.append(dict(self.after[-1]))
        if entry["step"] == "open":
            self.after[-1][entry["by"]] = self._open(session, entry)
        else:
            self.contents[entry["packet"]] = _field(entry, "content")
            self.packets[entry["packet"]] = _field(entry, "bytes")
            self.after[-1][entry["by"]] = self._seal(session, entry)

    def _seal(self, session: Session, entry: Entry) -> Session:
        content, randomness = _field(entry, "content"), Given(_field(entry, "random"))
        if entry["step"] == "seal ephemeral":
            after, packet = session, session.seal_ephemeral(content, randomness)
        else:
            length = len(content) + OVERHEAD_BYTES if entry["padding"] == "none" else None
            after, packet = session.seal(content, randomness, length)
            assert after.ratchet.sending is not None
            header = Header.open(after.ratchet.sending.header_key, packet[:SEALED_BYTES])
            self.tally.equal(f"slot {entry['packet']}", header.slot.hex(), entry["slot"])
        self.tally.equal(f"packet {entry['packet']}", packet.hex(), entry["bytes"])
        self.tally.equal("random bytes left", randomness.left, 0)
        return after

    def _open(self, session: Session, entry: Entry) -> Session:
        after, opened = session.open(self.packets[entry["packet"]], int(entry["day"]))
        content = self.contents[entry["packet"]]
        self.tally.equal(f"content {entry['packet']}", (opened.content, opened.failure), (content, None))
        assert after.braid is not None
        state = f"{type(after.braid).__name__}({after.braid.epoch})"
        self.tally.equal(f"state after {entry['packet']}", state, entry["braid"])
        return after

    def refuse(self, entry: Entry) -> tuple[Session, Opened]:
        session = self.after[int(entry["after"])][entry["by"]]
        return session.open(splice(self.packets[entry["packet"]], entry), int(entry["day"]))

    def break_with(self, entry: Entry) -> None:
        """A packet that opens and breaks the session: its content stands, and nothing more is sealed."""
        session = self.after[int(entry["after"])][entry["by"]]
        after, opened = session.open(_field(entry, "bytes"), int(entry["day"]))
        self.tally.equal(entry["why"], (opened.content.hex(), after.broken), (entry["content"], True))
        self.tally.refuses(f"sealing after {entry['why']}", "Broken", lambda: after.seal(b"", Given(bytes(200))))
