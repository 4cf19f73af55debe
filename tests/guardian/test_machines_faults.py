"""Faults of programs, machines and clocks, each by its right name; and none where nothing is wrong."""

from __future__ import annotations

import pytest

from mina_infra.guardian.findings import Finding, State
from mina_infra.guardian.verify import verify
from mina_infra.simulator import virtual_time
from mina_infra.simulator.faults import FAULTS, Scene, stage, staged

CHECKS = ("versions", "crashes", "disk", "clocks", "provers")
SHOWN = {
    "crashes": ("crash-loop", "crash-once", "same-crash-twice", "crash-of-the-helper", "crash-after-long-run",
                "crash-of-a-coordinator", "oom", "restart-unexplained"),
    "versions": ("wrong-commit", "wrong-image", "missing-gossip-flag"),
    "clocks": ("clock-skew-2", "clock-behind-3", "time-offset"),
    "disk": ("disk-85", "disk-95"),
    "provers": ("prover-failures", "prover-failures-sometimes", "won-slots-without-blocks"),
}  # fmt: skip
HARMLESS = [name for name, fault in FAULTS.items() if fault.weight.value == "none"]


def looked(scene: Scene) -> dict[str, Finding]:
    verdict = virtual_time.run(verify(scene.cluster, scene.outputs, 0, clock=scene.cluster.clock))
    return {check: verdict.finding(check) for check in CHECKS}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("check", "name"), [(check, name) for check, names in SHOWN.items() for name in names])
def test_a_fault_has_its_name_and_its_nodes(check: str, name: str, seed: int) -> None:
    scene = stage(name, seed)
    finding = looked(scene)[check]
    assert scene.fault is not None
    assert scene.injected is not None
    assert finding.problems[0] in scene.fault.problems
    assert set(finding.problems) <= {*scene.fault.problems, *scene.fault.may}
    if finding.state is State.FAIL:
        assert set(finding.nodes) <= set(scene.injected.nodes)


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_harmless_is_not_accused(name: str) -> None:
    states = {check: finding.state for check, finding in looked(stage(name, 1)).items()}
    assert set(states.values()) == {State.PASS}


def test_healthy_networks_pass() -> None:
    for seed in range(20):
        findings = looked(staged(seed))
        assert {check: each.state for check, each in findings.items() if each.state is not State.PASS} == {}
        assert {check: each.problems for check, each in findings.items() if each.problems} == {}


def test_a_look_at_a_quiet_network_reads_no_log() -> None:
    scene = staged(1)

    async def read_log(*_: object) -> bytes:
        raise AssertionError("a log was read")

    scene.cluster.read_log = read_log  # type: ignore[assignment, method-assign]
    scene.cluster.blind_to = {"events"}
    assert looked(scene)["crashes"].state is State.PASS
