"""Volumes that a run would lose, on the real engine: refused, or named and then really gone."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest

from mina_infra.cluster.api import CLAIM, KubeApi
from mina_infra.cluster.cluster import KubeCluster
from mina_infra.engine import passthrough, run
from mina_infra.engine.guard import VolumesInDangerError
from mina_infra.engine.program import Program, served
from mina_infra.engine.provider import provider
from mina_infra.engine.report import Silent
from mina_infra.engine.settle import wait_until_running
from mina_infra.guardian.checks.claims import judge
from mina_infra.guardian.findings import Finding, State
from mina_infra.plan.losses import ALLOW
from tests.engine.testnets import SmallTestnet, document

pytestmark = pytest.mark.usefixtures("destroyed")


def nodes(testnet: SmallTestnet, **whale: Any) -> list[dict[str, Any]]:
    """The groups of the document, with changes of the group `whale`."""
    found: list[dict[str, Any]] = document(testnet.name)["nodes"]
    found[1].update(whale)
    return found


def refused(testnet: SmallTestnet, allow: tuple[str, ...] = ()) -> set[str]:
    """The claims for which `up` refuses to run; nothing may have changed."""
    before = testnet.claims()
    with pytest.raises(VolumesInDangerError) as error:
        run.up(testnet.env, testnet, allow=allow)
    assert testnet.claims() == before
    return {each.claim for each in error.value.refused}


def test_shrunk_group(testnet: SmallTestnet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused, shown by preview, then named: exactly what was named goes."""
    run.up(testnet.env, testnet)
    before = testnet.claims()
    testnet.change(nodes=nodes(testnet, count=1))
    gone = {"whale-2-runtime-state-e1", "whale-3-runtime-state-e1"}
    assert refused(testnet) == gone
    assert refused(testnet, ("whale-3-*",)) == {"whale-2-runtime-state-e1"}

    shown = run.preview(testnet.env, testnet)
    assert shown.failed
    assert shown.changes["delete"] == 6, "the digest is whole all the same"
    assert "count of 'whale' 3 -> 1" in shown.digest["diagnostics"][-1]["message"]
    assert not run.preview(testnet.env, testnet, allow=["whale-?-*"]).failed

    assert passthrough.pulumi(testnet.env, ["preview"], testnet) != 0, "the program refuses by itself, too"

    run.up(testnet.env, testnet, allow=["whale-[23]-*", "fish-*"])
    assert testnet.claims() == {name: uid for name, uid in before.items() if name not in gone}
    assert "volumes: 'fish-*' of the allow list matches no volume in danger" in testnet.said
    assert any("lost on purpose" in line and "whale-2-runtime-state-e1" in line for line in testnet.said)

    testnet.change(nodes=[each for each in nodes(testnet) if each.get("group") != "whale"]
                   + [{"role": "block-producer", "group": "fish", "stake": 1}])  # fmt: skip
    with pytest.raises(VolumesInDangerError):
        passthrough.pulumi(testnet.env, ["up", "--yes", "--skip-preview"], testnet)
    monkeypatch.setenv(ALLOW, "whale-1-*")
    assert passthrough.pulumi(testnet.env, ["up", "--yes", "--skip-preview"], testnet) == 0
    assert {name for name in testnet.claims() if name.startswith("whale")} == set()


def test_existing_claim_takes_the_place_of_ones_own(testnet: SmallTestnet) -> None:
    """The gap that lost data: the claim left the plan without a word, and the engine deleted it."""
    run.up(testnet.env, testnet)
    metadata = {"name": "rescued", "namespace": testnet.name}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    rescued = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}
    testnet.ask(lambda api: api.apply(rescued))
    before = testnet.claims()
    instead = {"whale-1": {"volumes": {"runtime-state": {"existingClaim": "rescued"}}}}
    testnet.change(nodes=nodes(testnet, overrides=instead))
    assert refused(testnet) == {"whale-1-runtime-state-e1"}
    run.up(testnet.env, testnet, allow=["whale-1-runtime-state-e1"])
    del before["whale-1-runtime-state-e1"]
    assert testnet.claims() == before
    mounted = testnet.deployments()["whale-1"]["spec"]["template"]["spec"]["volumes"]
    assert {"claimName": "rescued"} in [each.get("persistentVolumeClaim") for each in mounted]
    testnet.change(nodes=nodes(testnet))
    run.up(testnet.env, testnet)
    assert testnet.claims()["rescued"] == before["rescued"]
    testnet.ask(lambda api: api.delete(CLAIM, "rescued", testnet.name))


def plain(testnet: SmallTestnet, command: str, **variables: str) -> tuple[int, str]:
    """`pulumi COMMAND` as a CI job runs it: nothing of ours but the program, which the engine calls."""
    env = testnet.env
    with (
        provider(env, Silent()) as found,
        served(Program(env.project)) as address,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in variables.items():
            patch.setenv(name, value)
        options = ["--yes", "--skip-preview"] if command == "up" else []
        done = subprocess.run(
            [str(env.pulumi), command, *options, f"--client={address}", "--stack", env.stack, "--non-interactive"],
            cwd=env.work_dir, env=env.process_environment(**found), capture_output=True, text=True, check=False,
        )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "count": ({"count": 2}, "count of 'whale' 3 -> 2"),
    "era": ({"era": 2}, "era 1 -> 2"),
    "class": ({"volumes": {"runtime-state": {"type": "balanced"}}}, "changing storageClassName"),
    "shrink": ({"volumes": {"runtime-state": {"size": "1Gi"}}}, "disks cannot shrink (2Gi -> 1Gi)"),
    "retention": ({"retention": "retain"}, "changing storageClassName"),
}


