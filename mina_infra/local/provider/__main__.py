"""`python -m mina_infra.local.provider --cluster-kubeconfig PATH`: serve, print the port, stop when told to.

The port goes to standard output as the engine's own plugins print it; the log goes to standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from mina_infra.local.provider.server import serve

SECONDS_TO_FINISH = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m mina_infra.local.provider", description=__doc__.splitlines()[0])
    parser.add_argument("--cluster-kubeconfig", type=Path, required=True, help="names the one cluster that is served")
    parser.add_argument("--port", type=int, default=0, help="loopback port (default: any free one)")
    parser.add_argument("--until-stdin-ends", action="store_true", help="stop when standard input is closed")
    arguments = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # One line for each request of the HTTP client would drown ours.
    for noisy in ("httpx", "httpx2", "httpcore", "httpcore2"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    asyncio.run(_run(arguments.cluster_kubeconfig, arguments.port, watch_stdin=arguments.until_stdin_ends))


async def _run(kubeconfig: Path, port: int, *, watch_stdin: bool) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if watch_stdin:
        loop.add_reader(sys.stdin.fileno(), _stop_at_end, stop)
    server, bound, clusters = await serve(kubeconfig, port)
    print(bound, flush=True)
    await stop.wait()
    await server.stop(SECONDS_TO_FINISH)
    await clusters.close()


def _stop_at_end(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()


if __name__ == "__main__":
    main()
