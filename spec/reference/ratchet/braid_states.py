"""The eleven states of the Braid, as SES-35 draws them. What is kept is seeds, never a KEM's inner state.

In each epoch one side offers a key and the other answers it; in the next they change places.
"""

from dataclasses import dataclass

from primitives import mlkem
from primitives.hkdf import NO_SALT, hkdf
from primitives.integers import be64
from ratchet.authenticator import Authenticator
from ratchet.erasure import Decoder, Layout
from registry import label

KEM = mlkem.ML_KEM_768
MAC_BYTES = 32

VECTOR = Layout(KEM.vector_bytes)
CT1 = Layout(KEM.ct1_bytes)
CT2 = Layout(KEM.ct2_bytes + MAC_BYTES)  # ct2 ‖ MAC


def epoch_secret(epoch: int, kem_secret: bytes) -> bytes:
    """What an epoch adds to the chains and to the authenticator. [SES-37]"""
    return hkdf(NO_SALT, kem_secret, label("braid epoch") + be64(epoch), 32)


@dataclass(frozen=True)
class State:
    """What every state has: the epoch, and the authenticator as it is now."""

    epoch: int
    auth: Authenticator


# ---- who offers ----


@dataclass(frozen=True)
class KeysUnsampled(State):
    pass


@dataclass(frozen=True)
class KeysSampled(State):
    """`seed` is d ‖ z of the epoch's key. The header, ρ ‖ H(ek) ‖ MAC, is one chunk."""

    seed: bytes


@dataclass(frozen=True)
class HeaderSent(State):
    """`index` counts chunks of the vector, from here on until ct2 comes."""

    seed: bytes
    index: int
    ct1: Decoder


@dataclass(frozen=True)
class Ct1Received(State):
    seed: bytes
    index: int
    ct1: bytes


@dataclass(frozen=True)
class EkSentCt1Received(State):
    seed: bytes
    ct1: bytes
    ct2: Decoder


# ---- who answers ----


@dataclass(frozen=True)
class NoHeaderReceived(State):
    pass


@dataclass(frozen=True)
class HeaderReceived(State):
    rho: bytes
    key_hash: bytes


@dataclass(frozen=True)
class Ct1Sampled(State):
    """`m` is the encapsulation's randomness; `index` counts chunks of ct1. The authenticator has the epoch's secret."""

    rho: bytes
    key_hash: bytes
    m: bytes
    ct1: bytes
    index: int
    vector: Decoder


@dataclass(frozen=True)
class EkReceivedCt1Sampled(State):
    rho: bytes
    key_hash: bytes
    m: bytes
    ct1: bytes
    index: int
    vector: bytes


@dataclass(frozen=True)
class Ct1Acknowledged(State):
    rho: bytes
    key_hash: bytes
    m: bytes
    ct1: bytes
    vector: Decoder


@dataclass(frozen=True)
class Ct2Sampled(State):
    """`ct2` has its MAC behind it; `index` counts its chunks."""

    ct2: bytes
    index: int


def first_state(initiator: bool, braid_secret: bytes) -> State:
    """The initiator offers in epoch 1, the responder answers. [SES-36]"""
    auth = Authenticator.start(braid_secret)
    return KeysUnsampled(1, auth) if initiator else NoHeaderReceived(1, auth)
