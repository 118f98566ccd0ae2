"""PQXDH: three or four agreements and an encapsulation become one secret. [SES-5]"""

from dataclasses import dataclass

from handshake.message import Handshake
from handshake.transcript import NamedKey, Party, Transcript
from people.device_secret import DeviceSecret
from people.link import Link
from people.manifest import Manifest, manifest_hash
from people.prekey import Kind, Prekey, PrekeySecret
from primitives import cbor, mlkem, x25519
from primitives.hkdf import NO_SALT, hkdf
from primitives.randomness import Randomness
from primitives.refused import require
from registry import label

PREFIX = b"\xff" * 32


def _secret(agreements: list[bytes], kem_secret: bytes, link_secret: bytes | None, transcript: Transcript) -> bytes:
    """SK, 32 bytes."""
    secret = PREFIX + b"".join(agreements) + kem_secret + (link_secret or b"")
    return hkdf(NO_SALT, secret, label("pqxdh") + transcript.hash(), 32)


@dataclass(frozen=True)
class Published:
    """What Alice verified of Bob: his encoded manifest, and the prekeys of one of his devices."""

    manifest: bytes
    device_id: bytes
    signed: Prekey
    kem: Prekey


def initiate(
    device: DeviceSecret, manifest: bytes, bob: Published, link: Link | None, randomness: Randomness
) -> tuple[Handshake, bytes]:
    """Alice's handshake and SK. Draws the ephemeral secret, 32 bytes, then ML-KEM's m, 32 bytes."""
    ephemeral, m = randomness.draw(32), randomness.draw(32)
    bob_manifest = Manifest.decode(bob.manifest)
    bob_device = bob_manifest.device(bob.device_id)
    invitation = link if link is not None and link.is_invitation else None
    agreements = [
        x25519.agree(device.agreement_secret, bob.signed.key),
        x25519.agree(ephemeral, bob_device.agreement_key),
        x25519.agree(ephemeral, bob.signed.key),
    ]
    if bob.kem.kind == Kind.ONE_TIME_PAIR:
        agreements.append(x25519.agree(ephemeral, bob.kem.key[:32]))
    kem_secret, ciphertext = mlkem.encapsulate(mlkem.ML_KEM_1024, bob.kem.key[-1_568:], m)
    handshake = Handshake(
        manifest=cbor.decode(manifest),
        device_id=device.id,
        responder_manifest_hash=manifest_hash(bob.manifest),
        responder_device_id=bob.device_id,
        signed_id=bob.signed.id,
        kem_kind=bob.kem.kind,
        kem_id=bob.kem.id,
        ephemeral_key=x25519.public_key(ephemeral),
        ciphertext=ciphertext,
        invitation=None if invitation is None else invitation.bundle,
    )
    transcript = Transcript(
        alice=Party(Manifest.decode(manifest).root, manifest_hash(manifest), device.device()),
        bob=Party(bob_manifest.root, manifest_hash(bob.manifest), bob_device),
        signed=_named(bob.signed),
        kem=_named(bob.kem),
        ephemeral_key=handshake.ephemeral_key,
        ciphertext=ciphertext,
        invitation=handshake.invitation,
    )
    return handshake, _secret(agreements, kem_secret, None if invitation is None else invitation.secret, transcript)


def _named(prekey: Prekey) -> NamedKey:
    return NamedKey(prekey.kind, prekey.id, prekey.key)


@dataclass(frozen=True)
class Responder:
    """What Bob holds. `invitation` is that by which the handshake came: its bundle id and link secret."""

    device: DeviceSecret
    manifest: bytes
    signed: PrekeySecret
    kem: PrekeySecret
    invitation: tuple[bytes, bytes] | None


def respond(bob: Responder, handshake: Handshake) -> bytes:
    """Bob's SK, or Refused where the handshake names what he does not have."""
    alice_manifest = handshake.initiator()
    alice_device = alice_manifest.device(handshake.device_id)
    require(handshake.responder_manifest_hash == manifest_hash(bob.manifest), "OtherManifest")
    require(handshake.responder_device_id == bob.device.id, "UnknownDevice")
    require(handshake.signed_id == bob.signed.id, "Prekeys")
    require((handshake.kem_kind, handshake.kem_id) == (bob.kem.kind, bob.kem.id), "Prekeys")
    require(handshake.invitation == (None if bob.invitation is None else bob.invitation[0]), "Invitation")
    agreements = [
        x25519.agree(bob.signed.secret, alice_device.agreement_key),
        x25519.agree(bob.device.agreement_secret, handshake.ephemeral_key),
        x25519.agree(bob.signed.secret, handshake.ephemeral_key),
    ]
    if bob.kem.kind == Kind.ONE_TIME_PAIR:
        agreements.append(x25519.agree(bob.kem.agreement_secret, handshake.ephemeral_key))
    transcript = Transcript(
        alice=Party(alice_manifest.root, manifest_hash(cbor.encode(handshake.manifest)), alice_device),
        bob=Party(Manifest.decode(bob.manifest).root, manifest_hash(bob.manifest), bob.device.device()),
        signed=_named(bob.signed.prekey()),
        kem=_named(bob.kem.prekey()),
        ephemeral_key=handshake.ephemeral_key,
        ciphertext=handshake.ciphertext,
        invitation=handshake.invitation,
    )
    kem_secret = bob.kem.kem_pair().decapsulate(handshake.ciphertext)
    return _secret(agreements, kem_secret, None if bob.invitation is None else bob.invitation[1], transcript)
