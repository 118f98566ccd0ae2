"""mlkem768.json: key pairs, both halves of an encapsulation, decapsulation, keys that are refused."""

from checks.tally import Entry, Tally, vectors
from primitives import mlkem
from primitives.refused import require

KEM = mlkem.ML_KEM_768


def kems(tally: Tally) -> None:
    content = vectors("mlkem768.json")
    for entry in content["accepted"]:
        pair = mlkem.key_pair(KEM, bytes.fromhex(entry["seed"]))
        if "ciphertext" in entry:
            secret = pair.decapsulate(bytes.fromhex(entry["ciphertext"]))
            tally.equal("implicitly rejected", secret.hex(), entry["secret"])
        else:
            _encapsulated(tally, pair, entry)
    for entry in content["refused"]:
        header, vector = bytes.fromhex(entry["header"]), bytes.fromhex(entry["vector"])
        tally.refuses(entry["why"], entry["error"], lambda: _require_fits(header, vector))


def _encapsulated(tally: Tally, pair: mlkem.KeyPair, entry: Entry) -> None:
    m, key_hash = bytes.fromhex(entry["m"]), mlkem.key_hash(pair.ek)
    secret, ct1 = mlkem.encapsulate_first(KEM, pair.rho, key_hash, m)
    ct2 = mlkem.encapsulate_second(KEM, pair.vector, key_hash, m)
    ours = {"header": pair.rho + key_hash, "vector": pair.vector, "ct1": ct1, "ct2": ct2, "secret": secret}
    for name, value in ours.items():
        tally.equal(name, value.hex(), entry[name])
    tally.equal("in one", mlkem.encapsulate(KEM, pair.ek, m), (secret, ct1 + ct2))
    tally.equal("decapsulated", pair.decapsulate(ct1 + ct2), secret)


def _require_fits(header: bytes, vector: bytes) -> None:
    """What is checked before the second half. [SES-34]"""
    ek = vector + header[:32]
    require(mlkem.key_hash(ek) == header[32:], "Key")
    mlkem.require_valid(KEM, ek)
