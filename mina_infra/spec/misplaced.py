"""Words of Kubernetes that users bring along, and what takes their place here.

A testnet's volumes are what they are because a daemon's databases tolerate nothing else: one pod, never two at a time,
at the path where the daemon looks. Who asks for something else learns why.
"""

from __future__ import annotations

from typing import Any

from mina_infra.spec.errors import Issue, Path
from mina_infra.spec.roles import VOLUMES

_PATHS = {"mountpath", "path", "mount"}


def issue(path: Path, found: Any) -> Issue | None:
    """What to say of an unknown key; None where nothing special is known of it."""
    key = "".join(char for char in str(path[-1]).lower() if char.isalnum())
    if path[0] == "nodes" and len(path) == 3:
        return _of_a_group(path, key, found)
    if len(path) >= 3 and path[-3] == "volumes" and key in _PATHS:
        return _mount(path, found)
    return None


def _of_a_group(path: Path, key: str, found: Any) -> Issue | None:
    """docs/facts.md: refusal/V21, refusal/V22"""
    if key == "replicas":
        return Issue(
            path,
            f"found {found}: replicas must be 1 when a persistent volume is attached; add more nodes instead.",
            "Write `count`: each node then has its own identity and volumes.",
        )
    if key in ("strategy", "updatestrategy", "rollingupdate", "maxsurge"):
        return Issue(
            path,
            "a rolling update would start a second pod on the same ReadWriteOnce volume and deadlock; the strategy of "
            "a node is Recreate.",
            f"Remove `{path[-1]}`.",
        )
    return None


def _mount(path: Path, found: Any) -> Issue:
    """docs/facts.md: refusal/V20"""
    kind = next((row for each, row in VOLUMES.items() if each.value == path[-2]), None)
    where = f" '{kind.kind.value}' is mounted at {kind.path}." if kind else ""
    if isinstance(found, str) and any(char in found for char in "*?["):
        directory = found[: min(found.find(char) for char in "*?[" if char in found)].rpartition("/")[0] or "/"
        message = f"mount path '{found}' contains a wildcard; a volume is mounted on a directory, here '{directory}'."
    else:
        message = f"mount path '{found}': two volumes would collide where the daemon looks for one."
    return Issue(
        path, f"{message}{where}", f"Remove `{path[-1]}`: volumes are mounted where the daemon looks for them."
    )
