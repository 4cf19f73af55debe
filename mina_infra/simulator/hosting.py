"""One daemon pod as the simulator hosts it: its node, its HTTP server, its log file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec

from mina_infra.daemon.logs import Level
from mina_infra.simulator import cli_status, live_faults, log_lines, metrics, volumes
from mina_infra.simulator.answers import Answers
from mina_infra.simulator.chain import ChainConstants
from mina_infra.simulator.flags import Flags
from mina_infra.simulator.joining import Happening
from mina_infra.simulator.log_files import LogFile
from mina_infra.simulator.network import Network
from mina_infra.simulator.node import Node, NodeSpec
from mina_infra.simulator.pods import DaemonPod
from mina_infra.simulator.server import HttpServer, Request, Response
from mina_infra.simulator.view import View


def wall_clock() -> float:
    """ms since 1970."""
    return time.time() * 1000


@dataclass(frozen=True)
class Start:
    """What a daemon starts from: its state, the shared ledger (None without one), its runtime config.

    `complete` is False without a runtime config: the network compiled into the binary is not this testnet's.
    """

    directory: Path
    ledger: Path | None
    config: Mapping[str, Any]
    complete: bool
    size: int = 0
    """Bytes that its state's volume was given; 0 where that is not known, as in a container's own layer."""


class HostedNetwork:
    """A network that follows the wall clock, and the daemons that take part in it."""

    def __init__(self, network: Network, namespace: str) -> None:
        self.network = network
        self.namespace = namespace
        self.answers = Answers(network)
        self.daemons: dict[str, Daemon] = {}
        """By the name of the node."""
        self.config: Mapping[str, Any] = {}
        """The runtime config that its first node was given."""
        network.observer = self._observe

    def advance(self) -> None:
        """Up to now."""
        self.network.advance(wall_clock(), skip_stale_slots=True)

    def _observe(self, happening: Happening) -> None:
        daemon = self.daemons.get(happening.node.spec.name)
        if daemon is None or (happening.kind == "received" and not daemon.verbose):
            return  # most of what happens, and nothing of it would be written
        sender = self.network.nodes.get(happening.sender or "")
        for template, metadata in log_lines.lines_of(happening, sender):
            daemon.write(template, metadata)


def entrance(networks: Iterable[HostedNetwork], namespace: str, start: Start, spec: NodeSpec) -> HostedNetwork | None:
    """The network of another namespace that a node without a shared ledger enters by the addresses it was given.

    As outside: who has the same runtime config finds the same ledger by its hash, and who dials a node that is there
    is let in. Nobody is let in by a name or a label.
    """
    if start.ledger is not None or not spec.contacts:
        return None
    for hosted in networks:
        known = {node.spec.identity for node in hosted.network.nodes.values()}
        if hosted.namespace != namespace and hosted.config == start.config and known & set(spec.contacts):
            return hosted
    return None


def ledger_by_hash(networks: Iterable[HostedNetwork], start: Start, own: ChainConstants) -> ChainConstants:
    """The chain that a node without a shared ledger takes part in: that of whoever has the same runtime config."""
    if start.ledger is not None:
        return own
    return next((hosted.network.constants for hosted in networks if hosted.config == start.config), own)


class Daemon:
    """One pod. `node` is None until the program has come so far, and again after it has died."""

    def __init__(self, pod: DaemonPod, log: LogFile, on_failure: Callable[[Daemon, OSError], None]) -> None:
        self.pod = pod
        self.log = log
        self.on_failure = on_failure
        self.server = HttpServer(self._answer)
        self.limited = HttpServer(self._answer_limited)
        self.host: HostedNetwork | None = None
        self.node: Node | None = None
        self.start: Start | None = None
        self.directory: Path | None = None
        """Its state's directory, as long as it holds the lock on it."""
        self.as_json = False
        self.level = Level.INFO
        self.gone = False
        self.faults: frozenset[str] = frozenset()

    @property
    def verbose(self) -> bool:
        """Whether lines at Debug are written."""
        return self.level <= Level.DEBUG

    def take_flags(self, flags: Flags) -> None:
        """How its log looks."""
        self.as_json = flags.has("log-json")
        self.level = Level.of(flags.one("log-level", "Info"))

    def join(self, host: HostedNetwork, node: Node) -> None:
        """The program runs."""
        self.host, self.node = host, node
        self.suffer(self.faults)

    def suffer(self, faults: frozenset[str]) -> None:
        """Have these faults from now on, and no others (live_faults.ANNOTATION)."""
        before, self.faults = self.faults, faults
        self.server.stalled = live_faults.SILENT in faults
        self.server.instead = Response(live_faults.BAD_GATEWAY, "text/html") if live_faults.GARBAGE in faults else None
        if self.host is None or self.node is None:
            return
        network = self.host.network
        self.node.condition = live_faults.condition_of(faults, network.constants.slot_ms)
        network.provers = not any(live_faults.NO_PROOFS in each.faults for each in self.host.daemons.values())
        if before - faults:
            network.nudge(self.node.spec.name)

    def leave(self, *, clean: bool) -> None:
        """The program ends; `clean` writes what is pending."""
        host, node, self.host, self.node = self.host, self.node, None, None
        if host is None or node is None:
            return
        name = node.spec.name
        if host.network.nodes.get(name) is node:
            try:
                host.network.stop(name, clean=clean)
            except OSError as error:
                self.write(log_lines.FATAL, {"exn": str(error)})
            host.network.forget(name)
            host.daemons.pop(name, None)
        self.log.flush()

    def write(self, template: log_lines.Template, metadata: dict[str, Any]) -> None:
        """One line to its log, if the level is high enough."""
        if template.level >= self.level:
            now = self.host.network.now if self.host else wall_clock()
            self.log.add(now, log_lines.line(template, now, self.node, metadata, as_json=self.as_json))

    def flush(self) -> None:
        """Blocks first, then the lines that speak of them. A volume that cannot be written ends the program."""
        try:
            if self.node is not None:
                self.node.flush()
        except OSError as error:
            self.on_failure(self, error)
        self.log.flush()

    def close(self) -> None:
        """Nothing listens any more."""
        self.server.close()
        self.limited.close()

    def _answer(self, request: Request) -> Response:
        return self._answered(request, self._route)

    def _answer_limited(self, request: Request) -> Response:
        return self._answered(request, self._limited_route)

    def _answered(self, request: Request, route: Callable[[Request, HostedNetwork, Node], Response]) -> Response:
        if self.host is None or self.node is None:
            return Response(b"the daemon does not run\n", "text/plain", 503)
        self.host.advance()
        try:
            self.node.flush()
            return route(request, self.host, self.node)
        except OSError as error:
            self.on_failure(self, error)
            return Response(b"the daemon has crashed\n", "text/plain", 503)

    def _route(self, request: Request, host: HostedNetwork, node: Node) -> Response:
        view = View(host.network, node)
        if request.path == "/graphql":
            return self._graphql(request, host, node)
        if request.path == "/status":
            return Response(cli_status.as_json(view).encode())
        if request.path == "/metrics":
            return Response(metrics.text(view).encode(), "text/plain; version=0.0.4")
        if request.path == "/df":
            return Response(self._df(), "text/plain")
        if request.path == "/command":
            code, text = cli_status.run(view, request.body.decode("utf-8", "replace").split("\0"))
            return Response(f"{code}\n{text}".encode(), "text/plain")
        return Response(b"Not found\n", "text/plain", 404)

    def _limited_route(self, request: Request, host: HostedNetwork, node: Node) -> Response:
        if request.path != "/graphql":
            return Response(b"Not found\n", "text/plain", 404)
        return self._graphql(request, host, node, limited=True)

    def _df(self) -> bytes:
        """`df -Pk` of its state's volume: what its files take of what the claim was given."""
        if self.start is None or not self.start.size:
            return b"1\ndf: no volume of a known size\n"
        return f"0\n{volumes.df(self.start.directory, self.start.size)}".encode()

    def _graphql(self, request: Request, host: HostedNetwork, node: Node, *, limited: bool = False) -> Response:
        if request.method == "POST":
            return Response(host.answers.reply(node, request.body, limited=limited))
        query = parse_qs(request.target.partition("?")[2]).get("query")
        if request.method != "GET" or not query:
            return Response(b"POST a query\n", "text/plain", 405)
        return Response(host.answers.reply(node, msgspec.json.encode({"query": query[0]}), limited=limited))
