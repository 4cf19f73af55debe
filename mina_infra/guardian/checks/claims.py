"""Is every volume there, bound, and as it was asked for? (storage RFC: state survives in claims)"""

from __future__ import annotations

from collections.abc import Sequence, Set

from mina_infra.cluster.objects import Claim
from mina_infra.guardian.evidence import Evidence
from mina_infra.guardian.findings import CheckInfo, Finding, Row, Slots, State, some
from mina_infra.outputs import ClaimOutput

CHECK = CheckInfo(
    name="claims",
    needs=("claims",),
    warm_up=Slots(0),
    runbook="storage RFC: each node's state lives in its claim",
)

_GIB = 2**30


def look(evidence: Evidence) -> Finding:
    """Judge what was gathered."""
    assert isinstance(evidence.claims, list)
    paused = {node.name for node in evidence.outputs.paused()}
    return judge(evidence.outputs.claims, evidence.claims, paused)


def judge(expected: Sequence[ClaimOutput], claims: Sequence[Claim], paused: Set[str] = frozenset()) -> Finding:
    """Each expected claim exists, is Bound, and has its class, access mode and at least its size.

    A claim that is not Bound may still be (WaitForFirstConsumer); a lost volume or another shape will not mend itself.
    That of a `paused` node waits for its pod: what waiting would mend is expected of it only when the node runs.
    """
    live = {claim.name: claim for claim in claims}
    rows: list[Row] = []
    hard = 0
    for want in expected:
        problem, waits = _problem(want, live.get(want.name))
        if problem and not (waits and want.node in paused):
            rows.append({"node": want.node, "claim": want.name, "found": problem})
            hard += not waits
    extra = sorted(live.keys() - {want.name for want in expected})
    return Finding(
        check=CHECK.name,
        state=State.FAIL if rows else State.PASS,
        summary=f"{len(expected) - len(rows)} of {len(expected)} claims are "
        + ("as planned" if paused else "bound as planned"),
        expected=f"{len(expected)} claims Bound, with the class, size and mode of the plan",
        seen=some([f"{row['claim']} ({row['found']})" for row in rows], 3),
        action="kubectl describe pvc shows the provisioner's events" if rows else "",
        evidence=tuple(rows),
        warnings=(f"not in the outputs document: {some(extra)}",) if extra else (),
        settling=bool(rows) and not hard,
        figures={"expected": len(expected), "bad": len(rows), "extra": len(extra)},
    )


def _problem(want: ClaimOutput, have: Claim | None) -> tuple[str, bool]:
    """What is wrong, and whether waiting may help.

    A kept claim waits for nobody: that of a node which its era had not got stays Pending, and all keep their shape.
    """
    if have is None:
        return "missing", False
    if want.kept:
        return ("Lost", False) if have.phase == "Lost" else ("", False)
    if have.storage_class != want.storage_class:
        return f"class {have.storage_class}, planned {want.storage_class}", False
    if have.access_modes != (want.access_mode,):
        return f"mode {', '.join(have.access_modes)}, planned {want.access_mode}", False
    if have.phase != "Bound":
        return have.phase, have.phase == "Pending"
    size = have.capacity_bytes if have.capacity_bytes is not None else have.requested_bytes
    if size < want.size_gib * _GIB:
        return f"{size / _GIB:.3g} GiB, planned {want.size_gib} GiB", True  # a resize is under way, perhaps
    return "", False
