"""What the pod of a daemon tells its program: command line, environment, volumes, annotations. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from mina_infra.daemon.multiaddress import Multiaddress, MultiaddressError
from mina_infra.simulator.chain import peer_id, public_key
from mina_infra.simulator.flags import Flags, Refusal, read_flags, release_of
from mina_infra.simulator.genesis import Marker, Owner
from mina_infra.simulator.node import NodeSpec
from mina_infra.simulator.view import CONFIG_DIR

CONTAINER = "mina"
GUARD = "start-guard"
STAKE = "mina-infra/stake"
PEER_ID = "mina-infra/peer-id"
JOB_LABEL = "mina-infra/job"
USER_AGENT = "user-agent"

_REFERENCE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")


@dataclass(frozen=True)
class Mount:
    """One volume as the daemon's container sees it. Exactly one of `claim` and `config_map` is set, or neither."""

    volume: str
    path: str
    sub_path: str = ""
    claim: str = ""
    config_map: str = ""
    items: tuple[tuple[str, str], ...] = ()
    """(key, path) where a ConfigMap volume projects only some keys."""


@dataclass(frozen=True)
class DaemonPod:
    """A pod whose container `mina` runs (or should run) a daemon."""

    namespace: str
    name: str
    uid: str
    node_name: str
    """Name of the Mina node: the label `app`, by which it stays the same over restarts."""
    words: tuple[str, ...]
    env: Mapping[str, str]
    mounts: tuple[Mount, ...]
    image: str
    ip: str
    stake: float
    peer_id: str
    containers: tuple[str, ...]
    guard: Marker | None
    """The genesis that the init container `start-guard` wants to meet on the volume; None without such a container."""
    owner: Owner | None = None
    """Whose that container makes the volume; None where it does not say."""

    def config_mount(self, flags: Flags) -> Mount | None:
        """The mount that holds the state; None when that lies in the container and dies with it."""
        return self.mount_of(flags.one("config-directory", CONFIG_DIR))

    @property
    def genesis_mount(self) -> Mount | None:
        """The shared claim with the genesis ledger, None when the pod has none."""
        return next((mount for mount in self.mounts if mount.volume.startswith("genesis") and mount.claim), None)

    def mount_of(self, path: str) -> Mount | None:
        """The mount in which a path lies: the longest one that is a prefix of it."""
        wanted = PurePosixPath(path)
        found = [mount for mount in self.mounts if wanted.is_relative_to(mount.path)]
        return max(found, key=lambda mount: len(mount.path), default=None)

    def flags(self) -> Flags:
        """Raises Refusal: what the daemon prints before it exits."""
        return read_flags(self.words, self.env, release_of(self.image))

    def node_spec(self, flags: Flags) -> NodeSpec:
        """What the node is in the network. Raises Refusal."""
        produces = flags.has("block-producer-key")
        listed = flags.has("peer-list-url") or flags.has("peer-list-file") or "PEER_LIST_URL" in self.env
        return NodeSpec(
            name=self.node_name,
            stake=self.stake if produces else 0.0,
            seed=flags.has("seed"),
            contacts=None if listed else contacts(flags),
            peer_id=self.peer_id or peer_id(self.namespace, self.node_name, self.uid),
            public_key=staking_key(self.namespace, self.node_name),
            host=flags.one("external-ip", self.ip),
            p2p_port=flags.number("external-port", 8302),
            client_port=flags.number("client-port", 8301),
            commit_id=hashlib.sha1(self.image.encode(), usedforsecurity=False).hexdigest(),
            snark_coordinator=flags.has("run-snark-coordinator"),
        )

    def ports(self, flags: Flags) -> list[int]:
        """Container ports behind which the node answers HTTP with all it has: GraphQL, metrics."""
        found = [flags.number("rest-port", 3085)]
        found += [flags.number("metrics-port", 0)] if flags.has("metrics-port") else []
        return sorted(set(found) - {0})

    def limited_port(self, flags: Flags) -> int | None:
        """The port of the limited GraphQL."""
        return flags.number("limited-graphql-port", 0) or None if flags.has("limited-graphql-port") else None


def staking_key(namespace: str, node_name: str) -> str:
    """The public key of a node. The secret key stays in its Secret, which nobody here reads."""
    return public_key(namespace, node_name)


def contacts(flags: Flags) -> tuple[str, ...]:
    """The peer ids of the -peer flags. Raises Refusal for what is no multiaddress."""
    try:
        return tuple(Multiaddress.parse(text).peer_id for text in flags.values.get("peer", ()))
    except MultiaddressError as error:
        raise Refusal(f"Error: {error}") from error


def is_running(pod: Mapping[str, Any]) -> bool:
    """Its containers run: not when it is being deleted, for then they have had their signal."""
    return pod.get("status", {}).get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]


