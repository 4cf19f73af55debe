"""200 nodes with slots of one second must leave the machine to the cluster that they play in."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mina_infra.daemon.logs import Level
from mina_infra.simulator import hosting
from mina_infra.simulator.chain import ChainConstants
from mina_infra.simulator.hosting import Daemon, HostedNetwork
from mina_infra.simulator.log_files import LogFile
from mina_infra.simulator.network import Network
from mina_infra.simulator.pods import DaemonPod
from mina_infra.simulator.simulated import GENESIS_MS, small_network
from mina_infra.simulator.store import DirectoryStore

NODES = 200
SLOTS = 60
CORE_SHARE = 0.05


def test_two_hundred_nodes_take_less_than_a_twentieth_of_a_core(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With volumes on disk and Debug logs; processor time, so a busy machine does not matter."""
    now = [float(GENESIS_MS)]
    monkeypatch.setattr(hosting, "wall_clock", lambda: now[0])
    hosted = HostedNetwork(Network(ChainConstants("c" * 64, GENESIS_MS, slot_ms=1000), GENESIS_MS), "ns")
    for spec in small_network(whales=15, fish=60, seeds=2, plain=NODES - 78):
        pod = DaemonPod("ns", spec.name, "", spec.name, (), {}, (), "", "", spec.stake, "", (), None)
        daemon = Daemon(pod, LogFile(tmp_path / "logs" / spec.name), lambda daemon, error: None)
        daemon.as_json, daemon.level = True, Level.DEBUG
        (tmp_path / spec.name).mkdir()
        hosted.daemons[spec.name] = daemon
        daemon.join(hosted, hosted.network.start(spec, DirectoryStore(tmp_path / spec.name)))
    assert len(hosted.daemons) == NODES

    def live(slots: int) -> None:
        for tick in range(20 * slots):
            now[0] += 50
            hosted.advance()
            for daemon in list(hosted.daemons.values())[tick % 40 :: 40]:
                daemon.flush()

    live(5)
    started = time.process_time()
    live(SLOTS)
    assert time.process_time() - started < CORE_SHARE * SLOTS
    assert hosted.network.best_tip().height > SLOTS / 3
