"""The pod of an outsider who joins a testnet: what anybody could start who has the runtime config and the seeds.

It lives in a namespace of its own, has no volume, no key and no Secret, and knows the published addresses alone. It
takes the genesis ledger as outsiders do: the daemon finds it by the hash in the runtime config.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mina_infra.plan import config, flags, labels, ports
from mina_infra.plan.objects import Manifest, TestnetPlan
from mina_infra.plan.workload import port, requests

NODE = "outsider"
CONTAINER = "mina"
P2P = 8302
"""The daemon's own default: nobody has told it another."""
CPU, MEMORY = "2", "8Gi"
TTL = "2h"
"""After this `expire` removes what a killed command left behind."""


def outsiders_home(testnet: str) -> str:
    """`qa-join`: the namespace that may be kept for outsiders; cut so that it stays a valid name."""
    return f"{testnet[:50].rstrip('-')}-join"


def namespace_of(testnet: str, random: str) -> str:
    """`qa-join-1f3a`: one for a single visit."""
    return f"{outsiders_home(testnet)}-{random}"


def prepared(testnet: str) -> Mapping[str, str]:
    """The labels of a namespace that is kept for outsiders of a testnet. It is nobody's testnet and never expires."""
    return {labels.JOIN: testnet}


def outsider(plan: TestnetPlan, namespace: str, addresses: Sequence[str]) -> tuple[Manifest, ...]:
    """Namespace, runtime config and pod, in this order."""
    spec = plan.spec
    own = {labels.MANAGED_BY: "mina-infra", labels.TESTNET: namespace, labels.JOIN: spec.name}
    meta = {"namespace": namespace, "labels": {**own, labels.APP: NODE}}
    name = {"apiVersion": "v1", "kind": "Namespace"}
    return (
        {**name, "metadata": {"name": namespace, "labels": own, "annotations": {labels.TTL: TTL}}},
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {**meta, "name": "daemon-config"},
            "data": config.data(spec),
        },
        {"apiVersion": "v1", "kind": "Pod", "metadata": {**meta, "name": NODE}, "spec": _pod(plan, addresses)},
    )


def _pod(plan: TestnetPlan, addresses: Sequence[str]) -> Manifest:
    dialect = flags.dialect(flags.release(plan.spec))
    arguments = ["daemon", "-config-directory", dialect.config_directory, "-config-file", config.FILE]
    arguments += ["-client-port", str(ports.CLIENT), "-rest-port", str(ports.GRAPHQL)]
    if dialect.limited_graphql:
        arguments += ["-limited-graphql-port", str(ports.LIMITED_GRAPHQL), "-open-limited-graphql-port"]
    arguments += ["-external-port", str(P2P), "-external-ip", "$(POD_IP)", "-log-json"]
    for address in addresses:
        arguments += ["-peer", address]
    container = {
        "name": CONTAINER,
        "image": plan.spec.image,
        "command": [dialect.binary],
        "args": arguments,
        "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "ports": [port("graphql-port", ports.GRAPHQL), port("external-port", P2P)],
        "resources": requests(CPU, MEMORY),
        "volumeMounts": [
            {"name": "config-dir", "mountPath": dialect.config_directory},
            {"name": "daemon-config", "mountPath": config.MOUNT, "readOnly": True},
        ],
    }
    volumes = [
        {"name": "config-dir", "emptyDir": {}},
        {"name": "daemon-config", "configMap": {"name": "daemon-config"}},
    ]
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # It has nothing to save.
        "terminationGracePeriodSeconds": 5,
        "restartPolicy": "Always",
        "containers": [container],
        "volumes": volumes,
    }
