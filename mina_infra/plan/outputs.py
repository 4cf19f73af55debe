"""The outputs document of a plan: complete before anything runs."""

from __future__ import annotations

from collections.abc import Iterable

from mina_infra.daemon.multiaddress import Multiaddress
from mina_infra.daemon.scan_state import capacity_of
from mina_infra.outputs import ChainOutput, ClaimOutput, NodeOutput, OutputsDocument, SeedOutput
from mina_infra.plan import flags, names, nodes, ports, secrets
from mina_infra.plan.common import Common
from mina_infra.plan.nodes import Node
from mina_infra.plan.objects import GroupPlan, Manifest
from mina_infra.plan.roles import bots
from mina_infra.spec import Role, TestnetSpec
from mina_infra.storage.volumes import Claimed

SLOT_MS, K = 180_000, 290
"""What a daemon takes when the runtime config is silent (docs/facts.md: mina/consensus-constants)."""


def document(common: Common, groups: Iterable[GroupPlan]) -> OutputsDocument:
    spec = common.spec
    deployments = {
        each.key: each.manifest for group in groups for each in group.objects if each.manifest["kind"] == "Deployment"
    }
    members = list(nodes.of_testnet(spec))
    return OutputsDocument(
        testnet=spec.name,
        era=spec.era,
        namespace=spec.namespace,
        nodes=[_node(spec, node, deployments[node.name]) for node in members],
        seeds=[_seed(spec, node) for node in members if node.role is Role.SEED],
        claims=[_claim(spec, claimed) for claimed in common.volumes.all()],
        images=_images(spec),
        daemon_flags=_relied_on(common),
        chain=_chain(spec),
        thresholds=spec.thresholds,
        post_deploy=list(spec.post_deploy),
    )


def _node(spec: TestnetSpec, node: Node, deployment: Manifest) -> NodeOutput:
    pod = deployment["spec"]["template"]["spec"]
    containers = [*pod.get("initContainers", ()), *pod["containers"]]
    numbers = {port["name"]: port["containerPort"] for each in containers for port in each.get("ports", ())}
    return NodeOutput(
        name=node.name,
        role=node.role.value,
        group=node.group.name,
        stake=node.group.stake,
        container=pod["containers"][0]["name"],
        ports={ports.SHORT_NAMES[name]: number for name, number in numbers.items() if name in ports.SHORT_NAMES},
        peer_id=node.identity.peer_id if node.identity else None,
        paused=spec.is_paused(node.group, node.name),
        load_tps=bots.PAYMENTS_PER_SECOND if "user-agent" in secrets.bots_of(node) else 0.0,
    )


def _seed(spec: TestnetSpec, node: Node) -> SeedOutput:
    assert node.identity, "the spec's rules want an identity for every seed"
    host = node.identity.address or names.host(node.name, spec.namespace)
    address = Multiaddress(host, node.external_port, node.identity.peer_id)
    return SeedOutput(name=node.name, host=host, port=address.port, peer_id=address.peer_id, multiaddress=str(address))


def _claim(spec: TestnetSpec, claimed: Claimed) -> ClaimOutput:
    volume = claimed.volume
    era = claimed.kept_era or spec.era
    if claimed.copy:
        name = names.genesis_copy(claimed.copy, era)
    elif claimed.node is None:
        name = names.shared_claim(volume.kind, era)
    else:
        name = names.claim(claimed.node, volume.kind, era)
    return ClaimOutput(
        name=name,
        kind=volume.kind.value,
        node=claimed.node,
        size_gib=volume.effective_gib,
        storage_class=volume.class_name,
        access_mode=volume.access_mode.value,
        retention=volume.retention.value,
        kept=claimed.kept_era is not None,
    )


def _images(spec: TestnetSpec) -> dict[str, str]:
    images = {
        "daemon": spec.image,
        "archive": spec.images.archive,
        "postgres": spec.images.postgres if spec.groups_of(Role.ARCHIVE) else None,
        "user-agent": spec.images.user_agent,
        "bots": spec.images.bots,
        "init": spec.images.init,
        "genesis-ledger": spec.genesis.ledger.image,
    }
    return {purpose: image for purpose, image in images.items() if image}


def _relied_on(common: Common) -> dict[str, str]:
    words = flags.gossip_logging(common.dialect)
    words += ["-limited-graphql-port", str(ports.LIMITED_GRAPHQL)] if common.dialect.limited_graphql else []
    return {flag.lstrip("-"): value for flag, value in zip(words[::2], words[1::2], strict=True)}


def _chain(spec: TestnetSpec) -> ChainOutput:
    config = spec.genesis.config()
    capacity = capacity_of(config)
    return ChainOutput(
        slot_ms=config.get("proof", {}).get("block_window_duration_ms", SLOT_MS),
        k=config.get("genesis", {}).get("k", K),
        transaction_capacity_log2=capacity.log2,
        work_delay=capacity.work_delay,
        tps_goal=capacity.goal,
    )
