"""The document of a testnet: its models, the role table, its errors and how it is read."""

from mina_infra.spec.errors import Issue, SpecError
from mina_infra.spec.load import (
    load_benchmark,
    load_cluster,
    load_monitoring,
    load_stack_spec,
    load_storage,
    parse,
    parse_cluster,
    parse_monitoring,
    parse_storage,
)
from mina_infra.spec.models import NodeGroup, TestnetSpec
from mina_infra.spec.monitoring import Monitoring
from mina_infra.spec.roles import ROLES, VOLUMES, AccessMode, DiskType, Role, VolumeKind
from mina_infra.spec.storage import ClusterStorage
from mina_infra.spec.target import Provider, Retention

__all__ = [
    "ROLES", "VOLUMES", "AccessMode", "ClusterStorage", "DiskType", "Issue", "Monitoring", "NodeGroup", "Provider",
    "Retention", "Role", "SpecError", "TestnetSpec", "VolumeKind", "load_benchmark",
    "load_cluster", "load_monitoring", "load_stack_spec",
    "load_storage", "parse", "parse_cluster", "parse_monitoring", "parse_storage",
]  # fmt: skip
