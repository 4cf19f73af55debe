"""The status of a testnet over a period, from what a watch has kept. (No postponed annotations: see options.)"""

from typing import Annotated, Literal

from cyclopts import Parameter

from mina_infra.cli.operate import Deployed
from mina_infra.cli.watch import WATCHED, State, open_history, seconds_of


def report(
    *,
    network: Deployed = WATCHED,
    since: Annotated[str, Parameter(help="How far back: 90m, 24h, 7d.")] = "24h",
    state: State = None,
    output: Annotated[
        Literal["text", "markdown", "json"],
        Parameter(name=["--format", "-o"], help="For people, for a chat, for machines."),
    ] = "text",
) -> int:
    """How the last day was: verdict now, share of healthy time, incidents, production, the nodes that were worst.

    Read from the history of `mina-infra watch`, without asking the cluster. Time in which nobody watched is told and
    never counted as healthy. Exit code 2 when nobody looked in the whole period.
    """
    from mina_infra.guardian.clock import WallClock
    from mina_infra.guardian.watch import period_report
    from mina_infra.guardian.watch.period import period_of

    place = network.place()
    testnet = network.document(place).testnet
    length, until = seconds_of("--since", since), WallClock().now()
    with open_history(place, testnet, state) as history:
        period = period_of(history, testnet, until - length, until)
    words = {"text": period_report.text, "markdown": period_report.markdown, "json": period_report.json}
    print(words[output](period), end="")
    return 0 if period.looks else 2
