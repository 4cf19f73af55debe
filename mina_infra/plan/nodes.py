"""One node: a member of a group, with the identity that the spec fixes for it, if any."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mina_infra.plan import ports
from mina_infra.spec import ROLES, NodeGroup, Role, TestnetSpec
from mina_infra.spec.models import Identity


@dataclass(frozen=True)
class Node:
    """`index` counts from 1 within the group; everything about a node follows from its group and it."""

    name: str
    group: NodeGroup
    index: int

    @property
    def role(self) -> Role:
        return self.group.role

    @property
    def identity(self) -> Identity | None:
        """The fixed libp2p identity; None for a throw-away one."""
        identities = self.group.identities
        return identities[self.index - 1] if self.index <= len(identities) else None

    @property
    def daemon(self) -> bool:
        return ROLES[self.role].daemon

    @property
    def external_port(self) -> int:
        return ports.external(self.role, self.index)


def of_group(group: NodeGroup) -> Iterator[Node]:
    for index, name in enumerate(group.node_names(), 1):
        yield Node(name, group, index)


def of_testnet(spec: TestnetSpec) -> Iterator[Node]:
    for group in spec.nodes:
        yield from of_group(group)
