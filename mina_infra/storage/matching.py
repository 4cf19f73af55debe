"""Whether an existing PersistentVolume can be the volume of a claim, by the binder's own rules. Pure.

A claim that names a volume gets no other: where the two do not fit, it waits for ever (docs/facts.md: storage/rebind).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mina_infra.spec.values import bytes_of

Manifest = Mapping[str, Any]


def mismatch(claim: Manifest, volume: Manifest) -> str | None:
    """Why the volume cannot be bound to the claim, in words that name both sides; None when it can."""
    wanted, there = claim["spec"], volume["spec"]
    owner = there.get("claimRef") or {}
    name = (claim["metadata"]["namespace"], claim["metadata"]["name"])
    if "deletionTimestamp" in volume["metadata"]:
        return "it is being deleted"
    if owner and (owner.get("namespace"), owner.get("name")) != name:
        return f"it belongs to claim '{owner.get('namespace')}/{owner.get('name')}'"
    return _shape(wanted, there)


def _shape(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> str | None:
    """Class, mode and size (docs/facts.md: storage/rebind)."""
    mine, its = wanted.get("storageClassName") or "", there.get("storageClassName") or ""
    if mine != its:
        return f"its class is '{its}', the claim's '{mine}'"
    modes = there.get("accessModes") or []
    missing = [mode for mode in wanted["accessModes"] if mode not in modes]
    if missing:
        return f"it has {', '.join(modes)}, the claim wants {', '.join(missing)}"
    if (wanted.get("volumeMode") or "Filesystem") != (there.get("volumeMode") or "Filesystem"):
        return f"it is of mode {there.get('volumeMode')}, the claim wants {wanted.get('volumeMode')}"
    if capacity_gib(there) < requested_gib(wanted):
        return f"it has {capacity_gib(there):g} GiB, the claim wants {requested_gib(wanted):g} GiB"
    return None


def capacity_gib(volume_spec: Mapping[str, Any]) -> float:
    """Size of a PersistentVolume in GiB, from its spec."""
    return _gib(str(volume_spec["capacity"]["storage"]))


def requested_gib(claim_spec: Mapping[str, Any]) -> float:
    """What a claim asks for in GiB, from its spec."""
    return _gib(str(claim_spec["resources"]["requests"]["storage"]))


def _gib(quantity: str) -> float:
    return bytes_of(quantity) / 2**30
