"""Which requests an API server got, from its own audit log: by whom, by verb, in which stretch of time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest import mock

import yaml

from mina_infra.local import kwokctl

OURS = ("mina-infra/",)
NOT_OURS = ("(world)",)
"""The simulated network asks as kubelets and disks would: it is part of the cluster, not of the deployment."""

_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],  # one event for each request, a watch when it ends
    "rules": [{"level": "Metadata"}],
}


@dataclass(frozen=True)
class Request:
    """One request: when it came (seconds since 1970), its verb, and the program that sent it."""

    at: float
    verb: str
    agent: str

    @property
    def ours(self) -> bool:
        return self.agent.startswith(OURS) and not self.agent.endswith(NOT_OURS)

    @property
    def kubectl(self) -> bool:
        return self.agent.startswith("kubectl/")


@contextmanager
def audited(folder: Path) -> Iterator[None]:
    """Clusters that are started meanwhile write an audit log, which ordinary ones do not."""
    policy = folder / "audit-policy.yaml"
    policy.write_text(yaml.safe_dump(_POLICY))
    plain = kwokctl.configuration

    def with_policy(ports: Any) -> dict[str, Any]:
        made = plain(ports)
        made["options"]["kubeAuditPolicy"] = str(policy)
        return made

    with mock.patch.object(kwokctl, "configuration", with_policy):
        yield


def read(logs: Path) -> list[Request]:
    """All requests in the audit logs of a folder."""
    lines = (line for file in sorted(logs.glob("audit*")) for line in file.read_text().splitlines())
    return [parse(line) for line in lines]


def parse(line: str) -> Request:
    """One event of an audit log."""
    event = json.loads(line)
    at = datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp()
    return Request(at, event["verb"], event.get("userAgent", ""))
