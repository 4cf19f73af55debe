"""What would lose a volume is refused before the engine runs.

The provider answers a changed claim with delete-then-create, under the claim's own name: the disk goes, the new claim
is empty, and the engine reports an ordinary replacement (docs/facts.md: pulumi/claim-replacement). So a planned claim
is compared with the live one first. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mina_infra.engine.inventory import Live
from mina_infra.engine.state import ObjectKey
from mina_infra.errors import EngineError
from mina_infra.plan import PlannedObject
from mina_infra.spec.values import Size

FIXED = ("storageClassName", "accessModes", "volumeMode", "selector", "volumeName", "dataSource", "dataSourceRef")
"""Fields of a claim that cannot change while it lives: the provider replaces it, or the API server refuses."""

SHOWN = 10


def refuse_lost_volumes(planned: Iterable[PlannedObject], live: Live) -> None:
    """Raise EngineError naming each claim that the plan would replace or shrink, the field, old and new value."""
    found = [
        problem
        for each in planned
        if each.manifest["kind"] == "PersistentVolumeClaim" and (key := ObjectKey.of(each.manifest)) in live
        for problem in problems(key.name, each.manifest["spec"], live[key].claim)
    ]
    if found:
        more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
        raise EngineError("\n".join(["nothing was changed; volumes would be lost:", *found[:SHOWN], *more]))


def problems(name: str, planned: Mapping[str, Any], live: Mapping[str, Any]) -> Iterator[str]:
    """Why one live claim does not survive its plan (docs/facts.md: refusal/V15, refusal/V16)."""
    for field in FIXED:
        if field in planned and planned[field] != live.get(field):
            old = shown(live.get(field))
            yield (
                f"claim '{name}': changing {field} from {old} to {shown(planned[field])} would delete and "
                f"re-create the claim and lose its data. Keep {old}, or destroy and deploy anew."
            )
    new, size = _storage(planned), _storage(live)
    if new and size and _bytes(new) < _bytes(size):
        yield f"claim '{name}': disks cannot shrink ({size} -> {new}). Keep {size}, or move to a new volume."


def shown(value: Any) -> str:
    """A field's value in a message."""
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return f"'{value}'"


def _storage(claim: Mapping[str, Any]) -> str | None:
    requests = (claim.get("resources") or {}).get("requests") or {}
    return requests.get("storage")


def _bytes(quantity: str) -> int:
    """A storage quantity in bytes; the API server prints whole bytes without a unit."""
    return int(quantity) if quantity.isdigit() else Size(quantity).bytes
