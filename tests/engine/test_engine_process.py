"""Child processes end when they should: with us, on Ctrl-C, or when the next run finds them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mina_infra.engine import process
from mina_infra.errors import EngineError

# Prints a line when it is ready, and another one when it was interrupted.
PATIENT = """
import signal, sys, time
def stop(*_):
    print("interrupted", flush=True)
    sys.exit(3)
signal.signal(signal.SIGINT, stop)
print("ready", flush=True)
while True:
    time.sleep(60)
"""


def environment(lock: Path, owner: int | None = None) -> dict[str, str]:
    return {**os.environ, process.MARK: f"{lock}:{owner or os.getpid()}"}


def test_output_and_exit_code(tmp_path: Path) -> None:
    lines: list[str] = []
    code = "import sys; print('a'); print('b', file=sys.stderr); sys.exit(4)"
    done = process.run([sys.executable, "-c", code], cwd=tmp_path, env=os.environ, on_output=lines.append)
    assert done == process.Finished(4, "a", "b")
    assert lines == ["a"]


def test_ctrl_c_is_passed_on_once_and_waited_for(tmp_path: Path) -> None:
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)
        if line == "ready":
            os.kill(os.getpid(), signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        process.run([sys.executable, "-c", PATIENT], cwd=tmp_path, env=os.environ, on_output=hear)
    assert lines == ["ready", "interrupted"]
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_second_ctrl_c_kills(tmp_path: Path) -> None:
    stubborn = PATIENT.replace("sys.exit(3)", "pass")

    def hear(line: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        process.run([sys.executable, "-c", stubborn], cwd=tmp_path, env=os.environ, on_output=hear)


def test_a_child_is_interrupted_when_we_are_killed(tmp_path: Path) -> None:
    if sys.platform != "linux":  # the kernel does that on Linux only; elsewhere the next run ends what is left
        assert process.tethered(["pulumi"]) == ["pulumi"]
        return
    parent = (
        "import subprocess, sys; from mina_infra.engine.process import tethered\n"
        f"child = subprocess.Popen(tethered([sys.executable, '-c', {PATIENT!r}]), stdout=sys.stdout)\n"
        "child.wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "ready\n"
        run.kill()
        assert run.stdout.readline() == "interrupted\n", "the child ends by itself, cleanly"


def test_leftovers_are_those_of_dead_runs_and_our_own(tmp_path: Path) -> None:
    lock, other = tmp_path / "run.lock", tmp_path / "other.lock"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    owners = {"dead": (lock, dead.pid), "ours": (lock, os.getpid()), "alive": (lock, 1), "other": (other, os.getpid())}
    children = {
        name: subprocess.Popen(
            [sys.executable, "-c", PATIENT], env=environment(*owner), stdout=subprocess.PIPE, text=True
        )
        for name, owner in owners.items()
    }
    try:
        for child in children.values():
            assert child.stdout is not None
            child.stdout.readline()
        expected = {children["dead"].pid, children["ours"].pid}
        assert set(process.leftovers(lock)) == expected
        assert set(process.end_leftovers(lock)) == expected
        assert process.leftovers(lock) == {}
        assert {name for name, child in children.items() if child.poll() is None} == {"alive", "other"}
        assert children["dead"].poll() == 3, "interrupted first, not killed"
    finally:
        for child in children.values():
            child.kill()
            child.communicate()


def test_a_leftover_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    lock = tmp_path / "run.lock"
    stubborn = PATIENT.replace("sys.exit(3)", "pass")
    command = [sys.executable, "-c", stubborn]
    with subprocess.Popen(command, env=environment(lock), stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        process.end_leftovers(lock, grace_s=0.2)
    assert child.returncode == -signal.SIGKILL


def test_the_lock_names_its_holder_and_comes_free_with_it(tmp_path: Path) -> None:
    lock = tmp_path / "run.lock"
    holder = (
        "import sys, time; from pathlib import Path; from mina_infra.engine.process import exclusive\n"
        f"with exclusive(Path({str(lock)!r})): print('held', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(EngineError, match=f"process {child.pid}"), process.exclusive(lock):
            pass
        child.kill()
    with process.exclusive(lock):
        pass
