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
from itertools import pairwise
from typing import Annotated, Any

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


Natural = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""A count, a height, a slot or a time in ms: what lies outside is nonsense, however well it is written."""

Hash = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


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

    epoch: Natural
    slot: Natural
    global_slot: Natural
    start_time: Natural
    end_time: Natural


class ConsensusConfiguration(_Reply, frozen=True):
    """Constants of the chain; durations in ms. The share of active slots f is not told by a daemon."""

    delta: Natural
    k: Natural
    slots_per_epoch: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    slot_duration: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    epoch_duration: Natural
    acceptable_network_delay: Natural
    genesis_state_timestamp: str

    @property
    def genesis_time(self) -> datetime:
        return parse_timestamp(self.genesis_state_timestamp)


PRODUCTION_DELAYS_MS = (60_000, 90_000, 120_000, 150_000, 180_000, 210_000)
"""Upper bounds of all but the last of the counts in `DaemonMetrics.block_production_delay`, however long a slot is
(docs/facts.md: mina/production-delay)."""


class DaemonMetrics(_Reply, frozen=True):
    """Counters of the transaction and snark pools, and of the blocks that the daemon made since it started.

    `block_production_delay` counts those blocks by the time from the start of their slot until they were finished.
    """

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
    uptime_secs: Natural
    highest_block_length_received: Natural
    highest_unvalidated_block_length_received: Natural
    peers: tuple[Peer, ...]
    addrs_and_ports: AddrsAndPorts
    consensus_time_now: ConsensusTime
    consensus_configuration: ConsensusConfiguration
    conf_dir: str = ""
    state_hash: Hash | None = None
    blockchain_length: Natural | None = None
    num_accounts: Natural | None = None
    global_slot_since_genesis_best_tip: Natural | None = None
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
    """The text of `queries/NAME.graphql`: status, best_chain, block, block_at, version or time_offset.

    The fields of a block are a fragment of their own, which the queries that ask for blocks bring along.
    """
    text = _file(name)
    return f"{text}\n{_file('block_fields')}" if "...BlockFields" in text else text


def _file(name: str) -> str:
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


def decode_time_offset(reply: bytes) -> int:
    """The reply to the time_offset query: seconds by which a daemon was told to shift its clock."""
    data = _data(reply, _TIME_OFFSET)
    assert isinstance(data, _TimeOffset)
    return data.time_offset


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
    return None if data.best_chain is None else _linked(tuple(_flat(block) for block in data.best_chain))


def _linked(chain: BestChain) -> BestChain:
    """The same chain. Raises GraphQLError unless each block is the next one's parent, one lower, in an earlier slot."""
    for older, block in pairwise(chain):
        if block.parent_hash != older.state_hash or block.height != older.height + 1 or block.slot <= older.slot:
            raise GraphQLError((f"its best chain breaks off at {block.state_hash}, height {block.height}",))
    return chain


def decode_block(reply: bytes) -> Block | None:
    """The reply to the block query; None for a block that the daemon does not have (any more)."""
    try:
        data = _data(reply, _BLOCK)
    except GraphQLError as error:
        if all("Could not find block" in text for text in error.messages):
            return None
        raise
    assert isinstance(data, _BlockData)
    return _flat(data.block)


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
    coinbase: Natural = 0


class _BlockchainState(_Reply, frozen=True):
    date: Natural


class _ConsensusState(_Reply, frozen=True):
    block_height: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    slot_since_genesis: Natural
    slot: Natural
    epoch: Natural


class _ProtocolState(_Reply, frozen=True):
    previous_state_hash: Hash
    blockchain_state: _BlockchainState
    consensus_state: _ConsensusState


class _WireBlock(_Reply, frozen=True):
    state_hash: Hash
    creator_account: _Account
    protocol_state: _ProtocolState
    command_transaction_count: Natural
    snark_jobs: tuple[Any, ...]
    transactions: _Transactions


class _BestChainData(_Reply, frozen=True):
    best_chain: tuple[_WireBlock, ...] | None


class _BlockData(_Reply, frozen=True):
    block: _WireBlock


class _TimeOffset(_Reply, frozen=True):
    time_offset: int


class _Message(msgspec.Struct, frozen=True):
    message: str = "an error without a message"


class _Envelope(msgspec.Struct, frozen=True):
    data: msgspec.Raw = msgspec.Raw(b"null")
    errors: tuple[_Message, ...] | None = None


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_STATUS = msgspec.json.Decoder(_StatusData, strict=False)
_BEST_CHAIN = msgspec.json.Decoder(_BestChainData, strict=False)
_BLOCK = msgspec.json.Decoder(_BlockData, strict=False)
_TIME_OFFSET = msgspec.json.Decoder(_TimeOffset, strict=False)
_VERSION = msgspec.json.Decoder(Version, strict=False)


def _data(reply: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    try:
        envelope = _ENVELOPE.decode(reply)
        if envelope.errors:
            raise GraphQLError(tuple(error.message for error in envelope.errors))
        return decoder.decode(envelope.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
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
