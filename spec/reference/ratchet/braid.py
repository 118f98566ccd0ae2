"""The Braid: what each state says and hears. [SES-37], [SES-38]

Both functions are pure: state in, state out. An epoch's secret, where one is born, comes beside the state.
"""

from dataclasses import dataclass, replace

from primitives import mlkem
from primitives.integers import split
from primitives.randomness import Randomness
from primitives.refused import require
from ratchet.authenticator import require_mac
from ratchet.braid_states import (
    CT1,
    CT2,
    KEM,
    MAC_BYTES,
    VECTOR,
    Ct1Acknowledged,
    Ct1Received,
    Ct1Sampled,
    Ct2Sampled,
    EkReceivedCt1Sampled,
    EkSentCt1Received,
    HeaderReceived,
    HeaderSent,
    KeysSampled,
    KeysUnsampled,
    NoHeaderReceived,
    State,
    epoch_secret,
)
from ratchet.erasure import INDICES, Decoder, encode
from ratchet.slot import Chunk, Message


@dataclass(frozen=True)
class Born:
    """The secret of an epoch, which joins the chains now."""

    epoch: int
    secret: bytes


# ---- sending ----


def send(state: State, randomness: Randomness) -> tuple[State, Message, Born | None]:
    """What goes into the next packet. KeysUnsampled draws 64 bytes, HeaderReceived 32, nothing else any."""
    born = None
    if isinstance(state, KeysUnsampled):
        state = KeysSampled(state.epoch, state.auth, randomness.draw(mlkem.SEED_BYTES))
    elif isinstance(state, HeaderReceived):
        state, born = _sample_ct1(state, randomness.draw(32))
    if isinstance(state, KeysSampled):
        return state, Message(state.epoch, Chunk.HEADER, 0, _header(state)), born
    if isinstance(state, HeaderSent):
        return _send_chunk(state, Chunk.VECTOR, mlkem.key_pair(KEM, state.seed).vector, born)
    if isinstance(state, Ct1Received):
        return _send_chunk(state, Chunk.VECTOR_CT1_CAME, mlkem.key_pair(KEM, state.seed).vector, born)
    if isinstance(state, Ct1Sampled | EkReceivedCt1Sampled):
        return _send_chunk(state, Chunk.CT1, state.ct1, born)
    if isinstance(state, Ct2Sampled):
        return _send_chunk(state, Chunk.CT2, state.ct2, born)
    return state, Message(state.epoch), born


Speaking = HeaderSent | Ct1Received | Ct1Sampled | EkReceivedCt1Sampled | Ct2Sampled


def _send_chunk(state: Speaking, kind: Chunk, data: bytes, born: Born | None) -> tuple[State, Message, Born | None]:
    """The next chunk of `data`; after the last index they begin anew."""
    message = Message(state.epoch, kind, state.index, encode(data, state.index))
    return replace(state, index=(state.index + 1) % INDICES), message, born


def _header(state: KeysSampled) -> bytes:
    """ρ ‖ H(ek) ‖ MAC: one chunk, the same each time."""
    pair = mlkem.key_pair(KEM, state.seed)
    rho_and_hash = pair.rho + mlkem.key_hash(pair.ek)
    return rho_and_hash + state.auth.header_mac(state.epoch, rho_and_hash)


def _sample_ct1(state: HeaderReceived, m: bytes) -> tuple[Ct1Sampled, Born]:
    """The first half of the encapsulation: the epoch's secret is known from here on. [SES-37]"""
    kem_secret, ct1 = mlkem.encapsulate_first(KEM, state.rho, state.key_hash, m)
    secret = epoch_secret(state.epoch, kem_secret)
    auth = state.auth.update(state.epoch, secret)
    sampled = Ct1Sampled(state.epoch, auth, state.rho, state.key_hash, m, ct1, 0, Decoder(VECTOR))
    return sampled, Born(state.epoch, secret)


# ---- receiving ----


def receive(state: State, message: Message) -> tuple[State, Born | None]:
    """What a packet does whose body has opened; Refused is a failure, after which the session is broken. [SES-42]"""
    if isinstance(state, Ct2Sampled) and message.epoch == state.epoch + 1:
        state = KeysUnsampled(state.epoch + 1, state.auth)
    require(message.epoch <= state.epoch, "Epoch")
    if message.epoch < state.epoch:
        return state, None
    return _hear(state, message)


