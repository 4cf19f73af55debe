"""Retention that is switched on for a testnet that has been deployed without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mina_infra.cluster.api import NAMESPACE, PERSISTENT_VOLUME, STORAGE_CLASS
from mina_infra.engine import run
from mina_infra.engine.settle import wait_until_running
from mina_infra.errors import EngineError
from mina_infra.local.control_plane import EmbeddedCluster
from tests.engine.testnets import SmallTestnet


def policies(testnet: SmallTestnet) -> set[str]:
    """What becomes of the testnet's volumes when their claims go."""
    volumes = testnet.ask(lambda api: api.objects(PERSISTENT_VOLUME))
    return {
        volume["spec"]["persistentVolumeReclaimPolicy"]
        for volume in volumes
        if volume["spec"]["claimRef"]["namespace"] == testnet.name
    }


def classes(testnet: SmallTestnet) -> dict[str, str]:
    """The uid of each class by name."""
    found = testnet.ask(lambda api: api.objects(STORAGE_CLASS, labels=f"testnet={testnet.name}"))
    return {each["metadata"]["name"]: each["metadata"]["uid"] for each in found}


def test_rule_24_retention_is_switched_on_and_off_again(embedded_cluster: EmbeddedCluster, tmp_path: Path) -> None:
    testnet = SmallTestnet("switched-on", embedded_cluster, tmp_path / "project")
    run.up(testnet.env, testnet)
    names = [node.name for node in testnet.env.plan.outputs.nodes]
    testnet.ask(lambda api: wait_until_running(api, testnet.name, names, testnet, deadline_s=60))
    claims, made, bound = testnet.claims(), classes(testnet), policies(testnet)
    assert bound == {"Delete"}

    testnet.change(retention="retain")
    with pytest.raises(EngineError, match="write `classRetention: delete` beside `retention: retain`"):
        run.up(testnet.env, testnet)
    for exclude_protected in (True, False):
        with pytest.raises(EngineError, match=r"(?s)deployed before that was written.*Run `up` first"):
            run.destroy(testnet.env, testnet, exclude_protected=exclude_protected)
    assert testnet.claims() == claims

    testnet.change(retention="retain", classRetention="delete")
    run.up(testnet.env, testnet)
    assert policies(testnet) == {"Retain"}
    assert (testnet.claims(), classes(testnet)) == (claims, made)
    run.destroy(testnet.env, testnet, exclude_protected=True)
    assert testnet.deployments() == {}
    assert (testnet.claims(), classes(testnet)) == (claims, made)

    testnet.change()
    run.destroy(testnet.env, testnet)
    assert testnet.remains() == []
    assert testnet.ask(lambda api: api.get(NAMESPACE, testnet.name)) is None
