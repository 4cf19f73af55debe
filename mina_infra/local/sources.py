"""What a claim may start with: a snapshot of its namespace or another claim of it. Pure.

The refusals are those of the external-provisioner and of the Compute Engine disk driver, in their own words
(docs/facts.md: snapshots/restore, snapshots/clone).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mina_infra.local import volumes as rules
from mina_infra.local.volumes import Manifest, Refusal

CLAIM, SNAPSHOT = "PersistentVolumeClaim", "VolumeSnapshot"


@dataclass(frozen=True)
class DataSource:
    """What the claim names."""

    kind: str
    name: str

    def refusal(self, why: str) -> Refusal:
        """As the external-provisioner says it."""
        return Refusal(f"error getting handle for DataSource Type {self.kind} by Name {self.name}: {why}")


@dataclass(frozen=True)
class Content:
    """What a new volume starts with: a directory, and what is behind it where that restricts the copy.

    `disk` and `zone` are those of a claim to clone; a snapshot restores to every type and zone.
    """

    directory: Path
    gib: int
    disk: str | None = None
    zone: str | None = None


def data_source(claim: Manifest) -> DataSource | None:
    """What the claim is made from; None for an empty volume. Raises Refusal for another kind or another namespace."""
    source = claim["spec"].get("dataSourceRef") or claim["spec"].get("dataSource")
    if not source:
        return None
    found = DataSource(str(source["kind"]), str(source["name"]))
    if found.kind not in (CLAIM, SNAPSHOT) or source.get("namespace"):
        raise found.refusal("only a VolumeSnapshot or a PersistentVolumeClaim of the same namespace is supported")
    return found


def of_snapshot(source: DataSource, snapshot: Manifest | None, content: Manifest | None, folder: Path) -> Content:
    """What a snapshot holds. Raises Refusal for one that is missing, not bound, being deleted, or not ready."""
    if snapshot is None:
        raise source.refusal(
            f'error getting snapshot {source.name} from api server: volumesnapshots.snapshot.storage.k8s.io '
            f'"{source.name}" not found'
        )  # fmt: skip
    if snapshot["metadata"].get("deletionTimestamp"):
        raise source.refusal(f"snapshot {source.name} is currently being deleted")
    status = snapshot.get("status") or {}
    reference = ((content or {}).get("spec") or {}).get("volumeSnapshotRef") or {}
    if content is None or reference.get("uid") != snapshot["metadata"]["uid"]:
        raise source.refusal(f"snapshot {source.name} not bound")
    if content["spec"]["driver"] != rules.PROVISIONER:
        raise source.refusal(f"snapshot {source.name} not bound")
    if not status.get("readyToUse"):
        raise source.refusal(f"snapshot {source.name} is not Ready")
    handle = (content.get("status") or {}).get("snapshotHandle")
    if not handle:
        raise source.refusal(f"snapshot handle {source.name} is not available")
    return Content(folder / handle / "data", rules.gib(str(status["restoreSize"])))


def of_claim(source: DataSource, claim: Manifest | None, volume: Manifest | None, directory: Path | None) -> Content:
    """What a claim holds. Raises Refusal for one that is missing, being deleted, or not bound to a volume of ours."""
    if claim is None:
        raise source.refusal(
            f'error getting PVC {source.name} from api server: persistentvolumeclaims "{source.name}" not found'
        )
    if claim["metadata"].get("deletionTimestamp"):
        raise source.refusal(f"the PVC DataSource {source.name} is currently being deleted")
    phase = (claim.get("status") or {}).get("phase")
    if phase != "Bound":
        raise source.refusal(f"the PVC DataSource {source.name} must have a status of Bound.  Got {phase}")
    if volume is None or directory is None or not rules.is_ours(volume):
        raise source.refusal("claim in dataSource not bound or invalid")
    return Content(directory, rules.capacity_gib(volume), rules.annotation(volume, rules.DISK_TYPE), _zone(volume))


def check(claim: Manifest, source: DataSource, content: Content, disk: str, zone: str) -> None:
    """Raise Refusal when a claim of this disk type in this zone cannot start with that."""
    wanted = rules.requested_gib(claim)
    if source.kind == SNAPSHOT:
        if wanted < content.gib:
            raise source.refusal(
                f"requested volume size {_bytes(wanted)} is less than the size {_bytes(content.gib)} for the source "
                f"snapshot {source.name}"
            )
        return
    if wanted < content.gib:
        raise source.refusal(
            "error, new PVC request must be greater than or equal in size to the specified PVC data source, requested "
            f"{_bytes(wanted)} but source is {_bytes(content.gib)}"
        )
    if content.disk and content.disk != disk:
        raise Refusal(f'CreateVolume source volume disk type "{content.disk}" must match new volume "{disk}"')
    if content.zone and content.zone != zone and disk != rules.SHARED:
        raise Refusal(f"CreateVolume disk zone {zone} does not match source volume zone {content.zone}")


def _bytes(gib: int) -> int:
    return gib * 2**30


def _zone(volume: Manifest) -> str | None:
    required = (volume["spec"].get("nodeAffinity") or {}).get("required") or {}
    for term in required.get("nodeSelectorTerms") or []:
        for expression in term.get("matchExpressions") or []:
            if expression["key"] == rules.ZONE_LABEL:
                return str(expression["values"][0])
    return None
