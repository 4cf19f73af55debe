"""What a simulated node answers over GraphQL, in the shapes of the real schema (mina_infra/daemon/schema.graphql).

Each type lists the fields that a simulated node can tell; numbers of the kinds UInt32, Length, Globalslot and BlockTime
are strings, as the daemon sends them.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any

import msgspec

from mina_infra.daemon.replies import SyncStatus
from mina_infra.simulator.chain import COINBASE, ChainConstants, Header
from mina_infra.simulator.graphql import ObjectType, Operation, QueryError, parse, project
from mina_infra.simulator.network import Network
from mina_infra.simulator.node import Node

CONFIG_DIR = "/root/.mina-config"
_MAX_PEERS = 50  # of the daemon's default -max-connections
_KNOWS_NOTHING = (SyncStatus.CONNECTING, SyncStatus.LISTENING, SyncStatus.BOOTSTRAP)


@dataclass(frozen=True)
class View:
    """A node as seen by somebody who asks it now."""

    network: Network
    node: Node

    @property
    def constants(self) -> ChainConstants:
        return self.network.constants

    @property
    def tip(self) -> Header | None:
        """The best tip, None while the node does not know one (before and during a bootstrap)."""
        return None if self.node.status in _KNOWS_NOTHING else self.node.tip

    @property
    def uptime_secs(self) -> int:
        return int((self.network.now - self.node.started_ms) / 1000)

    @property
    def height(self) -> int | None:
        return self.tip.height if self.tip else None

    def peers(self) -> list[Node]:
        """At most as many peers as a daemon holds; the selection is stable and differs from node to node."""
        peers = self.network.peers_of(self.node)
        if len(peers) > _MAX_PEERS:
            start = self.node.salt % len(peers)
            peers = (peers[start:] + peers[:start])[:_MAX_PEERS]
        return peers

    def chain(self, length: int | None) -> list[Header]:
        """The best chain's newest blocks, at most k; raises the daemon's error while there is no frontier."""
        if self.tip is None:
            raise QueryError("Could not obtain best chain from transition frontier")
        most = self.constants.k
        return self.node.chain(most if length is None else max(min(length, most), 0))


@dataclass(frozen=True)
class BlockView:
    """One block with the constants that its fields need."""

    header: Header
    constants: ChainConstants


def timestamp(ms: float) -> str:
    """A time as daemons print it: a blank instead of T."""
    return f"{datetime.fromtimestamp(ms / 1000, UTC).isoformat(' ', 'microseconds')[:26]}Z"


def consensus_time(constants: ChainConstants, slot: int) -> dict[str, str]:
    """A slot counted from the genesis as the schema's ConsensusTime; times in ms since 1970."""
    epoch, in_epoch = divmod(max(slot, 0), constants.slots_per_epoch)
    start = constants.slot_start(max(slot, 0))
    return {
        "epoch": str(epoch),
        "slot": str(in_epoch),
        "globalSlot": str(max(slot, 0)),
        "startTime": str(start),
        "endTime": str(start + constants.slot_ms),
    }


def consensus_configuration(constants: ChainConstants) -> dict[str, Any]:
    return {
        "delta": constants.delta,
        "k": constants.k,
        "slotsPerEpoch": constants.slots_per_epoch,
        "slotDuration": constants.slot_ms,
        "epochDuration": constants.slot_ms * constants.slots_per_epoch,
        "genesisStateTimestamp": timestamp(constants.genesis_ms),
        "acceptableNetworkDelay": constants.slot_ms * max(constants.delta, 1),
    }


def _peer(node: Node) -> dict[str, Any]:
    return {"host": node.spec.host, "libp2pPort": node.spec.p2p_port, "peerId": node.spec.identity}


def _addresses(view: View) -> dict[str, Any]:
    spec = view.node.spec
    return {
        "externalIp": spec.host,
        "bindIp": "0.0.0.0",
        "clientPort": spec.client_port,
        "libp2pPort": spec.p2p_port,
        "peer": _peer(view.node),
    }


def _metrics(view: View) -> dict[str, Any]:
    received = view.node.counters.blocks_received
    return {
        "blockProductionDelay": [],
        "transactionPoolDiffReceived": received,
        "transactionPoolDiffBroadcasted": 0,
        "transactionsAddedToPool": received,
        "transactionPoolSize": 0,
        "snarkPoolDiffReceived": received,
        "snarkPoolDiffBroadcasted": 0,
        "pendingSnarkWork": 0,
        "snarkPoolSize": 0,
    }


def _plain(name: str, *fields: str, **children: ObjectType) -> ObjectType:
    """A type whose values are dicts."""
    return ObjectType(name, {key: itemgetter(key) for key in (*fields, *children)}, children)


