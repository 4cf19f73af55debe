"""What a simulated node answers over GraphQL, in the shapes of the real schema (mina_infra/daemon/schema.graphql).

Each type lists the fields that a simulated node can tell; numbers of the kinds UInt32, Length, Globalslot and BlockTime
are strings, as the daemon sends them.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any

import msgspec

from mina_infra.daemon.replies import SyncStatus
from mina_infra.simulator import payments, pools
from mina_infra.simulator.chain import COINBASE, Header, public_key
from mina_infra.simulator.graphql import ObjectType, Operation, QueryError, parse, project
from mina_infra.simulator.network import Network
from mina_infra.simulator.node import Node
from mina_infra.simulator.view import (
    CONFIG_DIR,
    KNOWS_NOTHING,
    BlockView,
    View,
    addresses,
    consensus_configuration,
    consensus_time,
    next_production,
    peer,
    pool_metrics,
    timestamp,
)

_PROVER = public_key("snark worker")


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
        "peers": lambda view: [peer(node) for node in view.peers()],
        "userCommandsSent": lambda view: 0,
        "snarkWorker": lambda view: None,
        "snarkWorkFee": lambda view: 0,
        "syncStatus": lambda view: view.status.value,
        "catchupStatus": lambda view: catchup_status(view.node),
        "blockProductionKeys": lambda view: [view.node.spec.key] if view.node.spec.key else [],
        "coinbaseReceiver": lambda view: None,
        "nextBlockProduction": next_production,
        "consensusTimeBestTip": lambda view: consensus_time(view.constants, view.tip.slot) if view.tip else None,
        "globalSlotSinceGenesisBestTip": lambda view: view.constants.fork_slot + view.tip.slot if view.tip else None,
        "consensusTimeNow": lambda view: consensus_time(view.constants, view.slot_now),
        "consensusMechanism": lambda view: "proof_of_stake",
        "consensusConfiguration": lambda view: consensus_configuration(view.constants),
        "addrsAndPorts": addresses,
        "metrics": pool_metrics,
    },
    {
        "peers": _PEER,
        "nextBlockProduction": _plain("BlockProducerTimings", times=_TIME),
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
        "stagedLedgerProofEmitted": lambda block: block.header.proof,
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
_PAYMENT = _plain("UserCommandPayment", *payments.FIELDS, **dict.fromkeys(payments.ACCOUNTS, _ACCOUNT))
_TRANSACTIONS = ObjectType(
    "Transactions",
    {
        "coinbase": lambda block: str(block.header.coinbase if block.header.slot else 0),
        "userCommands": lambda block: payments.of_block(block.header),
    },
    {"userCommands": _PAYMENT},
)
_COMPLETED_WORK = _plain("CompletedWork", "prover", "fee", "workIds")
_PENDING_WORK = _plain("PendingSnarkWork", workBundle=_plain("WorkDescription", "workId"))
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
        "syncStatus": lambda view: view.status.value,
        "version": lambda view: view.node.spec.commit_id,
        "daemonStatus": lambda view: view,
        "bestChain": _best_chain,
        "block": _block,
        "genesisBlock": lambda view: BlockView(view.constants.genesis_block(), view.constants),
        "genesisConstants": _genesis_constants,
        "getPeers": lambda view: [peer(node) for node in view.peers()],
        "initialPeers": lambda view: [],
        "timeOffset": lambda view: view.node.condition.time_offset_s,
        "networkID": lambda view: "mina:testnet",
        "pooledUserCommands": payments.pooled,
        "snarkPool": lambda view: _snark_pool(view),
        "pendingSnarkWork": lambda view: _pending_work(view),
    },
    {
        "daemonStatus": _STATUS,
        "bestChain": _BLOCK,
        "block": _BLOCK,
        "genesisBlock": _BLOCK,
        "genesisConstants": _GENESIS_CONSTANTS,
        "getPeers": _PEER,
        "pooledUserCommands": _PAYMENT,
        "snarkPool": _COMPLETED_WORK,
        "pendingSnarkWork": _PENDING_WORK,
    },
)


LIMITED = QUERY.only("daemonStatus", "block", "version")
"""What the limited port serves (mina's mina_graphql.ml, schema_limited)."""


def ledger_hash(header: Header) -> str:
    """A ledger hash in the form of Mina's (51 characters, jx...); it follows the block."""
    return "jx" + header.state_hash[3:]


def catchup_status(node: Node) -> list[str] | None:
    """Lines like a daemon's catch-up tree; None when no catch-up runs."""
    if node.status is not SyncStatus.CATCHUP:
        return None
    missing = node.target[0].height - node.tip.height if node.target and node.tip else 0
    return [f"To download: {max(missing, 0)}", f"Finished: {len(node.known)}"]


def _bundles(first: int, end: int) -> list[dict[str, Any]]:
    """Finished bundles of work by their number, each of two proofs (docs/facts.md: mina/snark-fee)."""
    return [{"prover": _PROVER, "fee": "25000000", "workIds": [2 * each, 2 * each + 1]} for each in range(first, end)]


def _snark_pool(view: View) -> list[dict[str, Any]]:
    bought = view.tip.work_total if view.tip else 0
    return _bundles(bought, bought + pools.snark_pool_size(view.network, view.node))


def _pending_work(view: View) -> list[dict[str, Any]]:
    end = view.tip.transactions_total if view.tip else 0
    waiting = range(end - pools.pending_work(view.network, view.node), end)
    return [{"workBundle": [{"workId": 2 * each}, {"workId": 2 * each + 1}]} for each in waiting]


def _snark_jobs(header: Header) -> list[dict[str, Any]]:
    return _bundles(header.work_total - header.snark_jobs, header.work_total)


class Answers:
    """Answers of one network's nodes. Replies to bestChain are kept, because all nodes with one tip give the same."""

    def __init__(self, network: Network, *, cached: int = 64) -> None:
        self.network = network
        self._cached = cached
        self._cache: OrderedDict[tuple[object, ...], bytes] = OrderedDict()

    def reply(self, node: Node, body: bytes, *, limited: bool = False) -> bytes:
        """The reply to one POST body, by the limited port's schema or the full one.

        May raise OSError: what is told must be in the volume first.
        """
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
        known = node.status not in KNOWS_NOTHING
        key = (node.tip and node.tip.state_hash, node.oldest, known, text, name, variables)
        if limited:
            return self._execute(node, operation, LIMITED)
        if _only_best_chain(operation) and key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        reply = self._execute(node, operation)
        if _only_best_chain(operation):
            self._cache[key] = reply
            if len(self._cache) > self._cached:
                self._cache.popitem(last=False)
        return reply

    def _execute(self, node: Node, operation: Operation, schema: ObjectType = QUERY) -> bytes:
        try:
            return msgspec.json.encode({"data": project(schema, View(self.network, node), operation)})
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
