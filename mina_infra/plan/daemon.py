"""The daemon container: arguments, environment, ports, probes and the volumes that every daemon has."""

from __future__ import annotations

from collections.abc import Sequence

from mina_infra.plan import artefacts, config, flags, guard, keys, labels, ports, services
from mina_infra.plan.common import Common
from mina_infra.plan.nodes import Node
from mina_infra.plan.objects import Manifest
from mina_infra.plan.workload import Workload, claim_volume, main_resources, port
from mina_infra.spec import VOLUMES, VolumeKind

CONTAINER = "mina"
CPU, MEMORY = "2", "8Gi"
"""What a daemon asks for unless the spec says otherwise; Mina's own nets asked for 1 CPU/2Gi (2020) to 12 CPU/16Gi."""


def daemon(
    common: Common, node: Node, *, arguments: Sequence[str] = (), environment: Sequence[Manifest] = ()
) -> Workload:
    """A node that runs `mina daemon`; a role adds its own arguments and environment."""
    workload = Workload(annotations=_annotations(node))
    workload.init_containers.append(guard.start_guard(common, node))
    keys.add_libp2p(workload, common, node)
    workload.containers.append(_container(common, node, arguments, environment))
    workload.volumes += [
        claim_volume("config-dir", node, common, VolumeKind.RUNTIME_STATE),
        {"name": "daemon-config", "configMap": {"name": common.config_map}},
    ]
    _add_genesis(workload, common, node)
    workload.service_ports["external-port"] = node.external_port
    return workload


def _container(common: Common, node: Node, arguments: Sequence[str], environment: Sequence[Manifest]) -> Manifest:
    directory = common.dialect.config_directory
    return {
        "name": CONTAINER,
        "image": common.spec.image,
        # Not the image's entrypoint: its shell keeps SIGTERM from the daemon and its stderr from the container's log.
        "command": [common.dialect.binary],
        "args": [*_arguments(common, node), *arguments],
        "env": [*_environment(common), *environment],
        "ports": _ports(common, node),
        "resources": main_resources(node, CPU, MEMORY),
        "readinessProbe": _answers_graphql(),
        "startupProbe": _listens(node, period=10, failures=180),
        "livenessProbe": _listens(node, period=10, failures=30),
        "volumeMounts": [
            {"name": "config-dir", "mountPath": directory},
            {"name": "daemon-config", "mountPath": config.MOUNT, "readOnly": True},
            {"name": "libp2p-keys", "mountPath": keys.LIBP2P_DIRECTORY},
        ],
    }


def _arguments(common: Common, node: Node) -> list[str]:
    dialect = common.dialect
    own = ["daemon", "-config-directory", dialect.config_directory, "-config-file", config.FILE]
    own += ["-client-port", str(ports.CLIENT), "-rest-port", str(ports.GRAPHQL)]
    if dialect.limited_graphql:
        # Open to the pod network: it tells and changes nothing. The full port stays on the pod's loopback.
        own += ["-limited-graphql-port", str(ports.LIMITED_GRAPHQL), "-open-limited-graphql-port"]
    own += ["-external-port", str(node.external_port), "-external-ip", services.public_ip(node) or "$(POD_IP)"]
    own += ["-metrics-port", str(ports.metrics(node.role)), dialect.libp2p_flag, keys.LIBP2P_KEY]
    own += ["-log-json", "-log-level", "Debug", *flags.gossip_logging(dialect)]
    if dialect.file_log_level:
        # The log file shares the volume with the databases; at its default, Trace, it fills the volume first.
        own += ["-file-log-level", "Info"]
    for seed in common.seeds:
        own += ["-peer", seed.multiaddress] if seed.node != node.name else []
    return own


def _environment(common: Common) -> list[Manifest]:
    """POD_IP comes first: only variables defined before are replaced in arguments and other variables."""
    return [
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        keys.libp2p_env(common),
        # Both who may use the client port and whom libp2p may dial (docs/facts.md: mina/client-trustlist).
        {"name": f"{common.dialect.env}_CLIENT_TRUSTLIST", "value": ",".join(common.spec.target.networks)},
        {"name": "RAYON_NUM_THREADS", "value": "6"},
    ]


def _ports(common: Common, node: Node) -> list[Manifest]:
    limited = [port("limited-graphql", ports.LIMITED_GRAPHQL)] if common.dialect.limited_graphql else []
    return [
        port("client-port", ports.CLIENT),
        port("graphql-port", ports.GRAPHQL),
        *limited,
        port(ports.METRICS_PORT, ports.metrics(node.role)),
        port("external-port", node.external_port),
    ]


def _answers_graphql() -> Manifest:
    """Ready is "answers", not "synced": whether it is synced is the guardian's question.

    From inside the container, because GraphQL listens on localhost alone; without kubectl, so without any role.
    """
    url = f"http://127.0.0.1:{ports.GRAPHQL}/graphql"
    query = '{"query": "{ syncStatus }"}'
    command = ["curl", "-sf", "--max-time", "5", "-H", "Content-Type: application/json", "-d", query, url]
    return {"exec": {"command": command}, "periodSeconds": 10, "timeoutSeconds": 6, "failureThreshold": 3}


def _listens(node: Node, period: int, failures: int) -> Manifest:
    """On the libp2p port: 30 minutes to open it, then 5 minutes without an answer before a restart."""
    return {"tcpSocket": {"port": node.external_port}, "periodSeconds": period, "failureThreshold": failures}


def _annotations(node: Node) -> dict[str, str]:
    annotations = {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(ports.metrics(node.role)),
        "prometheus.io/path": "/metrics",
    }
    if node.group.stake:
        annotations[labels.STAKE] = f"{node.group.stake:g}"
    if node.identity:
        annotations[labels.PEER_ID] = node.identity.peer_id
    return annotations


def _add_genesis(workload: Workload, common: Common, node: Node) -> None:
    path = VOLUMES[VolumeKind.GENESIS_LEDGER].path.replace("/root/.mina-config", common.dialect.config_directory)
    artefacts.add(workload, common, node, path)
