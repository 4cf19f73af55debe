"""Chains made by hand for the checks over blocks: one block a slot of one second unless said otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mina_infra.daemon.replies import Block
from mina_infra.guardian.forks import Chain


def produced(number: int, slot: int, parent: str, **changes: Any) -> Block:
    """A block with a transaction, a proof and a coinbase."""
    fields = {
        "state_hash": f"b{number}", "parent_hash": parent, "height": number + 1, "slot": slot, "epoch": 0,
        "slot_in_epoch": slot, "creator": "B62a", "commands": 1, "snark_jobs": 1, "coinbase": 720,
        "date_ms": slot * 1000,
    }  # fmt: skip
    return Block(**{**fields, **changes})


def chain_of(
    count: int, change: Callable[[int], dict[str, Any]] = lambda _: {}, slots: Sequence[int] | None = None
) -> Chain:
    """The genesis and `count` blocks; `change(n)` says what is different in the n-th, counted from 1."""
    blocks = [produced(0, 0, "none", commands=0, snark_jobs=0, coinbase=0, creator="genesis")]
    for number in range(1, count + 1):
        slot = slots[number - 1] if slots else number
        blocks.append(produced(number, slot, blocks[-1].state_hash, **change(number)))
    return Chain(blocks, to_root=True)
