"""Surveys made by hand, for thresholds that a simulated network does not hit exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mina_infra.daemon.replies import (
    AddrsAndPorts,
    Block,
    ConsensusConfiguration,
    ConsensusTime,
    DaemonStatus,
    SyncStatus,
)
from mina_infra.guardian.forks import Chain
from mina_infra.guardian.survey import Answer, Cause, Silence, Survey

SLOT_MS = 1000


def status(now_slot: int, sync: SyncStatus = SyncStatus.SYNCED, uptime_slots: int = 10_000) -> DaemonStatus:
    return DaemonStatus(
        sync_status=sync,
        chain_id="c",
        commit_id="0",
        uptime_secs=uptime_slots,
        highest_block_length_received=1,
        highest_unvalidated_block_length_received=1,
        peers=(),
        addrs_and_ports=AddrsAndPorts(external_ip="", bind_ip="", client_port=1, libp2p_port=2),
        consensus_time_now=ConsensusTime(
            epoch=0, slot=now_slot, global_slot=now_slot, start_time=now_slot * SLOT_MS, end_time=0
        ),
        consensus_configuration=ConsensusConfiguration(
            delta=0, k=290, slots_per_epoch=7140, slot_duration=SLOT_MS, epoch_duration=0, acceptable_network_delay=0,
            genesis_state_timestamp="1970-01-01 00:00:00.000000Z",
        ),
    )  # fmt: skip


def survey_of(
    chains: Mapping[str, Sequence[Block]],
    now_slot: int,
    *,
    statuses: Mapping[str, DaemonStatus] | None = None,
    silent: Sequence[str] = (),
) -> Survey:
    """Every chain whole, every node synced at `now_slot` unless it has a status of its own."""
    answers = {
        name: Answer(
            name, f"{name}-0", now_slot, now_slot, (statuses or {}).get(name, status(now_slot)),
            Chain(blocks, True) if blocks else None,
        )
        for name, blocks in chains.items()
    }  # fmt: skip
    silences = {name: Silence(name, Cause.SILENT, "no answer within 5 s") for name in silent}
    return Survey(now_slot, now_slot, (*chains, *silent), answers, silences)
