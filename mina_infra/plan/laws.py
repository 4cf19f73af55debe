"""What every planned workload obeys, whatever was asked for: checked again on everything that is registered.

No document can break these; a mistake in a role could. They are what keeps two daemons from one database
(docs/facts.md: refusal/V20, refusal/V21, refusal/V22, refusal/V35, rule/28).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from mina_infra.spec import VOLUMES, VolumeKind

SHIPPED = PurePosixPath(VOLUMES[VolumeKind.GENESIS_LEDGER].path).name
"""The one directory below the daemon's own that may be read-only: whatever belongs there is in the artefact."""


class BrokenLaw(AssertionError):
    """A mistake of this project, not of its user: nothing may be registered."""


def obey(manifests: Iterable[Mapping[str, Any]]) -> None:
    """Raise BrokenLaw with everything that is wrong."""
    found = [problem for manifest in manifests for problem in broken(manifest)]
    if found:
        raise BrokenLaw("\n".join(found))


def broken(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with one object; nothing for kinds without pods."""
    if manifest["kind"] not in ("Deployment", "Job"):
        return
    name, spec = manifest["metadata"]["name"], manifest["spec"]
    pod = spec["template"]["spec"]
    own = [each["name"] for each in pod.get("volumes", ()) if _own_claim(each)]
    if manifest["kind"] == "Deployment" and own:
        if spec.get("replicas") not in (0, 1):
            yield f"node '{name}': replicas must be 1 when a persistent volume is attached; add more nodes instead."
        if (spec.get("strategy") or {}).get("type") != "Recreate":
            yield (
                f"node '{name}': a rolling update would start a second pod on the same ReadWriteOnce volume and "
                "deadlock; strategy must be Recreate."
            )
    yield from _ownership(name, pod)
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        yield from _mounts(f"node '{name}', container '{container['name']}'", container)


def _own_claim(volume: Mapping[str, Any]) -> bool:
    claim = volume.get("persistentVolumeClaim")
    return claim is not None and not claim.get("readOnly")


def _mounts(where: str, container: Mapping[str, Any]) -> Iterator[str]:
    """Directories without wildcards, each once; what is read-only lies where nobody writes, or is shipped whole."""
    mounts: dict[PurePosixPath, Mapping[str, Any]] = {}
    for mount in container.get("volumeMounts", ()):
        path = mount["mountPath"]
        if any(char in path for char in "*?["):
            directory = PurePosixPath(path).parent
            yield f"{where}: mount path '{path}' contains a wildcard; mount the directory '{directory}'."
        if not path.startswith("/") or path.rstrip("/") != str(PurePosixPath(path)):
            yield f"{where}: mount path '{path}' is not a plain absolute path."
        if PurePosixPath(path) in mounts:
            yield f"{where}: mounts '{mounts[PurePosixPath(path)]['name']}' and '{mount['name']}' collide at {path}."
        mounts[PurePosixPath(path)] = mount
    for path, mount in mounts.items():
        around = next((mounts[parent] for parent in path.parents if parent in mounts), None)
        if around is None:
            continue
        if around.get("readOnly"):
            yield f"{where}: mounts '{around['name']}' and '{mount['name']}' collide at {path}."
        elif mount.get("readOnly") and path.name != SHIPPED:
            yield (
                f"{where}: artifact '{mount['name']}' is read-only but '{path}' is inside a path the daemon writes "
                f"({around['name']}). Ship it in the artifact or use init-copy."
            )


def _ownership(name: str, pod: Mapping[str, Any]) -> Iterator[str]:
    """fsGroup: never walked through on every start, never where the kubelet would not apply it, never for root."""
    context = pod.get("securityContext") or {}
    if "fsGroup" not in context:
        return
    if context.get("fsGroupChangePolicy") != "OnRootMismatch":
        yield f"node '{name}': fsGroup without OnRootMismatch walks through the whole volume at every start."
    shared = [
        each["name"] for each in pod.get("volumes", ()) if (each.get("persistentVolumeClaim") or {}).get("readOnly")
    ]
    if shared:
        yield f"node '{name}': fsGroup does nothing for volumes that many read ({', '.join(shared)})."
    if not context.get("runAsNonRoot"):
        yield f"node '{name}': fsGroup is for containers that are not root; these are."
