"""Watching a testnet for as long as it lives. (No postponed annotations: see options.)"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from mina_infra.cli.operate import Deployed
from mina_infra.cli.place import Place
from mina_infra.cli.verdict import Profile
from mina_infra.errors import EngineError

if TYPE_CHECKING:
    from mina_infra.cluster.api import KubeApi
    from mina_infra.guardian.watch.history import History
    from mina_infra.guardian.watch.messages import Message
    from mina_infra.guardian.watch.sinks import Webhook
    from mina_infra.outputs import OutputsDocument

WATCHED = Deployed()

RENEW_S = 300.0
"""How often the stack is asked for its outputs document again."""

State = Annotated[
    Path | None,
    Parameter(
        help="Folder of the histories, one file for each testnet. Default: ~/.local/state/mina-infra/watch, on the "
        "embedded cluster in its own state folder."
    ),
]
Format = Annotated[
    Literal["text", "json"],
    Parameter(name=["--format", "-o"], help="How messages are printed: lines for people, or one JSON object a line."),
]


def watch(
    *,
    network: Deployed = WATCHED,
    notify: Annotated[
        list[str] | None,
        Parameter(
            env_var="MINA_INFRA_NOTIFY",
            negative="",
            help="URL that gets every message as a POST of JSON (also as Slack's `text` and Discord's `content`). "
            "Repeatable. It is a secret: better in the environment than on the command line.",
        ),
    ] = None,
    metrics_port: Annotated[
        int | None, Parameter(help="Serve Prometheus metrics at /metrics on this port. 0: any free port.")
    ] = None,
    metrics_host: Annotated[str, Parameter(help="Address to serve metrics on.")] = "127.0.0.1",
    length: Annotated[
        str | None, Parameter(name="--for", help="End after 90s, 30m, 24h, 7d. Default: until Ctrl-C.")
    ] = None,
    once: Annotated[
        bool, Parameter(negative="", help="One look, or up to three to be sure of a failure, and the end. For a job.")
    ] = False,
    poll: Annotated[
        float | None, Parameter(help="Seconds between looks. Default: a sixth of a slot, at least 1, at most 30.")
    ] = None,
    profile: Profile = None,
    state: State = None,
    output: Format = "text",
) -> int:
    """Look again and again, and report only what changes: an incident that opens, gets worse or is over.

    What was seen is kept, so that a watch which was killed goes on without telling anything twice, and `report` can
    say how the day was. Exit code by the last look: 0 healthy, 1 unstable, 2 could not tell; also after Ctrl-C. The
    account needs the roles observer and exec (`mina-infra rbac`).
    """
    from mina_infra.guardian.watch.sinks import Webhook

    place = network.place()
    document = network.document(place)
    options = _Options(
        hooks=tuple(Webhook(url) for url in dict.fromkeys(notify or ())),
        metrics_port=metrics_port,
        metrics_host=metrics_host,
        seconds=None if length is None else seconds_of("--for", length),
        once=once,
        poll=_at_least_a_tenth(poll),
        profile=profile,
        json=output == "json",
    )
    file = history_file(place, document.testnet, state)
    return place.ask(lambda api: _watch(api, place, network, document, file, options))


@dataclass(frozen=True)
class _Options:
    hooks: "tuple[Webhook, ...]"
    metrics_port: int | None
    metrics_host: str
    seconds: int | None
    once: bool
    poll: float | None
    profile: Profile
    json: bool


async def _watch(
    api: "KubeApi", place: Place, network: Deployed, document: "OutputsDocument", file: Path, options: _Options
) -> int:
    from mina_infra.cli.known import known_issues_of
    from mina_infra.cluster.cluster import KubeCluster
    from mina_infra.guardian.clock import WallClock
    from mina_infra.guardian.verify import refuse_foreign
    from mina_infra.guardian.watch.exporter import Exported, serving
    from mina_infra.guardian.watch.history import History
    from mina_infra.guardian.watch.sinks import Lines, Post
    from mina_infra.guardian.watch.watcher import Watcher

    cluster = KubeCluster(api, document.namespace)
    clock = WallClock()
    await refuse_foreign(cluster, document)
    exported = Exported(document.testnet, clock)
    async with AsyncExitStack() as stack:
        history = stack.enter_context(History.open(file, _identity(place, document, cluster.server)))
        if options.metrics_port is not None:
            serves = serving(exported, options.metrics_port, options.metrics_host)
            port = await stack.enter_async_context(serves)
            _say(f"metrics at http://{options.metrics_host}:{port}/metrics")
        post = Post(history, Lines(_printer(options.json)), options.hooks, clock, _say, exported.count)
        watcher = Watcher(
            cluster,
            document,
            history,
            post,
            clock,
            options.poll,
            _documents(place, network),
            exported.take,
            _say,
            known_issues_of(place),
            options.profile,
        )
        _end_on_signals()
        _say(f"watching {document.testnet}: {len(document.daemons())} daemons; history in {file}")
        until = None if options.seconds is None else clock.now() + options.seconds
        return await watcher.run(until=until, once=options.once)


def _printer(json: bool) -> "Callable[[Message], None]":
    from mina_infra.guardian.watch.messages import json_line, text

    return lambda message: print(json_line(message) if json else text(message), flush=True)


def _end_on_signals() -> None:
    """The first Ctrl-C or SIGTERM ends the watch in good order; a second one ends the process."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def end() -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(each)
        task.cancel()

    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, end)


