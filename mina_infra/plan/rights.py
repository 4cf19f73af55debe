"""What the guardian may do to a testnet: roles of its namespace, as data (docs/facts.md: guardian/rights).

None of them names a secret, a node, a cluster role or everything. `observer` looks and changes nothing, `exec` reaches
the daemons' full port, `chaos` disturbs on purpose and is bound only while that goes on. `join` is about another
namespace, empty and made for outsiders: who has it need not be allowed to make one, which nothing can restrict.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mina_infra.plan import labels
from mina_infra.plan.joining import outsiders_home, prepared
from mina_infra.plan.objects import Manifest

GROUP = "rbac.authorization.k8s.io"


class Duty(StrEnum):
    """What an account is for."""

    OBSERVER = "observer"
    EXEC = "exec"
    CHAOS = "chaos"
    JOIN = "join"

    @property
    def role(self) -> str:
        """The name of its role."""
        return f"guardian-{self}"

    def place(self, namespace: str) -> str:
        """The namespace that its rights are about, for a testnet in `namespace`."""
        return outsiders_home(namespace) if self is Duty.JOIN else namespace


@dataclass(frozen=True)
class Right:
    """Verbs on one resource of one API group; `why` is the command or check that needs it."""

    verbs: tuple[str, ...]
    resource: str
    group: str = ""
    why: str = ""
    only: str = ""
    """The name of the one object; empty for all of the namespace."""

    def rule(self) -> Manifest:
        """As a rule of a role."""
        only = {"resourceNames": [self.only]} if self.only else {}
        return {"apiGroups": [self.group], "resources": [self.resource], "verbs": [*self.verbs], **only}


PROXY = Right(("create", "get"), "pods/proxy", why="road `proxy`: daemons through the API server")
"""It reaches every port of every pod, so it is given only to whom asks for it."""


def rights(duty: Duty, namespace: str) -> tuple[Right, ...]:
    """What that duty needs in its place, for a testnet in `namespace`."""
    if duty is Duty.OBSERVER:
        return (
            Right(("get",), "namespaces", why="whose namespace it is", only=namespace),
            Right(("get", "list", "watch"), "pods", why="checks inventory, pods, crashes"),
            Right(("get",), "pods/log", why="check crashes: logs of restarted containers"),
            Right(("list", "watch"), "events", why="check crashes: evictions and want of memory"),
            Right(("get", "list"), "services", why="addresses of the seeds"),
            Right(("get", "list"), "endpointslices", "discovery.k8s.io", "addresses of the seeds"),
            Right(("get", "list"), "deployments", "apps", "check inventory"),
            Right(("get", "list"), "statefulsets", "apps", "check inventory"),
            Right(("get", "list"), "persistentvolumeclaims", why="check claims"),
        )
    if duty is Duty.EXEC:
        # Before 1.35 the WebSocket's `get` was asked for, since then `create` as well (KEP-4006).
        return (
            Right(("get", "create"), "pods/exec", why="road `exec`, check disk"),
            Right(("get", "create"), "pods/portforward", why="road `port-forward`, check provers"),
        )
    if duty is Duty.JOIN:
        return (
            Right(("get",), "namespaces", why="whether it is for outsiders", only=duty.place(namespace)),
            Right(("create", "delete"), "configmaps", why="join: the outsider's runtime config"),
            Right(("get", "list", "create", "delete"), "pods", why="join: the outsider"),
            Right(("get", "create"), "pods/portforward", why="join: road `port-forward` to the outsider"),
        )
    return (
        Right(("get", "list", "watch", "delete"), "pods", why="chaos: delete a pod"),
        Right(("create",), "pods/eviction", why="chaos: evict within the disruption budget"),
        Right(("get", "create", "update"), "leases", "coordination.k8s.io", "one chaos run at a time"),
    )


@dataclass(frozen=True)
class Subject:
    """Who gets a role: a service account of the testnet's namespace, or a user of the cluster."""

    name: str
    user: bool = False

    def reference(self, namespace: str) -> Manifest:
        if self.user:
            return {"kind": "User", "name": self.name, "apiGroup": GROUP}
        return {"kind": "ServiceAccount", "name": self.name, "namespace": namespace}


def manifests(
    testnet: str, namespace: str, duties: Sequence[Duty], subject: Subject, *, proxy: bool = False
) -> Iterator[Manifest]:
    """Roles, their bindings and the service account; for `join` the namespace of outsiders, too.

    `proxy` lets the observer, and who lets outsiders join, take the API server's pod proxy.
    """
    common = {labels.MANAGED_BY: "mina-infra", labels.TESTNET: testnet}

    def named(api: str, kind: str, place: str, name: str, **rest: Any) -> Manifest:
        meta = {"name": name, "namespace": place, "labels": common}
        return {"apiVersion": api, "kind": kind, "metadata": meta, **rest}

    if not subject.user:
        yield named("v1", "ServiceAccount", namespace, subject.name)
    for duty in duties:
        place = duty.place(namespace)
        if duty is Duty.JOIN:
            yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place, "labels": prepared(testnet)}}
        own = rights(duty, namespace) + ((PROXY,) if proxy and duty in (Duty.OBSERVER, Duty.JOIN) else ())
        yield named(f"{GROUP}/v1", "Role", place, duty.role, rules=[right.rule() for right in own])
        yield named(
            f"{GROUP}/v1", "RoleBinding", place, f"{duty.role}-{_label(subject.name)}",
            roleRef={"apiGroup": GROUP, "kind": "Role", "name": duty.role},
            subjects=[subject.reference(namespace)],
        )  # fmt: skip


def _label(name: str) -> str:
    """A user's name (a mail address, say) as part of an object's name."""
    return "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in name.lower()).strip("-.")
