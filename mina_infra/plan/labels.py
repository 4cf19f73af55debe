"""Labels and annotations. Selectors use the identity alone, so that everything else may change on a live object."""

from __future__ import annotations

import re

from mina_infra.plan.nodes import Node
from mina_infra.spec import TestnetSpec, VolumeKind

MANAGED_BY = "app.kubernetes.io/managed-by"
MINA_INFRA = "mina-infra"
"""Its value on whatever is ours."""
TESTNET = "testnet"
APP = "app"
"""The node."""
CLASS = "class"
"""The node group."""
ERA = "mina-infra/era"
VOLUME = "mina-infra/volume"
JOB = "mina-infra/job"
SNAPSHOT = "mina-infra/snapshot"
"""On a snapshot: the name it was asked for by, which all snapshots of one occasion share."""
SCHEDULED = "mina-infra/scheduled"
"""On a snapshot that the schedule took and will delete; never on one that somebody asked for."""
MOVED = "mina-infra/moved"
"""On a PersistentVolume whose data was moved to another one: it is kept until somebody deletes it."""
BEGUN, DONE = "begun", "done"
"""Values of `MOVED`: whether the claim has been made again."""
MOVED_FROM = "mina-infra/moved-from"
"""Annotation of such a volume: namespace and name of the claim that has another volume since."""
GENESIS = "mina-infra/genesis"
"""Annotation of a snapshot: the digest of the genesis whose chain it holds."""
CLAIM = "mina-infra/claim"
"""Annotation: the claim that a snapshot was taken of."""
STAKE = "mina-infra/stake"
PEER_ID = "mina-infra/peer-id"
OWNER = "mina-infra/owner"
TTL = "mina-infra/ttl"
AUTOMATED = "mina-infra/automated"
SCOPE, TYPE, RETENTION, FIXED = "mina-infra/scope", "mina-infra/type", "mina-infra/retention", "mina-infra/fixed"
BY_CONTENT = "mina-infra/by-content"
"""Annotation on a class under a fixed name: what its content is called by, which a change makes another name."""
STACK = "mina-infra/stack"
"""Annotation on what a stack declares for the whole cluster: which stack that is."""
JOIN = "mina-infra/join"
"""On the namespace of an outsider who joins for a test: the testnet that it joins."""
RENEWED_UNTIL = "mina-infra/renewed-until"
"""Set by `renew` on the live namespace alone; no plan names it, so no `up` takes it away."""


def of_testnet(spec: TestnetSpec) -> dict[str, str]:
    """On every object: whose it is. An object without both is not ours."""
    return {MANAGED_BY: MINA_INFRA, TESTNET: spec.name}


OURS = f"{MANAGED_BY}={MINA_INFRA}"
"""The label selector of everything that is ours."""


def selector(testnet: str) -> str:
    """The label selector of everything that is this testnet's."""
    return f"{OURS},{TESTNET}={testnet}"


def of_cluster() -> dict[str, str]:
    """On what belongs to the cluster and to no testnet."""
    return {MANAGED_BY: MINA_INFRA, SCOPE: "cluster"}


def identity(spec: TestnetSpec, node: Node) -> dict[str, str]:
    """What selects the one pod of a node; never changes."""
    return {APP: node.name, TESTNET: spec.name}


def of_node(spec: TestnetSpec, node: Node) -> dict[str, str]:
    """On a node's objects that outlive an era and an image: its Service."""
    return {**of_testnet(spec), APP: node.name, "role": node.group.role.value, CLASS: node.group.name}


def of_claim(spec: TestnetSpec, kind: VolumeKind, node: Node | None, era: int) -> dict[str, str]:
    """On a claim; an image or a chart of another version does not touch it."""
    base = of_node(spec, node) if node else of_testnet(spec)
    return {**base, ERA: str(era), VOLUME: kind.value}


def of_pod(spec: TestnetSpec, node: Node, version: str) -> dict[str, str]:
    """On a node's Deployment and pod."""
    return {**of_node(spec, node), "version": version, ERA: str(spec.era)}


def version_label(spec: TestnetSpec) -> str:
    """The first six characters of the image's tag, as in Mina's charts; made a valid label value."""
    name = spec.image.split("@", 1)[0].rsplit("/", 1)[-1]
    tag = name.partition(":")[2] or spec.daemon_version or "latest"
    return re.sub(r"[^A-Za-z0-9._-]", "-", tag)[:6].strip("._-") or "latest"
