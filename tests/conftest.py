"""What tests of several rooms share: one embedded cluster for the session, no traffic but loopback, no leftovers."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from mina_infra.local import control_plane
from mina_infra.local.control_plane import EmbeddedCluster
from mina_infra.local.paths import STATE_VARIABLE
from mina_infra.local.tools import ensure_tools
from mina_infra.local.world import start_world, stop_world
from tests.watchdog import watched

pytest_plugins = ["tests.told", "tests.order"]

CLUSTER = "tests"

# Started in the background by a shell, pytest ignores Ctrl-C, and so would every command that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The engine's own switch: where the official Kubernetes provider is not installed, nobody tries to download it.
os.environ["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"

# For the engine and the control planes: memory for processor time. Their heaps are small, and short of both cores is
# what a test run is.
os.environ.setdefault("GOGC", "300")


@pytest.fixture(scope="session", autouse=True)
def nothing_outlives_a_killed_pytest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """All clusters of tests have their state below pytest's own folder."""
    with watched(tmp_path_factory.getbasetemp()):
        yield


@pytest.fixture(scope="session")
def embedded_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCluster]:
    """A running cluster with its world (volumes and simulated nodes). Share it: use a testnet name of your own.

    Do not break it; tests that do start a cluster of their own.
    """
    root = tmp_path_factory.mktemp("embedded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STATE_VARIABLE, str(root))
        cluster = control_plane.start(CLUSTER, ensure_tools(print), print)
        start_world(cluster)
    try:
        yield cluster
    finally:
        stop_world(cluster)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(STATE_VARIABLE, str(root))
            control_plane.stop(CLUSTER)