_TIME = _plain("ConsensusTime", "epoch", "slot", "globalSlot", "startTime", "endTime")
_PEER = _plain("Peer", "host", "libp2pPort", "peerId")
_ADDRESSES = _plain("AddrsAndPorts", "externalIp", "bindIp", "clientPort", "libp2pPort", peer=_PEER)
_CONFIGURATION = _plain(
    "ConsensusConfiguration", "delta", "k", "slotsPerEpoch", "slotDuration", "epochDuration",
    "genesisStateTimestamp", "acceptableNetworkDelay",
)  # fmt: skip
_METRICS = _plain(
    "Metrics", "blockProductionDelay", "transactionPoolDiffReceived", "transactionPoolDiffBroadcasted",
    "transactionsAddedToPool", "transactionPoolSize", "snarkPoolDiffReceived", "snarkPoolDiffBroadcasted",
    "pendingSnarkWork", "snarkPoolSize",
)  # fmt: skip

_STATUS = ObjectType(
    "DaemonStatus",
    {
        "numAccounts": lambda view: 1 + len(view.network.lottery.stakes) if view.tip else None,
        "blockchainLength": lambda view: view.height,
        "highestBlockLengthReceived": lambda view: view.node.highest_received,
        "highestUnvalidatedBlockLengthReceived": lambda view: view.node.highest_unvalidated,
        "uptimeSecs": lambda view: view.uptime_secs,
        "ledgerMerkleRoot": lambda view: ledger_hash(view.tip) if view.tip else None,
        "stateHash": lambda view: view.tip.state_hash if view.tip else None,
        "chainId": lambda view: view.constants.chain_id,
        "commitId": lambda view: view.node.spec.commit_id,
        "confDir": lambda view: CONFIG_DIR,
        "peers": lambda view: [_peer(node) for node in view.peers()],
        "userCommandsSent": lambda view: 0,
        "snarkWorker": lambda view: None,
        "snarkWorkFee": lambda view: 0,
        "syncStatus": lambda view: view.node.status.value,
        "catchupStatus": lambda view: catchup_status(view.node),
        "blockProductionKeys": lambda view: [view.node.spec.key] if view.node.spec.key else [],
        "coinbaseReceiver": lambda view: None,
        "consensusTimeBestTip": lambda view: consensus_time(view.constants, view.tip.slot) if view.tip else None,
        "globalSlotSinceGenesisBestTip": lambda view: view.constants.fork_slot + view.tip.slot if view.tip else None,
        "consensusTimeNow": lambda view: consensus_time(view.constants, view.constants.slot_at(view.network.now)),
        "consensusMechanism": lambda view: "proof_of_stake",
        "consensusConfiguration": lambda view: consensus_configuration(view.constants),
        "addrsAndPorts": _addresses,
        "metrics": _metrics,
    },
    {
        "peers": _PEER,
        "consensusTimeBestTip": _TIME,
        "consensusTimeNow": _TIME,
        "consensusConfiguration": _CONFIGURATION,
        "addrsAndPorts": _ADDRESSES,
        "metrics": _METRICS,
    },
)


def _same(block: BlockView) -> BlockView:
    return block


