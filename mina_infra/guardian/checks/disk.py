"""Is there room left on the volumes? (storage RFC: a full disk stops a daemon, and growing one takes a moment)"""

from __future__ import annotations

from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.disk import Disks, with_volumes
from mina_infra.guardian.evidence import Evidence
from mina_infra.guardian.findings import CheckInfo, Finding, Row, Slots, State, some

CHECK = CheckInfo(
    name="disk",
    needs=("disk",),
    warm_up=Slots(0),
    runbook="storage RFC: the volumes have room",
)

FULL, FILLING = "disk-full", "disk-filling"
_GIB = 2**30


def look(evidence: Evidence) -> Finding:
    """Judge what was gathered."""
    assert isinstance(evidence.disk, Disks)
    if not with_volumes(evidence.outputs):
        return Finding(CHECK.name, State.UNKNOWN, "no running daemon has a volume of its own", asked=False)
    return judge(evidence.disk, evidence.criteria)


def judge(disks: Disks, criteria: Criteria) -> Finding:
    """90 % used fails, 80 % is told (docs/facts.md: guardian/disk)."""
    if disks.forbidden:
        words = "these credentials may not run commands in pods; the alerts on storage look at the volumes"
        return Finding(CHECK.name, State.UNKNOWN, words, asked=False)
    if not disks.used:
        return Finding(
            CHECK.name, State.UNKNOWN, f"none of {len(disks.unread)} volumes could be looked at",
            seen=some([f"{node} ({why})" for node, why in disks.unread.items()], 2), silent=tuple(disks.unread),
            settling=True,
        )  # fmt: skip
    shares = {node: use.share for node, use in disks.used.items()}
    full = {node: share for node, share in shares.items() if share >= criteria.disk_full}
    filling = {node: share for node, share in shares.items() if criteria.disk_filling <= share < criteria.disk_full}
    rows: list[Row] = [
        {
            "node": node,
            "found": f"{share:.0%} used",
            "detail": f"{disks.used[node].used / _GIB:.3g} of {disks.used[node].size / _GIB:.3g} GiB",
        }
        for node, share in sorted(full.items(), key=lambda item: -item[1])
    ]
    fullest = max(shares.values())
    return Finding(
        check=CHECK.name,
        state=State.FAIL if full else State.PASS,
        summary=f"{len(full)} volumes are full" if full else f"{_looked(disks)}, the fullest {fullest:.0%} used",
        expected=f"less than {criteria.disk_full:.0%} used",
        seen=some([f"{row['node']} ({row['found']})" for row in rows], 3),
        action="let it grow: a larger size in the document, then `mina-infra up`" if full else "",
        evidence=tuple(rows),
        silent=tuple(disks.unread),
        warnings=tuple(f"{node}: {share:.0%} of its volume is used" for node, share in sorted(filling.items())),
        problems=(FULL,) * bool(full) + (FILLING,) * bool(filling),
        figures={"volumes": disks.of, "looked": len(shares), "fullest": round(fullest, 3)},
    )


def _looked(disks: Disks) -> str:
    return f"{len(disks.used)} of {disks.of} volumes looked at"
