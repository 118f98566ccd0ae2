"""forward.json"""

import hashlib

from checks.tally import Entry, Tally, splice, vectors
from primitives import cbor, ed25519, xwing
from primitives.randomness import Given
from registry import FORWARD_COMMAND_BYTES
from relay import forward


def forwards(tally: Tally) -> None:
    content = vectors("forward.json")
    bob, accepted, whole = content["accepted"][0], content["accepted"][1:-1], content["accepted"][-1]
    with tally.taken("the key of the week"):
        _key_again(tally, bob)
    exchanges = [_exchange_again(tally, bob, entry) for entry in accepted]
    request, exchange = exchanges[0]
    tally.equal("the first request", request.hex(), whole["request"])
    with tally.taken("the first request, opened"):
        command, _ = _open(bob, bytes.fromhex(whole["request"]))
        tally.equal("its command", cbor.encode(command).hex(), accepted[0]["item"])
    plain = forward.pad(bytes.fromhex(accepted[0]["item"]), FORWARD_COMMAND_BYTES)
    attempts = {
        "key": lambda entry: _verify(bob, entry),
        "request": lambda entry: _open(bob, splice(request, entry)),
        "plain": lambda entry: forward.unpad(splice(plain, entry), FORWARD_COMMAND_BYTES),
        "response": lambda entry: exchange.open(splice(bytes.fromhex(accepted[0]["response"]), entry)),
    }
    for entry in content["refused"]:
        what = f"{entry['place']}: {entry['why']}"
        tally.refuses(what, entry["error"], lambda: attempts[entry["place"]](entry))


def _key_again(tally: Tally, bob: Entry) -> None:
    """Identity, key and signature, from their seeds."""
    seed, week = bytes.fromhex(bob["identity_seed"]), int(bob["week"])
    identity, key = ed25519.public_key(seed), xwing.public_key(bytes.fromhex(bob["key_seed"]))
    tally.equal("identity", identity.hex(), bob["identity"])
    tally.equal("key", key.hex(), bob["key"])
    signature = ed25519.sign(seed, forward.signed(identity, week, key))
    tally.equal("signature", signature.hex(), bob["signature"])
    _verify(bob, bob)


def _verify(bob: Entry, entry: Entry) -> None:
    key, signature = bytes.fromhex(entry["key"]), bytes.fromhex(entry["signature"])
    forward.verify_key(bytes.fromhex(bob["identity"]), int(entry["week"]), key, signature)


def _open(bob: Entry, request: bytes) -> tuple[cbor.Value, forward.Exchange]:
    return forward.open_request(bytes.fromhex(bob["identity"]), bytes.fromhex(bob["key_seed"]), request)


def _exchange_again(tally: Tally, bob: Entry, entry: Entry) -> tuple[bytes, forward.Exchange]:
    """The request from its randomness, opened at the relay; the answer sealed there, opened by who asked."""
    name, item = entry["command"], bytes.fromhex(entry["item"])
    key, randomness = bytes.fromhex(bob["key"]), Given(bytes.fromhex(entry["random"]))
    request, asked = forward.seal_request(bytes.fromhex(bob["identity"]), int(bob["week"]), key, item, randomness)
    tally.equal(f"{name}: request", hashlib.sha256(request).hexdigest(), entry["request_sha256"])
    tally.equal(f"{name}: nonce", forward.nonce(request).hex(), entry["nonce"])
    with tally.taken(name):
        command, taken = _open(bob, request)
        tally.equal(f"{name}: opened", cbor.encode(command), item)
        response = taken.seal(bytes.fromhex(entry["answer"]), Given(bytes.fromhex(entry["answer_random"])))
        tally.equal(f"{name}: response", response.hex(), entry["response"])
        answer = asked.open(bytes.fromhex(entry["response"]))
        tally.equal(f"{name}: answer", cbor.encode(answer).hex(), entry["answer"])
    return request, asked