def _documents(place: Place, network: Deployed) -> "Callable[[], Awaitable[OutputsDocument | None]]":
    """The outputs document when it may have changed: after `up`, `pause`, `resume`."""
    loop = asyncio.get_running_loop()
    last = [loop.time(), _changed(network.outputs)]

    async def newest() -> "OutputsDocument | None":
        if network.outputs is not None:
            now = _changed(network.outputs)
            if now == last[1]:
                return None
            last[1] = now
        elif loop.time() - last[0] < RENEW_S:
            return None
        last[0] = loop.time()
        return await asyncio.to_thread(network.document, place)

    return newest


def _changed(file: Path | None) -> float:
    try:
        return 0.0 if file is None or str(file) == "-" else file.stat().st_mtime
    except OSError:
        return 0.0  # being written; the next look finds it


def _identity(place: Place, document: "OutputsDocument", server: str) -> dict[str, str]:
    """Whose history it is. An embedded cluster's address changes with each start, its name does not."""
    cluster = f"embedded {place.embedded}" if place.embedded else server
    return {"testnet": document.testnet, "namespace": document.namespace, "cluster": cluster}


def history_file(place: Place, testnet: str, state: Path | None) -> Path:
    """Where a testnet's history lies."""
    if state is None and place.embedded:
        from mina_infra.local.paths import ClusterPaths

        state = ClusterPaths(place.embedded).state / "watch"
    if state is None:
        base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
        state = Path(base).expanduser() / "mina-infra" / "watch"
    return state / f"{testnet}.db"


def open_history(place: Place, testnet: str, state: Path | None) -> "History":
    """The history to read. Raises HistoryError when there is none."""
    from mina_infra.guardian.watch.history import History

    return History.open(history_file(place, testnet, state), {"testnet": testnet}, watching=False)


def seconds_of(option: str, text: str) -> int:
    """A length of time as options give it. Raises EngineError."""
    from mina_infra.spec.values import Duration

    try:
        return Duration(text).seconds
    except ValueError as error:
        raise EngineError(f"{option}: {error}") from error


def _at_least_a_tenth(poll: float | None) -> float | None:
    if poll is not None and not 0.1 <= poll <= 3600:
        raise EngineError(f"--poll: found {poll:g}; allowed: 0.1 to 3600 seconds")
    return poll


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
