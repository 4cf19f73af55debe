"""Ends what a killed pytest leaves running: `python -m tests.watchdog FOLDER` waits until its standard input ends.

Clusters outlive the command that starts them, as they should; those of tests are stopped by their fixtures, which a
`kill -9` of pytest gives no chance. All that they run names a file below pytest's own folder.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mina_infra.local import processes
from mina_infra.local.paths import checkout


@contextmanager
def watched(folder: Path) -> Iterator[None]:
    """While the body runs, this process may die: the pipe to the watchdog then ends, and nobody else holds it."""
    command = [sys.executable, "-m", "tests.watchdog", str(folder)]
    with subprocess.Popen(command, cwd=checkout(), stdin=subprocess.PIPE, start_new_session=True):
        yield


def main(folder: Path) -> None:
    sys.stdin.read()
    while left := [each for each in processes.running() if f"{folder}/" in each.command]:
        processes.end(left, grace_seconds=0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
