"""A testnet is cloned while it runs: the copy is compared with what the source had before, and removed again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mina_infra.cluster.api import SNAPSHOT_CONTENT, VOLUME_SNAPSHOT
from tests.world.marks import heights, identity_files, plant_keys, volumes
from tests.world.survivors import PATIENCE_S, Network, wait_for_nothing

NAME = "copy"
WORKER, FEW = "snark-worker", {"count": 1}
OWN = ("-runtime-state-", "-postgres-state-")
"""The claims that are cloned; the genesis artefacts are filled anew."""


@dataclass(frozen=True)
class Comparison:
    """What the copy had, of what it should have had. `lost`: what is not as it should be, in words."""

    nodes: int
    claims: int
    markers: int
    wanted: int
    lower: int
    lost: list[str]
    exit_code: int


def with_other_identities(nodes: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same groups, whose nodes have other peer ids where the document says them."""
    peers = (f"12D3KooW{letter * 44}" for letter in "XYZ")
    return [
        {**group, "identities": [{"peerId": next(peers)} for _ in group["identities"]]}
        if "identities" in group
        else dict(group)
        for group in nodes
    ]


def copy_of(network: Network) -> Network:
    """The testnet that starts from it: every node that has volumes, and one worker, since a coordinator wants one."""
    nodes = with_other_identities(network.document["nodes"])
    changes = {"nodes": [group | FEW if group["role"] == WORKER else group for group in nodes], "retention": "delete"}
    document = {key: value for key, value in network.document.items() if key not in ("name", "classRetention")}
    return Network(NAME, network.cluster, network.project, {**document, **changes})


def wanted(network: Network) -> None:
    """A document for the copy; and the source has keys to lose."""
    copy_of(network)
    plant_keys(network)


def made(network: Network) -> int:
    """`mina-infra clone`. What it comes to, and whether the source goes on as before."""
    return network.run("clone", "--from", network.name, "--to", NAME) or network.verdict().exit_code


def compared(network: Network, markers: Mapping[str, str], before: Mapping[str, int]) -> Comparison:
    """The copy, with the source's markers and heights of just before, and with its identities."""
    copy, expected = copy_of(network), {claim: text for claim, text in markers.items() if _is_own(claim)}
    found, tall = copy.markers(), heights(copy)
    verdict = copy.verdict()
    there = [claim for claim in copy.volumes() if claim in expected]
    return Comparison(
        nodes=len(copy.env.plan.outputs.nodes),
        claims=len(there),
        markers=sum(found.get(claim) == text for claim, text in expected.items()),
        wanted=len(expected),
        lower=sum(tall.get(claim, 0) < height for claim, height in before.items()),
        lost=[
            *(f"claim {claim} of the copy" for claim in expected if claim not in there),
            *(f"marker in {claim} of the copy" for claim, text in expected.items() if found.get(claim) != text),
            *_alike(network, copy, {node.peer_id for node in verdict.nodes if node.peer_id}),
        ],
        exit_code=verdict.exit_code,
    )


def removed(network: Network) -> list[str]:
    """Destroy the copy; what is left of it, or of the snapshots that were taken for it."""
    copy = copy_of(network)
    code = copy.destroy()
    snapshots = [
        f"{kind.kind} {item['metadata']['name']}"
        for kind in (VOLUME_SNAPSHOT, SNAPSHOT_CONTENT)
        for item in network.ask(lambda api, kind=kind: api.objects(kind))
    ]
    return [*snapshots, *wait_for_nothing(copy.remains, PATIENCE_S), *([f"destroy: {code}"] if code else [])]


def _is_own(claim: str) -> bool:
    return any(kind in claim for kind in OWN)


def _alike(network: Network, copy: Network, told: set[str]) -> list[str]:
    """What both know themselves by; and a source that has lost its own keys.

    `told`: what the copy's daemons call themselves.
    """
    its, mine = _identities(network), _identities(copy)
    of_source = set().union(*its.values())
    return [
        *(
            f"{claim} of the copy has of the source: {word}"
            for claim, words in mine.items()
            for word in words & of_source
        ),
        *(f"the copy calls itself as the source does: {peer}" for peer in told & of_source),
        *(f"{peer} is in no volume of the copy" for peer in told - set().union(*mine.values())),
        *(f"key in {claim} of the source" for claim, words in its.items() if f"secret of {network.name}" not in words),
        *(f"peer id in {claim} of the copy" for claim, words in mine.items() if not words),
    ]


def _identities(network: Network) -> dict[str, set[str]]:
    """The lines in which each daemon's volume says who it is: a peer id for each life, and the keys."""
    return {
        claim: {line for text in identity_files(folder) for line in text.splitlines()}
        for claim, folder in volumes(network).items()
        if OWN[0] in claim
    }
