"""The queries that this project asks a daemon, and their replies as typed values.

Numbers of the kinds UInt32, Length, Globalslot and BlockTime travel as strings; the decoders accept both forms.
Every decoder raises `GraphQLError` for a reply that carries errors or is not a GraphQL reply at all (an API server's
proxy answers 502 with a Kubernetes Status, for instance).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import msgspec

from mina_infra.errors import MinaInfraError


class GraphQLError(MinaInfraError):
    """The daemon refused the query, or the reply is not one of a daemon. `messages` are the server's own words."""

    def __init__(self, messages: tuple[str, ...]) -> None:
        super().__init__("the daemon answered: " + "; ".join(messages))
        self.messages = messages


class SyncStatus(StrEnum):
    """GraphQL spells these in capitals, the command line capitalises them (`Synced`)."""

    CONNECTING = "CONNECTING"
    LISTENING = "LISTENING"
    OFFLINE = "OFFLINE"
    BOOTSTRAP = "BOOTSTRAP"
    SYNCED = "SYNCED"
    CATCHUP = "CATCHUP"


class _Reply(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A part of a reply: camelCase on the wire, unknown fields are ignored."""


class Peer(_Reply, frozen=True):
    """One libp2p peer."""

    host: str
    libp2p_port: int = msgspec.field(name="libp2pPort")
    peer_id: str


class AddrsAndPorts(_Reply, frozen=True):
    """Where the daemon says it can be reached; `peer` is null until libp2p is up."""

    external_ip: str
    bind_ip: str
    client_port: int
    libp2p_port: int = msgspec.field(name="libp2pPort")
    peer: Peer | None = None


class ConsensusTime(_Reply, frozen=True):
    """A slot; times in ms since 1970. `global_slot` counts from the current genesis (the last hard fork)."""

    epoch: int
    slot: int
    global_slot: int
    start_time: int
    end_time: int


class ConsensusConfiguration(_Reply, frozen=True):
    """Constants of the chain; durations in ms. The share of active slots f is not told by a daemon."""

    delta: int
    k: int
    slots_per_epoch: int
    slot_duration: int
    epoch_duration: int
    acceptable_network_delay: int
    genesis_state_timestamp: str

    @property
    def genesis_time(self) -> datetime:
        return parse_timestamp(self.genesis_state_timestamp)


class DaemonMetrics(_Reply, frozen=True):
    """Counters of the transaction and snark pools."""

    transaction_pool_size: int = 0
    transactions_added_to_pool: int = 0
    transaction_pool_diff_received: int = 0
    snark_pool_size: int = 0
    snark_pool_diff_received: int = 0
    pending_snark_work: int = 0
    block_production_delay: tuple[int, ...] = ()


class SlotStart(_Reply, frozen=True):
    """When a slot begins, ms since 1970."""

    start_time: int


class BlockProducerTimings(_Reply, frozen=True):
    """The next slots that a producer has won and not yet produced for; empty while it evaluates its lots."""

    times: tuple[SlotStart, ...] = ()


class DaemonStatus(_Reply, frozen=True):
    """daemonStatus; None where the daemon does not know yet (before its first sync)."""

    sync_status: SyncStatus
    chain_id: str
    commit_id: str
    uptime_secs: int
    highest_block_length_received: int
    highest_unvalidated_block_length_received: int
    peers: tuple[Peer, ...]
    addrs_and_ports: AddrsAndPorts
    consensus_time_now: ConsensusTime
    consensus_configuration: ConsensusConfiguration
    conf_dir: str = ""
    state_hash: str | None = None
    blockchain_length: int | None = None
    num_accounts: int | None = None
    global_slot_since_genesis_best_tip: int | None = None
    catchup_status: tuple[str, ...] | None = None
    block_production_keys: tuple[str, ...] = ()
    snark_worker: str | None = None
    metrics: DaemonMetrics = DaemonMetrics()
    next_block_production: BlockProducerTimings | None = None

    @property
    def next_slots_ms(self) -> tuple[int, ...]:
        """Starts of the slots that it says it will produce blocks in, ms since 1970."""
        return tuple(slot.start_time for slot in self.next_block_production.times) if self.next_block_production else ()


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One block of a best chain.

    `slot` is slotSinceGenesis, which counts across hard forks: never compare it with a slot computed from the current
    genesis time. `coinbase` is in nanomina, `date_ms` in ms since 1970.
    """

    state_hash: str
    parent_hash: str
    height: int
    slot: int
    epoch: int
    slot_in_epoch: int
    creator: str
    commands: int
    snark_jobs: int
    coinbase: int
    date_ms: int

    def global_slot(self, slots_per_epoch: int) -> int:
        """The slot counted from the current genesis (the last hard fork)."""
        return self.epoch * slots_per_epoch + self.slot_in_epoch


BestChain = tuple[Block, ...]
"""Blocks from the oldest (the root) to the best tip."""

_REMEMBERED_BYTES = 1 << 18


class Version(_Reply, frozen=True):
    """Reply to the version query: the commit of the daemon and its status."""

    version: str | None
    sync_status: SyncStatus


@cache
def query(name: str) -> str:
    """The text of `queries/NAME.graphql`: status, best_chain or version."""
    return files("mina_infra.daemon").joinpath("queries", f"{name}.graphql").read_text(encoding="utf-8")


def request_body(name: str, **variables: Any) -> bytes:
    """The body to POST to /graphql for one of our queries."""
    body: dict[str, Any] = {"query": query(name)}
    if variables:
        body["variables"] = variables
    return json.dumps(body).encode()


def decode_status(reply: bytes) -> DaemonStatus:
    """The reply to the status query."""
    data = _data(reply, _STATUS)
    assert isinstance(data, _StatusData)
    return data.daemon_status


def decode_version(reply: bytes) -> Version:
    """The reply to the version query."""
    data = _data(reply, _VERSION)
    assert isinstance(data, Version)
    return data


def decode_best_chain(reply: bytes) -> BestChain | None:
    """The reply to the best_chain query, oldest block first; None while the daemon bootstraps.

    Daemons of different age say that by null or by an error about the transition frontier; both mean the same.
    """
    return _remembered_best_chain(reply) if len(reply) <= _REMEMBERED_BYTES else _best_chain(reply)


def _best_chain(reply: bytes) -> BestChain | None:
    try:
        data = _data(reply, _BEST_CHAIN)
    except GraphQLError as error:
        if all("transition frontier" in text or "bootstrap" in text.lower() for text in error.messages):
            return None
        raise
    assert isinstance(data, _BestChainData)
    return None if data.best_chain is None else tuple(_flat(block) for block in data.best_chain)


# Nodes at one tip say the same, byte for byte: of 1,000 replies a handful is decoded, and their blocks are held once.
_remembered_best_chain = lru_cache(maxsize=64)(_best_chain)


def parse_timestamp(text: str) -> datetime:
    """A time as daemons print it: `2024-06-05 00:00:00.000000Z` (a blank, not ISO's T) or ISO 8601; UTC."""
    moment = datetime.fromisoformat(text.strip().replace(" ", "T", 1).replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class _StatusData(_Reply, frozen=True):
    daemon_status: DaemonStatus


class _Account(_Reply, frozen=True):
    public_key: str


class _Transactions(_Reply, frozen=True):
    coinbase: int = 0


class _BlockchainState(_Reply, frozen=True):
    date: int


class _ConsensusState(_Reply, frozen=True):
    block_height: int
    slot_since_genesis: int
    slot: int
    epoch: int


class _ProtocolState(_Reply, frozen=True):
    previous_state_hash: str
    blockchain_state: _BlockchainState
    consensus_state: _ConsensusState


class _WireBlock(_Reply, frozen=True):
    state_hash: str
    creator_account: _Account
    protocol_state: _ProtocolState
    command_transaction_count: int
    snark_jobs: tuple[Any, ...]
    transactions: _Transactions


class _BestChainData(_Reply, frozen=True):
    best_chain: tuple[_WireBlock, ...] | None


class _Message(msgspec.Struct, frozen=True):
    message: str = "an error without a message"


class _Envelope(msgspec.Struct, frozen=True):
    data: msgspec.Raw = msgspec.Raw(b"null")
    errors: tuple[_Message, ...] | None = None


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_STATUS = msgspec.json.Decoder(_StatusData, strict=False)
_BEST_CHAIN = msgspec.json.Decoder(_BestChainData, strict=False)
_VERSION = msgspec.json.Decoder(Version, strict=False)


def _data(reply: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    try:
        envelope = _ENVELOPE.decode(reply)
        if envelope.errors:
            raise GraphQLError(tuple(error.message for error in envelope.errors))
        return decoder.decode(envelope.data)
    except msgspec.DecodeError as error:
        start = reply[:120].decode("utf-8", "replace")
        raise GraphQLError((f"no reply of a Mina daemon ({error}): {start}",)) from error


def _flat(block: _WireBlock) -> Block:
    state = block.protocol_state
    consensus = state.consensus_state
    return Block(
        state_hash=block.state_hash,
        parent_hash=state.previous_state_hash,
        height=consensus.block_height,
        slot=consensus.slot_since_genesis,
        epoch=consensus.epoch,
        slot_in_epoch=consensus.slot,
        creator=block.creator_account.public_key,
        commands=block.command_transaction_count,
        snark_jobs=len(block.snark_jobs),
        coinbase=block.transactions.coinbase,
        date_ms=state.blockchain_state.date,
    )
