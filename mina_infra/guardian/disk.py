"""How full the volumes are: `df` in the daemons' containers, a sample of them, at most once a minute.

The kubelet knows it, too, but asking it needs a right over every machine (nodes/proxy), which the guardian has not got.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mina_infra.cluster.cluster import Cluster
from mina_infra.cluster.exec import ExecResult
from mina_infra.cluster.fanout import gather_bounded
from mina_infra.cluster.objects import Pod
from mina_infra.errors import ClusterError
from mina_infra.guardian.clock import Clock
from mina_infra.guardian.refusals import REFUSED_S, refused
from mina_infra.guardian.survey import newest_pods
from mina_infra.outputs import NodeOutput, OutputsDocument

SAMPLE = 32
"""Volumes of one look: one round of streams. Of more, each look takes others, so that all have their turn."""

FRESH_S = 60.0
CONCURRENCY = 16
ANSWER_SECONDS = 10.0
DIRECTORY = "/root/.mina-config"
_BLOCK = 1024


@dataclass(frozen=True)
class Use:
    """One volume, in bytes. `used` is what files take, `size` what they could."""

    used: int
    size: int

    @property
    def share(self) -> float:
        return self.used / self.size if self.size else 0.0


@dataclass(frozen=True)
class Disks:
    """What was looked at. `of`: how many volumes there are; `forbidden`: commands may not be run in pods."""

    at: float
    used: Mapping[str, Use]
    of: int
    unread: Mapping[str, str] = field(default_factory=dict)
    forbidden: bool = False


async def look(
    cluster: Cluster, outputs: OutputsDocument, pods: Sequence[Pod], clock: Clock, before: Disks | None = None
) -> Disks:
    """Ask a sample of the daemons with a volume of their own; what was asked less than a minute ago stands."""
    now = clock.now()
    current = {name: pod for name, pod in newest_pods(pods).items() if pod.phase == "Running" and not pod.deleting}
    nodes = [node for node in with_volumes(outputs) if node.name in current]
    if before is not None and now - before.at < FRESH_S and not before.unread and before.of == len(nodes):
        return before
    if before is not None and before.forbidden and now - before.at < REFUSED_S:
        return before
    asked = sample(nodes, now)
    replies = await gather_bounded(
        asked,
        lambda node: cluster.exec(
            current[node.name].name, node.container, ["df", "-Pk", DIRECTORY], timeout=ANSWER_SECONDS
        ),
        limit=CONCURRENCY,
        per_item_timeout=ANSWER_SECONDS,
    )
    used: dict[str, Use] = {}
    unread: dict[str, str] = {}
    for node, reply in zip(asked, replies, strict=True):
        found = None if isinstance(reply, ClusterError) else use_of(reply)
        if found is None:
            unread[node.name] = _why(reply)
        else:
            used[node.name] = found
    return Disks(now, used, len(nodes), unread, forbidden=refused(replies))


def with_volumes(outputs: OutputsDocument) -> list[NodeOutput]:
    """Running daemons whose state lies in a claim."""
    owners = {claim.node for claim in outputs.claims if claim.kind == "runtime-state" and not claim.kept}
    return [node for node in outputs.daemons() if node.name in owners]


def sample(nodes: Sequence[NodeOutput], now: float) -> list[NodeOutput]:
    """All, or so many of them, evenly spread over the document, others each minute."""
    if len(nodes) <= SAMPLE:
        return list(nodes)
    turns = -(-len(nodes) // SAMPLE)
    return list(nodes[int(now // FRESH_S) % turns :: turns])


def use_of(result: ExecResult) -> Use | None:
    """The second line of `df -P`; None where the command failed or says something else.

    A file system keeps some blocks for root: what is available counts, not what is free.
    """
    lines = result.stdout.decode("utf-8", "replace").splitlines()
    fields = lines[1].split() if len(lines) > 1 else []
    if result.exit_code or len(fields) < 6 or not all(each.isdecimal() and each.isascii() for each in fields[1:4]):
        return None
    used, available = int(fields[2]) * _BLOCK, int(fields[3]) * _BLOCK
    return Use(used, used + available)


def _why(reply: ExecResult | ClusterError) -> str:
    if isinstance(reply, ClusterError):
        return str(reply)
    text = (reply.stderr or reply.stdout).decode("utf-8", "replace").strip()
    return f"df: exit code {reply.exit_code} {text[:100]}".rstrip()
