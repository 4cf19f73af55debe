"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from mina_infra.local.paths import DEFAULT_CLUSTER

Stack = Annotated[
    str,
    Parameter(
        name=["--stack", "-s"], env_var="MINA_INFRA_STACK", help="The testnet: name of a stack file Pulumi.STACK.yaml."
    ),
]
Local = Annotated[
    bool,
    Parameter(
        name="--local", negative="", help="On the embedded cluster, also for a stack that is meant for a real one."
    ),
]
ClusterName = Annotated[
    str, Parameter(name="--cluster", help="Name of the embedded cluster; several can run side by side.")
]
Yes = Annotated[bool, Parameter(name=["--yes", "-y"], negative="", help="Do not ask before changing a real cluster.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print the result as JSON on standard output.")]

DEFAULT_STACK = "local"
__all__ = ["DEFAULT_CLUSTER", "DEFAULT_STACK", "ClusterName", "Json", "Local", "Stack", "Yes"]
