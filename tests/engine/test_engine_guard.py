"""Volumes that a run would lose, on the real engine: refused, or named and then really gone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mina_infra.cluster.api import CLAIM, NAMESPACE
from mina_infra.engine import passthrough, run
from mina_infra.engine.guard import VolumesInDangerError
from mina_infra.local.control_plane import EmbeddedCluster
from mina_infra.plan.losses import ALLOW
from tests.engine.testnets import SmallTestnet, document


@pytest.fixture
def testnet(
    request: pytest.FixtureRequest, embedded_cluster: EmbeddedCluster, tmp_path: Path
) -> Iterator[SmallTestnet]:
    """A testnet that is not deployed yet, and gone after the test."""
    name = re.sub("[^a-z]+", "-", request.node.name.removeprefix("test_"))[:28].strip("-")
    testnet = SmallTestnet(name, embedded_cluster, tmp_path / "project")
    yield testnet
    run.destroy(testnet.env, testnet, exclude_protected=testnet.env.plan.keeps)
    testnet.ask(lambda api: api.delete(NAMESPACE, name))


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
