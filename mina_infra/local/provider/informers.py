"""One watch for each kind and namespace, however many operations wait for objects of it.

200 Deployments that wait at the same time cost four watches, and each event wakes only those whom it concerns.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, Protocol

from mina_infra.cluster.api import Kind, Manifest, Watched
from mina_infra.errors import ClusterError

SYNC_SECONDS = 60.0  # the client's watch tries again and again, in silence


class Watching(Protocol):
    """The part of KubeApi that is needed here."""

    def watch(self, kind: Kind, namespace: str | None = None, labels: str | None = None) -> AsyncIterator[Watched]: ...


class Informer:
    """The live objects of one kind in one namespace."""

    def __init__(self) -> None:
        self.objects: dict[str, Manifest] = {}
        self.synced = asyncio.Event()
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    async def run(self, events: AsyncIterator[Watched]) -> None:
        async for event in events:
            self._take(event)

    def _take(self, event: Watched) -> None:
        if event.type == "SYNCED":
            items = {item["metadata"]["name"]: item for item in event.object["items"]}
            changed = [*self.objects.values(), *items.values()]
            self.objects = items
            self.synced.set()
        else:
            name = event.object["metadata"]["name"]
            changed = [event.object]
            if event.type == "DELETED":
                self.objects.pop(name, None)
            else:
                self.objects[name] = event.object
        for item in changed:
            self._wake(item)

    def _wake(self, item: Manifest) -> None:
        for key in (item["metadata"]["name"], *owners(item)):
            for event in self._waiting.get(key, ()):
                event.set()

    def owned_by(self, uid: str) -> list[Manifest]:
        return [item for item in self.objects.values() if uid in owners(item)]

    @contextlib.contextmanager
    def waking(self, keys: Iterable[str], event: asyncio.Event) -> Iterator[None]:
        """While inside, `event` is set by every change of an object with one of these names or owners' uids."""
        wanted = list(keys)
        for key in wanted:
            self._waiting[key].add(event)
        try:
            yield
        finally:
            for key in wanted:
                self._waiting[key].discard(event)
                if not self._waiting[key]:
                    del self._waiting[key]


def owners(item: Manifest) -> list[str]:
    """The uids of the objects that own this one."""
    references: list[dict[str, Any]] = item["metadata"].get("ownerReferences") or []
    return [str(reference.get("uid")) for reference in references]


class Informers:
    """The informers of one cluster, started when first needed, stopped by `close`."""

    def __init__(self, api: Watching) -> None:
        self._api = api
        self._informers: dict[tuple[Kind, str], Informer] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def get(self, kind: Kind, namespace: str = "") -> Informer:
        """The informer, once it has seen all objects that exist now. Raises ClusterError when that takes too long."""
        key = (kind, namespace if kind.namespaced else "")
        if key not in self._informers:
            informer = self._informers[key] = Informer()
            events = self._api.watch(kind, key[1] or None)
            self._tasks.append(asyncio.create_task(informer.run(events)))
        found = self._informers[key]
        try:
            await asyncio.wait_for(found.synced.wait(), SYNC_SECONDS)
        except TimeoutError:
            raise ClusterError(f"the API server did not list {kind.plural} within {SYNC_SECONDS:.0f} s") from None
        return found

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._informers.clear()
        self._tasks.clear()
