"""What a killed engine leaves in its file backend, and how it is mended."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mina_infra.engine.environment import EngineEnvironment
from mina_infra.engine.state import KEPT_COPIES, mend, recorded, state_file
from mina_infra.errors import EngineError

CHECKPOINT = {"version": 3, "checkpoint": {"stack": "organization/mina-infra/qa", "latest": {"resources": []}}}


class Heard:
    """A report that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, label: str, text: str) -> None:
        self.said.append(text)

    def update(self, text: str) -> None: ...


@pytest.fixture
def env(tmp_path: Path) -> EngineEnvironment:
    found = EngineEnvironment(
        pulumi=Path("pulumi"), project=tmp_path, work_dir=tmp_path, stack="qa", backend=tmp_path / "backend"
    )
    state_file(found).parent.mkdir(parents=True)
    return found


def lock(env: EngineEnvironment, pid: int, host: str) -> Path:
    assert env.backend is not None
    file = env.backend / ".pulumi" / "locks" / "organization" / "mina-infra" / "qa" / "x.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"pid": pid, "hostname": host, "timestamp": "2026-01-01"}))
    return file


def dead_process() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_no_state_is_no_record(env: EngineEnvironment) -> None:
    mend(env, Heard())
    assert recorded(env).resources == 0


def test_the_lock_of_a_dead_process_is_cleared(env: EngineEnvironment) -> None:
    file, heard = lock(env, dead_process(), socket.gethostname()), Heard()
    mend(env, heard)
    assert not file.exists()
    assert heard.said == ["cleared the lock of an interrupted run"]


@pytest.mark.parametrize(
    ("pid", "host"), [(os.getpid(), socket.gethostname()), (1, "elsewhere")], ids=["here", "elsewhere"]
)
def test_the_lock_of_a_living_process_is_respected(env: EngineEnvironment, pid: int, host: str) -> None:
    file = lock(env, pid, host)
    with pytest.raises(EngineError, match=f"locked by process {pid} on {host}"):
        mend(env, Heard())
    assert file.exists()


def test_empty_sidecar_files_go_and_full_ones_stay(env: EngineEnvironment) -> None:
    empty = state_file(env).with_name("qa.json.attrs")
    full = state_file(env).with_name("qa.json.bak.attrs")
    empty.touch()
    full.write_text("{}")
    mend(env, Heard())
    assert (empty.exists(), full.exists()) == (False, True)


def test_a_torn_state_file_is_restored_from_the_newest_readable_copy(env: EngineEnvironment) -> None:
    heard = Heard()
    state_file(env).write_text(json.dumps(CHECKPOINT)[:40])
    older = state_file(env).with_name("qa.json.bak")
    older.write_text(json.dumps(CHECKPOINT))
    os.utime(older, (1, 1))
    backups = env.backend / ".pulumi" / "backups" / "mina-infra" / "qa"  # type: ignore[operator]
    backups.mkdir(parents=True)
    (backups / "qa.1.json").write_text("")
    newer = {**CHECKPOINT, "version": 4}
    (backups / "qa.2.json").write_text(json.dumps(newer))
    mend(env, heard)
    assert json.loads(state_file(env).read_text()) == newer
    assert "restored from qa.2.json" in heard.said[0]
    assert list(state_file(env).parent.glob("qa.json.broken-*")), "what was there is kept"


def test_old_copies_are_forgotten_and_the_newest_kept(env: EngineEnvironment) -> None:
    backups = env.backend / ".pulumi" / "backups" / "mina-infra" / "qa"  # type: ignore[operator]
    backups.mkdir(parents=True)
    for index in range(KEPT_COPIES + 3):
        file = backups / f"qa.{index}.json"
        file.touch()
        os.utime(file, (index, index))
    mend(env, Heard())
    assert {file.name for file in backups.iterdir()} == {f"qa.{index}.json" for index in range(3, KEPT_COPIES + 3)}


def test_a_torn_state_file_without_a_copy_is_put_aside(env: EngineEnvironment) -> None:
    heard = Heard()
    state_file(env).write_text("")
    mend(env, heard)
    assert recorded(env).resources == 0
    assert "starting from what is in the cluster" in heard.said[0]
