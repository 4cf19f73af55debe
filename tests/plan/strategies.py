"""Documents as users might write them, for laws that hold over all of them."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

from tests.plan.testnets import PEERS, zoo
from tests.storage.targets import TARGETS
from tests.storage.test_sources import SOURCES

SIZES = ("4Gi", "8Gi", "100Gi")


def _volumes() -> st.SearchStrategy[dict[str, Any]]:
    override = st.fixed_dictionaries(
        {"size": st.sampled_from(SIZES)},
        optional={"retention": st.sampled_from(["delete", "retain"]), "type": st.sampled_from(["ssd", "balanced"])},
    )
    return st.fixed_dictionaries({"runtime-state": override}, optional={"postgres-state": override})


def _groups(draw: st.DrawFn) -> list[dict[str, Any]]:
    seeds = draw(st.integers(1, 3))
    groups: list[dict[str, Any]] = [
        {"role": "seed", "count": seeds, "identities": [{"peerId": peer} for peer in PEERS[:seeds]]}
    ]
    for name in draw(st.lists(st.sampled_from(["whale", "fish", "crab"]), unique=True, min_size=1)):
        group: dict[str, Any] = {"role": "block-producer", "group": name, "count": draw(st.integers(1, 4)), "stake": 1}
        group["bots"] = draw(st.lists(st.sampled_from(["user-agent", "faucet", "echo"]), unique=True))
        if draw(st.booleans()):
            group["keys"] = {"secret": draw(st.sampled_from(["keys-a", "keys-b"]))}
        if draw(st.booleans()):
            group["overrides"] = {f"{name}-1": {"volumes": {"runtime-state": {"size": "8Gi"}}}}
        groups.append(group)
    if draw(st.booleans()):
        groups += [{"role": "snark-coordinator"}, {"role": "snark-worker", "count": draw(st.integers(1, 3))}]
    for role in draw(st.lists(st.sampled_from(["archive", "plain", "user-agent", "faucet", "echo"]), unique=True)):
        groups.append({"role": role, "count": draw(st.integers(1, 2))})
    return groups


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A testnet of any roles, on any provider, with artefacts from any source that the provider has."""
    source = draw(st.sampled_from(sorted(SOURCES)))
    chosen = SOURCES[source]
    if source in ("bucket", "disk-copies"):
        target = chosen.get("target", TARGETS[0])
    else:
        target = {**draw(st.sampled_from(TARGETS)), "kubernetes": "1.36"}
    scope = draw(st.sampled_from(["own", "shared"]))
    document = zoo(
        target={**copy.deepcopy(target), "storageClasses": scope},
        retention=draw(st.sampled_from(["delete", "retain"])),
        era=draw(st.integers(1, 3)),
        volumes=draw(_volumes()),
        nodes=_groups(draw),
        daemonVersion=draw(st.sampled_from(["1.3.1", "3.0.1"])),
    )
    if source == "disk-copies":  # few groups, so that one snapshot's copies are enough
        document["nodes"] = [each for each in document["nodes"] if each["role"] in ("seed", "block-producer")]
    document["genesis"]["ledger"] = {"source": source, **chosen["genesis"]}
    return document
