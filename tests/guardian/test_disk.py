"""Room on the volumes: 80 % is told, 90 % fails, and who may not run commands is not asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.cluster.api import ApiStatusError
from mina_infra.cluster.exec import ExecResult
from mina_infra.cluster.fanout import NoAnswerError
from mina_infra.guardian.checks.disk import judge
from mina_infra.guardian.criteria import criteria_of
from mina_infra.guardian.disk import SAMPLE, Disks, Use, look, sample, use_of
from mina_infra.guardian.findings import State
from mina_infra.outputs import NodeOutput
from mina_infra.simulator import volumes
from tests.guardian.fake_cluster import world
from tests.guardian.test_crashes import OUTPUTS

CRITERIA = criteria_of(OUTPUTS)
HEAD = "Filesystem     1024-blocks    Used Available Capacity Mounted on\n"


def df(text: str, code: int = 0) -> Use | None:
    return use_of(ExecResult(text.encode(), b"", code))


def test_what_root_keeps_back_is_not_room() -> None:
    found = df(f"{HEAD}/dev/sdb 1000 800 100 89% /root/.mina-config\n")
    assert found == Use(800 * 1024, 900 * 1024)


@pytest.mark.parametrize("text", ["", HEAD, f"{HEAD}/dev/sdb - - - 0% /x\n", f"{HEAD}/dev/sdb ¹ ² ³ 0% /x\n", "df: no"])
def test_what_is_no_table_is_nothing(text: str) -> None:
    assert df(text) is None
    assert df(f"{HEAD}/dev/sdb 1000 800 100 89% /x\n", code=1) is None


def test_the_embedded_world_tells_real_files_against_the_size_of_the_claim(tmp_path: Path) -> None:
    (tmp_path / "frontier").mkdir()
    (tmp_path / "frontier" / "journal").write_bytes(b"x" * (900 << 10))
    found = df(volumes.df(tmp_path, 1 << 20))
    assert found is not None
    assert 0.87 <= found.share <= 0.93
    assert found.size == 1 << 20
    full = df(volumes.df(tmp_path, 100 << 10))
    assert full is not None
    assert full.share == 1.0


@given(st.binary(max_size=200))
def test_no_output_breaks_the_reader(text: bytes) -> None:
    use_of(ExecResult(text, text, 0))


def disks(*percents: float) -> Disks:
    return Disks(0.0, {f"n{index}": Use(int(each * 10), 1000) for index, each in enumerate(percents)}, len(percents))


@pytest.mark.parametrize(
    ("percent", "state", "problems"),
    [
        (79.9, State.PASS, ()),
        (80, State.PASS, ("disk-filling",)),
        (89.9, State.PASS, ("disk-filling",)),
        (90, State.FAIL, ("disk-full",)),
        (100, State.FAIL, ("disk-full",)),
    ],
)
def test_eighty_percent_is_told_and_ninety_fails(percent: float, state: State, problems: tuple[str, ...]) -> None:
    finding = judge(disks(20, percent), CRITERIA)
    assert (finding.state, finding.problems, finding.nodes) == (state, problems, ["n1"] * (state is State.FAIL))


def test_none_seen_is_unknown() -> None:
    assert judge(Disks(0.0, {}, 2, {"n0": "exit code 1"}), CRITERIA).state is State.UNKNOWN


def nodes(count: int) -> list[NodeOutput]:
    return [NodeOutput(name=f"n{index}", role="plain", group="g", ports={"graphql": 1}) for index in range(count)]


@given(st.integers(0, 500))
def test_every_volume_has_its_turn(count: int) -> None:
    every = nodes(count)
    turns = -(-count // SAMPLE) or 1
    looks = [sample(every, minute * 60.0) for minute in range(turns)]
    assert all(len(each) <= SAMPLE for each in looks)
    assert sorted(node.name for each in looks for node in each) == sorted(node.name for node in every)


@dataclass
class Execs:
    """A cluster that runs df."""

    answer: ExecResult | Exception
    asked: list[str] = field(default_factory=list)

    async def exec(self, pod: str, container: str, argv: Sequence[str], *, timeout: float = 30.0) -> ExecResult:
        self.asked.append(" ".join([pod, container, *argv]))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass
class Now:
    moment: float = 0.0

    def now(self) -> float:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        raise AssertionError


def looked(cluster: Execs, clock: Now, before: Disks | None = None) -> Disks:
    here = world(slots=1)
    pods = asyncio.run(here.cluster.pods())
    return asyncio.run(look(cluster, here.outputs, pods, clock, before))  # type: ignore[arg-type]


GOOD: Any = ExecResult(f"{HEAD}/dev/sdb 1000 200 800 20% /root/.mina-config\n".encode(), b"", 0)


def test_it_asks_at_most_once_a_minute() -> None:
    cluster, clock = Execs(GOOD), Now()
    first = looked(cluster, clock)
    assert len(cluster.asked) == 11
    assert cluster.asked[0].endswith("mina df -Pk /root/.mina-config")
    clock.moment = 59.0
    assert looked(cluster, clock, first) is first
    clock.moment = 61.0
    looked(cluster, clock, first)
    assert len(cluster.asked) == 22


def test_who_may_not_run_commands_is_not_asked_again() -> None:
    cluster = Execs(ApiStatusError(403, "Forbidden", "pods/exec is forbidden"))
    first = looked(cluster, Now())
    finding = judge(first, CRITERIA)
    assert (finding.state, finding.asked) == (State.UNKNOWN, False)
    cluster.asked.clear()
    assert looked(cluster, Now(599.0), first) is first
    assert cluster.asked == []
    looked(cluster, Now(600.0), first)  # the right may have been granted
    assert cluster.asked


def test_a_silent_exec_is_named() -> None:
    finding = judge(looked(Execs(NoAnswerError("no answer within 10 s")), Now()), CRITERIA)
    assert (finding.state, finding.asked, len(finding.silent)) == (State.UNKNOWN, True, 11)
