"""The metrics of a watch, fetched as Prometheus fetches them."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx2
import pytest

from mina_infra.guardian.instability import CRITERIA
from mina_infra.guardian.watch.exporter import Exported, ExporterError, moments_of, samples_of, serving
from mina_infra.guardian.watch.history import History
from mina_infra.guardian.watch.metrics import METRICS
from mina_infra.guardian.watch.watcher import Looked
from tests.guardian.fake_cluster import SimulatedClock
from tests.guardian.watch.watching import IDENTITY, Watching, watching


def look(run: Watching) -> Looked:
    with History.open(run.file, IDENTITY) as history:
        return asyncio.run(run.watcher(history).look())


def exporting(run: Watching) -> Exported:
    return Exported("testnet", SimulatedClock(run.here.network))


def figures(looked: Looked) -> dict[str, float]:
    return {
        sample.metric.name + "".join(f"/{label}" for label in sample.labels): float(sample.value)
        for sample in (*moments_of(looked), *samples_of(looked))
    }


def test_a_healthy_look(tmp_path: Path) -> None:
    run = watching(tmp_path)
    found = figures(look(run))
    nodes = len(run.here.outputs.nodes)
    assert found["mina_infra_health/healthy"] == 1
    assert found["mina_infra_nodes_expected"] == found["mina_infra_nodes_synced"] == nodes
    assert found["mina_infra_best_height"] == run.here.network.tip().height
    assert found["mina_infra_online_stake_share"] == pytest.approx(1, abs=1e-3)
    assert found["mina_infra_check_state/forks/pass"] == 1
    assert found["mina_infra_check_state/forks/fail"] == 0
    assert not any(name.startswith("mina_infra_problem_nodes") for name in found)


def test_an_ill_look_names_problems_and_counts_nodes(tmp_path: Path) -> None:
    run = watching(tmp_path)
    run.here.network.partition(["whale-1", "fish-1", "fish-2"])
    found = figures(look(run))
    assert found["mina_infra_problem_nodes/forks/partition"] == 3


def test_what_was_not_seen_has_no_sample(tmp_path: Path) -> None:
    run = watching(tmp_path)
    run.here.cluster.blind_to = {"pods"}
    found = figures(look(run))
    assert "mina_infra_best_height" not in found
    assert "mina_infra_nodes_synced" not in found
    assert found["mina_infra_health/unknown"] == 1


def states_of_criteria(found: dict[str, float]) -> dict[str, str]:
    """The one state that holds, of each criterion."""
    name = "mina_infra_criterion_state/"
    holds = [key.split("/")[1:] for key, value in found.items() if key.startswith(name) and value == 1]
    assert len(holds) == len({number for number, _ in holds}), "one state each"
    return {number: state for number, state in holds}  # noqa: C416  (pairs are lists)


def test_all_eight_criteria_are_exported_and_who_cannot_look_calls_none_stable(tmp_path: Path) -> None:
    run = watching(tmp_path)
    numbers = {str(criterion.number) for criterion in CRITERIA}
    assert numbers == {str(number) for number in range(1, 9)}
    well = states_of_criteria(figures(look(run)))
    assert well.keys() == numbers
    assert {well[number] for number in ("1", "2", "3", "5", "6")} == {"stable"}
    run.here.cluster.blind_to = {"pods"}
    unseen = states_of_criteria(figures(look(run)))
    assert unseen == dict.fromkeys(numbers, "unknown")


def test_a_look_that_sees_nothing_is_no_complete_one_also_after_a_restart(tmp_path: Path) -> None:
    run = watching(tmp_path)
    run.here.cluster.blind_to = {"pods"}
    never = figures(look(run))
    run.here.cluster.blind_to = set()
    seen = figures(look(run))
    run.here.cluster.blind_to = {"pods"}
    run.here.network.run(slots=1)
    with History.open(run.file, IDENTITY) as history:
        watcher = run.watcher(history)
        watcher.resume()
        blind = figures(asyncio.run(watcher.look()))
    last, complete = (f"mina_infra_last_{kind}look_timestamp_seconds" for kind in ("", "complete_"))
    assert (never[last] > 0, never[complete]) == (True, 0)
    assert seen[complete] == seen[last] == blind[complete] < blind[last]


def test_a_look_that_is_too_old_says_nothing_of_now(tmp_path: Path) -> None:
    """A watch that hangs must not look as healthy as when it hung."""
    run = watching(tmp_path)
    exported = exporting(run)
    exported.take(look(run))
    run.here.network.run(slots=1.9)
    assert 'mina_infra_health{health="healthy",testnet="testnet"} 1.0' in exported.text()
    run.here.network.run(slots=0.2)
    names = set(re.findall(r"^(mina_infra_\w+)\{", exported.text(), re.MULTILINE))
    assert names == {
        "mina_infra_last_look_timestamp_seconds", "mina_infra_last_complete_look_timestamp_seconds",
        "mina_infra_looks_total",
    }  # fmt: skip


def test_every_metric_is_exported_by_a_watch_that_has_seen_everything(tmp_path: Path) -> None:
    run = watching(tmp_path)
    run.here.network.partition(["whale-1", "fish-1", "fish-2"])
    exported = exporting(run)
    exported.take(look(run))
    exported.count("stdout", "delivered")
    names = set(re.findall(r"^(mina_infra_\w+)\{", exported.text(), re.MULTILINE))
    assert names == {metric.name for metric in METRICS}


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [("GET", "/metrics", 200), ("HEAD", "/metrics", 200), ("GET", "/metrics?x=1", 200), ("GET", "/", 404),
     ("POST", "/metrics", 405)],
)  # fmt: skip
def test_over_http(method: str, path: str, code: int) -> None:
    async def ask() -> httpx2.Response:
        async with serving(Exported("qa"), 0) as port, httpx2.AsyncClient(trust_env=False) as client:
            return await client.request(method, f"http://127.0.0.1:{port}{path}")

    answer = asyncio.run(ask())
    assert answer.status_code == code
    if (method, code) == ("GET", 200):
        assert 'mina_infra_looks_total{testnet="qa"} 0.0' in answer.text


def test_nonsense_and_silence_do_no_harm() -> None:
    async def ask() -> int:
        async with serving(Exported("qa"), 0) as port:
            for nonsense in (b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"x" * 40_000, b""):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(nonsense)
                if not nonsense:
                    writer.close()
                else:
                    await reader.read()
                    writer.close()
            async with httpx2.AsyncClient(trust_env=False) as client:
                return (await client.get(f"http://127.0.0.1:{port}/metrics")).status_code

    assert asyncio.run(ask()) == 200


@pytest.mark.parametrize("port", [70_000, -1])
def test_a_port_that_cannot_be_had_is_told(port: int) -> None:
    async def ask() -> None:
        async with serving(Exported("qa"), port):
            pass

    with pytest.raises(ExporterError, match="--metrics-port"):
        asyncio.run(ask())


def test_a_port_in_use_is_told() -> None:
    async def ask() -> None:
        async with serving(Exported("qa"), 0) as port, serving(Exported("qa"), port):
            pass

    with pytest.raises(ExporterError, match="in use"):
        asyncio.run(ask())
