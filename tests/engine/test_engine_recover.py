"""A record that is lost, torn, older or another stack's: no claim is lost, and afterwards a preview shows no change."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mina_infra.cli.app import app
from mina_infra.engine import run
from mina_infra.engine.recover import Found, find, recover
from mina_infra.engine.state import recorded, state_file
from mina_infra.errors import EngineError
from mina_infra.local.control_plane import EmbeddedCluster
from mina_infra.local.paths import STATE_VARIABLE
from tests.engine.testnets import SmallTestnet, document

pytestmark = pytest.mark.usefixtures("destroyed")


def grown(testnet: SmallTestnet, count: int, size: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = document(testnet.name)["nodes"]
    found[1].update(count=count)
    return {"retention": "retain", "nodes": found, "volumes": {"runtime-state": {"size": size}}}


def lost(state: Path, older: bytes) -> None:
    """The file, its copies, everything of the stack."""
    for each in state.parent.parent.parent.rglob(f"{state.stem}*"):
        if each.is_file():
            each.unlink()


def restored(state: Path, older: bytes) -> None:
    state.write_bytes(older)


def torn(state: Path, older: bytes) -> None:
    state.write_bytes(state.read_bytes()[:-100])


def when_bound(testnet: SmallTestnet) -> Found:
    """What is found once every claim has its volume: the pods that they wait for come after the run."""
    deadline = time.monotonic() + 60
    while True:
        found = find(testnet.env)
        if all(each.phase == "Bound" for each in found.claims):
            return found
        assert time.monotonic() < deadline, found.claims
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("mishap", "words", "others"),
    [(lost, "there is no state file", False), (restored, "a whole state file", False), (torn, "torn", False)],
    ids=["lost", "older", "torn"],
)
def test_record(testnet: SmallTestnet, mishap: Callable[[Path, bytes], None], words: str, others: bool) -> None:
    testnet.change(**grown(testnet, 2, "2Gi"))
    run.up(testnet.env, testnet)
    older = state_file(testnet.env).read_bytes()
    testnet.change(**grown(testnet, 3, "3Gi"), image="registry.example/mina-daemon:3.0.2")
    run.up(testnet.env, testnet)
    claims, planned = testnet.claims(), len(testnet.env.plan.objects())

    mishap(state_file(testnet.env), older)
    found = when_bound(testnet)
    assert words in found.record
    assert {each.name for each in found.claims} == set(claims)
    assert {each.standing for each in found.claims} <= {"recorded", "adopted"}
    assert all(each.volume or each.phase != "Bound" for each in found.claims)
    assert find(testnet.env) == found, "looking changes nothing"

    done = recover(testnet.env, testnet)
    assert done.settled, done.preview.changes
    assert testnet.claims() == claims, "every claim kept its uid"
    assert len(recorded(testnet.env).objects) == planned
    assert find(testnet.env).whole
    protected = [key for key in recorded(testnet.env).protected if key.kind == "PersistentVolumeClaim"]
    assert len(protected) == len(claims)


def test_state_of_another_testnet(
    testnet: SmallTestnet, embedded_cluster: EmbeddedCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Its objects would all be deleted: `up` refuses, `recover` puts that record aside and touches nothing in it."""
    run.up(testnet.env, testnet)
    claims = testnet.claims()
    other = SmallTestnet("anothers", embedded_cluster, tmp_path / "other")
    run.up(other.env, other)
    theirs = other.claims()
    state_file(testnet.env).write_bytes(state_file(other.env).read_bytes())
    for operation in (run.up, run.preview, run.refresh, run.destroy):
        with pytest.raises(EngineError, match="is that of stack 'anothers'"):
            operation(testnet.env, testnet)
    assert (testnet.claims(), other.claims()) == (claims, theirs)

    monkeypatch.chdir(testnet.project)
    monkeypatch.setenv(STATE_VARIABLE, str(embedded_cluster.state.parent))
    code = app(["recover", "-s", testnet.name, "--cluster", embedded_cluster.name], result_action="return_value")
    told = capsys.readouterr()
    assert code == 0
    assert "that of stack 'anothers'; it is put aside" in told.out + told.err
    assert re.search(r"claim +whale-1-runtime-state-e1 +adopted", told.out + told.err)
    assert "a preview shows no change" in told.out
    assert (testnet.claims(), other.claims()) == (claims, theirs)
    assert list(state_file(testnet.env).parent.glob(f"{testnet.name}.json.foreign-*"))
    run.destroy(other.env, other)


def test_a_renamed_document_destroys_nothing(testnet: SmallTestnet) -> None:
    """What is on record is another testnet than the one that the command names."""
    run.up(testnet.env, testnet)
    claims = testnet.claims()
    testnet.change(name="renamed")
    with pytest.raises(EngineError, match=f"that of testnet '{testnet.name}', the document's name is 'renamed'"):
        run.destroy(testnet.env, testnet)
    with pytest.raises(EngineError, match=f"name {testnet.name} -> renamed deletes it and its data"):
        run.up(testnet.env, testnet)
    assert testnet.claims() == claims
    testnet.change()


def test_recover_refuses_what_would_lose_a_volume(testnet: SmallTestnet) -> None:
    run.up(testnet.env, testnet)
    claims = testnet.claims()
    lost(state_file(testnet.env), b"")
    testnet.change(volumes={"runtime-state": {"size": "1Gi"}})
    with pytest.raises(EngineError, match="disks cannot shrink"):
        recover(testnet.env, testnet)
    assert testnet.claims() == claims
    testnet.change()
