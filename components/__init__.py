"""The Pulumi components of mina-infra. They register what `mina_infra.plan` decided, and decide nothing.

Python programs import them from here; programs in other languages add this folder as a Pulumi package
(`pulumi package add github.com/o1-labs/mina-infra/components`).
"""

from components.arguments import TestnetArgs
from components.cluster_provider import cluster_provider
from components.genesis_ledger import GenesisLedger, GenesisLedgerArgs
from components.monitoring import Monitoring, MonitoringArgs
from components.role_deployment import RoleDeployment, RoleDeploymentArgs
from components.seed_nodes import SeedNodes, SeedNodesArgs
from components.storage_classes import RegionalStorageClasses, RegionalStorageClassesArgs
from components.testnet import Testnet
from components.volume_guard import guard_volumes

COMPONENTS = (Testnet, RegionalStorageClasses, GenesisLedger, RoleDeployment, SeedNodes, Monitoring)

__all__ = [
    "COMPONENTS", "GenesisLedger", "GenesisLedgerArgs", "Monitoring", "MonitoringArgs", "RegionalStorageClasses",
    "RegionalStorageClassesArgs", "RoleDeployment", "RoleDeploymentArgs", "SeedNodes", "SeedNodesArgs", "Testnet",
    "TestnetArgs", "cluster_provider", "guard_volumes",
]  # fmt: skip
