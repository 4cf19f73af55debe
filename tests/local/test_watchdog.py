"""Of a pytest that is killed nothing stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from mina_infra.local import processes
from mina_infra.local.paths import checkout

PYTEST = """
import os, subprocess, sys
from pathlib import Path
from tests.watchdog import watched
with watched(Path(sys.argv[1])):
    wait = [sys.executable, "-c", "import time; time.sleep(60)"]
    for name in sys.argv[2:]:
        child = subprocess.Popen([*wait, name], start_new_session=True)
        print(child.pid, flush=True)
    sys.stdin.read()
"""


def test_what_it_started_in_its_folder_ends_and_nothing_else(tmp_path: Path) -> None:
    inside, outside = f"{tmp_path}/state/etcd", f"{tmp_path}-of-somebody-else/etcd"
    with subprocess.Popen(
        [sys.executable, "-c", PYTEST, str(tmp_path), inside, outside],
        cwd=checkout(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as pytest:  # fmt: skip
        assert pytest.stdout
        ours, theirs = (int(pytest.stdout.readline()) for _ in range(2))
        (victim,) = (each for each in processes.running() if each.pid == ours)
        pytest.kill()
    try:
        deadline = time.monotonic() + 20
        while processes.is_alive(victim):
            assert time.monotonic() < deadline, "it lives on"
            time.sleep(0.05)
        os.kill(theirs, 0)
    finally:
        os.kill(theirs, signal.SIGKILL)
