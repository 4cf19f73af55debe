"""Storage classes: those of one testnet, or those that a cluster's testnets share."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import pulumi

from components.arguments import PerformanceArgs, TargetArgs, TestnetArgs
from components.objects import REGIONAL_STORAGE_CLASSES, PlannedComponent, plan_of
from mina_infra.plan import PlannedObject, parse_classes, plan_classes
from mina_infra.plan.cluster import NAMESAKE


class FixedClassArgs(TypedDict):
    """A class under a name of one's own, for manifests that are not ours."""

    type: str
    """ssd, balanced, standard or shared."""
    retention: NotRequired[str]
    """delete (default) or retain."""


class ClusterStorageArgs(TypedDict):
    """The storage classes of one cluster, as `mina-infra:storage` in a stack file."""

    target: TargetArgs
    """The cluster's provider and place; testnets that share the classes say the same."""
    types: NotRequired[list[str]]
    """Types to have classes of. Default: all that the provider has."""
    retentions: NotRequired[list[str]]
    """Retentions to have classes of. Default: delete and retain."""
    replications: NotRequired[list[str]]
    """Replications to have classes of. Default: the target's own."""
    performances: NotRequired[list[PerformanceArgs]]
    """Performances that volumes of testnets ask for."""
    fixed: NotRequired[dict[str, FixedClassArgs]]
    """Classes under names of one's own, by name."""


class RegionalStorageClassesArgs(TypedDict):
    """Arguments of RegionalStorageClasses: one of the two."""

    testnet: NotRequired[TestnetArgs]
    """The document of a testnet whose volumes need classes of their own."""
    cluster: NotRequired[ClusterStorageArgs]
    """The classes that a cluster's testnets share, declared once, by one stack."""


class RegionalStorageClasses(PlannedComponent):
    """The storage classes of a region, named by their immutable fields.

    A change of such a field makes a new class beside the old one; it never replaces one. Shared classes stay in the
    cluster when they leave the program: claims may refer to them.
    """

    names: pulumi.Output[list[str]]
    """Names of the storage classes."""

    def __init__(self, name: str, args: RegionalStorageClassesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        planned, owner = _planned(name, args)
        super().__init__(REGIONAL_STORAGE_CLASSES, name, {}, opts)
        self.register(planned, owner)
        classes = [each.manifest for each in planned if each.manifest["kind"] == "StorageClass"]
        self.names = pulumi.Output.from_input([each["metadata"]["name"] for each in classes])
        self.register_outputs({"names": self.names})


def _planned(name: str, args: RegionalStorageClassesArgs) -> tuple[Sequence[PlannedObject], str]:
    """The classes, and whose they are. Raises SpecError, or ValueError where not exactly one document is given."""
    given = [key for key in ("testnet", "cluster") if args.get(key)]
    if len(given) != 1:
        raise ValueError(f"{name}: give either `testnet` or `cluster`, not {' and '.join(given) or 'neither'}")
    if "cluster" in given:
        return plan_classes(parse_classes(args["cluster"]), pulumi.get_stack()), NAMESAKE
    plan = plan_of(args["testnet"])
    return plan.classes, plan.spec.name
