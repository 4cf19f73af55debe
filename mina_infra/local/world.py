"""The one background process of an embedded cluster: the volume provisioner and the simulated Mina network.

`start_world` and `stop_world` are for the command; `python -m mina_infra.local.world --name NAME --state FOLDER` is
the process itself. It holds a lock on its pid file as long as it lives, so that there is never a second one.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from mina_infra.errors import ClusterError
from mina_infra.local import kwokctl, processes
from mina_infra.local.control_plane import EmbeddedCluster, background_processes
from mina_infra.local.paths import STATE_VARIABLE, ClusterPaths, checkout
from mina_infra.local.processes import Process
from mina_infra.local.provisioner import run_provisioner
from mina_infra.simulator.world import run_simulator

log = logging.getLogger("mina_infra.local.world")

_MODULE = "mina_infra.local.world"
_CODE = ("cluster", "daemon", "local", "simulator")  # the parts of the package that the process runs
_START_SECONDS = 30.0
_LARGEST_LOG = 20_000_000  # bytes; a longer one is put aside at the next start


def start_world(cluster: EmbeddedCluster) -> bool:
    """Make sure that the cluster's world runs, with the code and the address of today. True if it had to be started.

    Blocks until it serves (about a second). Raises ClusterError with the end of its log.
    """
    paths = cluster.paths
    alive = processes.bury(world_processes(paths))
    wanted = _card(cluster.server)
    if len(alive) == 1 and _read_card(paths) == wanted | {"pid": alive[0].pid}:
        return False
    processes.end(alive)
    _put_aside(paths.world_log)
    command = [sys.executable, "-m", _MODULE, "--name", paths.name, "--state", str(paths.state)]
    environment = os.environ | {STATE_VARIABLE: str(paths.state.parent)}
    with paths.world_log.open("ab") as output:
        child = subprocess.Popen(
            command, cwd=checkout(), env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    deadline = time.monotonic() + _START_SECONDS
    while _read_card(paths) != wanted | {"pid": child.pid}:
        if child.poll() is not None or time.monotonic() > deadline:
            child.kill()
            raise ClusterError(f"the simulated network does not start:\n{kwokctl.tail(paths.world_log, 15)}")
        time.sleep(0.05)
    return True


def stop_world(cluster: EmbeddedCluster) -> bool:
    """End the cluster's world. False when none ran."""
    alive = world_processes(cluster.paths)
    processes.end(alive)
    cluster.paths.world_pid.unlink(missing_ok=True)
    return bool(alive)


def world_processes(paths: ClusterPaths) -> list[Process]:
    """The world of exactly this cluster, by its command line (a process id alone proves nothing)."""
    return [process for process in background_processes(paths) if f" -m {_MODULE} " in process.command]


def _card(server: str) -> dict[str, Any]:
    """What a world is tied to: it is started again when one of these changes."""
    files = (file for part in _CODE for file in (Path(__file__).parents[1] / part).rglob("*.py"))
    newest = max(file.stat().st_mtime_ns for file in files)
    return {"server": server, "code": newest}


def _read_card(paths: ClusterPaths) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        card = json.loads(paths.world_pid.read_text())
        if isinstance(card, dict):
            return card
    return {}


def _put_aside(file: Path) -> None:
    with suppress(FileNotFoundError):
        if file.stat().st_size > _LARGEST_LOG:
            file.replace(file.with_suffix(".log.1"))


# The process itself


async def serve(paths: ClusterPaths, ready: Callable[[], None]) -> None:
    """Run the provisioner and the simulator until cancelled or until the state folder is gone."""
    cluster = EmbeddedCluster(paths.name, paths.state, paths.kubeconfig, paths.context, server="")
    async with cluster.api(part="world") as api, cluster.api(part="world") as simulator_api:
        # Two clients: hundreds of simulated nodes must not use up the connections of the provisioner.
        tasks = [
            asyncio.create_task(
                _keep_running("provisioner", lambda: run_provisioner(api, paths.volumes, paths.snapshots))
            ),
            asyncio.create_task(_keep_running("simulator", lambda: run_simulator(simulator_api, paths.state))),
        ]
        ready()
        try:
            while paths.state.exists():
                await asyncio.sleep(5)
            log.error("the state folder is gone; nothing left to serve")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _keep_running(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Start a part again when it fails, never silently, and less and less often."""
    delay = 1.0
    while True:
        started = time.monotonic()
        try:
            await run()
            log.error("%s ended by itself; starting it again in %.0f s", name, delay)
        except Exception:
            log.exception("%s failed; starting it again in %.0f s", name, delay)
        if time.monotonic() - started > 60:
            delay = 1.0
        await asyncio.sleep(delay)
        delay = min(delay * 2, 30.0)


async def _main(paths: ClusterPaths, pid_file: TextIO) -> None:
    main_task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: main_task and main_task.cancel())
    server = EmbeddedCluster(paths.name, paths.state, paths.kubeconfig, paths.context, server="")
    async with server.api() as api:
        address = api.config.cluster.server
    with suppress(asyncio.CancelledError):
        await serve(paths, ready=lambda: _write_card(pid_file, _card(address)))
    log.info("stopped")


def _write_card(pid_file: TextIO, card: dict[str, Any]) -> None:
    pid_file.seek(0)
    pid_file.truncate()
    pid_file.write(json.dumps(card | {"pid": os.getpid()}))
    pid_file.flush()
    log.info("serving %s", card["server"])


def main() -> int:
    parser = argparse.ArgumentParser(prog=f"python -m {_MODULE}", description=__doc__)
    parser.add_argument("--name", required=True, help="name of the cluster")
    parser.add_argument("--state", type=Path, help="its state folder, if not the usual one")
    arguments = parser.parse_args()
    paths = ClusterPaths(arguments.name, arguments.state.parent if arguments.state else None)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # a line for each request otherwise
    with paths.world_pid.open("a+") as pid_file:
        try:
            fcntl.flock(pid_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.error("another world serves %s already", paths.state)
            return 1
        asyncio.run(_main(paths, pid_file))
    return 0


if __name__ == "__main__":
    sys.exit(main())
