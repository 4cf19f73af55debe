"""Documents to break: one valid document with everything, and a folder with a stack file."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mina_infra.spec import Issue, SpecError, TestnetSpec, load_stack_spec

PEERS = [f"12D3KooW{letter * 44}" for letter in "ABCDEF"]
RUNTIME_CONFIG = {"genesis": {"genesis_state_timestamp": "2026-01-01T00:00:00Z"}, "proof": {}}
DOCUMENT: dict[str, Any] = {
    "name": "alpha",
    "era": 2,
    "keptEras": [1],
    "target": {"provider": "local", "region": "local", "zones": ["local-a", "local-b"]},
    "image": "registry.example/mina-daemon:3.0.1",
    "images": {"archive": "archive:1", "userAgent": "agent:1", "bots": "bots:1"},
    "retention": "delete",
    "ttl": "72h",
    "automated": True,
    "owner": "me",
    "paused": True,
    "genesis": {"runtimeConfig": "daemon.json", "ledger": {"image": f"ledger@sha256:{'0' * 64}"}},
    "snapshots": {"every": "24h", "keep": 3, "kinds": ["runtime-state"]},
    "volumes": {"runtime-state": {"type": "ssd", "size": "4Gi"}},
    "roles": {"archive": {"volumes": {"postgres-state": {"retention": "retain"}}}},
    "nodes": [
        {
            "role": "seed",
            "count": 2,
            "identities": [{"peerId": PEERS[0], "address": "203.0.113.7"}, {"peerId": PEERS[1]}],
        },
        {"role": "block-producer", "group": "whale", "count": 2, "stake": 30, "bots": ["user-agent", "faucet"],
         "keys": {"secret": "whale-keys"}},
        {"role": "snark-coordinator"},
        {"role": "snark-worker", "count": 2, "resources": {"cpu": 2, "memory": "8Gi"}},
        {
            "role": "archive",
            "volumes": {"postgres-state": {"size": "16Gi"}},
            "jobs": {"setup": {"retries": 1}, "verify": {"script": "test -e /volumes/runtime-state"}},
            "overrides": {"archive-1": {"volumes": {"runtime-state": {"storageClass": "premium"}}, "paused": True}},
            "paused": False,
        },
    ],
    "thresholds": {"forkDepth": 5},
    "timeouts": {"claims": "10m", "jobs": "15m"},
    "postDeploy": ["verify", "publish"],
}  # fmt: skip


@pytest.fixture
def document() -> dict[str, Any]:
    return copy.deepcopy(DOCUMENT)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder with the runtime config that DOCUMENT names."""
    (tmp_path / "daemon.json").write_text(json.dumps(RUNTIME_CONFIG))
    return tmp_path


def refusal(read: Callable[[], TestnetSpec]) -> SpecError | None:
    """The error that reading raises, which must show an issue; None when the document is read."""
    try:
        assert isinstance(read(), TestnetSpec)
    except SpecError as error:
        found = error
    else:
        return None
    assert found.issues, "an error without an issue"
    assert all(issue.message for issue in found.issues)
    str(found).encode()  # can be printed anywhere
    return found


IssuesOf = Callable[[Any], list[Issue]]


@pytest.fixture
def issues_of(base: Path) -> IssuesOf:
    """The issues of a document, read from a stack file; a string is the file's own text."""

    def load(document: Any) -> list[Issue]:
        stack = base / "Pulumi.alpha.yaml"
        if isinstance(document, str):
            stack.write_text(document)
        else:
            stack.write_text(yaml.safe_dump({"config": {"mina-infra:testnet": document}}, sort_keys=False))
        error = refusal(lambda: load_stack_spec(stack))
        return list(error.issues) if error else []

    return load
