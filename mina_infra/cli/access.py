"""Who may do what: the guardian's roles, and whether what we have suffices. (No postponed annotations: see options.)"""

import json as jsonlib
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from mina_infra.cli.operate import REACHED, Reached
from mina_infra.cli.options import HERE, Json, Where
from mina_infra.cli.place import Place
from mina_infra.errors import ClusterError, EngineError

if TYPE_CHECKING:
    from mina_infra.cli.examination import Line
    from mina_infra.cluster.api import KubeApi
    from mina_infra.outputs import OutputsDocument

Duties = Literal["observer", "exec", "chaos", "join"]

_MARKS = {"good": "✓", "note": "-", "bad": "✗", "unknown": "?"}


def rbac(
    *,
    where: Where = HERE,
    role: Annotated[
        list[Duties] | None,
        Parameter(
            negative="",
            help="observer looks and changes nothing; exec reaches the daemons' full port; chaos deletes and evicts "
            "pods; join lets an outsider join, in a namespace that is made for it. Repeatable. Default: observer and "
            "exec.",
        ),
    ] = None,
    service_account: Annotated[
        str, Parameter(help="Account of the testnet's namespace that gets the roles.")
    ] = "guardian",
    user: Annotated[str | None, Parameter(help="Give them to this user of the cluster instead.")] = None,
    proxy: Annotated[
        bool,
        Parameter(
            negative="",
            help="Let the observer (and join) ask daemons through the API server's pod proxy. It reaches every port of "
            "every pod.",
        ),
    ] = False,
) -> int:
    """Print the guardian's roles for a testnet as YAML, for `kubectl apply -f -`. Nothing is changed.

    Each role lists what its commands need and nothing else: no secrets, no nodes, nothing outside the namespace (of
    `join`: outside the namespace of outsiders). `verify`, `watch` and `crashes` need observer and exec, `join` and
    `verify --join` need join as well.
    `mina-infra doctor` tells which of it an account lacks.
    """
    from mina_infra.plan import load_stack
    from mina_infra.plan.rights import Duty, Subject, manifests
    from mina_infra.plan.yaml import documents

    spec = load_stack(where.place().stack_file)
    duties = [Duty(each) for each in dict.fromkeys(role or ["observer", "exec"])]
    subject = Subject(user, user=True) if user else Subject(service_account)
    print(documents(manifests(spec.name, spec.namespace, duties, subject, proxy=proxy)), end="")
    return 0


def doctor(
    *,
    network: Reached = REACHED,
    role: Annotated[
        list[Duties] | None,
        Parameter(negative="", help="Roles that the account must have besides observer. Repeatable."),
    ] = None,
    json: Json = False,
) -> int:
    """Can a verdict be had? Looks at credentials, rights, the clock, and every road to one daemon.

    Each right is asked of the API server verb by verb; what is missing is printed as the rule that grants it. Exit code
    0: all is there. 1: something must be mended first. 2: could not tell, because the cluster does not answer.
    """
    from mina_infra.cli.examination import Line, Mark, examine, exit_code
    from mina_infra.cluster.roads import roads_of
    from mina_infra.guardian.clock import WallClock
    from mina_infra.plan.rights import Duty

    place = network.place()
    document, deployed = _document(network, place)
    duties = [Duty(each) for each in role or ()]

    async def look(api: "KubeApi") -> "list[Line]":
        return await examine(api, document, WallClock(), roads_of(network.road), duties)

    try:
        lines = place.ask(look)
    except ClusterError as error:
        lines = [Line("credentials", Mark.UNKNOWN, str(error))]
    if not deployed:
        lines.append(Line("deployment", Mark.NOTE, "nothing is deployed yet; the names are those of the stack file"))
    print(_json(lines) if json else _text(lines), end="")
    return exit_code(lines)


def _document(network: Reached, place: Place) -> "tuple[OutputsDocument, bool]":
    """What was deployed, or what would be."""
    try:
        return network.document(place), True
    except EngineError:
        if network.outputs is not None:
            raise
        from mina_infra.plan import load_stack, plan_testnet

        return plan_testnet(load_stack(place.stack_file)).outputs, False


def _text(lines: "list[Line]") -> str:
    shown = []
    for line in lines:
        shown.append(f"{_MARKS[line.mark]} {line.about:<17} {line.text}")
        shown += [f"    {each}" for each in line.mend.splitlines()]
    return "\n".join(shown) + "\n"


def _json(lines: "list[Line]") -> str:
    looks = [{"about": each.about, "mark": each.mark, "text": each.text, "mend": each.mend} for each in lines]
    return jsonlib.dumps({"schema": 1, "looks": looks}, indent=2, ensure_ascii=False) + "\n"
