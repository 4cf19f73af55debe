"""A verdict as JSON, schema 1: fields are added, never renamed or removed. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mina_infra.guardian import joining
from mina_infra.guardian.checks import CHECKS
from mina_infra.guardian.findings import CheckInfo, Finding
from mina_infra.guardian.instability import Judgement
from mina_infra.guardian.picture import Strip, Vertex
from mina_infra.guardian.verdict import SCHEMA, Health, Verdict
from mina_infra.outputs import SeedOutput


def text_of(verdict: Verdict) -> str:
    """For machines: all evidence, not only the first rows."""
    return json.dumps(value_of(verdict), indent=2, ensure_ascii=False) + "\n"


def value_of(verdict: Verdict) -> dict[str, Any]:
    """The verdict as plain data; keys in camelCase as in the outputs document, times RFC 3339 in UTC."""
    return {
        "schema": SCHEMA,
        "testnet": verdict.testnet,
        "era": verdict.era,
        "namespace": verdict.namespace,
        "server": verdict.server,
        "verdict": {Health.UNKNOWN: "unknown"}.get(verdict.health, str(verdict.health)),
        "exitCode": verdict.exit_code,
        "started": time_text(verdict.started),
        "ended": time_text(verdict.ended),
        "sweeps": verdict.sweeps,
        "checks": [finding_value(finding) for finding in verdict.findings],
        "profile": verdict.profile,
        "skipped": list(verdict.skipped),
        "criteria": [_criterion_value(each) for each in verdict.criteria],
        "nodes": [
            {
                "name": node.name,
                "role": node.role,
                "daemon": node.daemon,
                "standing": node.standing,
                "status": node.status,
                "height": node.height,
                "peers": node.peers,
                "peerId": node.peer_id,
                "address": node.address,
                "paused": node.paused,
                "tip": node.tip,
                "behind": node.behind,
                "forked": node.forked,
            }
            for node in verdict.nodes
        ],
        "seeds": [_seed_value(seed, verdict) for seed in verdict.seeds],
        "tree": [_vertex_value(vertex) for vertex in verdict.tree],
        "production": _strip_value(verdict.strip),
    }


def _seed_value(seed: SeedOutput, verdict: Verdict) -> dict[str, Any]:
    seen = {node.name: node for node in verdict.nodes}.get(seed.name)
    return {
        "name": seed.name,
        "multiaddress": seed.multiaddress,
        "status": seen.status if seen else None,
        "peers": seen.peers if seen else None,
    }


def _vertex_value(vertex: Vertex) -> dict[str, Any]:
    return {
        "stateHash": vertex.state_hash,
        "height": vertex.height,
        "parent": vertex.parent,
        "blocks": vertex.blocks,
        "tips": list(vertex.tips),
        "nodes": vertex.nodes,
        "reference": vertex.reference,
    }


def _strip_value(strip: Strip | None) -> dict[str, Any] | None:
    """Slots without a block are left out: those from `firstSlot` to `lastSlot` that no block names are empty."""
    if strip is None:
        return None
    return {
        "firstSlot": strip.first,
        "lastSlot": strip.last,
        "judgedTo": strip.judged_to,
        "blocks": [
            {
                "slot": block.slot,
                "height": block.height,
                "stateHash": block.state_hash,
                "creator": block.creator,
                "commands": block.commands,
                "snarkJobs": block.snark_jobs,
                "time": time_text(datetime.fromtimestamp(block.date_ms / 1000, UTC)),
            }
            for block in strip.blocks
        ],
    }


_INFO: Mapping[str, CheckInfo] = {check.name: check for check in (*(check for check, _ in CHECKS), joining.CHECK)}


def finding_value(finding: Finding) -> dict[str, Any]:
    """One finding as plain data."""
    return {
        "check": finding.check,
        "state": str(finding.state),
        "summary": finding.summary,
        "expected": finding.expected,
        "seen": finding.seen,
        "action": finding.action,
        "runbook": _INFO[finding.check].runbook,
        "warmUpSlots": _INFO[finding.check].warm_up.count,
        "evidence": [dict(row) for row in finding.evidence],
        "silent": list(finding.silent),
        "problems": list(finding.problems),
        "asked": finding.asked,
        "warnings": list(finding.warnings),
        "figures": dict(finding.figures),
    }


def _criterion_value(judgement: Judgement) -> dict[str, Any]:
    return {
        "number": judgement.number,
        "name": judgement.name,
        "title": judgement.criterion.title,
        "state": str(judgement.state),
        "since": time_text(judgement.since) if judgement.since else None,
        "summary": judgement.summary,
        "checks": list(judgement.criterion.checks),
        "rule": judgement.criterion.rule,
        "confidence": judgement.confidence,
        "chance": judgement.chance,
        "evidence": [dict(row) for row in judgement.evidence],
        "asked": judgement.asked,
        "runbook": {
            "row": judgement.event.row,
            "action": judgement.event.action,
            "criticality": judgement.event.criticality,
            "owner": judgement.event.owner,
        },
    }


def time_text(moment: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
