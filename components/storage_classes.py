"""The storage classes of a testnet's region."""

from typing import TypedDict

import pulumi

from components.arguments import TestnetArgs
from components.objects import REGIONAL_STORAGE_CLASSES, PlannedComponent, plan_of


class RegionalStorageClassesArgs(TypedDict):
    """Arguments of RegionalStorageClasses."""

    testnet: TestnetArgs
    """The document of the testnet whose volumes need the classes."""


class RegionalStorageClasses(PlannedComponent):
    """The storage classes that a testnet's volumes need in its region, named by their immutable fields.

    A change of such a field makes a new class beside the old one; it never replaces one.
    """

    names: pulumi.Output[list[str]]
    """Names of the storage classes."""

    def __init__(self, name: str, args: RegionalStorageClassesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        plan = plan_of(args["testnet"])
        super().__init__(REGIONAL_STORAGE_CLASSES, name, {}, opts)
        self.register(plan.classes, plan.spec.name)
        self.names = pulumi.Output.from_input([each.manifest["metadata"]["name"] for each in plan.classes])
        self.register_outputs({"names": self.names})
