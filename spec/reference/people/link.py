"""Links: what one gives the other to be found, at most 200 bytes. [SES-4]"""

import base64
import binascii
import re
from dataclasses import dataclass

from primitives import cbor
from primitives.refused import Refused, require
from primitives.shape import Fields
from registry import LINK_BYTES_MAX

KINDS = ("Address", "Invitation")
TLS = ("own", "acme", "off")
WEB = re.compile(r"https://(?P<authority>[^/]+)/i#(?P<code>.*)", re.ASCII | re.DOTALL)
RELAY = re.compile(r"sotto://(?P<authority>[^/]+)/(?P<identity>[A-Za-z0-9_-]{43})(\?tls=(?P<tls>acme|off))?", re.ASCII)
HOST = re.compile(r"[A-Za-z0-9.:-]{1,63}", re.ASCII)


def _unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _from_unpadded(text: str) -> bytes:
    """Base64url in its one spelling: no padding, no other alphabet, no stray bits."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Refused("Damaged") from None
    require(_unpadded(data) == text, "Damaged")
    return data


@dataclass(frozen=True)
class RelayAddress:
    """Where a relay is, and the identity that it must prove."""

    host: str
    port: int
    tls: int
    identity: bytes

    @property
    def authority(self) -> str:
        """HOST:PORT, the host in brackets where it has colons."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def text(self) -> str:
        tls = "" if self.tls == 0 else f"?tls={TLS[self.tls]}"
        return f"sotto://{self.authority}/{_unpadded(self.identity)}{tls}"

    @classmethod
    def parse(cls, text: str) -> "RelayAddress":
        """The address of its text, as vectors list it."""
        found = RELAY.fullmatch(text)
        require(found is not None, "Malformed")
        assert found is not None
        host, _, port = found["authority"].rpartition(":")
        return cls(host.strip("[]"), int(port), TLS.index(found["tls"] or "own"), _from_unpadded(found["identity"]))

    def value(self) -> cbor.Value:
        return {0: self.host, 1: self.port, 2: self.tls, 3: self.identity}

    @classmethod
    def read(cls, value: cbor.Value) -> "RelayAddress":
        fields = Fields(value)
        address = cls(fields.text(0, 63), fields.unsigned(1, 2), fields.unsigned(2), fields.bytes(3, 32))
        fields.end()
        require(HOST.fullmatch(address.host) is not None and address.port != 0 and address.tls < 3, "Malformed")
        return address


@dataclass(frozen=True)
class Link:
    kind: int
    relay: RelayAddress
    root: bytes
    bundle: bytes
    secret: bytes

    @property
    def is_invitation(self) -> bool:
        return self.kind == 1

    def encode(self) -> bytes:
        return cbor.encode({0: self.kind, 1: self.relay.value(), 2: self.root, 3: self.bundle, 4: self.secret})

    @classmethod
    def decode(cls, data: bytes) -> "Link":
        require(len(data) <= LINK_BYTES_MAX, "Malformed")
        fields = Fields(cbor.decode(data))
        kind, relay = fields.unsigned(0), RelayAddress.read(fields.take(1))
        link = cls(kind, relay, fields.bytes(2, 32), fields.bytes(3, 16), fields.bytes(4, 32))
        fields.end()
        require(link.kind < len(KINDS), "Malformed")
        return link

    def web(self) -> str:
        """As a browser would open it."""
        return f"https://{self.relay.authority}/i#{_unpadded(self.encode())}"

    def uri(self) -> str:
        return f"sotto:{_unpadded(self.encode())}"

    @classmethod
    def parse(cls, text: str) -> "Link":
        """The link of either text; what stands before the fragment must be the relay inside."""
        if text.startswith("sotto:"):
            return cls._from_code(text.removeprefix("sotto:"))
        found = WEB.fullmatch(text)
        if found is None:
            raise Refused("NotALink")
        link = cls._from_code(found["code"])
        # Or as a browser's address bar writes it: in small letters, without the port that https has anyway.
        written = link.relay.authority.lower()
        require(found["authority"].lower() in (written, written.removesuffix(":443")), "RelayMismatch")
        return link

    @classmethod
    def _from_code(cls, code: str) -> "Link":
        try:
            return cls.decode(_from_unpadded(code))
        except Refused:
            raise Refused("Damaged") from None
