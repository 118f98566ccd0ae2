"""xwing.json, pqxdh.json, first_message.json"""

from checks.tally import Entry, Tally, splice, vectors
from handshake import first_message
from handshake.message import Handshake
from handshake.pqxdh import Published, Responder, initiate, respond
from people.device_secret import DeviceSecret
from people.link import Link, RelayAddress
from people.prekey import PrekeySecret
from primitives import cbor, xwing
from primitives.randomness import Given
from primitives.refused import require
from primitives.shape import Fields

# The bundle that the invitations of pqxdh.json name.
INVITATION = b"\x1b" * 16


def xwings(tally: Tally) -> None:
    """The test vectors of the draft itself."""
    for entry in vectors("xwing.json"):
        secret, seed = bytes.fromhex(entry["sk"]), bytes.fromhex(entry["eseed"])
        key = xwing.public_key(secret)
        shared, ciphertext = xwing.encapsulate(key, seed)
        tally.equal("key", key.hex(), entry["pk"])
        tally.equal("ciphertext", ciphertext.hex(), entry["ct"])
        tally.equal("shared secret", shared.hex(), entry["ss"])
        tally.equal("decapsulated", xwing.decapsulate(secret, ciphertext), shared)


def pqxdhs(tally: Tally) -> None:
    content = vectors("pqxdh.json")
    shared, accepted = content["accepted"][0], content["accepted"][1:]
    for entry in accepted:
        with tally.taken(f"{entry['with']}, {entry['link']}"):
            _handshake_again(tally, shared, entry)
    first = bytes.fromhex(accepted[0]["handshake"])
    for entry in content["refused"]:
        spliced = splice(first, entry)
        if "other_secret" in entry:
            with tally.taken(entry["why"]):
                secret = _respond(shared, accepted[0], spliced)
                tally.equal(entry["why"], secret.hex(), entry["other_secret"])
                tally.equal("not the first's", secret.hex() == accepted[0]["secret"], False)
        else:
            tally.refuses(entry["why"], entry["error"], lambda: _respond(shared, accepted[0], spliced))


def _kem(shared: Entry, entry: Entry) -> PrekeySecret:
    name = {"OneTimePair": "one_time_secret", "LastResort": "last_resort_secret"}[entry["with"]]
    return PrekeySecret.decode(bytes.fromhex(shared[name]))


def _handshake_again(tally: Tally, shared: Entry, entry: Entry) -> None:
    """The same bytes and secret from the same randomness; and the secret again on the other side."""
    signed = PrekeySecret.decode(bytes.fromhex(shared["signed_secret"]))
    bob = Published(
        manifest=bytes.fromhex(shared["responder_manifest"]),
        device_id=bytes.fromhex(shared["responder_device_secret"])[:16],
        signed=signed.prekey(),
        kem=_kem(shared, entry).prekey(),
    )
    alice = DeviceSecret.decode(bytes.fromhex(shared["initiator_device_secret"]))
    randomness = Given(bytes.fromhex(shared["random"]))
    manifest = bytes.fromhex(shared["initiator_manifest"])
    handshake, secret = initiate(alice, manifest, bob, _link(shared, entry), randomness)
    tally.equal("handshake", handshake.encode().hex(), entry["handshake"])
    tally.equal("name", handshake.name().hex(), entry["id"])
    tally.equal("secret", secret.hex(), entry["secret"])
    tally.equal("the other side's", _respond(shared, entry, bytes.fromhex(entry["handshake"])), secret)


def _link(shared: Entry, entry: Entry) -> Link:
    """A link of which PQXDH uses kind, bundle and secret alone."""
    kind = ("Address", "Invitation").index(entry["link"])
    relay = RelayAddress("relay.example", 4433, 0, bytes(32))
    return Link(kind, relay, bytes(32), INVITATION, bytes.fromhex(shared["link_secret"]))


def _respond(shared: Entry, entry: Entry, handshake: bytes) -> bytes:
    invitation = (INVITATION, bytes.fromhex(shared["link_secret"])) if entry["link"] == "Invitation" else None
    bob = Responder(
        device=DeviceSecret.decode(bytes.fromhex(shared["responder_device_secret"])),
        manifest=bytes.fromhex(shared["responder_manifest"]),
        signed=PrekeySecret.decode(bytes.fromhex(shared["signed_secret"])),
        kem=_kem(shared, entry),
        invitation=invitation,
    )
    return respond(bob, Handshake.decode(handshake))


def first_messages(tally: Tally) -> None:
    content = vectors("first_message.json")
    shared, accepted = content["accepted"][0], content["accepted"][1:]
    secret, message = PrekeySecret.decode(bytes.fromhex(shared["seal_secret"])), bytes.fromhex(shared["message"])
    key = secret.prekey().key
    envelopes = {entry["sealed"]: bytes.fromhex(entry["envelope"]) for entry in accepted}
    with tally.taken("the message"):
        _require_message(message)
    for entry in accepted:
        randomness = Given(bytes.fromhex(entry["random"]))
        if entry["sealed"] == "repair":
            again = first_message.seal_repair(bytes.fromhex(entry["tag"]), key, message, randomness)
        else:
            again = first_message.seal_first(secret.id, key, message, randomness)
        tally.equal(f"{entry['sealed']} sealed again", again, envelopes[entry["sealed"]])
        with tally.taken(entry["sealed"]):
            tally.equal(f"{entry['sealed']} opened", _open(entry, secret, again), message)
    for entry in content["refused"]:
        spliced = splice(envelopes[entry["sealed"]], entry)
        tally.refuses(f"{entry['sealed']}: {entry['why']}", entry["error"], lambda: _open(entry, secret, spliced))


def _open(entry: Entry, secret: PrekeySecret, envelope: bytes) -> bytes:
    return (first_message.open_repair if entry["sealed"] == "repair" else first_message.open_first)(secret, envelope)


def _require_message(message: bytes) -> None:
    """first-message of inner.cddl: a handshake whose manifest is verified, and a packet."""
    fields = Fields(cbor.decode(message))
    Handshake.read(fields.take(0)).initiator()
    require(len(fields.bytes(1)) > 0, "Malformed")
    fields.end()
