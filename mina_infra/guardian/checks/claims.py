"""Is every volume there, bound, and as it was asked for? (storage RFC: state survives in claims)"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

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

# What may be wrong with a claim, the gravest first.
MISSING = "missing-claim"
LOST = "lost"
OTHER_CLASS = "other-class"
OTHER_MODE = "other-mode"
UNBOUND = "unbound"
OTHER_SIZE = "other-size"
EXTRA = "extra-claim"
PROBLEMS = (MISSING, LOST, OTHER_CLASS, OTHER_MODE, UNBOUND, OTHER_SIZE, EXTRA)

_GIB = 2**30


@dataclass(frozen=True)
class _Fault:
    """One stable word, the same for a person, and whether waiting may help."""

    word: str
    found: str
    waits: bool = False


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
    faults: list[_Fault] = []
    for want in expected:
        fault = _fault(want, live.get(want.name))
        if fault is not None and not (fault.waits and want.node in paused):
            rows.append({"node": want.node, "claim": want.name, "found": fault.found})
            faults.append(fault)
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
        problems=_problems(faults, bool(extra)),
        settling=bool(faults) and all(fault.waits for fault in faults),
        figures={"expected": len(expected), "bad": len(rows), "extra": len(extra)},
    )


def _problems(faults: Sequence[_Fault], extra: bool) -> tuple[str, ...]:
    words = {fault.word for fault in faults} | ({EXTRA} if extra else set())
    return tuple(word for word in PROBLEMS if word in words)


def _fault(want: ClaimOutput, have: Claim | None) -> _Fault | None:
    """What is wrong; None for a claim as planned.

    A kept claim waits for nobody: that of a node which its era had not got stays Pending, and all keep their shape.
    """
    if have is None:
        return _Fault(MISSING, "missing")
    if have.phase == "Lost":
        return _Fault(LOST, "Lost")
    if want.kept:
        return None
    if have.storage_class != want.storage_class:
        return _Fault(OTHER_CLASS, f"class {have.storage_class}, planned {want.storage_class}")
    if have.access_modes != (want.access_mode,):
        return _Fault(OTHER_MODE, f"mode {', '.join(have.access_modes)}, planned {want.access_mode}")
    if have.phase != "Bound":
        return _Fault(UNBOUND, have.phase, have.phase == "Pending")
    size = have.capacity_bytes if have.capacity_bytes is not None else have.requested_bytes
    if size < want.size_gib * _GIB:  # a resize is under way, perhaps
        return _Fault(OTHER_SIZE, f"{size / _GIB:.3g} GiB, planned {want.size_gib} GiB", True)
    return None
