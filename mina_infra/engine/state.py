"""What the engine has on record: read from a file backend of our own, or exported from the user's.

The file backend is also mended here, because the CLI cannot: every command of it fails on an unreadable state file.
Its layout is the engine's (docs/facts.md: pulumi/file-backend).
"""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mina_infra.engine.environment import PROJECT, EngineEnvironment
from mina_infra.engine.process import is_alive
from mina_infra.engine.report import Report
from mina_infra.errors import EngineError
from mina_infra.outputs import OutputsDocument

_KUBERNETES = "kubernetes:"
_STACK = "pulumi:pulumi:Stack"
_PROVIDER = "pulumi:providers:kubernetes"
OUTPUT = "testnet"
"""What the program calls the outputs document."""

KEPT_COPIES = 10


@dataclass(frozen=True, order=True)
class ObjectKey:
    """One object of a cluster. Version-free: `apps/v1` and `apps/v1beta1` name the same object."""

    group: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> ObjectKey:
        """The key of a manifest or of a live object."""
        api_version = str(manifest["apiVersion"])
        group = api_version.rpartition("/")[0]
        metadata = manifest["metadata"]
        return cls(group, str(manifest["kind"]), metadata.get("namespace") or "", metadata["name"])

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class RecordedObject:
    """One Kubernetes object in the engine's state."""

    uid: str
    protect: bool
    urn: str = ""
    manifest: Mapping[str, Any] = field(default_factory=dict)
    """As the engine last saw it."""


@dataclass(frozen=True)
class Recorded:
    """The engine's state of one stack. `resources` counts everything, components and providers included."""

    objects: Mapping[ObjectKey, RecordedObject] = field(default_factory=dict)
    resources: int = 0
    stacks: frozenset[str] = frozenset()
    """Whose record it says it is: the stack's name, unless somebody put another stack's in its place."""
    cluster: str | None = None
    """The identifier of the cluster that it was made for."""

    @property
    def protected(self) -> tuple[ObjectKey, ...]:
        return tuple(sorted(key for key, each in self.objects.items() if each.protect))


def recorded(env: EngineEnvironment) -> Recorded:
    """What the engine has on record for the stack; empty when the stack does not exist yet."""
    if env.backend is None:
        return parse_deployment(_export(env))
    try:
        state = json.loads(state_file(env).read_text())
    except FileNotFoundError:
        return Recorded()
    return parse_deployment(state["checkpoint"].get("latest") or {})


def readable_record(env: EngineEnvironment) -> tuple[Recorded, str]:
    """What can be read of a record that may be lost or torn, and in words where it comes from. Changes nothing."""
    if env.backend is None:
        known = recorded(env)
        return known, "in your backend" if known.resources else "none in your backend"
    file = state_file(env)
    if not file.exists():
        return Recorded(), "lost: there is no state file"
    if _is_checkpoint(file):
        return recorded(env), "a whole state file"
    copy = next(filter(_is_checkpoint, _copies(env)), None)
    if copy is None:
        return Recorded(), "torn, and no copy of it can be read"
    state = json.loads(copy.read_text())
    return parse_deployment(state["checkpoint"].get("latest") or {}), f"torn; the newest readable copy is {copy.name}"


def put_aside(file: Path, why: str) -> Path:
    """Rename a state file that is not to be used, and keep it beside."""
    kept = file.with_name(f"{file.name}.{why}-{int(time.time())}")
    return file.rename(kept)


def parse_deployment(deployment: Mapping[str, Any]) -> Recorded:
    """The Kubernetes objects of a deployment, as in a checkpoint or in `pulumi stack export`."""
    resources = [each for each in deployment.get("resources") or [] if not each.get("delete")]
    objects = {}
    for each in resources:
        if each["type"].startswith(_KUBERNETES) and each.get("custom"):
            seen = each.get("outputs") or each.get("inputs") or {}
            if "kind" in seen and "name" in seen.get("metadata", {}):
                uid = str(seen["metadata"].get("uid", ""))
                objects[ObjectKey.of(seen)] = RecordedObject(uid, bool(each.get("protect")), each["urn"], seen)
    clusters = [each.get("inputs") or {} for each in resources if each["type"] == _PROVIDER]
    return Recorded(
        objects,
        len(resources),
        frozenset(each["urn"].split(":")[2] for each in resources),
        next((each["clusterIdentifier"] for each in clusters if "clusterIdentifier" in each), None),
    )


def outputs(env: EngineEnvironment) -> OutputsDocument:
    """The outputs document of the last deployment. Raises EngineError when there is none."""
    found = _asked_outputs(env) if env.backend is None else _recorded_outputs(env)
    document = found.get(OUTPUT)
    if document is None:
        raise EngineError(f"stack '{env.stack}' has no testnet deployed; run `mina-infra up -s {env.stack}` first")
    return OutputsDocument.model_validate(document)


def _recorded_outputs(env: EngineEnvironment) -> Mapping[str, Any]:
    """From our own backend's file: a tenth of the time of asking the CLI, and the document holds no secrets."""
    state = _read_json(state_file(env)) or {}
    latest = (state.get("checkpoint") or {}).get("latest") or {}
    stacks = [each for each in latest.get("resources") or [] if each["type"] == _STACK]
    found: Mapping[str, Any] = stacks[0].get("outputs") or {} if stacks else {}
    return found


