"""A testnet's claims, the volumes behind them and the disks behind those: as a table, and as a file that outlives the
cluster.

The file holds for each volume what is needed to make its PersistentVolume anew in another cluster: driver, handle,
capacity, class, modes and place. It holds no data and no secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mina_infra.cluster.api import CLAIM, NAMESPACE, PERSISTENT_VOLUME, KubeApi
from mina_infra.errors import MinaInfraError
from mina_infra.persistence.objects import label
from mina_infra.plan import TestnetPlan, labels
from mina_infra.plan.genesis_digest import digest
from mina_infra.spec import TestnetSpec
from mina_infra.storage.disks import CLAIM_NAME, CLAIM_NAMESPACE, VOLUME_NAME, made_for, place_of
from mina_infra.storage.matching import capacity_gib

Manifest = Mapping[str, Any]

SCHEMA = 1

_KEPT = ("capacity", "accessModes", "storageClassName", "volumeMode", "mountOptions", "nodeAffinity", "csi", "hostPath",
         "local", "nfs")  # fmt: skip
"""What a PersistentVolume is, without whom it belongs to and what becomes of it."""


@dataclass(frozen=True)
class Contents:
    """What one cluster holds of a testnet. `volumes`: those that belong, or belonged, to a claim of its namespace.

    `others`: the names of all other volumes, and what their drivers call their disks, each with the volume's name.
    """

    claims: Mapping[str, Manifest] = field(default_factory=dict)
    volumes: tuple[Manifest, ...] = ()
    namespace: Manifest | None = None
    others: Mapping[str, str] = field(default_factory=dict)

    def is_anothers(self, spec: TestnetSpec) -> bool:
        """Whether the namespace is there and does not say that it is this testnet's."""
        wanted = labels.of_testnet(spec)
        return self.namespace is not None and any(label(self.namespace, key) != wanted[key] for key in wanted)


@dataclass(frozen=True)
class Row:
    """One claim with its volume and disk. `phase` is the claim's (`missing` without one), or the volume's where no
    claim holds it. `handle` is what the driver calls the disk."""

    claim: str
    phase: str
    planned: bool
    volume: str = ""
    driver: str = ""
    handle: str = ""
    gib: float = 0.0
    storage_class: str = ""
    retention: str = ""
    since: str = ""


@dataclass(frozen=True)
class Saved:
    """One volume of a file: the claim that it is for, and its PersistentVolume as it would be made anew."""

    claim: str
    manifest: Manifest


async def look(api: KubeApi, plan: TestnetPlan) -> Contents:
    """The testnet's claims and volumes. Raises ClusterError."""
    namespace = plan.spec.namespace
    claims = {item["metadata"]["name"]: item for item in await api.objects(CLAIM, namespace)}
    held = {claim["spec"].get("volumeName") for claim in claims.values()}
    volumes: list[Manifest] = []
    others: dict[str, str] = {}
    for volume in await api.objects(PERSISTENT_VOLUME):
        name = str(volume["metadata"]["name"])
        if claim_of(volume)[0] == namespace or name in held:
            volumes.append(volume)
        else:
            others |= {name: name, handle_of(volume) or name: name}
    return Contents(claims, tuple(volumes), await api.get(NAMESPACE, namespace), others)


def handle_of(volume: Manifest) -> str:
    """What the driver calls the disk behind a volume; empty for one without a driver."""
    return str((volume["spec"].get("csi") or {}).get("volumeHandle") or "")


def claim_of(volume: Manifest) -> tuple[str, str]:
    """Namespace and name of the claim that a volume belongs to, or is kept for; two empty strings for none."""
    reference = volume["spec"].get("claimRef") or {}
    if reference:
        return str(reference.get("namespace", "")), str(reference.get("name", ""))
    noted = str((volume["metadata"].get("annotations") or {}).get(labels.CLAIM, ""))
    namespace, _, name = noted.partition("/")
    return namespace, name


def planned_claims(plan: TestnetPlan) -> dict[str, dict[str, Any]]:
    """The manifests of a plan's claims by name."""
    return {manifest["metadata"]["name"]: manifest for manifest in plan.claims()}


def rows(plan: TestnetPlan, seen: Contents) -> list[Row]:
    """Planned claims first, in the plan's order, then what else is in the namespace or was of it."""
    planned = planned_claims(plan)
    volumes = {volume["metadata"]["name"]: volume for volume in seen.volumes}
    found, shown = [], set()
    for name in (*planned, *sorted(seen.claims.keys() - planned.keys())):
        claim = seen.claims.get(name)
        volume = volumes.get(str(claim["spec"].get("volumeName"))) if claim else None
        phase = (claim.get("status") or {}).get("phase", "Pending") if claim else "missing"
        found.append(_row(name, str(phase), name in planned, volume))
        shown |= {volume["metadata"]["name"]} if volume else set()
    for name in sorted(volumes.keys() - shown):
        claim_name = claim_of(volumes[name])[1]
        phase = str((volumes[name].get("status") or {}).get("phase", "Pending"))
        found.append(_row(claim_name, phase, claim_name in planned, volumes[name]))
    return found