def _hear(state: State, message: Message) -> tuple[State, Born | None]:
    """A message of our own epoch; a chunk that this state does not wait for has no effect."""
    index, chunk = message.index, message.chunk
    match state, message.kind:
        case NoHeaderReceived(), Chunk.HEADER:
            return _hear_header(state, chunk), None
        case KeysSampled(), Chunk.CT1:
            return _hear_ct1(HeaderSent(state.epoch, state.auth, state.seed, 0, Decoder(CT1).add(index, chunk))), None
        case HeaderSent(), Chunk.CT1:
            return _hear_ct1(replace(state, ct1=state.ct1.add(index, chunk))), None
        case Ct1Received(), Chunk.CT2:
            decoder = Decoder(CT2).add(index, chunk)
            return _hear_ct2(EkSentCt1Received(state.epoch, state.auth, state.seed, state.ct1, decoder))
        case EkSentCt1Received(), Chunk.CT2:
            return _hear_ct2(replace(state, ct2=state.ct2.add(index, chunk)))
        case Ct1Sampled(), Chunk.VECTOR | Chunk.VECTOR_CT1_CAME:
            heard = replace(state, vector=state.vector.add(index, chunk))
            return _hear_vector(heard, ct1_came=message.kind == Chunk.VECTOR_CT1_CAME), None
        case Ct1Acknowledged(), Chunk.VECTOR | Chunk.VECTOR_CT1_CAME:
            return _hear_vector(replace(state, vector=state.vector.add(index, chunk)), ct1_came=True), None
        case EkReceivedCt1Sampled(), Chunk.VECTOR_CT1_CAME:
            return _sample_ct2(state, state.vector), None
    return state, None


def _hear_header(state: NoHeaderReceived, header: bytes) -> HeaderReceived:
    rho, key_hash, mac = split(header, 32, 32, MAC_BYTES)
    require_mac(state.auth.header_mac(state.epoch, rho + key_hash), mac)
    return HeaderReceived(state.epoch, state.auth, rho, key_hash)


def _hear_ct1(state: HeaderSent) -> HeaderSent | Ct1Received:
    if not state.ct1.complete:
        return state
    return Ct1Received(state.epoch, state.auth, state.seed, state.index, state.ct1.decode())


def _hear_ct2(state: EkSentCt1Received) -> tuple[State, Born | None]:
    """All of ct2: who offered decapsulates, has the secret too, and answers in the next epoch."""
    if not state.ct2.complete:
        return state, None
    received = state.ct2.decode()
    ct2, mac = received[: KEM.ct2_bytes], received[KEM.ct2_bytes :]
    kem_secret = mlkem.key_pair(KEM, state.seed).decapsulate(state.ct1 + ct2)
    secret = epoch_secret(state.epoch, kem_secret)
    auth = state.auth.update(state.epoch, secret)
    require_mac(auth.ciphertext_mac(state.epoch, state.ct1 + ct2), mac)
    return NoHeaderReceived(state.epoch + 1, auth), Born(state.epoch, secret)


def _hear_vector(state: Ct1Sampled | Ct1Acknowledged, ct1_came: bool) -> State:
    """More of the vector, or the word that ct1 came, or both."""
    if state.vector.complete:
        vector = state.vector.decode()
        _require_key(state, vector)
        if ct1_came:
            return _sample_ct2(state, vector)
        assert isinstance(state, Ct1Sampled)
        common = state.epoch, state.auth, state.rho, state.key_hash, state.m, state.ct1
        return EkReceivedCt1Sampled(*common, state.index, vector)
    if ct1_came and isinstance(state, Ct1Sampled):
        return Ct1Acknowledged(state.epoch, state.auth, state.rho, state.key_hash, state.m, state.ct1, state.vector)
    return state


def _require_key(state: Ct1Sampled | Ct1Acknowledged, vector: bytes) -> None:
    """The vector must fit its header and be a valid key. [SES-34]"""
    ek = vector + state.rho
    require(mlkem.key_hash(ek) == state.key_hash, "Key")
    mlkem.require_valid(KEM, ek)


def _sample_ct2(state: Ct1Sampled | Ct1Acknowledged | EkReceivedCt1Sampled, vector: bytes) -> Ct2Sampled:
    """The second half of the encapsulation, and the MAC over both."""
    ct2 = mlkem.encapsulate_second(KEM, vector, state.key_hash, state.m)
    mac = state.auth.ciphertext_mac(state.epoch, state.ct1 + ct2)
    return Ct2Sampled(state.epoch, state.auth, ct2 + mac, 0)
