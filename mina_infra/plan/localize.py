"""The same testnet for the embedded cluster: what differs is where it runs, not what it is."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TARGET = {
    "provider": "local",
    "region": "local",
    "zones": ["local-a", "local-b"],
    "replication": "zonal",
    "kubernetes": "1.36",
    # kwok's nodes give pods addresses of 10.0.0.0/8, Services live in it as well.
    "networks": ["10.0.0.0/8"],
}


def localize(document: Mapping[str, Any], base: Path, slot_ms: int = 1000) -> dict[str, Any]:
    """A testnet's document, as in its stack file, made to run on the embedded cluster.

    Names, nodes, images, identities, sizes and published addresses stay. The runtime config is put inline with slots
    of at most `slot_ms` milliseconds, since nobody waits for minutes-long ones; relative file names start at `base`.
    Raises OSError or ValueError when the runtime config cannot be read.
    """
    result = copy.deepcopy(dict(document))
    result["target"] = localize_target(result["target"])
    _drop_performance(result)
    genesis = dict(result["genesis"])
    text = genesis.pop("runtime_config", None) or genesis["runtimeConfig"]
    config = json.loads(text if text.lstrip().startswith("{") else (base / text).read_text())
    proof = config.get("proof", {})
    config["proof"] = {
        **proof,
        "block_window_duration_ms": min(slot_ms, proof.get("block_window_duration_ms", slot_ms)),
    }
    genesis["runtimeConfig"] = json.dumps(config, sort_keys=True, separators=(",", ":"))
    result["genesis"] = genesis
    return result


def localize_target(target: Mapping[str, Any]) -> dict[str, Any]:
    """The embedded cluster in the place of a target; whose the classes are stays."""
    scope = target.get("storageClasses", target.get("storage_classes"))
    return {**TARGET, **({"storageClasses": scope} if scope else {})}


def localize_storage(storage: Mapping[str, Any]) -> dict[str, Any]:
    """A cluster's `mina-infra:storage` for the embedded cluster, which has one copy of each volume and no speeds."""
    result = copy.deepcopy(
        {key: value for key, value in storage.items() if key not in ("replications", "performances")}
    )
    result["target"] = localize_target(result["target"])
    return result


def _drop_performance(node: Any) -> None:
    """A directory of this machine is as fast as it is."""
    if isinstance(node, dict):
        for kind in (node.get("volumes") or {}).values() if isinstance(node.get("volumes"), dict) else ():
            if isinstance(kind, dict):
                kind.pop("performance", None)
    if isinstance(node, dict | list):
        for inner in node.values() if isinstance(node, dict) else node:
            _drop_performance(inner)
