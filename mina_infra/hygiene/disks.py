"""Disks of Google Compute Engine, from a listing in a file: `gcloud compute disks list --format=json`. Asks no cloud.

The driver writes into a disk's description which claim and volume it was made for; labels name the cluster where cost
allocation is on. An unattached disk alone proves nothing: a paused testnet's look the same
(docs/facts.md: hygiene/orphans).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mina_infra.errors import MinaInfraError
from mina_infra.hygiene.contents import is_our_claim
from mina_infra.hygiene.orphans import Orphan
from mina_infra.spec import Provider
from mina_infra.storage.disks import CLAIM_NAME, CLAIM_NAMESPACE, VOLUME_NAME, made_for
from mina_infra.storage.prices import usd_a_month

CLUSTER_LABEL = "goog-k8s-cluster-name"


def read(file: Path, what: str = "disks") -> list[Mapping[str, Any]]:
    """The disks, or snapshots, of a listing. Raises MinaInfraError."""
    try:
        data = json.loads(file.read_text())
        if not isinstance(data, list) or not all(isinstance(each, dict) and "name" in each for each in data):
            raise ValueError(f"not a list of {what}")
    except (OSError, ValueError) as error:
        raise MinaInfraError(
            f"{file} is no listing of {what} ({error}). Make one with: gcloud compute {what} list --format=json"
        ) from error
    return data


def judge(disks: Iterable[Mapping[str, Any]], asked: Iterable[str], volumes: Iterable[str]) -> Iterator[Orphan]:
    """The disks that were made for claims of ours and that nobody uses.

    `asked`: contexts of the clusters that answered; `volumes`: what their PersistentVolumes are called and handled by.
    A disk whose cluster was not asked is unknown.
    """
    contexts, known = tuple(asked), set(volumes)
    for disk in disks:
        origin = made_for(disk)
        claim = f"{origin.get(CLAIM_NAMESPACE)}/{origin.get(CLAIM_NAME)}"
        name = str(origin.get(VOLUME_NAME) or disk["name"])
        if disk.get("users") or name in known or disk["name"] in known:
            continue
        if not is_our_claim(claim.partition("/")[2]):
            continue
        sure, whose = of_cluster(disk, contexts)
        gib = int(disk.get("sizeGb") or 0)
        yield Orphan("disk", str(disk["name"]), gib, _usd(disk, gib), f"made for {claim}{whose}", sure, disk)


def of_cluster(listed: Mapping[str, Any], contexts: Iterable[str]) -> tuple[bool, str]:
    """Whether the cluster that made a disk or snapshot was asked and does not know it, and the words for that."""
    cluster = (listed.get("labels") or {}).get(CLUSTER_LABEL)
    if cluster is None:
        return False, "; it does not say which cluster made it"
    sure = any(each == cluster or each.endswith(f"_{cluster}") for each in contexts)
    return sure, f" of cluster '{cluster}', " + ("which does not know it" if sure else "which was not asked")


def command(orphan: Orphan) -> str:
    """What deletes it; for somebody to run."""
    disk = orphan.manifest
    if orphan.kind == "cloud snapshot":
        return f"gcloud compute snapshots delete {disk['name']}"
    place = "zone" if disk.get("zone") else "region"
    return f"gcloud compute disks delete {disk['name']} --{place} {_last(disk.get(place))}"


def _usd(disk: Mapping[str, Any], gib: int) -> float | None:
    region = _last(disk.get("region")) or _last(disk.get("zone")).rpartition("-")[0]
    product = _last(disk.get("type"))
    return usd_a_month(Provider.GKE, region, product if disk.get("zone") else f"regional-{product}", gib)


def _last(url: Any) -> str:
    return str(url or "").rpartition("/")[2]
