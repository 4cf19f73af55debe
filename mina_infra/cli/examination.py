"""What `doctor` looks at before anybody relies on a verdict: credentials, rights, clock, and the roads to a daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import yaml

from mina_infra.cluster.api import KubeApi
from mina_infra.cluster.cluster import KubeCluster
from mina_infra.cluster.objects import Pod
from mina_infra.cluster.rights import BadCredentialsError, may, who
from mina_infra.cluster.roads import Door, Road
from mina_infra.daemon.replies import GraphQLError, decode_status, query
from mina_infra.errors import ClusterError
from mina_infra.guardian.clock import Clock
from mina_infra.guardian.survey import newest_pods
from mina_infra.outputs import OutputsDocument
from mina_infra.plan.rights import PROXY, Duty, Right, rights

ROAD_SECONDS = 6.0
CLOCK_SLOTS = 0.25
"""A clock that is off by a quarter of a slot shifts every figure that is counted in slots."""
CLOCK_LEAST_S = 2.0
"""The server's Date has whole seconds, and the answer was on its way."""


class Mark(StrEnum):
    """What one look came to. A note is not as it could be, and keeps nothing from working."""

    GOOD = "good"
    NOTE = "note"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Line:
    """One thing that was looked at; `mend` says what would help, several lines perhaps."""

    about: str
    mark: Mark
    text: str
    mend: str = ""


def exit_code(lines: Sequence[Line]) -> int:
    """0: a verdict can be had. 1: not before something is mended. 2: could not tell."""
    marks = {line.mark for line in lines}
    return 1 if Mark.BAD in marks else 2 if Mark.UNKNOWN in marks else 0


async def examine(
    api: KubeApi, outputs: OutputsDocument, clock: Clock, roads: Sequence[Road], duties: Sequence[Duty] = ()
) -> list[Line]:
    """Everything, the first thing that is needed first. `duties`: what the account must be able to do besides looking.

    Never raises ClusterError.
    """
    try:
        name = await who(api)
    except BadCredentialsError as error:
        return [Line("credentials", Mark.BAD, f"{api.config.cluster.server} does not know us: {error}", _LOG_IN)]
    except ClusterError as error:
        return [Line("credentials", Mark.UNKNOWN, str(error))]
    lines = [Line("credentials", Mark.GOOD, f"{api.config.cluster.server} knows us as {name}")]
    cluster = KubeCluster(api, outputs.namespace)
    lines += await _rights(api, outputs.namespace, duties)
    lines.append(await _clock(cluster, outputs, clock))
    lines += await _roads(api, outputs, roads)
    return lines


_LOG_IN = "log in again, or take another context of the kubeconfig (`mina-infra:cluster: {context: NAME}`)"


async def _rights(api: KubeApi, namespace: str, demanded: Sequence[Duty]) -> list[Line]:
    lines = []
    for duty in Duty:
        needed = duty is Duty.OBSERVER or duty in demanded
        if duty is Duty.CHAOS and not needed:
            continue  # bound only while chaos runs, so that nobody has it is as it should be
        lines.append(await _duty(api, duty.place(namespace), duty, rights(duty, namespace), needed))
    lines.append(await _duty(api, namespace, "road proxy", (PROXY,), False))
    return lines


async def _duty(api: KubeApi, namespace: str, about: str, needs: Sequence[Right], needed: bool) -> Line:
    about = f"rights: {about}"
    verbs = [(right, verb) for right in needs for verb in right.verbs]
    try:
        granted = await asyncio.gather(
            *(may(api, namespace, verb, right.resource, right.group, right.only) for right, verb in verbs)
        )
    except ClusterError as error:
        return Line(about, Mark.UNKNOWN, str(error))
    refused = [each for each, allowed in zip(verbs, granted, strict=True) if not allowed]
    if not refused:
        return Line(about, Mark.GOOD, f"all {len(verbs)} verbs are allowed")
    lacking = {right: [verb for other, verb in refused if other is right] for right, _ in refused}
    words = "; ".join(f"{' '.join(verbs)} {right.resource} ({right.why})" for right, verbs in lacking.items())
    rules = [{**right.rule(), "verbs": verbs} for right, verbs in lacking.items()]
    mend = yaml.safe_dump({"rules": rules}, sort_keys=False, default_flow_style=None)
    return Line(about, Mark.BAD if needed else Mark.NOTE, f"not allowed: {words}", mend if needed else "")


async def _clock(cluster: KubeCluster, outputs: OutputsDocument, clock: Clock) -> Line:
    try:
        there = (await cluster.server_time()).timestamp()
    except ClusterError as error:
        return Line("clock", Mark.UNKNOWN, str(error))
    off = clock.now() - there
    limit = max(CLOCK_SLOTS * outputs.chain.slot_ms / 1000, CLOCK_LEAST_S)
    # The Date is cut to whole seconds: half of one is the best guess.
    off -= 0.5
    text = f"ours is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} the server's, {limit:g} s are allowed"
    if abs(off) > limit:
        return Line("clock", Mark.BAD, text, "set this machine's clock by NTP; slots are counted with it")
    return Line("clock", Mark.GOOD, text)


async def _roads(api: KubeApi, outputs: OutputsDocument, roads: Sequence[Road]) -> list[Line]:
    try:
        pods = newest_pods(await KubeCluster(api, outputs.namespace).pods())
    except ClusterError as error:
        return [Line("roads", Mark.UNKNOWN, str(error))]
    there = [(node, pods[node.name]) for node in outputs.daemons() if node.name in pods]
    there = [(node, pod) for node, pod in there if pod.phase == "Running" and not pod.deleting]
    if not there:
        return [Line("roads", Mark.UNKNOWN, "no daemon runs that could be asked")]
    node, pod = min(there, key=lambda each: not each[1].ready)
    door = Door(pod.name, node.ports["graphql"], node.ports.get("limited-graphql"))
    found = await asyncio.gather(*(_road(api, outputs.namespace, road, door, pod) for road in roads))
    working = [road for road, (good, _) in zip(roads, found, strict=True) if good]
    lines = [
        Line(f"road: {road}", Mark.GOOD if good else Mark.NOTE, f"{node.name}: {words}")
        for road, (good, words) in zip(roads, found, strict=True)
    ]
    if working:
        return [*lines, Line("roads", Mark.GOOD, f"{working[0]} will be taken")]
    return [*lines, Line("roads", Mark.BAD, f"none leads to {node.name}", "`mina-infra rbac` prints the roles")]


async def _road(api: KubeApi, namespace: str, road: Road, door: Door, pod: Pod) -> tuple[bool, str]:
    """Whether a daemon's own answer comes that way, and the words for it."""
    if not door.open_to(road):
        return False, "the daemon has no limited port"
    cluster = KubeCluster(api, namespace, (road,))
    try:
        async with asyncio.timeout(ROAD_SECONDS):
            reply = await cluster.graphql(pod.name, query("status"), port=door.full, limited=door.limited)
        status = decode_status(reply)
        return True, f"answers, {status.sync_status}, build {status.commit_id[:8]}"
    except TimeoutError:
        return False, f"no answer within {ROAD_SECONDS:g} s"
    except (ClusterError, GraphQLError) as error:
        return False, str(error)
