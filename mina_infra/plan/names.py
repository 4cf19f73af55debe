"""Every name that a plan gives. A change here renames live objects: for claims that means new, empty ones."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from mina_infra.spec import VolumeKind
from mina_infra.storage.sources import Copy

SERVICE_ACCOUNT = "mina-node"
QUOTA = "testnet"


def content_hash(value: Any) -> str:
    """Eight hex digits that follow the content, for names of objects that are replaced when it changes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def claim(node: str, kind: VolumeKind, era: int) -> str:
    """A node's claim: `whale-1-runtime-state-e1`. A new era gets new claims."""
    return f"{node}-{kind.value}-e{era}"


def shared_claim(kind: VolumeKind, era: int) -> str:
    """A claim of the whole testnet: `genesis-ledger-e1`."""
    return f"{kind.value}-e{era}"


def genesis_copy(copy: Copy, era: int) -> str:
    """A read-only disk with the artefacts for some nodes of a group: `genesis-ledger-e1-whale-2`."""
    return f"genesis-ledger-e{era}-{copy.group}-{copy.number}"


def genesis_job(era: int, template: Any) -> str:
    """The Job that fills the shared claim; another image or script is another Job, since Jobs cannot change."""
    return f"genesis-ledger-e{era}-{content_hash(template)}"


def check_job(node: str, phase: str, template: Any) -> str:
    """A node's setup or verification Job; every run has its own."""
    return f"{node}-{phase}-{content_hash(template)}"


def config_map(data: Any) -> str:
    """The daemon's config, named by its content: pods restart exactly when it changes."""
    return f"daemon-config-{content_hash(data)}"


def disruption_budget(role: str) -> str:
    return f"role-{role}"


def host(service: str, namespace: str) -> str:
    """The DNS name of a Service inside the cluster."""
    return f"{service}.{namespace}.svc.cluster.local"


# Keys of planned objects: they name the engine's resources, so they follow no content, and of what only claims follow
# the era: those of an era that is kept stay what they are beside the new ones.
NAMESPACE_KEY = "namespace"
SERVICE_ACCOUNT_KEY = "service-account"
QUOTA_KEY = "quota"
CONFIG_KEY = "daemon-config"
GENESIS_JOB_KEY = "genesis-job"


def genesis_claim_key(era: int) -> str:
    return f"genesis-ledger-e{era}"


def genesis_copy_key(copy: Copy, era: int) -> str:
    return f"genesis-ledger-{copy.group}-{copy.number}-e{era}"


def check_job_key(node: str, phase: str) -> str:
    return f"{node}-{phase}"


def class_key(key: str) -> str:
    return f"class-{key}"


def attributes_key(name: str) -> str:
    """Attributes never change under one name, so here the key may follow the content."""
    return f"attributes-{name}"


def claim_key(node: str, kind: VolumeKind, era: int) -> str:
    return f"{node}-{kind.value}-e{era}"


def service_key(node: str) -> str:
    return f"{node}-p2p"


def disruption_budget_key(role: str) -> str:
    return f"budget-{role}"
