"""The command that says what volumes cost. (No postponed annotations: see options.)"""

import json as jsonlib
from collections.abc import Collection, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from mina_infra.cli.console import Reporter
from mina_infra.cli.hygiene import OnlyLocal
from mina_infra.cli.options import DEFAULT_CLUSTER, ClusterName, Json
from mina_infra.cli.place import place_of, sites_of
from mina_infra.errors import EngineError, MinaInfraError
from mina_infra.spec import DiskType, TestnetSpec

if TYPE_CHECKING:
    from mina_infra.hygiene.spending import Spending, Spent
    from mina_infra.storage.cost import Estimate

_WHAT = "list prices of disks alone: no machines, no traffic, no operations, no discounts"


def cost(
    *,
    stack: Annotated[
        str | None,
        Parameter(name=["--stack", "-s"], help="Of a stack as planned; without it, of what is in the clusters."),
    ] = None,
    compare: Annotated[str | None, Parameter(help="Beside it, another stack as planned.")] = None,
    type: Annotated[
        DiskType | None, Parameter(help="Beside it, the same stack with all nodes' volumes on this type.")
    ] = None,
    local: OnlyLocal = False,
    cluster: ClusterName = DEFAULT_CLUSTER,
    json: Json = False,
) -> int:
    """What volumes cost a month: of a stack as planned, or of every testnet in this project's clusters as it is.

    Sizes are those that are billed: minimums and steps applied. In clusters, volumes of paused testnets (paused), kept
    claims without a node (kept) and volumes without a claim (released) are shown beside those that are used, because
    they cost the same. A price that no list has is said to be unknown, never guessed; the total is then "at least".
    Exit code 0, or 2 when a cluster could not be asked.
    """
    if stack is None and (compare or type):
        raise EngineError("--compare and --type are about a plan: name it with -s STACK")
    return _of_plan(stack, compare, type, json) if stack else _of_clusters(local, cluster, json)


def _of_plan(stack: str, compare: str | None, disk: DiskType | None, json: bool) -> int:
    from mina_infra.storage.cost import monthly
    from mina_infra.storage.whatif import with_type

    spec = _spec(stack)
    cases = {stack: spec}
    if compare:
        cases[compare] = _spec(compare)
    if disk:
        cases[f"{stack} on {disk.value}"] = with_type(spec, disk)
    found = {name: (case, monthly(case)) for name, case in cases.items()}
    if json:
        print(jsonlib.dumps({name: _plan_data(*each) for name, each in found.items()}, indent=2))
        return 0
    first = found[stack][1]
    parts = [_plan_text(name, case, estimate) for name, (case, estimate) in found.items()]
    if len(found) > 1:
        others = list(found.items())[1:]
        parts.append(
            "\n".join(f"{name} instead of {stack}: {_difference(first, other)}" for name, (_, other) in others)
        )
    print("\n\n".join(parts))
    return 0


def _spec(stack: str) -> TestnetSpec:
    from mina_infra.plan import load_stack

    return load_stack(place_of(stack, local=False, cluster=DEFAULT_CLUSTER).stack_file)


def _plan_data(spec: TestnetSpec, estimate: "Estimate") -> dict[str, Any]:
    return {
        "testnet": spec.name,
        "provider": spec.target.provider.value,
        "region": spec.target.region,
        "usd": estimate.usd,
        "known_usd": estimate.known_usd,
        "unknown_prices": list(estimate.unknown),
        "prices_of": estimate.prices_of,
        "lines": [asdict(line) for line in estimate.lines],
    }


def _plan_text(name: str, spec: TestnetSpec, estimate: "Estimate") -> str:
    from mina_infra.plan.table import table

    rows = [
        (line.storage_class or "(existing volume)", line.product, str(line.claims), str(line.gib), _usd(line.usd))
        for line in estimate.lines
    ]
    claims, gib = sum(line.claims for line in estimate.lines), sum(line.gib for line in estimate.lines)
    total = ("total", "", str(claims), str(gib), f"{estimate.known_usd:,.2f}")
    return "\n".join(
        [
            f"{name}: {spec.target.provider.value} {spec.target.region}, as planned: "
            f"{_total(estimate.known_usd, estimate.unknown)}",
            table(("class", "product", "volumes", "GiB", "USD/month"), [*rows, total]),
            _dated(estimate.prices_of, estimate.unknown),
        ]
    )


