"""The other faces of a node: command line, metrics, log lines. Each is read back by what the guardian reads it with."""

from pathlib import Path

import pytest

from mina_infra.daemon.logs import Level, parse_line
from mina_infra.daemon.replies import SyncStatus
from mina_infra.daemon.status_text import parse_status
from mina_infra.simulator import cli_status, log_lines, metrics
from mina_infra.simulator.joining import Happening
from mina_infra.simulator.log_files import LogFile
from mina_infra.simulator.simulated import SimulatedNetwork
from mina_infra.simulator.view import View


@pytest.fixture(scope="module")
def network() -> SimulatedNetwork:
    network = SimulatedNetwork(seed=1, slot_ms=1000)
    network.run(slots=30)
    network.restart("fish-1", keep_volume=False)
    network.run(slots=0.3)
    return network


def view(network: SimulatedNetwork, name: str) -> View:
    return View(network.network, network.network.nodes[name])


@pytest.mark.parametrize("name", ["whale-1", "fish-1"])
def test_both_forms_of_the_status_agree_with_graphql(network: SimulatedNetwork, name: str) -> None:
    told = network.status(name)
    text, parsed = (
        parse_status(cli_status.as_text(view(network, name))),
        parse_status(cli_status.as_json(view(network, name))),
    )
    for status in (text, parsed):
        assert status.sync_status is told.sync_status
        assert (status.blockchain_length, status.state_hash) == (told.blockchain_length, told.state_hash)
        assert (status.chain_id, status.commit_id, status.peers) == (told.chain_id, told.commit_id, len(told.peers))
        assert status.highest_block_length_received == told.highest_block_length_received
        assert status.block_producers == len(told.block_production_keys)
    assert (told.sync_status, told.blockchain_length is None) in (
        (SyncStatus.SYNCED, False), (SyncStatus.BOOTSTRAP, True),
    )  # fmt: skip


def test_the_text_leaves_out_and_the_json_nulls_what_is_not_known(network: SimulatedNetwork) -> None:
    assert network.status("fish-1").sync_status is SyncStatus.BOOTSTRAP
    assert "Block height" not in cli_status.as_text(view(network, "fish-1"))
    assert '"blockchain_length": null' in cli_status.as_json(view(network, "fish-1"))


def test_the_command_line_knows_two_commands_and_fails_on_others(network: SimulatedNetwork) -> None:
    whale = view(network, "whale-1")
    assert cli_status.run(whale, ["client", "status"])[1].startswith("Mina daemon status\n---")
    assert cli_status.run(whale, ["client", "status", "-json"])[1].startswith("{")
    assert cli_status.run(whale, ["advanced", "get-peers"])[1].count("/p2p/12D3KooW") == len(network.names) - 1
    assert cli_status.run(whale, ["accounts", "list"])[0] == 1


def test_durations_are_printed_as_the_daemon_does() -> None:
    assert cli_status.duration(2 * 86400 + 17 * 3600 + 50 * 60 + 34) == "2d17h50m34s"
    assert cli_status.duration(3600) == "1h0m0s"
    assert cli_status.duration(0) == "0s"


def test_metrics_have_minas_names_and_values(network: SimulatedNetwork) -> None:
    lines = metrics.text(view(network, "whale-1")).splitlines()
    values = dict(line.split(" ") for line in lines if not line.startswith("#"))
    assert (
        float(values["Coda_Transition_frontier_best_tip_block_height"]) == network.status("whale-1").blockchain_length
    )
    assert float(values["Coda_Network_peers"]) == len(network.names) - 1
    assert float(values["Coda_Block_producer_blocks_produced"]) > 0
    assert "#TYPE Coda_Network_peers gauge" in lines


def test_a_bootstrapping_node_has_every_metric_with_0_but_the_coinbase(network: SimulatedNetwork) -> None:
    """As in the daemon, where gauges exist from the start; so a rule must not take 0 for a height."""
    before, after = metrics.gauges(view(network, "fish-1")), metrics.gauges(view(network, "whale-1"))
    assert before.keys() == after.keys()
    assert before["Transition_frontier_best_tip_block_height"] == 0
    assert before["Transition_frontier_best_tip_slot_time_sec"] == 0
    assert before["Transition_frontier_best_tip_coinbase"] == 1


def test_log_lines_are_the_daemons_own() -> None:
    told: list[Happening] = []
    network = SimulatedNetwork(seed=1, slot_ms=1000, observer=told.append)
    network.run(slots=10)
    lines = [
        parse_line(log_lines.line(template, network.now_ms, happening.node, metadata, as_json=True))
        for happening in told
        for template, metadata in log_lines.lines_of(happening, network.network.nodes.get(happening.sender or ""))
    ]
    assert all(line.structured for line in lines)
    received = next(line for line in lines if line.message == "Received a block from $sender")
    assert received.level is Level.DEBUG  # so it is not seen at Info
    assert received.metadata["sender"]["Remote"]["peer_id"].startswith("12D3KooW")
    assert received.event_id is not None
    assert {"Number of proofs ready", "$prefix: apply_diff block info", "Mina daemon is synced"} <= {
        start
        for line in lines
        for start in ("Number of proofs ready", "$prefix: apply_diff block info", "Mina daemon is synced")
        if line.message.startswith(start)
    }


def test_without_json_the_values_stand_in_the_text() -> None:
    text = log_lines.line(log_lines.FATAL, 0, None, {"exn": "disk gone"}, as_json=False)
    assert text.startswith("1970-01-01 00:00:00 UTC [Fatal] Unhandled top-level exception: disk gone")


def test_log_files_are_in_the_form_that_kwok_reads_and_do_not_grow_for_ever(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "ns" / "pod.log")
    for number in range(3000):
        log.add(number, "x" * 400 + f" {number}\nsecond")
        log.flush()
    lines = log.path.read_text().splitlines()
    assert log.path.stat().st_size < 600_000
    assert lines[-1] == "1970-01-01T00:00:02.999000000Z stdout F second"
    assert all(" stdout F " in line for line in lines)
    log.delete()
    assert not (tmp_path / "ns").exists()
