"""The entry points of a testnet."""

from typing import TypedDict

import pulumi

from components.arguments import TestnetArgs
from components.objects import SEED_NODES, PlannedComponent, plan_of
from mina_infra.spec import Role


class SeedNodesArgs(TypedDict):
    """Arguments of SeedNodes."""

    testnet: TestnetArgs
    """The document of the testnet."""


class SeedNodes(PlannedComponent):
    """The seeds of a testnet: fixed identity, a Service of their own, a published multiaddress."""

    nodes: pulumi.Output[list[str]]
    """Names of the seeds."""
    multiaddresses: pulumi.Output[list[str]]
    """One multiaddress for each seed, known before anything runs."""

    def __init__(self, name: str, args: SeedNodesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        plan = plan_of(args["testnet"])
        super().__init__(SEED_NODES, name, {}, opts)
        groups = [group for group in plan.groups if group.role == Role.SEED]
        for group in groups:
            self.register(group.objects, plan.spec.name)
        self.nodes = pulumi.Output.from_input([node for group in groups for node in group.node_names])
        self.multiaddresses = pulumi.Output.from_input([seed.multiaddress for seed in plan.outputs.seeds])
        self.register_outputs({"nodes": self.nodes, "multiaddresses": self.multiaddresses})
