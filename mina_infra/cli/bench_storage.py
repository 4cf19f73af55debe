"""The command that measures disks. (No postponed annotations: see options.)"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mina_infra.bench.results import Report, Row
from mina_infra.cli.console import Reporter
from mina_infra.cli.deploy import confirm
from mina_infra.cli.options import HERE, Json, Where, Yes
from mina_infra.cli.place import Place
from mina_infra.errors import EngineError
from mina_infra.spec import TestnetSpec
from mina_infra.spec.benchmark import Benchmark

SAME = (
    "all types are one directory of this machine, measured for a second each, without fio; reads may come from its "
    "memory. A real cluster tells types apart"
)


def bench_storage(
    *,
    where: Where = HERE,
    beside: Annotated[
        list[Path] | None,
        Parameter(name="--with", negative="", help="Show an earlier result (another region's) beside it; repeatable."),
    ] = None,
    out: Annotated[Path | None, Parameter(help="Folder of the results. Default: out/bench.")] = None,
    yes: Yes = False,
    json: Json = False,
) -> int:
    """Measure a provider's disk types for what Mina's databases do with them, and what each costs.

    `mina-infra:benchmark` in the stack file says which types, sizes and loads; one Job with fio after the other
    measures them in the stack's cluster and region, on volumes that are removed again, also after Ctrl-C. Prints fsync
    times, IOPS, throughput and monthly cost side by side, and for each kind of volume the cheapest type that suffices.
    Needs no deployed testnet. On the embedded cluster it measures the one directory behind all types, for some seconds,
    and says so. Exit code 0: all measured. 2: something could not be measured.
    """
    from mina_infra.bench.results import from_json, table, to_json
    from mina_infra.plan import load_stack
    from mina_infra.spec import load_benchmark

    place = where.place()
    spec, wanted = load_stack(place.stack_file), load_benchmark(place.stack_file)
    earlier = [row for file in beside or [] for row in from_json(file).rows]
    with Reporter() as reporter:
        if place.embedded:
            report = _here(place, wanted)
        elif not (found := _there(place, spec, wanted, reporter, yes=yes)):
            return 1
        else:
            report = found
        file = (out or Path("out") / "bench") / f"{place.stack}-{report.taken.replace(':', '')}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(to_json(report))
        reporter.say("kept", str(file))
    shown = Report(report.stack, report.taken, (*report.rows, *earlier), report.measured)
    print(to_json(shown) if json else table(shown), end="" if json else "\n")
    return 2 if any(row.problem for row in report.rows) else 0


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _here(place: Place, wanted: Benchmark) -> Report:
    from mina_infra.bench.here import measure

    folder = place.cluster().state / "volumes"
    figures = tuple(measure(folder, wanted.profiles))
    types = ", ".join(disk.value for disk in wanted.types)
    row = Row("local", "local", types, "directory", 0, 0.0, figures)
    return Report(place.stack, _now(), (row,), SAME)


def _there(place: Place, spec: TestnetSpec, wanted: Benchmark, reporter: Reporter, *, yes: bool) -> Report | None:
    """None when it was not agreed to."""
    from mina_infra.bench import objects
    from mina_infra.bench.profiles import seconds
    from mina_infra.bench.run import benchmark

    if wanted.image is None:
        raise EngineError(
            "no image to measure with: set `mina-infra:benchmark: {image: ...@sha256:...}` in "
            f"{place.stack_file.name}. It needs `sh` and `fio`: any base image with fio installed."
        )
    cases, missing = objects.cases(spec, wanted)
    for each in missing:
        reporter.say("left out", f"{spec.target.provider.value} has no {spec.target.replication} {each} disk")
    if not cases:
        raise EngineError("none of the types exists there; nothing was measured")
    gib, minutes = sum(case.gib for case in cases), len(cases) * seconds(wanted) / 60
    volumes = ", ".join(case.name for case in cases)
    reporter.say(
        "benchmark", f"{len(cases)} volumes ({volumes} GiB; {gib} GiB at most at once), about {minutes:,.0f} minutes"
    )
    if not yes and not confirm(f"Make namespace '{objects.namespace_of(spec)}' and measure?"):
        return None
    with reporter.stage("measuring", "starting"):
        rows = place.ask(lambda api: benchmark(api, spec, wanted, reporter.update))
    return Report(place.stack, _now(), tuple(rows))
