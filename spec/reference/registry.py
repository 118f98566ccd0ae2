"""The one version, the labels and the limits of the protocol, as this reference uses them (spec/registry.toml).

`checks/registry.py` holds what stands here against the registry itself.
"""

# The one version of the wire: in labels, handshake, transcript and associated data.
VERSION = 1

# What only clients can read: every label this reference separates a key's uses by. [registry.toml, labels.inner]
LABELS = (
    "manifest",
    "prekey",
    "bundle part",
    "pqxdh",
    "handshake",
    "first message",
    "repair",
    "session",
    "root step",
    "chain step",
    "message key",
    "body key",
    "safety number",
    "braid start",
    "braid authenticator",
    "braid epoch",
    "braid chains",
    "braid header",
    "braid ciphertext",
    "epoch step",
)

# Of what a relay parses, the labels that this reference uses. [registry.toml, labels.outer]
OUTER_LABELS = (
    "forward key",
    "forward request",
    "forward response",
)

BUCKETS = (1_024, 4_096, 16_384, 65_536)
FIRST_MESSAGE_BYTES = 4_096
BUNDLE_MAIN_BYTES = 3_072
BUNDLE_PART_BYTES = 2_048
LINK_BYTES_MAX = 200
MANIFEST_DEVICES_MAX = 8
SKIPPED_GAP_MAX = 2_000
SKIPPED_KEYS_MAX = 2_000
SKIPPED_CHAINS_MAX = 5
SKIPPED_KEY_SECS = 2_419_200
FORWARD_COMMAND_BYTES = 66_048
FORWARD_REQUEST_BYTES = 67_188
FORWARD_ANSWER_BYTES = 5_632
FORWARD_RESPONSE_BYTES = 5_660


def label(name: str) -> bytes:
    """The label `name` as it goes into a hash, a signature or a derivation."""
    if name not in LABELS + OUTER_LABELS:
        raise KeyError(name)
    return f"sotto/{VERSION} {name}".encode("ascii")
