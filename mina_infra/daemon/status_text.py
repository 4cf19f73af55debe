"""What `mina client status` prints, as text and with `--json`.

The text form leaves out what the daemon does not know yet, the JSON form has nulls there; both spell the sync status
`Synced` where GraphQL says `SYNCED` (mina's src/lib/daemon_rpcs/types.ml).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from mina_infra.daemon.replies import SyncStatus
from mina_infra.errors import MinaInfraError

NOT_CONNECTED = "Unable to connect to Mina Daemon"

_UPTIME = re.compile(r"([0-9]{1,15})([dhms])")
_SAME = (
    "blockchain_length", "highest_block_length_received", "highest_unvalidated_block_length_received", "state_hash",
    "chain_id", "commit_id", "uptime_secs", "conf_dir",
)  # fmt: skip
"""What JSON calls as we do."""
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


class StatusTextError(MinaInfraError):
    """The output is not a status: no daemon answered, or it was cut off."""


class CliStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of a status that are judged; None where the daemon does not know. Uptime in seconds."""

    sync_status: SyncStatus
    blockchain_length: int | None = None
    highest_block_length_received: int | None = None
    highest_unvalidated_block_length_received: int | None = None
    state_hash: str | None = None
    chain_id: str | None = None
    commit_id: str | None = None
    uptime_secs: int | None = None
    peers: int | None = None
    peer_id: str | None = None
    block_producers: int | None = None
    conf_dir: str | None = None


def parse_status(output: str | bytes) -> CliStatus:
    """Either form. Raises StatusTextError."""
    text = (output if isinstance(output, str) else output.decode("utf-8", "replace")).strip()
    if NOT_CONNECTED in text:
        raise StatusTextError(f"{NOT_CONNECTED}: it does not run yet, or its client port rejects this address")
    return _from_json(text) if text.startswith("{") else _from_text(text)


def _from_json(text: str) -> CliStatus:
    try:
        value: dict[str, Any] = msgspec.json.decode(text)
        peer = (value.get("addrs_and_ports") or {}).get("peer") or {}
        same = {name: value.get(name) for name in _SAME}
        counted = {
            "sync_status": _sync_status(value["sync_status"]),
            "peers": None if value.get("peers") is None else len(value["peers"]),
            "peer_id": peer.get("peer_id"),
            "block_producers": len(value.get("block_production_keys") or ()),
        }
        return msgspec.convert({**same, **counted}, CliStatus)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StatusTextError(f"not the JSON of a Mina status ({error}): {text[:120]}") from error


def _from_text(text: str) -> CliStatus:
    fields = _fields(text)
    if "Sync status" not in fields:
        raise StatusTextError(f"no sync status in the output: {text[:120] or 'it is empty'}")
    return CliStatus(
        sync_status=_sync_status(fields["Sync status"]),
        blockchain_length=_number(fields.get("Block height")),
        highest_block_length_received=_number(fields.get("Max observed block height")),
        highest_unvalidated_block_length_received=_number(fields.get("Max observed unvalidated block height")),
        state_hash=fields.get("Protocol state hash"),
        chain_id=fields.get("Chain id"),
        commit_id=fields.get("Git SHA-1"),
        uptime_secs=_uptime(fields.get("Local uptime")),
        peers=_number(fields.get("Peers")),
        peer_id=fields.get("Libp2p PeerID"),
        block_producers=_number(fields.get("Block producers running")),
        conf_dir=fields.get("Configuration directory"),
    )


def _fields(text: str) -> dict[str, str]:
    """Key and value of each line; values hold colons themselves (timestamps). Nested lines begin with a TAB."""
    pairs = (line.strip().partition(":") for line in text.splitlines())
    return {key.strip(): value.strip() for key, colon, value in pairs if colon and value.strip()}


def _sync_status(text: str) -> SyncStatus:
    try:
        return SyncStatus(text.strip().upper())
    except ValueError as error:
        raise StatusTextError(f"unknown sync status {text!r}; known: {', '.join(SyncStatus)}") from error


def _number(text: str | None) -> int | None:
    """The leading number: block producers print `1 (B62q...)`, peers print a count."""
    found = re.match(r"[0-9]{1,15}", text or "")
    return int(found.group()) if found else None


def _uptime(text: str | None) -> int | None:
    """`2d17h50m34s` in seconds."""
    parts = _UPTIME.findall(text or "")
    return sum(int(count) * _SECONDS[unit] for count, unit in parts) if parts else None
