"""What is known of the objects of one kind, as the API server tells it."""

from __future__ import annotations

from collections.abc import Callable

from mina_infra.cluster.api import Kind, KubeApi
from mina_infra.local.volumes import Manifest, key_of

Key = tuple[str, str]
"""Namespace (empty for what has none) and name."""


async def follow(api: KubeApi, kind: Kind, known: dict[Key, Manifest], changed: Callable[[Manifest], None]) -> None:
    """Keep `known` as the cluster is, until cancelled. `changed` is told of each object, also of one that is gone."""
    async for event in api.watch(kind):
        if event.type == "SYNCED":
            known.clear()
            known.update((key_of(item), item) for item in event.object["items"])
            items = list(known.values())
        else:
            items = [event.object]
            if event.type == "DELETED":
                known.pop(key_of(event.object), None)
            else:
                known[key_of(event.object)] = event.object
        for item in items:
            changed(item)