def _of_clusters(local: bool, cluster: str, json: bool) -> int:
    from mina_infra.hygiene.spending import spending
    from mina_infra.hygiene.sweep import look

    sites, problems = sites_of(None, only_local=local, cluster=cluster)
    found: dict[str, Spending] = {}
    with Reporter() as reporter:
        for site in sites:
            regions = {each.plan.spec.target.region for each in site.environments.values()}
            try:
                found[site.name] = spending(site.ask(look), regions)
            except MinaInfraError as error:
                problems[site.name] = str(error)
        for name, reason in problems.items():
            reporter.say("unknown", f"{name}: {reason}", style="yellow")
    if json:
        clusters = {name: _live_data(each) for name, each in found.items()}
        print(jsonlib.dumps({"clusters": clusters, "not_asked": problems}, indent=2))
    else:
        print(
            "\n\n".join(_live_text(name, each) for name, each in found.items())
            or "no cluster has testnets of this project"
        )
    return 2 if problems else 0


def _live_data(spent: "Spending") -> dict[str, Any]:
    testnets = {}
    for testnet in spent.testnets():
        rows = [row for row in spent.rows if row.testnet == testnet]
        known, unknown = _sum(rows)
        testnets[testnet] = {
            "usd": None if unknown else known,
            "known_usd": known,
            "unknown_prices": unknown,
            "rows": [{key: value for key, value in asdict(row).items() if key != "testnet"} for row in rows],
        }
    return {"testnets": testnets, "prices_of": spent.prices_of}


def _live_text(cluster: str, spent: "Spending") -> str:
    from mina_infra.plan.table import table

    head = ("testnet", "volumes are", "class", "product", "volumes", "GiB", "USD/month")
    rows = [
        (row.testnet, row.state.value, row.storage_class, row.product, str(row.volumes), str(row.gib), _usd(row.usd))
        for row in spent.rows
    ]
    totals = []
    for testnet in spent.testnets():
        known, unknown = _sum(row for row in spent.rows if row.testnet == testnet)
        totals.append(f"{testnet}: {_total(known, unknown)}")
    if not rows:
        return f"cluster {cluster}: no volumes of testnets"
    unknown = _sum(spent.rows)[1]
    return "\n".join([f"cluster {cluster}", table(head, rows), *totals, _dated(spent.prices_of, unknown)])


def _sum(rows: "Iterable[Spent]") -> tuple[float, list[str]]:
    """The known part and the products whose price is not known."""
    found = list(rows)
    known = sum(row.usd for row in found if row.usd is not None)
    return known, sorted({row.product for row in found if row.usd is None})


def _usd(usd: float | None) -> str:
    return "unknown" if usd is None else f"{usd:,.2f}"


def _total(known: float, unknown: Iterable[str]) -> str:
    names = ", ".join(unknown)
    if not names:
        return f"{known:,.2f} USD/month"
    return f"{f'at least {known:,.2f} USD/month' if known else 'unknown'} (no price known for {names})"


def _dated(date: str | None, unknown: Collection[str]) -> str:
    """Of when the prices are, and what they are of."""
    if date:
        return f"prices of {date}: {_WHAT}"
    return "no price list has any of these" if unknown else "nothing of this is billed: it lies on this machine"


def _difference(first: "Estimate", other: "Estimate") -> str:
    if first.usd is None or other.usd is None:
        names = ", ".join(sorted({*first.unknown, *other.unknown}))
        return f"cannot be said, no price is known for {names}"
    return f"{other.usd - first.usd:+,.2f} USD/month"
