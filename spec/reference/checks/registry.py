"""registry.toml: the version, every label, and the limits that the reference has."""

import tomllib

import registry
from checks.tally import SPEC, Tally
from people.prekey import Kind

LIMITS = {
    "buckets": list(registry.BUCKETS),
    "first_message_bytes": registry.FIRST_MESSAGE_BYTES,
    "link_bytes_max": registry.LINK_BYTES_MAX,
    "manifest_devices_max": registry.MANIFEST_DEVICES_MAX,
    "skipped_gap_max": registry.SKIPPED_GAP_MAX,
    "skipped_keys_max": registry.SKIPPED_KEYS_MAX,
    "skipped_chains_max": registry.SKIPPED_CHAINS_MAX,
    "skipped_key_secs": registry.SKIPPED_KEY_SECS,
}
OUTER_LIMITS = {
    "bundle_main_bytes": registry.BUNDLE_MAIN_BYTES,
    "bundle_part_bytes": registry.BUNDLE_PART_BYTES,
    "forward_command_bytes": registry.FORWARD_COMMAND_BYTES,
    "forward_request_bytes": registry.FORWARD_REQUEST_BYTES,
    "forward_answer_bytes": registry.FORWARD_ANSWER_BYTES,
    "forward_response_bytes": registry.FORWARD_RESPONSE_BYTES,
}


def registered(tally: Tally) -> None:
    """Labels of clients both ways; of a relay's labels and of the limits those that the reference needs."""
    content = tomllib.loads((SPEC / "registry.toml").read_text(encoding="utf-8"))
    tally.equal("version", registry.VERSION, content["version"])
    ours = {registry.label(name).decode("ascii") for name in registry.LABELS}
    theirs = set(content["labels"]["inner"].values())
    tally.equal("labels that the registry lacks", sorted(ours - theirs), [])
    tally.equal("labels that the reference lacks", sorted(theirs - ours), [])
    outer = {registry.label(name).decode("ascii") for name in registry.OUTER_LABELS}
    tally.equal("a relay's labels that the registry lacks", sorted(outer - set(content["labels"]["outer"].values())), [])
    for table, limits in (("inner", LIMITS), ("outer", OUTER_LIMITS)):
        for name, value in limits.items():
            tally.equal(name, value, content["limits"][table].get(name))
    kinds = {kind.name.lower(): int(kind) for kind in Kind}
    tally.equal("prekey kinds", kinds, content["numbers"]["prekey_kind"])
