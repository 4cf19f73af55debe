"""A benchmark in a cluster, over an API server in memory: one volume at a time, and nothing of it stays."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from mina_infra.bench import objects, run
from mina_infra.bench.profiles import PROFILES, fio_options, seconds
from mina_infra.cluster.api import NAMESPACE, Kind, KubeApi, Manifest, kind_of
from mina_infra.errors import ClusterError
from mina_infra.plan import parse_document
from mina_infra.spec import SpecError, TestnetSpec, load_benchmark
from mina_infra.spec.benchmark import Benchmark
from tests.bench.fio_output import READS, WAL, log
from tests.plan.testnets import ROOT, zoo

IMAGE = f"registry.example/fio@sha256:{'1' * 64}"
WANTED = Benchmark(image=IMAGE, profiles=("wal", "point-reads"), runs=1)


def spec(**changes: Any) -> TestnetSpec:
    return parse_document(zoo(**changes), ROOT)


class Cluster:
    """As much of an API server as a benchmark needs: Jobs end at once, namespaces take their objects with them."""

    def __init__(self, logs: dict[str, str] | None = None, failing: tuple[str, ...] = ()) -> None:
        self.logs, self.failing = logs or {}, failing
        self.live: dict[tuple[str, str, str], Manifest] = {}
        self.made: list[str] = []

    async def create(self, manifest: Manifest) -> Manifest:
        meta = manifest["metadata"]
        key = (manifest["kind"], meta.get("namespace", ""), meta["name"])
        assert key not in self.live, key
        self.live[key] = manifest
        self.made.append(f"{manifest['kind']} {meta['name']}")
        return manifest

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Manifest | None:
        found = self.live.get((kind.kind, namespace or "", name))
        if found is not None and kind.kind == "Job":
            ended = "Failed" if name in self.failing else "Complete"
            condition = {"type": ended, "status": "True", "reason": "BackoffLimitExceeded", "message": "it failed"}
            return {**found, "status": {"conditions": [condition]}}
        return found

    async def objects(
        self, kind: Kind, namespace: str | None = None, labels: str | None = None, fields: str | None = None
    ) -> list[Manifest]:
        if kind.kind == "Pod":
            name = str(labels).removeprefix("job-name=")
            return [{"metadata": {"name": f"{name}-pod"}}] if name in self.logs else []
        return [each for (known, _, _), each in self.live.items() if known == kind.kind]

    async def delete(self, kind: Kind, name: str, namespace: str | None = None) -> bool:
        self.live.pop((kind.kind, namespace or "", name), None)
        if kind is NAMESPACE:
            self.live = {key: each for key, each in self.live.items() if key[1] != name}
        return True


def measure(cluster: Cluster, of: TestnetSpec, wanted: Benchmark = WANTED) -> list[run.Row]:
    async def read(api: object, namespace: str, pod: str, container: str, part: object) -> bytes:
        return cluster.logs[pod.removesuffix("-pod")].encode()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "read_pod_log", read)
        return asyncio.run(run.benchmark(cast(KubeApi, cluster), of, wanted, lambda _: None))


GOOD = log(("wal", WAL), ("point-reads", READS))


def test_each_type_is_measured_and_nothing_stays() -> None:
    cluster = Cluster({"ssd-4": GOOD, "balanced-4": GOOD, "standard-4": GOOD})
    rows = measure(cluster, spec())
    assert [(row.type, row.gib, row.usd, row.problem) for row in rows] == [
        ("ssd", 4, pytest.approx(0.68), ""),
        ("balanced", 4, pytest.approx(0.40), ""),
        ("standard", 4, pytest.approx(0.16), ""),
    ]
    assert all([each.profile for each in row.figures] == ["wal", "point-reads"] for row in rows)
    assert [row.nominal_write_iops for row in rows] == [None, None, 6.0]
    assert cluster.live == {}


def test_a_job_that_fails_is_told_and_the_others_are_measured() -> None:
    broken = "fio: looks like your file system does not support direct=1\n"
    cluster = Cluster({"ssd-4": broken, "balanced-4": GOOD}, failing=("ssd-4",))
    rows = measure(cluster, spec(), replace_types("ssd", "balanced"))
    assert "BackoffLimitExceeded: it failed; its log ends with: fio: looks like" in rows[0].problem
    assert rows[0].figures == ()
    assert rows[1].problem == ""


def test_a_log_that_does_not_tell_all_is_a_problem() -> None:
    (row,) = measure(Cluster({"ssd-4": log(("wal", WAL))}), spec(), replace_types("ssd"))
    assert row.problem.startswith("the log does not tell of point-reads")


def test_what_a_killed_benchmark_left_goes_first() -> None:
    cluster = Cluster({"ssd-4": GOOD})
    of = spec()
    left = objects.cases(of, WANTED)[0][0]
    for manifest in (objects.namespace(of), objects.class_of(of, left), objects.claim(of, left)):
        asyncio.run(cluster.create(manifest))
    measure(cluster, of, replace_types("ssd"))
    assert cluster.live == {}


def test_somebody_elses_namespace_is_left_alone() -> None:
    cluster = Cluster()
    foreign = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "zoo-bench", "labels": {}}}
    asyncio.run(cluster.create(foreign))
    with pytest.raises(ClusterError, match="not a benchmark's"):
        measure(cluster, spec())
    assert list(cluster.live.values()) == [foreign]


def test_ctrl_c_leaves_nothing() -> None:
    cluster = Cluster({"ssd-4": GOOD})

    async def interrupted() -> None:
        task = asyncio.create_task(run.benchmark(cast(KubeApi, cluster), spec(), WANTED, lambda _: None))
        while "Job ssd-4" not in cluster.made:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(interrupted())
    assert cluster.live == {}


def replace_types(*types: str) -> Benchmark:
    return Benchmark.model_validate({**WANTED.model_dump(), "types": types})


def test_sizes_are_those_that_are_billed() -> None:
    of = spec(target={"provider": "aks", "region": "westeurope"})
    found, missing = objects.cases(of, Benchmark(image=IMAGE))
    assert ([(case.disk.value, case.gib) for case in found], missing) == (
        [("ssd", 4), ("balanced", 4), ("standard", 32)],
        [],
    )


def test_the_claims_and_the_class_are_a_testnets_own_kind_and_go_with_the_benchmark() -> None:
    of = spec(retention="retain")
    (case, *_), _ = objects.cases(of, WANTED)
    made, claim = objects.class_of(of, case), objects.claim(of, case)
    assert made["reclaimPolicy"] == "Delete"
    assert claim["spec"]["storageClassName"] == made["metadata"]["name"] == "zoo-bench-ssd"
    assert all(kind_of(each) for each in (made, claim, objects.job(of, WANTED, case), objects.namespace(of)))


def test_a_job_ends_and_runs_every_load_as_often_as_wanted() -> None:
    wanted = Benchmark(image=IMAGE, runs=2)
    (case, *_), _ = objects.cases(spec(), wanted)
    job = objects.job(spec(), wanted, case)["spec"]
    assert (job["backoffLimit"], job["template"]["spec"]["restartPolicy"]) == (0, "Never")
    assert job["activeDeadlineSeconds"] > seconds(wanted)
    script = job["template"]["spec"]["containers"][0]["command"][2]
    assert script.count("--fdatasync=1") == 2
    assert script.count("fio ") == 2 * len(PROFILES)
    assert "--size=2048m" in script, "half of the volume"


def test_the_wal_load_is_durable_and_past_the_page_cache() -> None:
    """docs/facts.md: storage/benchmark-profiles"""
    options = fio_options(PROFILES["wal"], WANTED, 4)
    assert {"--fdatasync=1", "--iodepth=1", "--bs=4k", "--rw=write", "--direct=1"} <= set(options)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{image: 'registry.example/fio:3'}", "has a tag"),
        ("{types: [quick]}", "ssd"),
        ("{profiles: []}", "must not be empty"),
        ("{runs: 0}", "at least 1"),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_refused(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.qa.yaml"
    file.write_text(f"config:\n  mina-infra:benchmark: {text}\n")
    with pytest.raises(SpecError, match=says):
        load_benchmark(file)


def test_without_a_declaration_the_defaults_are_measured(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.qa.yaml"
    file.write_text("config: {}\n")
    assert load_benchmark(file) == Benchmark()
