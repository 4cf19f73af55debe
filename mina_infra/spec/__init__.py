"""The document of a testnet: its models, the role table, its errors and how it is read.

Loaded name by name: the models take a fifth of a second, and who only wants to know where a stack runs needs none.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mina_infra.spec.errors import Issue, SpecError
    from mina_infra.spec.load import (
        load_benchmark,
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
    from mina_infra.spec.stack_file import load_cluster
    from mina_infra.spec.storage import ClusterStorage
    from mina_infra.spec.target import Provider, Retention

__all__ = [
    "ROLES", "VOLUMES", "AccessMode", "ClusterStorage", "DiskType", "Issue", "Monitoring", "NodeGroup", "Provider",
    "Retention", "Role", "SpecError", "TestnetSpec", "VolumeKind", "load_benchmark",
    "load_cluster", "load_monitoring", "load_stack_spec",
    "load_storage", "parse", "parse_cluster", "parse_monitoring", "parse_storage",
]  # fmt: skip

_PLACES = {
    "errors": ("Issue", "SpecError"),
    "models": ("NodeGroup", "TestnetSpec"),
    "monitoring": ("Monitoring",),
    "roles": ("ROLES", "VOLUMES", "AccessMode", "DiskType", "Role", "VolumeKind"),
    "stack_file": ("load_cluster",),
    "storage": ("ClusterStorage",),
    "target": ("Provider", "Retention"),
}
_PLACE = {name: place for place, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACE.get(name, 'load')}"), name)
