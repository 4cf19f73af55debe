"""The nodes of one role group."""

from typing import TypedDict

import pulumi

from components.arguments import TestnetArgs
from components.objects import ROLE_DEPLOYMENT, PlannedComponent, plan_of


class RoleDeploymentArgs(TypedDict):
    """Arguments of RoleDeployment."""

    testnet: TestnetArgs
    """The document of the testnet."""
    group: str
    """Name of the node group to deploy."""


class RoleDeployment(PlannedComponent):
    """The nodes of one role group: for each node its claims, its Deployment and its Services."""

    nodes: pulumi.Output[list[str]]
    """Names of the nodes."""

    def __init__(self, name: str, args: RoleDeploymentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        plan = plan_of(args["testnet"])
        groups = {group.name: group for group in plan.groups}
        if args["group"] not in groups:
            raise ValueError(f"{name}: no node group '{args['group']}'; the document has: {', '.join(groups)}.")
        group = groups[args["group"]]
        super().__init__(ROLE_DEPLOYMENT, name, {"group": group.name}, opts)
        self.register(group.objects, plan.spec.name)
        self.nodes = pulumi.Output.from_input(list(group.node_names))
        self.register_outputs({"nodes": self.nodes})