def test_plain_pulumi(testnet: SmallTestnet) -> None:
    """A first up, every change that would lose a volume, and a named loss; the guard is the program's own."""
    assert passthrough.pulumi(testnet.env, ["stack", "init", testnet.name], testnet) == 0
    assert plain(testnet, "preview")[0] == 0
    code, text = plain(testnet, "up")
    assert code == 0, text
    before = testnet.claims()
    assert len(before) == 6
    assert plain(testnet, "up")[0] == 0
    for change, words in CHANGES.values():
        document_change = {"nodes": nodes(testnet, **change)} if "count" in change else change
        testnet.change(**document_change)
        for command in ("preview", "up"):
            code, text = plain(testnet, command)
            assert code != 0
            assert words in text
            assert testnet.claims() == before
            assert len(testnet.deployments()) == 6
    testnet.change(nodes=nodes(testnet, count=2))
    code, text = plain(testnet, "up", **{ALLOW: "whale-3-*"})
    assert code == 0, text
    assert before.keys() - testnet.claims().keys() == {"whale-3-runtime-state-e1"}
    testnet.change(nodes=nodes(testnet, count=2), era=2, keptEras=[1])
    code, text = plain(testnet, "up")
    assert code == 0, text
    assert len(testnet.claims()) == 10


def test_kept_eras(testnet: SmallTestnet) -> None:
    """Era after era under retention: the old claims stay, keep their shape, and go when a run names them."""
    testnet.change(retention="retain")
    run.up(testnet.env, testnet)
    first = testnet.claims()
    testnet.change(retention="retain", era=2)
    assert refused(testnet) == set(first)
    smaller = {"runtime-state": {"size": "1Gi"}}
    testnet.change(retention="retain", era=2, keptEras=[1], volumes=smaller, nodes=nodes(testnet, count=4))
    run.up(testnet.env, testnet)
    both = testnet.claims()
    assert {name: both[name] for name in first} == first
    assert len(both) == 2 * (len(first) + 1)
    spec = testnet.ask(lambda api: api.get(CLAIM, "whale-1-runtime-state-e1", testnet.name))
    assert spec is not None
    assert spec["spec"]["resources"]["requests"]["storage"] == "2Gi"
    assert set(run.up(testnet.env, testnet).changes) == {"same"}
    outputs = testnet.env.plan.outputs
    expected = [node.name for node in outputs.nodes]

    async def healthy_claims(api: KubeApi) -> Finding:
        await wait_until_running(api, testnet.name, expected, testnet, deadline_s=60)
        return judge(outputs.claims, await KubeCluster(api, testnet.name).claims())

    finding = testnet.ask(healthy_claims)
    assert finding.state is State.PASS, finding.seen

    run.destroy(testnet.env, testnet, exclude_protected=True)
    assert testnet.claims() == both
    testnet.change(retention="retain", era=2, volumes=smaller, nodes=nodes(testnet, count=4))
    assert refused(testnet) == {name for name in both if name.endswith("-e1")}
    run.up(testnet.env, testnet, allow=["*-e1"])
    assert testnet.claims() == {name: uid for name, uid in both.items() if name.endswith("-e2")}


def test_named_claims_of_a_kept_testnet(testnet: SmallTestnet) -> None:
    """Protected ones: made anew with another shape while they are mounted, and left behind."""
    testnet.change(retention="retain")
    run.up(testnet.env, testnet)
    before = testnet.claims()
    small = {"whale-1": {"volumes": {"runtime-state": {"size": "1Gi"}}},
             "whale-2": {"volumes": {"runtime-state": {"type": "standard"}}}}  # fmt: skip
    changes = {"retention": "retain", "nodes": nodes(testnet, count=2, overrides=small)}
    testnet.change(**changes)
    whales = {f"whale-{index}-runtime-state-e1" for index in (1, 2, 3)}
    assert refused(testnet) == whales
    result = run.up(testnet.env, testnet, allow=["whale-*"])
    assert {node.name for node in result.outputs.nodes} == set(testnet.deployments())
    after = testnet.claims()
    assert {name for name in before if after.get(name) != before[name]} == whales
    assert whales - after.keys() == {"whale-3-runtime-state-e1"}
    spec = testnet.ask(lambda api: api.get(CLAIM, "whale-1-runtime-state-e1", testnet.name))
    assert spec is not None
    assert spec["spec"]["resources"]["requests"]["storage"] == "1Gi"
    assert set(run.up(testnet.env, testnet).changes) == {"same"}


def test_plain_pulumi_loses_a_named_protected_claim(testnet: SmallTestnet) -> None:
    """Once the engine's protection is taken off with the command that it tells, as docs/storage.md says."""
    testnet.change(retention="retain")
    run.up(testnet.env, testnet)
    before = testnet.claims()
    testnet.change(retention="retain", nodes=nodes(testnet, count=2))
    code, text = plain(testnet, "up", **{ALLOW: "whale-3-*"})
    urns = set(re.findall(r"pulumi state unprotect '(urn:[^']+)'", text))
    assert code != 0
    assert {urn.rpartition("::")[2] for urn in urns} == {f"{testnet.name}-whale-3-runtime-state-e1"}, text
    assert testnet.claims() == before
    assert passthrough.pulumi(testnet.env, ["state", "unprotect", "--yes", *urns], testnet) == 0
    code, text = plain(testnet, "up", **{ALLOW: "whale-3-*"})
    assert code == 0, text
    assert before.keys() - testnet.claims().keys() == {"whale-3-runtime-state-e1"}