def _asked_outputs(env: EngineEnvironment) -> Mapping[str, Any]:
    command = [str(env.pulumi), "stack", "output", "--json", "--stack", env.stack, "--non-interactive"]
    done = subprocess.run(
        command, cwd=env.work_dir, env=env.process_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        found: Mapping[str, Any] = json.loads(done.stdout)
        return found
    if "no stack named" in done.stderr:
        return {}
    raise EngineError(f"the outputs of stack '{env.stack}' cannot be read: {done.stderr.strip()}")


def unprotect(env: EngineEnvironment, urns: Sequence[str]) -> None:
    """Take the engine's protection off resources on its record; nothing else changes. Raises EngineError."""
    command = [str(env.pulumi), "state", "unprotect", *urns, "--stack", env.stack, "--yes", "--non-interactive"]
    done = subprocess.run(
        command, cwd=env.work_dir, env=env.process_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise EngineError(f"the volumes of stack '{env.stack}' cannot be unprotected: {done.stderr.strip()}")


def state_file(env: EngineEnvironment) -> Path:
    """The state file of a stack in a file backend of our own."""
    assert env.backend is not None
    return env.backend / ".pulumi" / "stacks" / PROJECT / f"{env.stack}.json"


def mend(env: EngineEnvironment, report: Report) -> None:
    """Clear what a killed engine left in a file backend of our own: empty sidecars, a stale lock, a torn state file.

    Raises EngineError when somebody else's living process holds the lock.
    """
    if env.backend is None:
        return
    for sidecar in (env.backend / ".pulumi" / "stacks" / PROJECT).glob(f"{env.stack}.json*.attrs"):
        if not sidecar.read_bytes().strip():
            sidecar.unlink()
            report.say("repaired", f"removed the empty sidecar file {sidecar.name} of an interrupted run")
    _clear_locks(env, report)
    _restore_state(env, report)
    _prune(env)


def _clear_locks(env: EngineEnvironment, report: Report) -> None:
    """Remove the engine's locks whose process is dead. We hold the stack's own lock, so none is a live run of ours."""
    assert env.backend is not None
    for lock in (env.backend / ".pulumi" / "locks" / "organization" / PROJECT / env.stack).glob("*.json"):
        holder = _read_json(lock) or {}
        pid, host = int(holder.get("pid") or 0), str(holder.get("hostname") or "")
        if pid and (host != socket.gethostname() or is_alive(pid)):
            raise EngineError(
                f"the stack '{env.stack}' is locked by process {pid} on {host or 'this host'} since "
                f"{holder.get('timestamp', 'an unknown time')}; wait for it, or end it, then try again"
            )
        lock.unlink()
        report.say("repaired", "cleared the lock of an interrupted run")


def _restore_state(env: EngineEnvironment, report: Report) -> None:
    """Put the newest readable copy in the place of an unreadable state file; the broken one is kept beside it."""
    file = state_file(env)
    if not file.exists() or _is_checkpoint(file):
        return
    broken = put_aside(file, "broken")
    copy = next(filter(_is_checkpoint, _copies(env)), None)
    if copy is not None:
        file.write_bytes(copy.read_bytes())
    source = f"restored from {copy.name}" if copy else "no readable copy of it: starting from what is in the cluster"
    report.say("repaired", f"the state file was unreadable (kept as {broken.name}); {source}")


def _copies(env: EngineEnvironment) -> list[Path]:
    """Older copies of the state, newest first: the one beside it, backups, history."""
    assert env.backend is not None
    root = env.backend / ".pulumi"
    found = [state_file(env).with_name(f"{env.stack}.json.bak")]
    for folder, pattern in (("backups", f"{env.stack}.*.json"), ("history", f"{env.stack}-*.checkpoint.json")):
        found += (root / folder / PROJECT / env.stack).glob(pattern)
    return sorted((each for each in found if each.exists()), key=lambda each: each.stat().st_mtime, reverse=True)


def _prune(env: EngineEnvironment) -> None:
    """Forget old copies of the state: every run adds two (4 MB each for 200 nodes), the engine removes none.

    The short entries that `pulumi stack history` shows stay.
    """
    assert env.backend is not None
    for folder, pattern in (("backups", "*.json"), ("history", "*.checkpoint.json")):
        copies = (env.backend / ".pulumi" / folder / PROJECT / env.stack).glob(pattern)
        for old in sorted(copies, key=lambda each: each.stat().st_mtime)[:-KEPT_COPIES]:
            old.unlink()


def _is_checkpoint(file: Path) -> bool:
    data = _read_json(file)
    return data is not None and isinstance(data.get("checkpoint"), dict)


def _read_json(file: Path) -> dict[str, Any] | None:
    try:
        data = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None


def _export(env: EngineEnvironment) -> Mapping[str, Any]:
    """`pulumi stack export` of a user's backend; empty when there is no such stack."""
    command = [str(env.pulumi), "stack", "export", "--stack", env.stack, "--non-interactive"]
    done = subprocess.run(
        command, cwd=env.work_dir, env=env.process_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        deployment: Mapping[str, Any] = json.loads(done.stdout)["deployment"]
        return deployment
    if "no stack named" in done.stderr:
        return {}
    raise EngineError(f"the state of stack '{env.stack}' cannot be read: {done.stderr.strip()}")
