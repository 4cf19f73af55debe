"""What all nodes of one testnet share, worked out once."""

from __future__ import annotations

from dataclasses import dataclass

from mina_infra.daemon.multiaddress import Multiaddress
from mina_infra.plan import config, flags, genesis_digest, labels, names, nodes
from mina_infra.plan.flags import Dialect
from mina_infra.plan.nodes import Node
from mina_infra.spec import Role, TestnetSpec
from mina_infra.storage.volumes import Volume, Volumes


@dataclass(frozen=True)
class Seed:
    """One entry point as the other nodes dial it: by its Service's name, which needs no way out of the cluster."""

    node: str
    multiaddress: str


@dataclass(frozen=True)
class Common:
    """The facts that a node's objects are made from, besides the node itself."""

    spec: TestnetSpec
    dialect: Dialect
    version: str
    config_map: str
    config_data: dict[str, str]
    genesis_digest: str
    shared_volume: Volume | None
    volumes: Volumes
    seeds: tuple[Seed, ...]
    coordinator: Node | None


def common(spec: TestnetSpec) -> Common:
    volumes = Volumes(spec)
    data = config.data(spec)
    return Common(
        spec=spec,
        dialect=flags.dialect(flags.release(spec)),
        version=labels.version_label(spec),
        config_map=names.config_map(data),
        config_data=data,
        genesis_digest=genesis_digest.digest(spec),
        shared_volume=volumes.shared(),
        volumes=volumes,
        seeds=tuple(_seed(spec, node) for node in _of_role(spec, Role.SEED)),
        coordinator=next(iter(_of_role(spec, Role.SNARK_COORDINATOR)), None),
    )


def _of_role(spec: TestnetSpec, role: Role) -> list[Node]:
    return [node for group in spec.groups_of(role) for node in nodes.of_group(group)]


def _seed(spec: TestnetSpec, node: Node) -> Seed:
    assert node.identity, "the spec's rules want an identity for every seed"
    address = Multiaddress(names.host(node.name, spec.namespace), node.external_port, node.identity.peer_id)
    return Seed(node.name, str(address))
