"""One run that leaves some volumes as they are, although the document wants them otherwise. Pure.

Volumes that are moved to another type one after the other need a document in between, in which those whose turn has not
come are what they were. It is handed to the program as `HELD`: JSON, node to kind to what a node's `overrides` may say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from mina_infra.spec.models import NodeSettings, TestnetSpec, VolumeOverride
from mina_infra.spec.roles import VolumeKind

HELD = "MINA_INFRA_HELD"
"""The environment variable of one run."""

Held = Mapping[str, Mapping[str, Mapping[str, str]]]
"""By node and kind: fields of a volume's override, as the document writes them."""


def with_held(spec: TestnetSpec, held: Held) -> TestnetSpec:
    """The same testnet with these words about single nodes' volumes put over those of the document."""
    if not held:
        return spec
    groups = []
    for group in spec.nodes:
        overrides = dict(group.overrides)
        for node in group.node_names():
            if node in held:
                overrides[node] = _held(overrides.get(node, NodeSettings()), held[node])
        groups.append(group.model_copy(update={"overrides": overrides}))
    return spec.model_copy(update={"nodes": tuple(groups)})


def _held(settings: NodeSettings, kinds: Mapping[str, Mapping[str, str]]) -> NodeSettings:
    volumes = dict(settings.volumes)
    for name, fields in kinds.items():
        kind = VolumeKind(name)
        said = VolumeOverride.model_validate(dict(fields))
        update = {field: getattr(said, field) for field in said.model_fields_set}
        volumes[kind] = volumes.get(kind, VolumeOverride()).model_copy(update=update)
    return settings.model_copy(update={"volumes": volumes})


def to_variable(held: Held) -> str:
    """The value of the environment variable that means these volumes."""
    return json.dumps(held, sort_keys=True, separators=(",", ":"))


def from_variable(value: str) -> Held:
    """The volumes that a value of the environment variable means; none for an empty one."""
    found: Held = json.loads(value) if value else {}
    return found
