"""Small testnets that tests of the engine begin with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mina_infra.cluster.api import NAMESPACE
from mina_infra.engine import run
from mina_infra.local.control_plane import EmbeddedCluster
from tests.engine.testnets import SmallTestnet


@pytest.fixture
def testnet(
    request: pytest.FixtureRequest, embedded_cluster: EmbeddedCluster, tmp_path: Path
) -> Iterator[SmallTestnet]:
    """A testnet that is not deployed yet; its namespace is gone after the test."""
    name = re.sub("[^a-z]+", "-", request.node.name.removeprefix("test_"))[:28].strip("-")
    testnet = SmallTestnet(name, embedded_cluster, tmp_path / "project")
    yield testnet
    testnet.change()
    testnet.ask(lambda api: api.delete(NAMESPACE, name))


@pytest.fixture
def destroyed(testnet: SmallTestnet) -> Iterator[None]:
    """The engine itself can take the testnet away after the test, as far as its volumes are not kept."""
    yield
    run.destroy(testnet.env, testnet, exclude_protected=testnet.env.plan.keeps)
