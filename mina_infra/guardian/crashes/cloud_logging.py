"""Crashes in Google's Cloud Logging: the only memory of pods that are gone. An optional extra.

One query for all pods. What it costs: reading is free, each project has a quota of list calls a minute; the client
takes a second to import and 46 MB of disk, so it is only loaded here (docs/facts.md: guardian/cloud-logging).
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from mina_infra.daemon.logs import Record, parse_line
from mina_infra.errors import ClusterError, ToolError
from mina_infra.guardian.crashes.model import Cause, Crash
from mina_infra.guardian.crashes.records import crash_words

# Names of the daemon's container over the years and roles; one more than there are costs nothing.
CONTAINERS = ("mina", "coda", "seed", "coordinator")
PAGE = 1000
MOST = 10_000
"""Entries of one query: ten list calls."""
QUERY_CHARACTERS = 20_000
"""Longer queries are refused."""

_ONE_END_S = 60.0
"""Lines of one pod that are no further apart are of one crash."""


class Entry(Protocol):
    """What is read of a log entry (google.cloud.logging.StructEntry, TextEntry)."""

    payload: Any
    timestamp: datetime | None
    labels: Mapping[str, str] | None
    resource: Any


class Client(Protocol):
    """The part of google.cloud.logging.Client that is used."""

    def list_entries(
        self, *, filter_: str, order_by: str, page_size: int, max_results: int
    ) -> Iterable[Entry]: ...  # fmt: skip


def filter_text(cluster: str, namespace: str, since: datetime, containers: Sequence[str] = CONTAINERS) -> str:
    """The query, with its time in UTC: Mina's own script writes local time and calls it Z.

    The level stands in `jsonPayload.level`; `severity` is INFO for all that goes to standard output. Raises
    ClusterError for a query that is too long to be taken.
    """
    names = " OR ".join(f'"{name}"' for name in containers)
    moment = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = (
        f'resource.type="k8s_container" AND resource.labels.cluster_name="{cluster}"'
        f' AND resource.labels.namespace_name="{namespace}"\n'
        f"AND resource.labels.container_name=({names})\n"
        f'AND timestamp>="{moment}"\n'
        f'AND (jsonPayload.level="Fatal" OR jsonPayload.message:"Unhandled top-level exception")'
    )
    if len(text) > QUERY_CHARACTERS:
        raise ClusterError(f"the query has {len(text)} characters, Cloud Logging takes {QUERY_CHARACTERS}")
    return text


def connect(project: str) -> Client:
    """A client with the credentials of this machine. Raises ToolError where the extra is missing."""
    try:
        module = importlib.import_module("google.cloud.logging")
    except ImportError as error:
        raise ToolError(
            "Cloud Logging needs the package google-cloud-logging, which is not installed here. Install the extra: "
            "pip install 'mina-infra[gcp]'. Without it, crashes are read from the pods that still exist."
        ) from error
    try:
        client: Client = module.Client(project=project)
    except Exception as error:  # whatever google.auth raises: its types are only known where it is installed
        raise ClusterError(
            f"no credentials for Cloud Logging ({error}). Try: gcloud auth application-default login"
        ) from error
    return client


@dataclass(frozen=True)
class Query:
    """Where to look: `cluster` is the GKE cluster's name, which one project may have many of."""

    client: Client
    cluster: str
    namespace: str
    since: datetime


async def look(query: Query) -> tuple[Crash, ...]:
    """The crashes that the logs of the namespace tell of, pods that are gone included. Raises ClusterError."""
    text = filter_text(query.cluster, query.namespace, query.since)
    try:
        entries = await asyncio.to_thread(_read, query.client, text)
    except Exception as error:  # quota, permission, network: google.api_core's types are not known here
        raise ClusterError(f"Cloud Logging does not answer: {type(error).__name__} {error}".rstrip()) from error
    return tuple(crash for end in _ends(entries) if (crash := _crash(end)))


def merged(crashes: Iterable[Crash], history: Iterable[Crash]) -> tuple[Crash, ...]:
    """Both, without what the pods told already: same node, same bug, two minutes apart at most."""
    first = tuple(crashes)
    seen = [(crash.node, crash.fingerprint, crash.at) for crash in first]
    more = [
        crash
        for crash in history
        if not any(
            node == crash.node and print_ == crash.fingerprint and abs((at or 0) - (crash.at or 0)) <= 2 * _ONE_END_S
            for node, print_, at in seen
        )
    ]
    return (*first, *more)


def _read(client: Client, text: str) -> list[Entry]:
    return list(client.list_entries(filter_=text, order_by="timestamp desc", page_size=PAGE, max_results=MOST))


def _ends(entries: Iterable[Entry]) -> list[list[Entry]]:
    """Entries that belong to one end of one pod, the oldest first."""
    ordered = sorted((each for each in entries if each.timestamp), key=lambda each: (_pod(each), each.timestamp))
    ends: list[list[Entry]] = []
    for entry in ordered:
        last = ends[-1][-1] if ends else None
        if last is not None and _pod(last) == _pod(entry) and _at(entry) - _at(last) <= _ONE_END_S:
            ends[-1].append(entry)
        else:
            ends.append([entry])
    return ends


def _crash(end: Sequence[Entry]) -> Crash | None:
    """None for a shutdown."""
    words = crash_words([_record(entry) for entry in end])
    if words.signature is None:
        return None
    labels = end[-1].resource.labels
    return Crash(
        node=_node(end[-1]),
        pod=_pod(end[-1]),
        container=str(labels.get("container_name", "")),
        cause=Cause.CRASH,
        at=_at(end[-1]),
        signature=words.signature,
        sample=words.sample,
        commit=words.commit,
        source="Cloud Logging",
    )


def _record(entry: Entry) -> Record:
    payload = entry.payload
    return Record(parse_line(payload if isinstance(payload, str) else json.dumps(payload, default=str)))


def _at(entry: Entry) -> float:
    return entry.timestamp.timestamp() if entry.timestamp else 0.0


def _pod(entry: Entry) -> str:
    return str(entry.resource.labels.get("pod_name", ""))


def _node(entry: Entry) -> str:
    """The label `app` of the pod, which Cloud Logging carries under a name of its own."""
    return str((entry.labels or {}).get("k8s-pod/app") or _pod(entry))
