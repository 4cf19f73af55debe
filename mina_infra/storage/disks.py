"""What the Persistent Disk driver says about its disks, in a listing of `gcloud compute disks list`. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

CLAIM_NAME, CLAIM_NAMESPACE, VOLUME_NAME = (
    f"kubernetes.io/created-for/{part}" for part in ("pvc/name", "pvc/namespace", "pv/name")
)
"""What the driver writes into a disk's description: for which claim and volume it was made."""


def place_of(disk: Mapping[str, Any]) -> tuple[str, str, list[str]]:
    """What the driver calls a disk, and where it can be attached: topology label and its values.

    A zonal disk is `projects/P/zones/Z/disks/NAME`, a regional one `projects/P/regions/R/disks/NAME`
    (docs/facts.md: storage/volume-handle).
    """
    handle = "projects/" + str(disk["selfLink"]).partition("/projects/")[2]
    zones = [_last(zone) for zone in disk.get("replicaZones") or [disk.get("zone")]]
    return handle, "topology.gke.io/zone", zones


def made_for(disk: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a disk's description says of its origin; empty when it says nothing."""
    try:
        found = json.loads(disk.get("description") or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _last(url: Any) -> str:
    return str(url or "").rpartition("/")[2]