def _row(claim: str, phase: str, planned: bool, volume: Manifest | None) -> Row:
    if volume is None:
        return Row(claim, phase, planned)
    spec = volume["spec"]
    csi = spec.get("csi") or {}
    local = (spec.get("hostPath") or spec.get("local") or {}).get("path", "")
    return Row(
        claim,
        phase,
        planned,
        volume=volume["metadata"]["name"],
        driver=str(csi.get("driver") or ("directory" if local else "unknown")),
        handle=str(csi.get("volumeHandle") or local),
        gib=capacity_gib(spec),
        storage_class=str(spec.get("storageClassName") or ""),
        retention=str(spec.get("persistentVolumeReclaimPolicy", "")).lower(),
        since=since(volume),
    )


def since(volume: Manifest) -> str:
    """When a volume came into its phase, as Kubernetes writes it; empty where it does not say."""
    return str((volume.get("status") or {}).get("lastPhaseTransitionTime") or "")


def to_file(plan: TestnetPlan, seen: Contents) -> str:
    """The volumes as JSON, for `rebind --from-file` in a cluster that replaces this one."""
    value = {
        "schema": SCHEMA,
        "testnet": plan.spec.name,
        "era": plan.spec.era,
        "genesis": digest(plan.spec),
        "volumes": [
            {"claim": claim_of(volume)[1], **_anew(volume)}
            for volume in sorted(seen.volumes, key=lambda each: claim_of(each)[1])
        ],
    }
    return json.dumps(value, indent=2) + "\n"


def _anew(volume: Manifest) -> dict[str, Any]:
    """A volume as it would be made again: retained, and without the life that it had."""
    metadata = volume["metadata"]
    notes = {
        key: value
        for key, value in (metadata.get("annotations") or {}).items()
        if not key.startswith(("pv.kubernetes.io/bound", "kubectl.kubernetes.io/", "volume.kubernetes.io/"))
    }
    return {
        "name": metadata["name"],
        "annotations": notes,
        "spec": {key: volume["spec"][key] for key in _KEPT if key in volume["spec"]},
    }


def read_file(file: Path, plan: TestnetPlan) -> tuple[Saved, ...]:
    """The volumes of a file of `mina-infra volumes --json`, or of `gcloud compute disks list --format=json`.

    Raises MinaInfraError for a file that is neither, and for one of another testnet, era or genesis.
    """
    try:
        data = json.loads(file.read_text())
        if isinstance(data, list):
            return tuple(_of_disks(data, plan))
        _refuse_another(file, data, plan)
        return tuple(_saved(plan, each["claim"], each) for each in data["volumes"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MinaInfraError(
            f"{file} lists no volumes ({type(error).__name__}: {error}). Make one with `mina-infra volumes --json`, "
            "while the cluster lives, or with `gcloud compute disks list --format=json`."
        ) from error


def _refuse_another(file: Path, data: Mapping[str, Any], plan: TestnetPlan) -> None:
    if data["schema"] != SCHEMA:
        raise ValueError(f"schema {data['schema']}, known is {SCHEMA}")
    found = (data["testnet"], data["era"], data["genesis"])
    wanted = (plan.spec.name, plan.spec.era, digest(plan.spec))
    if found != wanted:
        raise MinaInfraError(
            f"{file} is of testnet '{found[0]}', era {found[1]}, genesis {found[2]}; the document is of '{wanted[0]}', "
            f"era {wanted[1]}, genesis {wanted[2]}. A volume never changes its testnet, era or genesis."
        )


def _saved(plan: TestnetPlan, claim: str, each: Mapping[str, Any]) -> Saved:
    reference = {"apiVersion": "v1", "kind": CLAIM.kind, "namespace": plan.spec.namespace, "name": claim}
    return Saved(
        claim,
        {
            "apiVersion": "v1",
            "kind": PERSISTENT_VOLUME.kind,
            "metadata": {
                "name": each["name"],
                "annotations": {**each.get("annotations", {}), labels.CLAIM: f"{plan.spec.namespace}/{claim}"},
            },
            "spec": {**each["spec"], "claimRef": reference, "persistentVolumeReclaimPolicy": "Retain"},
        },
    )


def _of_disks(disks: list[Mapping[str, Any]], plan: TestnetPlan) -> list[Saved]:
    """The disks that the driver made for claims of this testnet; class and mode are those of the plan's claim."""
    planned, found = planned_claims(plan), []
    for disk in disks:
        made = made_for(disk)
        claim = planned.get(str(made.get(CLAIM_NAME)))
        if claim is None or made.get(CLAIM_NAMESPACE) != plan.spec.namespace:
            continue
        handle, key, places = place_of(disk)
        place = {"key": key, "operator": "In", "values": places}
        spec = {
            "capacity": {"storage": f"{int(disk['sizeGb'])}Gi"},
            "accessModes": claim["spec"]["accessModes"],
            "storageClassName": claim["spec"]["storageClassName"],
            "volumeMode": "Filesystem",
            "csi": {"driver": "pd.csi.storage.gke.io", "volumeHandle": handle, "fsType": "ext4"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [place]}]}},
        }
        name = str(made.get(VOLUME_NAME) or disk["name"])
        found.append(_saved(plan, claim["metadata"]["name"], {"name": name, "spec": spec}))
    return found
