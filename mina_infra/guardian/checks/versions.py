"""Does every node run what was deployed? (runbook: deploy the image with the flags that log gossip)"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from mina_infra.cluster.objects import Pod
from mina_infra.guardian.evidence import Evidence
from mina_infra.guardian.findings import CheckInfo, Finding, Row, Slots, State, some
from mina_infra.guardian.survey import Survey, newest_pods
from mina_infra.outputs import NodeOutput, OutputsDocument

CHECK = CheckInfo(
    name="versions",
    needs=("pods", "survey"),
    warm_up=Slots(0),
    runbook="deploy: every daemon runs the deployed image and build, and logs gossip",
)

COMMIT, IMAGE, FLAG = "other-commit", "other-image", "missing-flag"
_TAG_COMMIT = re.compile(r"(?:^|[-_.+])(?=[0-9a-f]*[a-f])([0-9a-f]{7,8}|[0-9a-f]{40})(?=$|[-_.+])")


def look(evidence: Evidence) -> Finding:
    """Judge what was gathered."""
    assert isinstance(evidence.pods, list)
    assert isinstance(evidence.survey, Survey)
    commits = {node: answer.status.commit_id for node, answer in evidence.survey.answers.items()}
    return judge(evidence.outputs, evidence.pods, commits)


def judge(outputs: OutputsDocument, pods: Sequence[Pod], commits: Mapping[str, str]) -> Finding:
    """Image and flags of the pods are those of the plan; another one fails. Builds that differ are told.

    All daemons should be of one build: the tag's, if it names one. Where the pods agree on the image and yet their
    builds differ, a tag was moved; whether the network is well with both is for the other checks to say.
    """
    current = newest_pods(pods)
    images = [row for node in outputs.running() for row in _images(node, current.get(node.name), outputs.images)]
    missing = [row for node in outputs.daemons() for row in _flags(node, current.get(node.name), outputs.daemon_flags)]
    builds = _builds(outputs, commits)
    bad = [*images, *missing]
    rows = [*bad, *builds]
    daemons = len(outputs.daemons())
    words = [f"{len(images)} other images"] * bool(images) + [f"{len(missing)} flags missing"] * bool(missing)
    words += [f"{len(builds)} other builds"] * bool(builds)
    open_ = bool(daemons and not commits and not rows)
    return Finding(
        check=CHECK.name,
        state=State.FAIL if bad else State.UNKNOWN if open_ or not outputs.nodes else State.PASS,
        summary=", ".join(words) if rows else "no daemon tells its build" if open_ else _well(commits),
        expected=f"image {outputs.images.get('daemon', 'of the plan')}, one build, the flags of the plan",
        seen=some([f"{row['node']} ({row['found']})" for row in rows], 3),
        action=_action(bool(images), bool(missing)) if rows else "",
        evidence=tuple(rows),
        warnings=_moved(builds),
        problems=(IMAGE,) * bool(images) + (COMMIT,) * bool(builds) + (FLAG,) * bool(missing),
        settling=open_ or bool(bad),  # an `up` may be under way
        figures={"images": len(images), "flags": len(missing), "builds": len(set(commits.values()))},
    )


def commit_of(image: str) -> str | None:
    """The commit in an image's tag, as Mina's have it: `3.0.1-compatible-0a1b2c3-bullseye`; None without one."""
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    found = _TAG_COMMIT.search(tag)
    return found[1] if found else None


def _images(node: NodeOutput, pod: Pod | None, planned: Mapping[str, str]) -> list[Row]:
    """Of every container whose image is known; the daemon's must be the daemon's."""
    if pod is None or pod.deleting:
        return []
    known = set(planned.values())
    rows: list[Row] = []
    for container, program in pod.programs.items():
        wanted = {planned["daemon"]} if "graphql" in node.ports and container == node.container else known
        if program.image and program.image not in wanted:
            usual = next(iter(wanted)) if len(wanted) == 1 else "an image of the plan"
            rows.append(
                {"node": node.name, "found": f"image {program.image}", "detail": f"in {container}", "usual": usual}
            )
    return rows


def _flags(node: NodeOutput, pod: Pod | None, planned: Mapping[str, str]) -> list[Row]:
    """Flags that the guardian and the runbook rely on, with their value as the next word; one dash or two are one."""
    words = pod.programs[node.container].arguments if pod and node.container in pod.programs else ()
    if not words or (pod and pod.deleting):
        return []
    given = {flag.lstrip("-"): value for flag, value in pairwise(words) if flag.startswith("-")}
    return [
        {
            "node": node.name,
            "found": f"-{flag} {value} is missing",
            "detail": f"it has {given.get(flag, 'no such flag')}",
        }
        for flag, value in ((flag.lstrip("-"), value) for flag, value in planned.items())
        if given.get(flag) != value
    ]


def _builds(outputs: OutputsDocument, commits: Mapping[str, str]) -> list[Row]:
    if not commits:
        return []
    told = commit_of(outputs.images.get("daemon", ""))
    counts = Counter(commits.values())
    usual = told or min(counts, key=lambda commit: (-counts[commit], commit))
    return [
        {"node": node, "found": f"build {commit[:12]}", "usual": usual[:12]}
        for node, commit in commits.items()
        if not commit.startswith(usual)
    ]


def _moved(builds: Sequence[Row]) -> tuple[str, ...]:
    if not builds:
        return ()
    nodes = [str(row["node"]) for row in builds]
    return (f"build {builds[0]['usual']} is that of the tag or of most; another is on {some(nodes)}",)


def _well(commits: Mapping[str, str]) -> str:
    commit = next(iter(commits.values()), "")
    return f"{len(commits)} daemons of build {commit[:7]}" if commits else "nothing to compare"


def _action(images: bool, missing: bool) -> str:
    if images:
        return "`mina-infra up` brings the deployed image; a rollout that hangs shows in the check `pods`"
    if missing:
        return "somebody changed the Deployment by hand, or it is of an older plan: `mina-infra up`"
    return "a tag that was moved gives each node what it was when its machine pulled it: name the image by digest"
