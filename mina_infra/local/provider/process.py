"""The provider as a child process that cannot outlive its parent."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from mina_infra.errors import ToolError

START_SECONDS = 30.0
STOP_SECONDS = 5.0


@contextlib.contextmanager
def offline_provider(kubeconfig: Path, log: Path) -> Iterator[int]:
    """Run the provider for the cluster of `kubeconfig` and yield its port, for PULUMI_DEBUG_PROVIDERS=kubernetes:PORT.

    The child ends when its standard input does, and the operating system closes that pipe however this process dies.
    Raises ToolError when it does not start; `log` says why.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "mina_infra.local.provider", "--until-stdin-ends"]
    with log.open("ab") as sink:
        child = subprocess.Popen(
            [*command, "--cluster-kubeconfig", str(kubeconfig)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=sink,
            # Ctrl-C goes to the engine, which then still needs its provider to finish.
            start_new_session=True,
        )
    try:
        yield _port(child, log)
    finally:
        _stop(child)


def _port(child: subprocess.Popen[bytes], log: Path) -> int:
    assert child.stdout is not None
    timer = threading.Timer(START_SECONDS, child.kill)
    timer.start()
    try:
        line = child.stdout.readline()
    finally:
        timer.cancel()
    if not line.strip().isdigit():
        raise ToolError(f"the offline Kubernetes provider did not start; its log: {log}")
    return int(line)


def _stop(child: subprocess.Popen[bytes]) -> None:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.close()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    child.stdout.close()
