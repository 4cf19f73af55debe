"""Options that several commands share.

Annotations are evaluated here, not postponed: cyclopts reads those of inherited fields from the wrong module otherwise.
"""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from mina_infra.cli.place import Place, place_of
from mina_infra.errors import EngineError
from mina_infra.local.paths import DEFAULT_CLUSTER as DEFAULT_CLUSTER

DEFAULT_STACK = "local"

Stack = Annotated[
    str,
    Parameter(
        name=["--stack", "-s"], env_var="MINA_INFRA_STACK", help="The testnet: name of a stack file Pulumi.STACK.yaml."
    ),
]
ClusterName = Annotated[
    str, Parameter(name="--cluster", help="Name of the embedded cluster; several can run side by side.")
]
Yes = Annotated[bool, Parameter(name=["--yes", "-y"], negative="", help="Do not ask before changing a real cluster.")]
AllowVolume = Annotated[
    list[str] | None,
    Parameter(
        name="--allow-volume",
        negative="",
        help="Claim that this run may delete or replace, with its data: a name or a pattern (whale-3-*). Repeatable.",
    ),
]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print the result as JSON on standard output.")]


@Parameter(name="*")
@dataclass(frozen=True)
class Where:
    """Which testnet, and on which cluster."""

    stack: Stack = DEFAULT_STACK
    local: Annotated[
        bool,
        Parameter(
            name="--local", negative="", help="On the embedded cluster, also for a stack that is meant for a real one."
        ),
    ] = False
    cluster: ClusterName = DEFAULT_CLUSTER

    def place(self) -> Place:
        """Raises EngineError when there is no such stack."""
        return place_of(self.stack, local=self.local, cluster=self.cluster)


HERE = Where()


def assignments(option: str, words: list[str] | None, form: str, example: str) -> dict[str, str]:
    """What `option` says in words of the form A=B. Raises EngineError for another word."""
    found = {}
    for word in words or ():
        left, equals, right = word.partition("=")
        if not (left and equals and right):
            raise EngineError(f"{option} {word}: write {form}: {example}")
        found[left] = right
    return found
