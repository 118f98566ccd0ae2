"""ML-KEM (FIPS 203), 768 and 1024, from seeds, and encapsulation in two halves.

The first half of an encapsulation needs only ρ and H(ek), 64 bytes, and gives the shared secret and the ciphertext's
first part (u); the second half needs the rest of the key and gives the ciphertext's second part (v). Together they are
ML-KEM.Encaps_internal (Algorithm 17). Algorithm numbers are those of FIPS 203. Not constant time.
"""

import functools
import hashlib
from dataclasses import dataclass

from primitives.refused import require

Q = 3329
N = 256
ETA = 2  # η1 = η2 = 2 in both parameter sets
SEED_BYTES = 64

Polynomial = list[int]


@dataclass(frozen=True)
class Parameters:
    """A parameter set of FIPS 203 section 8: rank, and the bits kept of u and v."""

    k: int
    du: int
    dv: int

    @property
    def vector_bytes(self) -> int:
        """The encapsulation key without ρ."""
        return 384 * self.k

    @property
    def ct1_bytes(self) -> int:
        return 32 * self.du * self.k

    @property
    def ct2_bytes(self) -> int:
        return 32 * self.dv


ML_KEM_768 = Parameters(k=3, du=10, dv=4)
ML_KEM_1024 = Parameters(k=4, du=11, dv=5)


# ---- hashes (section 4.1) ----


def _g(data: bytes) -> tuple[bytes, bytes]:
    digest = hashlib.sha3_512(data).digest()
    return digest[:32], digest[32:]


def key_hash(ek: bytes) -> bytes:
    """H(ek), SHA3-256."""
    return hashlib.sha3_256(ek).digest()


def _prf(seed: bytes, nonce: int) -> bytes:
    return hashlib.shake_256(seed + bytes([nonce])).digest(64 * ETA)


# ---- bytes and compression (section 4.2) ----


def _byte_encode(d: int, values: Polynomial) -> bytes:
    """Algorithm 5."""
    packed = 0
    for i, value in enumerate(values):
        packed |= value << d * i
    return packed.to_bytes(32 * d, "little")


def _byte_decode(d: int, data: bytes) -> Polynomial:
    """Algorithm 6; for d = 12 without the reduction, which `require_valid` checks to be none."""
    packed, mask = int.from_bytes(data, "little"), (1 << d) - 1
    return [packed >> d * i & mask for i in range(N)]


