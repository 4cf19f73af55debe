"""Can the network be entered by what was published? (runbook: the seeds are up; docs/facts.md: guardian/seeds)"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mina_infra.daemon.replies import AddrsAndPorts
from mina_infra.guardian.criteria import Criteria
from mina_infra.guardian.evidence import Evidence
from mina_infra.guardian.findings import CheckInfo, Finding, Row, Slots, State, some
from mina_infra.guardian.forks import Standing
from mina_infra.guardian.survey import Answer, Cause, Survey
from mina_infra.outputs import SeedOutput

CHECK = CheckInfo(
    name="seeds",
    needs=("survey",),
    warm_up=Slots(4),
    runbook="publish: at least two seeds are synced, reachable, and say the address that is published",
)

ADDRESS, TOO_FEW, DOWN, UNREACHABLE = "seed-address", "too-few-seeds", "seed-down", "seed-unreachable"
PROBLEMS = (ADDRESS, TOO_FEW, DOWN, UNREACHABLE)

# With one, its restart closes the network to newcomers. A testnet that declares one alone is not failed for that.
NEEDED = 2
# Of so many daemons that have peers, somebody knows every seed that can be dialled: each keeps up to 50 peers.
WITNESSES = 4


@dataclass(frozen=True)
class _Sight:
    """What is wrong with one seed: a problem's word, empty for nothing, and the words for it."""

    seed: SeedOutput
    problem: str = ""
    found: str = ""
    open: bool = False
    """Waiting, or another road, may answer it."""


def look(evidence: Evidence) -> Finding:
    """Judge what was gathered."""
    assert isinstance(evidence.survey, Survey)
    running = {node.name for node in evidence.outputs.running()}
    seeds = [seed for seed in evidence.outputs.seeds if seed.name in running]
    return judge(evidence.survey, seeds, evidence.criteria)


def judge(survey: Survey, seeds: Sequence[SeedOutput], criteria: Criteria) -> Finding:
    """Two seeds must be usable, and none may be published under another's address or identity."""
    if not seeds:
        return Finding(CHECK.name, State.UNKNOWN, "no seeds are published", asked=False)
    known = Counter(peer.peer_id for answer in survey.answers.values() for peer in answer.status.peers)
    witnesses = sum(bool(answer.status.peers) for answer in survey.answers.values())
    sights = [_sight(seed, survey, criteria, known, witnesses) for seed in seeds]
    off = [sight for sight in sights if sight.problem]
    usable, needed = len(seeds) - len(off), min(NEEDED, len(seeds))
    wrong = any(sight.problem == ADDRESS for sight in off)
    maybe = any(sight.open for sight in off)
    state = State.FAIL if wrong else State.PASS if usable >= needed else State.UNKNOWN if maybe else State.FAIL
    # A seed that could not be asked is not known to be down.
    words = {sight.problem for sight in off if not sight.open} | ({TOO_FEW} if usable < NEEDED and not maybe else set())
    alone = ("one seed alone: while it restarts, nobody can join",) if len(seeds) < NEEDED else ()
    told = tuple(f"{sight.seed.name}: {sight.found}" for sight in off) if state is State.PASS else ()
    return Finding(
        check=CHECK.name,
        state=state,
        summary=f"{usable} of {len(seeds)} seeds let newcomers in",
        expected=f"at least {needed} seed{'s' * (needed != 1)} synced, reachable and as published",
        seen=some([f"{sight.seed.name} ({sight.found})" for sight in off], 3),
        action=_action(wrong) if off else "",
        evidence=tuple(_row(sight) for sight in off),
        silent=tuple(sight.seed.name for sight in off if sight.seed.name in survey.silences),
        warnings=(*told, *alone),
        problems=tuple(word for word in PROBLEMS if word in words),
        settling=state is not State.PASS and not wrong,
        figures={"seeds": len(seeds), "usable": usable, "needed": needed},
    )


def _sight(seed: SeedOutput, survey: Survey, criteria: Criteria, known: Counter[str], witnesses: int) -> _Sight:
    answer = survey.answers.get(seed.name)
    if answer is None:
        silence = survey.silences.get(seed.name)
        if silence is None:
            return _Sight(seed, DOWN, "it is not among the daemons of the testnet")
        road = silence.cause in (Cause.SILENT, Cause.ROAD)
        return _Sight(seed, DOWN, str(silence.cause), open=road)
    if strange := _other_address(seed, answer.status.addrs_and_ports):
        return _Sight(seed, ADDRESS, strange)
    young = criteria.slots(answer.status.uptime_secs * 1000) <= criteria.bootstrap_fail_slots
    if answer.status.addrs_and_ports.peer is None:
        return _Sight(seed, DOWN, "it has no peer id yet", open=young)
    if not _in_step(seed.name, survey, criteria):
        return _Sight(seed, DOWN, f"not at the tip, says {answer.status.sync_status}", open=young)
    if witnesses >= WITNESSES and not known[seed.peer_id]:
        found = f"none of {witnesses} daemons with peers has it as one"
        return _Sight(seed, UNREACHABLE, found, open=_is_new(answer, criteria))
    return _Sight(seed)


def _in_step(name: str, survey: Survey, criteria: Criteria) -> bool:
    relation = survey.relations[name]
    if not survey.answers[name].synced:
        return False
    near = relation.standing is Standing.BEHIND and survey.lag(name)[0] <= criteria.behind_fail_blocks
    # Depth 1 is normal; whoever follows another branch for longer is the business of the check `forks`.
    return near or relation.standing in (Standing.EQUAL, Standing.AHEAD, Standing.FORKED)


def _is_new(answer: Answer, criteria: Criteria) -> bool:
    return criteria.slots(answer.status.uptime_secs * 1000) <= CHECK.warm_up.count


def _other_address(seed: SeedOutput, said: AddrsAndPorts) -> str:
    """What the daemon says of itself that the published address does not; empty when they agree."""
    if said.peer is not None and said.peer.peer_id != seed.peer_id:
        return f"its peer id is {said.peer.peer_id}, published is {seed.peer_id}"
    if said.libp2p_port != seed.port:
        return f"it listens on port {said.libp2p_port}, published is {seed.port}"
    # A name may lead to any address; only an address can be compared.
    if _is_address(seed.host) and said.external_ip != seed.host:
        return f"it says that its address is {said.external_ip}, published is {seed.host}"
    return ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _row(sight: _Sight) -> Row:
    address = sight.seed.multiaddress
    return {"node": sight.seed.name, "found": sight.found, "detail": address, "problem": sight.problem}


def _action(wrong: bool) -> str:
    if wrong:
        return "take it out of the published list or mount its libp2p key; every newcomer's dial of it fails"
    return "look at the seed's pod and log; newcomers have nobody to begin with"
