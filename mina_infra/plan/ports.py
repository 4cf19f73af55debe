"""Port numbers, as in Mina's charts (docs/facts.md: mina/ports).

Every pod has an address of its own, so no host ports.
"""

from __future__ import annotations

from mina_infra.spec import Role

CLIENT = 8301
GRAPHQL = 3085
LIMITED_GRAPHQL = 3095
METRICS = 10001
SEED_METRICS = 8081
"""Seeds publish 10001 and following for libp2p."""
ARCHIVE = 3086
ARCHIVE_METRICS = 10002
"""Of the archive process; the daemon in the same pod has its own."""
POSTGRES = 5432

_FIRST_EXTERNAL = {
    Role.SEED: 10001,
    Role.SNARK_COORDINATOR: 10401,
    Role.BLOCK_PRODUCER: 10501,
    Role.ARCHIVE: 11010,
}
_FIRST_EXTERNAL_OTHER = 10909

METRICS_PORT, ARCHIVE_METRICS_PORT = "metrics-port", "archive-metrics"
"""Names of the container ports that Prometheus scrapes."""

SHORT_NAMES = {
    "client-port": "client", "graphql-port": "graphql", "limited-graphql": "limited-graphql", METRICS_PORT: "metrics",
    "external-port": "p2p", "archive-port": "archive", "postgres-port": "postgres",
}  # fmt: skip
"""Container port names of the charts and what the outputs document calls them."""


def external(role: Role, index: int) -> int:
    """The libp2p port of a group's node number `index` (from 1): inside, on its Service and in its multiaddress."""
    return _FIRST_EXTERNAL.get(role, _FIRST_EXTERNAL_OTHER) + index - 1


def metrics(role: Role) -> int:
    return SEED_METRICS if role is Role.SEED else METRICS
