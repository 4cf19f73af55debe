"""The chain itself: its constants, blocks, leader election and fork choice. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from mina_infra.daemon.replies import parse_timestamp
from mina_infra.daemon.scan_state import DEFAULT, Capacity, capacity_of

COINBASE = 720_000_000_000
"""nanomina for each block: 720 MINA."""

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
# What decides which chain a configuration describes; the section `daemon` (peer lists, pool sizes) does not.
_CHAIN_SECTIONS = ("genesis", "proof", "ledger", "epoch_data")


class Header(msgspec.Struct, frozen=True, array_like=True):
    """One block, without its body.

    `slot` counts from the current genesis. `vrf` is the hex output by which equal heights are decided. `date_ms` is the
    start of the slot in ms since 1970. Frontiers hold it as a JSON array, so the order of the fields is a file format;
    those with a default came later. The totals count from the first block of the network: commands, all transactions
    (each makes one bundle of snark work), bundles bought. `proof`: a ledger proof came out of the scan state.
    """

    state_hash: str
    parent: str
    height: int
    slot: int
    vrf: str
    creator: str
    commands: int
    snark_jobs: int
    date_ms: int
    coinbase: int = COINBASE
    commands_total: int = 0
    transactions_total: int = 0
    work_total: int = 0
    proof: bool = False


@dataclass(frozen=True)
class ChainConstants:
    """What a chain is judged by: durations in ms, `k` in blocks.

    After a hard fork `fork_height` and `fork_slot` are the height and global slot of the last block of the old chain.
    Defaults are the mainnet's (docs/facts.md: mina/consensus-constants).
    """

    chain_id: str
    genesis_ms: int
    slot_ms: int = 180_000
    k: int = 290
    slots_per_epoch: int = 7140
    delta: int = 0
    active_slots: float = 0.75
    fork_height: int = 0
    fork_slot: int = 0
    capacity: Capacity = DEFAULT

    @classmethod
    def from_runtime_config(cls, config: Mapping[str, Any], ledger_digest: str = "") -> ChainConstants:
        """The chain that a daemon with this daemon.json and genesis ledger joins.

        Raises ValueError or TypeError for values of the wrong form, as the daemon would refuse them.
        """
        genesis, proof = config.get("genesis") or {}, config.get("proof") or {}
        fork = proof.get("fork") or {}
        timestamp = genesis.get("genesis_state_timestamp")
        return cls(
            chain_id=chain_id(config, ledger_digest),
            genesis_ms=int(parse_timestamp(timestamp).timestamp() * 1000) if timestamp else 0,
            slot_ms=int(proof.get("block_window_duration_ms", cls.slot_ms)),
            k=int(genesis.get("k", cls.k)),
            slots_per_epoch=int(genesis.get("slots_per_epoch", cls.slots_per_epoch)),
            delta=int(genesis.get("delta", cls.delta)),
            fork_height=int(fork.get("blockchain_length", fork.get("previous_length", 0))),
            capacity=capacity_of(config),
            fork_slot=int(fork.get("global_slot_since_genesis", fork.get("previous_global_slot", 0))),
        )

    def slot_at(self, now_ms: float) -> int:
        """The slot of a moment, counted from the genesis; negative before it."""
        return int((now_ms - self.genesis_ms) // self.slot_ms)

    def slot_start(self, slot: int) -> int:
        """ms since 1970."""
        return self.genesis_ms + slot * self.slot_ms

    def genesis_block(self) -> Header:
        """The block that every node of the chain knows from its configuration."""
        return Header(
            state_hash=base58("3N", 52, self.chain_id, "genesis"),
            parent=base58("3N", 52, self.chain_id, "before genesis"),
            height=self.fork_height + 1,
            slot=0,
            vrf="",
            creator=public_key("genesis"),
            commands=0,
            snark_jobs=0,
            date_ms=self.genesis_ms,
            coinbase=0,
        )


def chain_id(config: Mapping[str, Any], ledger_digest: str = "") -> str:
    """64 hex digits that differ for every configuration and ledger that make another chain."""
    sections = {name: config.get(name) for name in _CHAIN_SECTIONS}
    text = json.dumps(sections, sort_keys=True) + ledger_digest
    return hashlib.blake2b(text.encode(), digest_size=32).hexdigest()


def base58(prefix: str, length: int, *parts: str) -> str:
    """A text of `length` base58 characters that starts with `prefix`, made from the hash of `parts`."""
    number = int.from_bytes(hashlib.blake2b("\0".join(parts).encode(), digest_size=40).digest())
    letters = []
    for _ in range(length - len(prefix)):
        number, digit = divmod(number, 58)
        letters.append(_BASE58[digit])
    return prefix + "".join(letters)


def public_key(*parts: str) -> str:
    """A key in the form of Mina's public keys (55 characters, B62q...)."""
    return base58("B62q", 55, *parts)


def peer_id(*parts: str) -> str:
    """A libp2p identity in the form of Mina's (52 characters, 12D3KooW...)."""
    return base58("12D3KooW", 52, *parts)


def better(candidate: Header, current: Header) -> bool:
    """Fork choice: the longer chain, then the larger VRF output, then the larger state hash."""
    if candidate.height != current.height:
        return candidate.height > current.height
    return (candidate.vrf, candidate.state_hash) > (current.vrf, current.state_hash)


@dataclass
class Lottery:
    """Leader election: a key with share s of the declared stake wins a slot with chance phi(s) = 1 - (1-f)^s.

    The draw is a hash of chain, key and slot, as a VRF is: it depends neither on who else runs nor on when it is asked,
    so a restart of the simulator changes nothing and a fault in a test does not reshuffle the leaders.
    """

    chain_id: str
    active_slots: float = 0.75
    stakes: dict[str, float] = field(default_factory=dict)
    """Declared stake by public key, in any unit; who is down stays declared, or its share would go to others."""
    _chances: dict[str, float] = field(default_factory=dict)
    _next: dict[str, tuple[int, int | None]] = field(default_factory=dict)

    def declare(self, key: str, stake: float) -> None:
        """Set the stake of a key; 0 takes it away."""
        if stake > 0:
            self.stakes[key] = stake
        else:
            self.stakes.pop(key, None)
        self._chances.clear()
        self._next.clear()

    def next_won(self, key: str, after: int, within: int = 64) -> int | None:
        """The first slot later than `after` that the key leads; None when there is none within that many slots."""
        start, known = self._next.get(key, (after + 1, after))
        if known is not None and start <= after < known:
            return known
        chance = self.chance(key)
        won = next((slot for slot in range(after + 1, after + within + 1) if self.draw(key, slot)[0] < chance), None)
        self._next[key] = (after, won)
        return won

    def chance(self, key: str) -> float:
        """Chance to lead one slot."""
        if not self._chances:
            total = sum(self.stakes.values())
            self._chances = {name: 1 - (1 - self.active_slots) ** (own / total) for name, own in self.stakes.items()}
        return self._chances.get(key, 0.0)

    def draw(self, key: str, slot: int) -> tuple[float, str]:
        """A number in [0, 1) to compare with the chance, and the VRF output (hex) that goes into the block."""
        digest = hashlib.blake2b(f"{self.chain_id}:{key}:{slot}".encode(), digest_size=24).digest()
        return int.from_bytes(digest[:8]) / 2**64, digest[8:].hex()
