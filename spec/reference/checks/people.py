"""manifest.json, prekey.json, bundle.json, link.json, safety_number.json"""

from checks.tally import Entry, Tally, splice, vectors
from people import bundle
from people.device_secret import DeviceSecret
from people.link import KINDS, Link, RelayAddress
from people.manifest import Device, Manifest, manifest_hash
from people.prekey import Kind, Prekey, PrekeySecret
from people.safety_number import require_shape, safety_number
from primitives import cbor, ed25519

KIND_NAMES = {
    "Signed": Kind.SIGNED,
    "OneTimePair": Kind.ONE_TIME_PAIR,
    "LastResort": Kind.LAST_RESORT,
    "Seal": Kind.SEAL,
}


def manifests(tally: Tally) -> None:
    content = vectors("manifest.json")
    for entry in content["accepted"]:
        seed, encoded = bytes.fromhex(entry["root_seed"]), bytes.fromhex(entry["manifest"])
        with tally.taken("manifest"):
            manifest = Manifest.decode(encoded)
            tally.equal("root", ed25519.public_key(seed), manifest.root)
            tally.equal("signed again", manifest.sign(seed), encoded)
            tally.equal("hash", manifest_hash(encoded).hex(), entry["hash"])
    first = bytes.fromhex(content["accepted"][0]["manifest"])
    for entry in content["refused"]:
        tally.refuses(entry["why"], entry["error"], lambda: Manifest.decode(splice(first, entry)))


def prekeys(tally: Tally) -> None:
    content = vectors("prekey.json")
    for entry in content["accepted"]:
        with tally.taken(entry["kind"]):
            _prekey_again(tally, entry)
    first = content["accepted"][0]
    for entry in content["refused"]:
        spliced = splice(bytes.fromhex(first["prekey"]), entry)
        tally.refuses(entry["why"], entry["error"], lambda: _read_prekey(first, entry, spliced))


def _prekey_again(tally: Tally, entry: Entry) -> None:
    kind, root, encoded = KIND_NAMES[entry["kind"]], bytes.fromhex(entry["root"]), bytes.fromhex(entry["prekey"])
    device = DeviceSecret.decode(bytes.fromhex(entry["device_secret"]))
    secret = PrekeySecret.decode(bytes.fromhex(entry["prekey_secret"]))
    tally.equal("device", cbor.encode(device.device().value()).hex(), entry["device"])
    tally.equal(f"{kind.name} signed again", secret.prekey().sign(root, device.id, device.signing_seed), encoded)
    tally.equal(f"{kind.name} read", _read_prekey(entry, entry, encoded), secret.prekey())


def _read_prekey(signer: Entry, asked: Entry, encoded: bytes) -> Prekey:
    device = Device.read(cbor.decode(bytes.fromhex(signer["device"])))
    known = bytes.fromhex(signer["root"]), device.id, device.signing_key, int(asked["now"])
    return Prekey.read(cbor.decode(encoded), KIND_NAMES[asked["kind"]], *known)


def bundles(tally: Tally) -> None:
    content = vectors("bundle.json")
    link, now = content["accepted"][0]["link"], int(content["accepted"][0]["now"])
    sealed = {entry["place"]: bytes.fromhex(entry["sealed"]) for entry in content["accepted"]}
    for entry in content["accepted"]:
        with tally.taken(entry["place"]):
            place, plain = bundle.PLACES[entry["place"]], bytes.fromhex(entry["plain"])
            again = bundle.seal_part(Link.parse(entry["link"]), place, plain, bytes.fromhex(entry["random"]))
            tally.equal(f"{entry['place']} sealed again", again, sealed[entry["place"]])
            tally.equal(f"{entry['place']} opened", bundle.open_part(Link.parse(link), place, again), plain)
    for other in ("one-time pair", "last resort"):
        with tally.taken(f"main and {other}"):
            _open_bundle(link, now, {place: sealed[place] for place in ("main", other)})
            tally.computed += 1
    for entry in content["refused"]:
        parts = _refused_parts(entry, sealed)
        tally.refuses(entry["why"], entry["error"], lambda: _open_bundle(entry.get("link", link), now, parts))


def _refused_parts(entry: Entry, sealed: dict[str, bytes]) -> dict[str, bytes]:
    """Which parts come, by what the vector says is wrong; otherwise main and pair, one of them spliced."""
    if entry["why"] == "pair and last resort":
        return sealed
    if entry["why"] == "neither pair nor last resort":
        return {"main": sealed["main"]}
    if entry["why"] == "the pair in the last resort's place":
        return {"main": sealed["main"], "last resort": sealed["one-time pair"]}
    parts = {place: sealed[place] for place in ("main", "one-time pair")}
    if "place" in entry:
        parts[entry["place"]] = splice(parts[entry["place"]], entry)
    return parts


def _open_bundle(link: str, now: int, parts: dict[str, bytes]) -> bundle.Bundle:
    return bundle.open_bundle(
        Link.parse(link), now, parts["main"], parts.get("one-time pair"), parts.get("last resort")
    )


def links(tally: Tally) -> None:
    content = vectors("link.json")
    for entry in content["accepted"]:
        with tally.taken(entry["link"]):
            root, bundle_id, secret = (bytes.fromhex(entry[key]) for key in ("root", "bundle", "secret"))
            relay = RelayAddress.parse(entry["relay"])
            link = Link(KINDS.index(entry["kind"]), relay, root, bundle_id, secret)
            tally.equal("encoded", link.encode().hex(), entry["encoded"])
            tally.equal("relay", relay.text(), entry["relay"])
            for text, key in ((link.web(), "link"), (link.uri(), "uri")):
                tally.equal(key, text, entry[key])
                tally.equal(f"{key} parsed", Link.parse(entry[key]), link)
    for entry in content["refused"]:
        tally.refuses(entry["why"], entry["error"], lambda: Link.parse(entry["link"]))


def safety_numbers(tally: Tally) -> None:
    content = vectors("safety_number.json")
    for entry in content["accepted"]:
        ours = safety_number(bytes.fromhex(entry["a"]), bytes.fromhex(entry["b"]))
        tally.equal("number", ours, entry["number"])
        with tally.taken("shape"):
            require_shape(entry["number"])
    for entry in content["refused"]:
        tally.refuses(entry["why"], None, lambda: require_shape(entry["number"]))
