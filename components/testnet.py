"""A whole testnet."""

from typing import Any

import pulumi

from components.arguments import TestnetArgs
from components.genesis_ledger import GenesisLedger
from components.objects import TESTNET, PlannedComponent, plan_of
from components.role_deployment import RoleDeployment
from components.seed_nodes import SeedNodes
from components.storage_classes import RegionalStorageClasses
from components.volume_guard import guard_testnet
from mina_infra.spec import Role


class Testnet(PlannedComponent):
    """A Mina testnet from one document: storage classes, genesis artefacts, seeds and all other nodes.

    `pulumi up` is enough to deploy it; the outputs document says what should be there, and
    `mina-infra verify` whether it is.
    """

    __test__ = False  # not a test class, whatever its name looks like to pytest

    document: pulumi.Output[dict[str, Any]]
    """The outputs document, schema 1: nodes, seeds with multiaddresses, claims, images, thresholds."""

    def __init__(self, name: str, args: TestnetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        plan = plan_of(args)  # every error is raised here, before anything is registered
        guard_testnet(plan)
        super().__init__(TESTNET, name, args, opts)
        inner = pulumi.ResourceOptions(parent=self)
        self.register(plan.base, plan.spec.name)
        RegionalStorageClasses(f"{name}-storage-classes", {"testnet": args}, inner)
        GenesisLedger(f"{name}-genesis-ledger", {"testnet": args}, inner)
        SeedNodes(f"{name}-seeds", {"testnet": args}, inner)
        for group in plan.groups:
            if group.role != Role.SEED:
                RoleDeployment(f"{name}-{group.name}", {"testnet": args, "group": group.name}, inner)
        self.document = pulumi.Output.from_input(plan.outputs.to_json_value())
        self.register_outputs({"document": self.document})
