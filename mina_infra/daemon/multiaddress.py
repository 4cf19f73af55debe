"""The address by which one Mina node dials another: `/dns4/HOST/tcp/PORT/p2p/PEERID`."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Self

from mina_infra.errors import MinaInfraError

# Base58 without 0, O, I and l; an Ed25519 identity is always 52 characters and starts like this.
_PEER_ID = re.compile(r"12D3KooW[1-9A-HJ-NP-Za-km-z]{44}")
_HOST = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?)*\.?"
)
_FORM = "/dns4|ip4|ip6/HOST/tcp/PORT/p2p/PEERID"


class MultiaddressError(MinaInfraError):
    """A text is not the address of a Mina node."""


@dataclass(frozen=True, order=True)
class Multiaddress:
    """Host name or IP address, TCP port and libp2p peer id of one node.

    Old lists write `/ipfs/` where new ones write `/p2p/`: both are read, `/p2p/` is written.
    """

    host: str
    port: int
    peer_id: str

    def __post_init__(self) -> None:
        if not valid_peer_id(self.peer_id):
            raise MultiaddressError(
                f"{self.peer_id!r} is not a libp2p peer id: 52 base58 characters that start with 12D3KooW are needed"
            )
        if not 1 <= self.port <= 65535:
            raise MultiaddressError(f"port {self.port} is not between 1 and 65535")
        if _ip_version(self.host) is None and not _HOST.fullmatch(self.host):
            raise MultiaddressError(f"{self.host!r} is neither a host name nor an IP address")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises MultiaddressError, which names the part that is wrong."""
        parts = text.strip().split("/")
        if len(parts) != 7 or parts[0] or parts[3] != "tcp" or parts[5] not in ("p2p", "ipfs"):
            raise MultiaddressError(f"{text!r} is not a multiaddress of the form {_FORM}")
        _, protocol, host, _, port, _, peer_id = parts
        _check_protocol(text, protocol, host)
        if not (port.isascii() and port.isdigit()):
            raise MultiaddressError(f"{text!r}: the port {port!r} is not a number")
        return cls(host, int(port), peer_id)

    def __str__(self) -> str:
        protocol = {4: "ip4", 6: "ip6", None: "dns4"}[_ip_version(self.host)]
        return f"/{protocol}/{self.host}/tcp/{self.port}/p2p/{self.peer_id}"


def valid_peer_id(text: str) -> bool:
    """True for the peer id of an Ed25519 key, the only kind that Mina makes."""
    return _PEER_ID.fullmatch(text) is not None


def _check_protocol(text: str, protocol: str, host: str) -> None:
    expected = {"ip4": 4, "ip6": 6, "dns4": None}
    if protocol not in expected:
        raise MultiaddressError(f"{text!r}: /{protocol}/ is not one of /dns4/, /ip4/, /ip6/")
    if expected[protocol] != _ip_version(host):
        raise MultiaddressError(f"{text!r}: {host!r} does not fit /{protocol}/")


def _ip_version(host: str) -> int | None:
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return None
