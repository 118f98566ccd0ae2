"""Bundles: what the relay keeps for whoever has the link, each part sealed under the link's secret. [SES-4]"""

from dataclasses import dataclass

from people.link import Link, RelayAddress
from people.manifest import Device, Manifest
from people.prekey import Kind, Prekey
from primitives import aead, cbor, padding
from primitives.hkdf import NO_SALT, hkdf
from primitives.integers import be8
from primitives.refused import require
from primitives.shape import Fields
from registry import BUNDLE_MAIN_BYTES, BUNDLE_PART_BYTES, label

MAIN, PAIR, LAST_RESORT = 0, 1, 2
PLACES = {"main": MAIN, "one-time pair": PAIR, "last resort": LAST_RESORT}
PART_BYTES = {MAIN: BUNDLE_MAIN_BYTES, PAIR: BUNDLE_PART_BYTES, LAST_RESORT: BUNDLE_PART_BYTES}


def _part_key(link: Link, place: int) -> bytes:
    return hkdf(NO_SALT, link.secret, label("bundle part") + link.bundle + be8(place), 32)


def seal_part(link: Link, place: int, plain: bytes, nonce: bytes) -> bytes:
    """nonce ‖ ciphertext of the padded part, as long as its place asks."""
    padded = padding.pad(plain, PART_BYTES[place] - aead.NONCE_BYTES - aead.TAG_BYTES)
    return nonce + aead.seal(_part_key(link, place), nonce, padded)


def open_part(link: Link, place: int, sealed: bytes) -> bytes:
    """The encoded part."""
    require(len(sealed) == PART_BYTES[place], "Length")
    nonce, ciphertext = sealed[: aead.NONCE_BYTES], sealed[aead.NONCE_BYTES :]
    return padding.unpad(aead.open_sealed(_part_key(link, place), nonce, ciphertext))


@dataclass(frozen=True)
class Bundle:
    """An opened bundle in which everything holds. `kem` is the one-time pair or the last-resort prekey."""

    manifest: Manifest
    device: Device
    signed: Prekey
    seal: Prekey
    kem: Prekey


def open_bundle(link: Link, now: int, main: bytes, pair: bytes | None, last_resort: bytes | None) -> Bundle:
    """Everything in the sealed parts verified; exactly one of pair and last resort may come with the main part."""
    require((pair is None) != (last_resort is None), "Prekeys")
    fields = Fields(cbor.decode(open_part(link, MAIN, main)))
    manifest = Manifest.read(fields.take(0))
    require(manifest.root == link.root, "OtherRoot")
    device = manifest.device(fields.bytes(1, 16))
    known = manifest.root, device.id, device.signing_key, now
    signed = Prekey.read(fields.take(2), Kind.SIGNED, *known)
    seal = Prekey.read(fields.take(3), Kind.SEAL, *known)
    _require_mailbox(fields.take(4))
    fields.text(5, 64)
    fields.end()
    if pair is not None:
        kem = Prekey.read(cbor.decode(open_part(link, PAIR, pair)), Kind.ONE_TIME_PAIR, *known)
    else:
        assert last_resort is not None
        kem = Prekey.read(cbor.decode(open_part(link, LAST_RESORT, last_resort)), Kind.LAST_RESORT, *known)
    return Bundle(manifest, device, signed, seal, kem)


def _require_mailbox(value: cbor.Value) -> None:
    """mailbox-address of inner.cddl: relay address, send id 16, send capability 32."""
    fields = Fields(value)
    RelayAddress.read(fields.take(0))
    fields.bytes(1, 16)
    fields.bytes(2, 32)
    fields.end()