def _compress(d: int, values: Polynomial) -> Polynomial:
    return [((value << d) + Q // 2) // Q & (1 << d) - 1 for value in values]


def _decompress(d: int, values: Polynomial) -> Polynomial:
    return [(value * Q + (1 << d - 1)) >> d for value in values]


# ---- sampling (section 4.2.2) ----


def _sample_ntt(seed: bytes) -> Polynomial:
    """Algorithm 7: rejection from SHAKE128 of 34 bytes."""
    values: Polynomial = []
    length = 0
    while len(values) < N:
        length += 840
        stream = hashlib.shake_128(seed).digest(length)
        values = []
        for i in range(0, length, 3):
            a, b, c = stream[i : i + 3]
            values += [value for value in (a | (b & 15) << 8, b >> 4 | c << 4) if value < Q]
    return values[:N]


def _sample_cbd(data: bytes) -> Polynomial:
    """Algorithm 8 for η = 2: four bits a coefficient."""
    values = []
    for byte in data:
        for nibble in (byte & 15, byte >> 4):
            values.append(((nibble & 1) + (nibble >> 1 & 1) - (nibble >> 2 & 1) - (nibble >> 3)) % Q)
    return values


# ---- the number-theoretic transform (section 4.3) ----


def _reversed_bits(i: int) -> int:
    return int(f"{i:07b}"[::-1], 2)


ZETAS = [pow(17, _reversed_bits(i), Q) for i in range(128)]
GAMMAS = [pow(17, 2 * _reversed_bits(i) + 1, Q) for i in range(128)]


def _ntt(values: Polynomial) -> Polynomial:
    """Algorithm 9."""
    f, i, length = list(values), 1, 128
    while length >= 2:
        for start in range(0, N, 2 * length):
            zeta = ZETAS[i]
            i += 1
            for j in range(start, start + length):
                t = zeta * f[j + length] % Q
                f[j + length] = (f[j] - t) % Q
                f[j] = (f[j] + t) % Q
        length //= 2
    return f


def _inverse_ntt(values: Polynomial) -> Polynomial:
    """Algorithm 10."""
    f, i, length = list(values), 127, 2
    while length <= 128:
        for start in range(0, N, 2 * length):
            zeta = ZETAS[i]
            i -= 1
            for j in range(start, start + length):
                t = f[j]
                f[j] = (t + f[j + length]) % Q
                f[j + length] = zeta * (f[j + length] - t) % Q
        length *= 2
    return [value * 3303 % Q for value in f]


def _multiply(f: Polynomial, g: Polynomial) -> Polynomial:
    """Algorithms 11 and 12."""
    h = []
    for i in range(128):
        a0, a1, b0, b1 = f[2 * i], f[2 * i + 1], g[2 * i], g[2 * i + 1]
        h += [(a0 * b0 + a1 * b1 % Q * GAMMAS[i]) % Q, (a0 * b1 + a1 * b0) % Q]
    return h


def _add(f: Polynomial, g: Polynomial) -> Polynomial:
    return [(a + b) % Q for a, b in zip(f, g)]


def _dot(f: list[Polynomial], g: list[Polynomial]) -> Polynomial:
    """The inner product of two vectors, both transformed."""
    return functools.reduce(_add, map(_multiply, f, g))


# ---- K-PKE (section 5) ----


@functools.lru_cache(maxsize=64)
def _matrix(k: int, rho: bytes) -> list[list[Polynomial]]:
    """Â: entry [i][j] is sampled from ρ ‖ j ‖ i."""
    return [[_sample_ntt(rho + bytes([j, i])) for j in range(k)] for i in range(k)]


def _noise(count: int, seed: bytes, first: int) -> list[Polynomial]:
    return [_sample_cbd(_prf(seed, first + i)) for i in range(count)]


def _decode_vector(k: int, vector: bytes) -> list[Polynomial]:
    return [_byte_decode(12, vector[384 * i : 384 * (i + 1)]) for i in range(k)]


def _encrypt_u(parameters: Parameters, rho: bytes, r: bytes) -> bytes:
    """The first part of Algorithm 14: u = NTT⁻¹(Âᵀ ∘ ŷ) + e1, compressed."""
    k = parameters.k
    matrix = _matrix(k, rho)
    y = [_ntt(f) for f in _noise(k, r, 0)]
    e1 = _noise(k, r, k)
    u = [_add(_inverse_ntt(_dot([matrix[j][i] for j in range(k)], y)), e1[i]) for i in range(k)]
    return b"".join(_byte_encode(parameters.du, _compress(parameters.du, f)) for f in u)


def _encrypt_v(parameters: Parameters, vector: bytes, m: bytes, r: bytes) -> bytes:
    """The second part of Algorithm 14: v = NTT⁻¹(t̂ᵀ ∘ ŷ) + e2 + μ, compressed."""
    k = parameters.k
    y = [_ntt(f) for f in _noise(k, r, 0)]
    (e2,) = _noise(1, r, 2 * k)
    mu = _decompress(1, _byte_decode(1, m))
    v = _add(_add(_inverse_ntt(_dot(_decode_vector(k, vector), y)), e2), mu)
    return _byte_encode(parameters.dv, _compress(parameters.dv, v))


def _decrypt(parameters: Parameters, s: list[Polynomial], ciphertext: bytes) -> bytes:
    """Algorithm 15."""
    k, du, dv = parameters.k, parameters.du, parameters.dv
    u = [_decompress(du, _byte_decode(du, ciphertext[32 * du * i : 32 * du * (i + 1)])) for i in range(k)]
    v = _decompress(dv, _byte_decode(dv, ciphertext[32 * du * k :]))
    product = _inverse_ntt(_dot(s, [_ntt(f) for f in u]))
    return _byte_encode(1, _compress(1, [(a - b) % Q for a, b in zip(v, product)]))


# ---- ML-KEM (sections 6 and 7) ----


@dataclass(frozen=True)
class KeyPair:
    """A decapsulation key, kept as what it grew from: d ‖ z."""

    parameters: Parameters
    rho: bytes
    vector: bytes
    s: tuple[tuple[int, ...], ...]
    z: bytes

    @property
    def ek(self) -> bytes:
        """The encapsulation key: t̂ ‖ ρ."""
        return self.vector + self.rho

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """The shared secret of a ciphertext, or another where the ciphertext is not right (Algorithm 18)."""
        require(len(ciphertext) == self.parameters.ct1_bytes + self.parameters.ct2_bytes, "Length")
        m = _decrypt(self.parameters, [list(f) for f in self.s], ciphertext)
        secret, r = _g(m + key_hash(self.ek))
        again = _encrypt_u(self.parameters, self.rho, r) + _encrypt_v(self.parameters, self.vector, m, r)
        if again == ciphertext:
            return secret
        return hashlib.shake_256(self.z + ciphertext).digest(32)


@functools.lru_cache(maxsize=64)
def key_pair(parameters: Parameters, seed: bytes) -> KeyPair:
    """ML-KEM.KeyGen_internal (Algorithm 16) from d ‖ z, with K-PKE.KeyGen (Algorithm 13) in it."""
    require(len(seed) == SEED_BYTES, "Length")
    k, (d, z) = parameters.k, (seed[:32], seed[32:])
    rho, sigma = _g(d + bytes([k]))
    matrix = _matrix(k, rho)
    s = [_ntt(f) for f in _noise(k, sigma, 0)]
    e = [_ntt(f) for f in _noise(k, sigma, k)]
    vector = b"".join(_byte_encode(12, _add(_dot(matrix[i], s), e[i])) for i in range(k))
    return KeyPair(parameters, rho, vector, tuple(tuple(f) for f in s), z)


def require_valid(parameters: Parameters, ek: bytes) -> None:
    """The checks of an encapsulation key (section 7.2): its length, and every coefficient below q."""
    require(len(ek) == parameters.vector_bytes + 32, "Length")
    vector = _decode_vector(parameters.k, ek[:-32])
    require(all(value < Q for f in vector for value in f), "Key")


def encapsulate_first(parameters: Parameters, rho: bytes, hash_of_key: bytes, m: bytes) -> tuple[bytes, bytes]:
    """Shared secret and ct1, from ρ, H(ek) and 32 random bytes."""
    secret, r = _g(m + hash_of_key)
    return secret, _encrypt_u(parameters, rho, r)


def encapsulate_second(parameters: Parameters, vector: bytes, hash_of_key: bytes, m: bytes) -> bytes:
    """ct2, from the same m and hash and the key's vector, which the caller has checked against the hash."""
    _, r = _g(m + hash_of_key)
    return _encrypt_v(parameters, vector, m, r)


def encapsulate(parameters: Parameters, ek: bytes, m: bytes) -> tuple[bytes, bytes]:
    """Shared secret and ciphertext (Algorithm 17), with the key checked first."""
    require_valid(parameters, ek)
    vector, rho, hash_of_key = ek[:-32], ek[-32:], key_hash(ek)
    secret, ct1 = encapsulate_first(parameters, rho, hash_of_key, m)
    return secret, ct1 + encapsulate_second(parameters, vector, hash_of_key, m)