def daemon_pod(pod: Mapping[str, Any]) -> DaemonPod | None:
    """None for a pod that runs no daemon (a worker, a database, a Job)."""
    meta, spec = pod["metadata"], pod["spec"]
    container = next((item for item in spec["containers"] if item["name"] == CONTAINER), None)
    if container is None:
        return None
    env = _environment(container, pod)
    words = tuple(_expand(word, env) for word in container.get("args") or (container.get("command") or [])[1:])
    if words[:1] == ("internal",):
        return None
    annotations, guard = meta.get("annotations") or {}, _start_guard(pod)
    return DaemonPod(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        node_name=(meta.get("labels") or {}).get("app", meta["name"]),
        words=words,
        env=env,
        mounts=_mounts(container, spec),
        image=container.get("image", ""),
        ip=pod.get("status", {}).get("podIP", ""),
        stake=stake_of(annotations),
        peer_id=annotations.get(PEER_ID, ""),
        containers=tuple(item["name"] for item in spec["containers"]),
        guard=wanted_genesis(guard),
        owner=_owner(literal_env(guard)),
    )


def stake_of(annotations: Mapping[str, str] | None) -> float:
    """The declared stake in percent; 0 for none or for what is not a number."""
    try:
        return max(float((annotations or {}).get(STAKE, 0)), 0.0)
    except ValueError:
        return 0.0


def user_agents(pod: Mapping[str, Any]) -> int:
    """How many of its containers send payments."""
    return sum(container["name"] == USER_AGENT for container in pod["spec"]["containers"])


def claim_mounts(pod: Mapping[str, Any]) -> list[Mount]:
    """The claims that any container of a pod mounts (for a Job's pod)."""
    mounts = [mount for container in pod["spec"]["containers"] for mount in _mounts(container, pod["spec"])]
    return [mount for mount in mounts if mount.claim]


def wanted_genesis(container: Mapping[str, Any]) -> Marker | None:
    """The genesis that a step names in its environment (GENESIS_DIGEST, ERA), None when it names none."""
    env = literal_env(container)
    digest, era = env.get("GENESIS_DIGEST", ""), env.get("ERA", "1")
    return Marker(digest, int(era) if era.isdigit() else 1) if digest else None


def literal_env(container: Mapping[str, Any]) -> dict[str, str]:
    """The variables of a container as they are written; empty where the value comes from elsewhere."""
    return {item["name"]: str(item.get("value", "")) for item in container.get("env") or []}


def _start_guard(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    """The init container of that name; an empty one where there is none."""
    containers = pod["spec"].get("initContainers") or []
    return next((container for container in containers if container["name"] == GUARD), {})


def _owner(env: Mapping[str, str]) -> Owner | None:
    return Owner(env["TESTNET"], env["NODE"]) if env.get("TESTNET") and env.get("NODE") else None


def _mounts(container: Mapping[str, Any], spec: Mapping[str, Any]) -> tuple[Mount, ...]:
    volumes = {volume["name"]: volume for volume in spec.get("volumes") or []}
    found = []
    for mount in container.get("volumeMounts") or []:
        volume = volumes.get(mount["name"], {})
        config = volume.get("configMap") or {}
        found.append(
            Mount(
                volume=mount["name"],
                path=mount["mountPath"].rstrip("/") or "/",
                sub_path=mount.get("subPath", ""),
                claim=(volume.get("persistentVolumeClaim") or {}).get("claimName", ""),
                config_map=config.get("name", ""),
                items=tuple((item["key"], item["path"]) for item in config.get("items") or []),
            )
        )
    return tuple(found)


def _environment(container: Mapping[str, Any], pod: Mapping[str, Any]) -> dict[str, str]:
    """Names and values; a value from a Secret or ConfigMap is only known to be there."""
    fields = {
        "metadata.name": pod["metadata"]["name"],
        "metadata.namespace": pod["metadata"]["namespace"],
        "status.podIP": pod.get("status", {}).get("podIP", ""),
        "status.hostIP": pod.get("status", {}).get("hostIP", ""),
        "spec.nodeName": pod["spec"].get("nodeName", ""),
    }
    env: dict[str, str] = {}
    for item in container.get("env") or []:
        source = (item.get("valueFrom") or {}).get("fieldRef", {}).get("fieldPath", "")
        env[item["name"]] = _expand(item["value"], env) if "value" in item else fields.get(source, "(from a source)")
    return env


def _expand(text: str, env: Mapping[str, str]) -> str:
    """Kubernetes' $(NAME): one that is not defined stays as it is."""
    return _REFERENCE.sub(lambda match: env.get(match.group(1), match.group(0)), text)
