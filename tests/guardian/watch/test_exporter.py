"""The metrics of a watch, fetched as Prometheus fetches them."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx2
import pytest

from mina_infra.guardian.watch.exporter import Exported, ExporterError, samples_of, serving
from mina_infra.guardian.watch.history import History
from mina_infra.guardian.watch.metrics import METRICS
from mina_infra.guardian.watch.watcher import Looked
from tests.guardian.watch.watching import IDENTITY, Watching, watching


def look(run: Watching) -> Looked:
    with History.open(run.file, IDENTITY) as history:
        return asyncio.run(run.watcher(history).look())


def figures(looked: Looked) -> dict[str, float]:
    return {
        sample.metric.name + "".join(f"/{label}" for label in sample.labels): float(sample.value)
        for sample in samples_of(looked)
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


def test_every_metric_is_exported_by_a_watch_that_has_seen_everything(tmp_path: Path) -> None:
    run = watching(tmp_path)
    run.here.network.partition(["whale-1", "fish-1", "fish-2"])
    exported = Exported("testnet")
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
