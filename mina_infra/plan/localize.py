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
    result["target"] = dict(TARGET)
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