_ACCOUNT = ObjectType("Account", {"publicKey": lambda key: key})
_BLOCKCHAIN_STATE = ObjectType(
    "BlockchainState",
    {
        "date": lambda block: str(block.header.date_ms),
        "utcDate": lambda block: str(block.header.date_ms),
        "snarkedLedgerHash": lambda block: ledger_hash(block.header),
        "stagedLedgerHash": lambda block: ledger_hash(block.header),
        "stagedLedgerProofEmitted": lambda block: block.header.snark_jobs > 0,
    },
)
_CONSENSUS_STATE = ObjectType(
    "ConsensusState",
    {
        "blockchainLength": lambda block: str(block.header.height),
        "blockHeight": lambda block: str(block.header.height),
        "epochCount": lambda block: str(block.header.slot // block.constants.slots_per_epoch),
        "epoch": lambda block: str(block.header.slot // block.constants.slots_per_epoch),
        "slot": lambda block: str(block.header.slot % block.constants.slots_per_epoch),
        "slotSinceGenesis": lambda block: str(block.constants.fork_slot + block.header.slot),
        "lastVrfOutput": lambda block: block.header.vrf,
        "blockStakeWinner": lambda block: block.header.creator,
        "blockCreator": lambda block: block.header.creator,
        "coinbaseReceiever": lambda block: block.header.creator,
        "superchargedCoinbase": lambda block: False,
    },
)
_PROTOCOL_STATE = ObjectType(
    "ProtocolState",
    {
        "previousStateHash": lambda block: block.header.parent,
        "blockchainState": _same,
        "consensusState": _same,
    },
    {"blockchainState": _BLOCKCHAIN_STATE, "consensusState": _CONSENSUS_STATE},
)
_TRANSACTIONS = ObjectType("Transactions", {"coinbase": lambda block: str(COINBASE if block.header.slot else 0)})
_COMPLETED_WORK = _plain("CompletedWork", "prover", "fee", "workIds")
_BLOCK = ObjectType(
    "Block",
    {
        "creator": lambda block: block.header.creator,
        "creatorAccount": lambda block: block.header.creator,
        "winnerAccount": lambda block: block.header.creator,
        "stateHash": lambda block: block.header.state_hash,
        "protocolState": _same,
        "transactions": _same,
        "commandTransactionCount": lambda block: block.header.commands,
        "snarkJobs": lambda block: _snark_jobs(block.header),
    },
    {
        "creatorAccount": _ACCOUNT,
        "winnerAccount": _ACCOUNT,
        "protocolState": _PROTOCOL_STATE,
        "transactions": _TRANSACTIONS,
        "snarkJobs": _COMPLETED_WORK,
    },
)
_GENESIS_CONSTANTS = _plain("GenesisConstants", "accountCreationFee", "coinbase", "genesisTimestamp")


def _best_chain(view: View, *, maxLength: int | None = None) -> list[BlockView]:
    return [BlockView(header, view.constants) for header in view.chain(maxLength)]


def _block(view: View, *, stateHash: str | None = None, height: int | None = None) -> BlockView:
    if (stateHash is None) == (height is None):
        raise QueryError("Must provide exactly one of state hash, height")
    for header in view.chain(None):
        if header.state_hash == stateHash or header.height == height:
            return BlockView(header, view.constants)
    raise QueryError(f"Could not find block in transition frontier with {'hash' if stateHash else 'height'}")


def _genesis_constants(view: View) -> dict[str, str]:
    return {
        "accountCreationFee": "1000000000",
        "coinbase": str(COINBASE),
        "genesisTimestamp": timestamp(view.constants.genesis_ms),
    }


QUERY = ObjectType(
    "query",
    {
        "syncStatus": lambda view: view.node.status.value,
        "version": lambda view: view.node.spec.commit_id,
        "daemonStatus": lambda view: view,
        "bestChain": _best_chain,
        "block": _block,
        "genesisBlock": lambda view: BlockView(view.constants.genesis_block(), view.constants),
        "genesisConstants": _genesis_constants,
        "getPeers": lambda view: [_peer(node) for node in view.peers()],
        "initialPeers": lambda view: [],
        "timeOffset": lambda view: 0,
        "networkID": lambda view: "mina:testnet",
    },
    {
        "daemonStatus": _STATUS,
        "bestChain": _BLOCK,
        "block": _BLOCK,
        "genesisBlock": _BLOCK,
        "genesisConstants": _GENESIS_CONSTANTS,
        "getPeers": _PEER,
    },
)


def ledger_hash(header: Header) -> str:
    """A ledger hash in the form of Mina's (51 characters, jx...); it follows the block."""
    return "jx" + header.state_hash[3:]


def catchup_status(node: Node) -> list[str] | None:
    """Lines like a daemon's catch-up tree; None when no catch-up runs."""
    if node.status is not SyncStatus.CATCHUP:
        return None
    missing = node.target[0].height - node.tip.height if node.target and node.tip else 0
    return [f"To download: {max(missing, 0)}", f"Finished: {len(node.known)}"]


def _snark_jobs(header: Header) -> list[dict[str, Any]]:
    job = {"prover": header.creator, "fee": "10000000"}
    return [{**job, "workIds": [header.height * 1000 + number]} for number in range(header.snark_jobs)]


class Answers:
    """Answers of one network's nodes. Replies to bestChain are kept, because all nodes with one tip give the same."""

    def __init__(self, network: Network, *, cached: int = 64) -> None:
        self.network = network
        self._cached = cached
        self._cache: OrderedDict[tuple[object, ...], bytes] = OrderedDict()

    def reply(self, node: Node, body: bytes) -> bytes:
        """The reply to one POST body. May raise OSError: what is told must be in the volume first."""
        node.flush()
        try:
            request = json.loads(body)
            text, name = request["query"], request.get("operationName")
            variables = json.dumps(request.get("variables") or {}, sort_keys=True)
            operation = _parsed(text, name, variables)
        except QueryError as error:
            return _failed(error)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return _failed(QueryError("Expected a JSON body with a query"))
        key = (node.tip and node.tip.state_hash, node.oldest, node.status in _KNOWS_NOTHING, text, name, variables)
        if _only_best_chain(operation) and key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        reply = self._execute(node, operation)
        if _only_best_chain(operation):
            self._cache[key] = reply
            if len(self._cache) > self._cached:
                self._cache.popitem(last=False)
        return reply

    def _execute(self, node: Node, operation: Operation) -> bytes:
        try:
            return msgspec.json.encode({"data": project(QUERY, View(self.network, node), operation)})
        except QueryError as error:
            return _failed(error)
        except RecursionError:
            return _failed(QueryError("Fragments refer to each other"))


def _failed(error: QueryError) -> bytes:
    entry: dict[str, Any] = {"message": str(error)}
    answer: Mapping[str, Any] = {"errors": [entry]}
    if error.path:
        entry["path"] = list(error.path)
        answer = {"errors": [entry], "data": None}
    return msgspec.json.encode(answer)


@lru_cache(maxsize=256)
def _parsed(text: str, name: str | None, variables: str) -> Operation:
    return parse(text, name, json.loads(variables))


def _only_best_chain(operation: Operation) -> bool:
    return all(not isinstance(field, str) and field.name == "bestChain" for field in operation.fields)
