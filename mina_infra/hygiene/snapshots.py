"""Snapshots that no live testnet owns: in a cluster, and in a listing of Google's. Pure.

A snapshot in the namespace of a testnet of this project is that testnet's, whatever became of its node: somebody asked
for it, or the schedule keeps it (`mina-infra snapshots`). What is left behind is the content, the cluster-wide object
with the driver's handle: it outlives its namespace where snapshots are retained, and the cloud bills it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from mina_infra.hygiene.contents import Contents, Manifest, is_labelled, is_our_snapshot
from mina_infra.hygiene.disks import of_cluster
from mina_infra.hygiene.orphans import Orphan, Owners
from mina_infra.persistence import objects
from mina_infra.spec import Provider
from mina_infra.storage.disks import made_for
from mina_infra.storage.prices import SNAPSHOT, usd_a_month

_MADE_FOR_NAME, _MADE_FOR_NAMESPACE, _MADE_FOR_CONTENT = (
    f"kubernetes.io/created-for/{part}"
    for part in ("volumesnapshot/name", "volumesnapshot/namespace", "volumesnapshotcontent/name")
)
"""What the driver writes into a snapshot's description (docs/facts.md: hygiene/orphans)."""


def judge(contents: Contents, known: Owners) -> tuple[Orphan, ...]:
    """Snapshots of testnets that nobody here knows, and contents whose snapshot is gone."""
    return known.doubting((*_snapshots(contents, known), *_contents(contents, known)))


def _snapshots(contents: Contents, known: Owners) -> Iterator[Orphan]:
    for snapshot in contents.snapshots:
        metadata = snapshot["metadata"]
        namespace = metadata["namespace"]
        if not is_labelled(snapshot) or namespace in known.testnets or "deletionTimestamp" in metadata:
            continue
        gib = objects.gib((snapshot.get("status") or {}).get("restoreSize") or "0")
        content = contents.content_of(snapshot)
        usd = contents.usd_of_snapshot(content, gib, known.regions) if content else None
        reason = f"testnet '{namespace}' is no stack of this project"
        yield Orphan("snapshot", f"{namespace}/{metadata['name']}", gib, usd, reason, sure=False, manifest=snapshot)


def _contents(contents: Contents, known: Owners) -> Iterator[Orphan]:
    """Their snapshot is gone, and with it whoever could delete them."""
    handles = Counter(handle for each in contents.snapshot_contents if (handle := handle_of(each)))
    there = {each["metadata"]["name"] for each in contents.namespaces}
    living = {each["metadata"]["uid"] for each in contents.snapshots}
    for content in contents.snapshot_contents:
        reference = content["spec"]["volumeSnapshotRef"]
        namespace, of = reference.get("namespace", ""), f"{reference.get('namespace')}/{reference.get('name')}"
        if "deletionTimestamp" in content["metadata"] or reference.get("uid") in living:
            continue
        if not is_labelled(content) and not is_our_snapshot(reference.get("name", "")):
            continue
        gib = objects.gib(str((content.get("status") or {}).get("restoreSize") or 0))
        usd = contents.usd_of_snapshot(content, gib, known.regions)
        row = Orphan("snapshot content", content["metadata"]["name"], gib, usd, "", manifest=content)
        if not reference.get("uid") and (namespace, reference.get("name")) in contents.snapshot_names:
            continue  # about to be bound
        if handles[handle_of(content)] > 1:
            yield replace(row, sure=False, reason=f"of {of}, which is gone; another content stands for the same data")
        elif namespace in known.testnets:
            yield replace(row, reason=f"of {of}, which is gone")
        elif namespace in there:
            yield replace(row, sure=False, reason=f"of {of}; no stack of this project knows it")
        else:
            yield replace(row, reason=f"of {of}; the namespace is gone")


def handle_of(content: Manifest) -> str:
    """The driver's name of what a content stands for; empty while there is none."""
    source, status = content["spec"]["source"], content.get("status") or {}
    return str(source.get("snapshotHandle") or status.get("snapshotHandle") or "")


def handles(contents: Contents) -> Iterator[str]:
    """What the clouds call the snapshots of a cluster, and the contents that stand for them."""
    for content in contents.snapshot_contents:
        yield content["metadata"]["name"]
        yield handle_of(content).rpartition("/")[2]


def judge_listing(
    listed: Iterable[Mapping[str, Any]], asked: Iterable[str], known_handles: Iterable[str]
) -> Iterator[Orphan]:
    """Google's snapshots (`gcloud compute snapshots list --format=json`) that were made for ours and nobody knows.

    `asked`: contexts of the clusters that answered; `known_handles`: of what they know (`handles`).
    """
    contexts, known = tuple(asked), set(known_handles)
    for each in listed:
        origin = made_for(each)
        name = str(origin.get(_MADE_FOR_NAME) or "")
        if each["name"] in known or origin.get(_MADE_FOR_CONTENT) in known or not is_our_snapshot(name):
            continue
        of = f"made for {origin.get(_MADE_FOR_NAMESPACE)}/{name}"
        sure, whose = of_cluster(each, contexts)
        held = int(each.get("storageBytes") or 0)  # what is billed; the disk's size at most
        gib = -(-held // 2**30) if held else int(each.get("diskSizeGb") or 0)
        place = (each.get("storageLocations") or [""])[0]
        usd = usd_a_month(Provider.GKE, place, SNAPSHOT, gib)
        yield Orphan("cloud snapshot", str(each["name"]), gib, usd, f"{of}{whose}", sure, each)
