"""How a daemon of a given release is addressed: names and flags that changed over the years, as a table.

A daemon stops at a flag that it does not know, so a flag is only given to releases that have it. Dates are from the
daemon's history; which release first carried a change is inferred from them (docs/facts.md: mina/flag-history).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mina_infra.spec import TestnetSpec
from mina_infra.spec.models import tag_version

Release = tuple[int, int, int]


@dataclass(frozen=True)
class Dialect:
    """What a span of releases calls things.

    `env` is the prefix of its environment variables. `log_received_blocks`: the flag that the guardian's runbook asks
    for still exists; later releases log received blocks without it.
    """

    binary: str
    env: str
    config_directory: str
    libp2p_flag: str
    generate_libp2p: tuple[str, ...]
    log_received_blocks: bool
    limited_graphql: bool
    file_log_level: bool


_CODA = Dialect(
    "coda", "CODA", "/root/.coda-config", "-discovery-keypair", ("advanced", "generate-libp2p-keypair"),
    log_received_blocks=True, limited_graphql=False, file_log_level=False,
)  # fmt: skip
_EARLY = Dialect(
    "mina", "MINA", "/root/.mina-config", "-discovery-keypair", ("advanced", "generate-libp2p-keypair"),
    log_received_blocks=False, limited_graphql=True, file_log_level=True,
)  # fmt: skip
_TODAY = Dialect(
    "mina", "MINA", "/root/.mina-config", "-libp2p-keypair", ("libp2p", "generate-keypair"),
    log_received_blocks=False, limited_graphql=True, file_log_level=True,
)  # fmt: skip

DIALECTS: tuple[tuple[Release, Dialect], ...] = (
    ((0, 0, 0), _CODA),  # until the rename and the end of -log-received-blocks, 2020-12
    ((0, 2, 0), _EARLY),
    ((1, 4, 0), _TODAY),  # -libp2p-keypair replaced -discovery-keypair without an alias in 2022-09
)
"""(first release, its dialect), ascending."""


def release(spec: TestnetSpec) -> Release:
    """The daemon's release: what the spec says, else what the image's tag begins with. The spec's rules want one."""
    text = spec.daemon_version or tag_version(spec.image) or "9999.0.0"
    match = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    assert match, text
    return int(match[1]), int(match[2]), int(match[3] or 0)


def dialect(of: Release) -> Dialect:
    return next(dialect for first, dialect in reversed(DIALECTS) if first <= of)


def gossip_logging(dialect: Dialect) -> list[str]:
    """The gossip logs that the runbook's deploy step asks for, as far as the release has flags for them."""
    flags = ["-log-snark-work-gossip", "true", "-log-txn-pool-gossip", "true"]
    return [*flags, "-log-received-blocks", "true"] if dialect.log_received_blocks else flags
