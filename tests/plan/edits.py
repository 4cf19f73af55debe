"""Random edits of a document, as an operator makes them: seeded, and only such as the rules of the spec accept."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from mina_infra.plan import TestnetPlan, parse_document, plan_testnet
from mina_infra.spec import SpecError

Document = dict[str, Any]
PEERS = [f"12D3KooW{letter * 44}" for letter in "ABCDEFGH"]
RUNTIME_CONFIG = {
    "genesis": {"genesis_state_timestamp": "2026-01-01T00:00:00Z", "k": 290},
    "ledger": {"name": "edited"},
}


def start(name: str) -> Document:
    """A few nodes with every kind of claim."""
    return {
        "name": name,
        "target": {"provider": "local", "region": "local", "zones": ["local-a", "local-b"]},
        "image": "registry.example/mina-daemon:3.0.1",
        "images": {"archive": "registry.example/archive:1"},
        "genesis": {
            "runtimeConfig": json.dumps(RUNTIME_CONFIG),
            "ledger": {"image": f"registry.example/ledger@sha256:{'0' * 64}"},
        },
        "nodes": [
            {"role": "seed", "identities": [{"peerId": PEERS[0]}]},
            {"role": "block-producer", "group": "whale", "count": 2, "stake": 20},
            {"role": "archive"},
        ],
    }


def _group(document: Document, random: Random) -> dict[str, Any]:
    group: dict[str, Any] = random.choice([each for each in document["nodes"] if each["role"] != "seed"])
    return group


def count(document: Document, random: Random) -> None:
    _group(document, random)["count"] = random.randint(1, 3)


def remove_group(document: Document, random: Random) -> None:
    document["nodes"].remove(_group(document, random))


def add_group(document: Document, random: Random) -> None:
    document["nodes"].append({"role": random.choice(["plain", "archive"]), "group": f"more{random.randint(1, 2)}"})


def rename_group(document: Document, random: Random) -> None:
    _group(document, random)["group"] = random.choice(["whale", "orca", "narwhal"])


def another_role(document: Document, random: Random) -> None:
    group = _group(document, random)
    group.setdefault("group", group["role"])
    group["role"] = random.choice(["plain", "archive", "block-producer"])


def era(document: Document, random: Random) -> None:
    now = document.get("era", 1)
    document["era"] = max(1, now + random.choice([1, 1, -1]))
    document["keptEras"] = random.choice([[], [now], [*document.get("keptEras", []), now]])


def forget_era(document: Document, random: Random) -> None:
    document["keptEras"] = document.get("keptEras", [])[1:]


def retention(document: Document, random: Random) -> None:
    document["retention"] = random.choice(["retain", "delete"])
    if random.random() < 0.5 and document["retention"] == "retain":
        document["classRetention"] = "delete"
    else:
        document.pop("classRetention", None)


def size(document: Document, random: Random) -> None:
    document["volumes"] = {"runtime-state": {"size": random.choice(["1Gi", "2Gi", "3Gi"])}}


def another_seed(document: Document, random: Random) -> None:
    """The old entry point becomes an ordinary node, with its name."""
    old = next(each for each in document["nodes"] if each["role"] == "seed")
    old.setdefault("group", "seed")
    document["nodes"].insert(0, {**old, "group": random.choice(["seed", "entry"])})
    old.update(role="plain", identities=[])


def volume(document: Document, random: Random) -> None:
    """Some attribute of some volume at some place."""
    kind = random.choice(["runtime-state", "postgres-state", "genesis-ledger"])
    change = random.choice(
        [
            {"size": random.choice(["1Gi", "2Gi", "3Gi", "9Gi"])}, {"type": random.choice(["ssd", "balanced"])},
            {"retention": random.choice(["retain", "delete"])}, {"accessMode": "ReadWriteOnce"}, {},
        ]
    )  # fmt: skip
    group = _group(document, random)
    places = [document, group, document.setdefault("roles", {}).setdefault(group["role"], {})]
    random.choice(places)["volumes"] = {kind: change} if change else {}


def existing(document: Document, random: Random) -> None:
    group = _group(document, random)
    name = f"{group.get('group', group['role'])}-1"
    what = random.choice([{"existingClaim": "rescued"}, {"storageClass": "premium"}, {"size": "4Gi"}, {}])
    group["overrides"] = {name: {"volumes": {"runtime-state": what}}} if what else {}


def source(document: Document, random: Random) -> None:
    document["genesis"]["ledger"]["source"] = random.choice(["shared-claim", "init-copy"])


def zones(document: Document, random: Random) -> None:
    document["target"]["zones"] = random.choice([["local-a"], ["local-a", "local-b"], []])


def harmless(document: Document, random: Random) -> None:
    document["image"] = f"registry.example/mina-daemon:3.0.{random.randint(1, 9)}"
    document["owner"] = random.choice(["me", "you"])
    document["paused"] = random.random() < 0.5


def rename(document: Document, random: Random) -> None:
    document["name"] = random.choice(["edited", "renamed"])


EDITS: tuple[Callable[[Document, Random], None], ...] = (
    count, remove_group, add_group, rename_group, another_role, era, forget_era, retention, size, another_seed, volume,
    existing, source, zones, harmless,
)  # fmt: skip


def edited(
    document: Document, random: Random, edits: tuple[Callable[[Document, Random], None], ...] = EDITS
) -> tuple[str, Document, TestnetPlan]:
    """One or two edits that the spec's rules accept: their names, the new document, its plan."""
    while True:
        fresh = copy.deepcopy(document)
        made = [random.choice(edits) for _ in range(random.choice([1, 1, 2]))]
        for each in made:
            each(fresh, random)
        try:
            return " + ".join(each.__name__ for each in made), fresh, plan_testnet(parse_document(fresh, base=Path()))
        except (SpecError, ValueError):
            continue  # refused before any plan, and so harmless
