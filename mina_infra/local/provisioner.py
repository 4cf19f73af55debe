"""The volume provisioner of the embedded cluster: a directory and a PersistentVolume for each claim of our classes.

The rules are in `volumes` and `sources`; this is the loop around them. Beside it runs the `snapshotter`. All that it
must remember is in the API server and in the names of directories, so it may be killed at any moment and started again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mina_infra.cluster.api import (
    CLAIM,
    NODE,
    PERSISTENT_VOLUME,
    SNAPSHOT_CONTENT,
    STORAGE_CLASS,
    VOLUME_SNAPSHOT,
    ApiStatusError,
    Kind,
    KubeApi,
)
from mina_infra.errors import ClusterError
from mina_infra.local import copies, events, sources
from mina_infra.local import volumes as rules
from mina_infra.local.following import Key, follow
from mina_infra.local.keyed import KeyedQueue
from mina_infra.local.snapshotter import Snapshotter
from mina_infra.local.volumes import Manifest, Refusal

log = logging.getLogger(__name__)

# As the external-provisioner: a claim that was refused is tried again, ever more rarely, because its class may change.
_FIRST_RETRY_SECONDS = 15.0
_LAST_RETRY_SECONDS = 300.0
_WORKERS = 32


@dataclass(frozen=True)
class _Refused:
    """What was said about a claim last, and when it is tried again (seconds of the event loop)."""

    message: str
    delay: float
    due: float


async def run_provisioner(api: KubeApi, volumes: Path, snapshots: Path) -> None:
    """Serve all claims of classes with our provisioner, and their snapshots, until cancelled.

    `volumes` and `snapshots` are the folders that hold their directories.
    """
    await Provisioner(api, volumes, snapshots).run()


class Provisioner:
    """What is known of the cluster, and what is to be done."""

    def __init__(self, api: KubeApi, volumes: Path, snapshots: Path) -> None:
        self.api = api
        self.volumes = volumes
        self.snapshots = snapshots
        self.known: dict[Kind, dict[Key, Manifest]] = {
            kind: {} for kind in (CLAIM, PERSISTENT_VOLUME, STORAGE_CLASS, NODE)
        }
        # An API server that does not answer, or an object that changed under us, is not the end.
        self.claims = KeyedQueue[Key](self._serve_claim, workers=_WORKERS, retry=(ClusterError, OSError))
        self.released = KeyedQueue[Key](self._serve_volume, workers=_WORKERS, retry=(ClusterError, OSError))
        self.refused: dict[Key, _Refused] = {}

    async def run(self) -> None:
        for folder in (self.volumes, self.snapshots):
            folder.mkdir(parents=True, exist_ok=True)
            await asyncio.to_thread(copies.sweep, folder)
        snapshotter = Snapshotter(self.api, self.volumes, self.snapshots, ready=self._snapshot_ready)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(snapshotter.run())
            tasks.create_task(self.claims.run())
            tasks.create_task(self.released.run())
            tasks.create_task(self._follow(STORAGE_CLASS, self._class_changed))
            tasks.create_task(self._follow(NODE, lambda _node: None))
            tasks.create_task(self._follow(PERSISTENT_VOLUME, self._volume_changed))
            tasks.create_task(self._follow(CLAIM, self._claim_changed))

    # What happened

    async def _follow(self, kind: Kind, changed: Callable[[Manifest], None]) -> None:
        await follow(self.api, kind, self.known[kind], changed)

    def _claim_changed(self, claim: Manifest) -> None:
        key = rules.key_of(claim)
        if key not in self.known[CLAIM]:
            self.refused.pop(key, None)
        self.claims.add(key)

    def _volume_changed(self, volume: Manifest) -> None:
        key = rules.key_of(volume)
        self.released.add(key)
        if key not in self.known[PERSISTENT_VOLUME]:  # gone: if its claim still wants one, it gets another
            self._claim_of(volume)

    def _claim_of(self, volume: Manifest) -> None:
        claim = volume["spec"].get("claimRef") or {}
        self.claims.add((claim.get("namespace", ""), claim.get("name", "")))

    def _class_changed(self, storage_class: Manifest) -> None:
        name = storage_class["metadata"]["name"]
        for key, claim in self.known[CLAIM].items():
            if rules.class_name(claim) == name:
                self.claims.add(key)

    def _snapshot_ready(self, snapshot: Manifest) -> None:
        """Claims that wait for it need not wait until they are tried again."""
        namespace, name = rules.key_of(snapshot)
        for key, claim in self.known[CLAIM].items():
            source = claim["spec"].get("dataSource") or {}
            if key[0] == namespace and (source.get("kind"), source.get("name")) == (sources.SNAPSHOT, name):
                self.claims.add(key)

    # What to do about a claim

    async def _serve_claim(self, key: Key) -> None:
        claim = self.known[CLAIM].get(key)
        if claim is None:
            return
        storage_class = self.known[STORAGE_CLASS].get(("", rules.class_name(claim)))
        if storage_class and rules.wants_volume(claim, storage_class):
            await self._provision(claim, storage_class)
        elif claim["spec"].get("volumeName"):
            await self._expand(claim, storage_class)

    async def _provision(self, claim: Manifest, storage_class: Manifest) -> None:
        key = rules.key_of(claim)
        if ("", rules.volume_name(claim)) in self.known[PERSISTENT_VOLUME]:
            return  # it is made and not bound yet; the claim changes twice meanwhile
        try:
            rules.check(claim, storage_class)
            nodes = await self._nodes(claim)
            if nodes is None:
                log.info("claim %s: its node is gone, asking the scheduler for another", "/".join(key))
                forget = {"metadata": {"annotations": {rules.SELECTED_NODE: None}}}
                await self.api.patch(CLAIM, key[1], forget, key[0])
                return
            content = await self._content(claim, storage_class, nodes)
        except Refusal as refusal:
            await self._refuse(claim, events.failure_message(rules.class_name(claim), refusal))
            return
        volume = rules.persistent_volume(claim, storage_class, nodes, self.volumes)
        await asyncio.to_thread(_make_directory, Path(volume["spec"]["hostPath"]["path"]), content)
        await self._create(volume)
        self.refused.pop(key, None)

    async def _content(self, claim: Manifest, storage_class: Manifest, nodes: list[Manifest]) -> sources.Content | None:
        """What the new volume starts with. Raises Refusal for what is not there (yet), or does not fit."""
        source = sources.data_source(claim)
        if source is None:
            return None
        namespace = claim["metadata"]["namespace"]
        if source.kind == sources.SNAPSHOT:
            snapshot = await self.api.get(VOLUME_SNAPSHOT, source.name, namespace)
            bound = ((snapshot or {}).get("status") or {}).get("boundVolumeSnapshotContentName")
            held = await self.api.get(SNAPSHOT_CONTENT, bound) if bound else None
            content = sources.of_snapshot(source, snapshot, held, self.snapshots)
        else:
            origin = self.known[CLAIM].get((namespace, source.name))
            volume = self.known[PERSISTENT_VOLUME].get(("", str(origin["spec"].get("volumeName")))) if origin else None
            content = sources.of_claim(source, origin, volume, self._directory(volume) if volume else None)
        zone = rules.zone_of(claim, storage_class, nodes)
        sources.check(claim, source, content, rules.disk_type(storage_class), zone)
        return content

    async def _nodes(self, claim: Manifest) -> list[Manifest] | None:
        """All nodes; None when the one that was selected for the claim is not among them."""
        selected = rules.annotation(claim, rules.SELECTED_NODE)
        nodes = self.known[NODE]
        if not nodes:
            nodes.update((rules.key_of(node), node) for node in await self.api.objects(NODE))
        if selected and ("", selected) not in nodes:
            node = await self.api.get(NODE, selected)  # the watch may be behind
            if node is None:
                return None
            nodes[("", selected)] = node
        return list(nodes.values())

    async def _create(self, volume: Manifest) -> None:
        """Create it; one that an earlier life of ours made for the same claim is taken as it is."""
        try:
            await self.api.create(volume)
            log.info("created %s for %s", volume["metadata"]["name"], volume["spec"]["claimRef"]["name"])
        except ApiStatusError as error:
            if error.code != 409:
                raise

    async def _refuse(self, claim: Manifest, message: str) -> None:
        """Say it as an event, count it up each time it is tried again, and come back ever later."""
        key = rules.key_of(claim)
        now = asyncio.get_running_loop().time()
        earlier = self.refused.get(key)
        if earlier and earlier.message == message:
            if now < earlier.due:  # only an echo of some other change of the claim
                return
            delay = min(earlier.delay * 2, _LAST_RETRY_SECONDS)
        else:
            delay = _FIRST_RETRY_SECONDS
            log.warning("claim %s: %s", "/".join(key), message)
        await events.tell(self.api, events.failure_event(claim, message, events.now()))
        self.refused[key] = _Refused(message, delay, now + delay)
        self.claims.add(key, after=delay)

    async def _expand(self, claim: Manifest, storage_class: Manifest | None) -> None:
        volume = self.known[PERSISTENT_VOLUME].get(("", claim["spec"]["volumeName"]))
        size = rules.grows_to(claim, volume, storage_class) if volume else None
        if volume is None or size is None:
            return
        capacity = {"capacity": {"storage": f"{size}Gi"}}
        if size > rules.capacity_gib(volume):
            await self.api.patch(PERSISTENT_VOLUME, volume["metadata"]["name"], {"spec": capacity})
        namespace, name = rules.key_of(claim)
        await self.api.patch(CLAIM, name, {"status": capacity}, namespace, subresource="status")
        log.info("claim %s/%s grown to %d GiB", namespace, name, size)

    # What to do about a volume

    async def _serve_volume(self, key: Key) -> None:
        volume = self.known[PERSISTENT_VOLUME].get(key)
        if volume is None:
            return
        if rules.must_vanish(volume):
            await asyncio.to_thread(copies.remove, self._directory(volume))
            await self._release(key[1])
            if await self.api.delete(PERSISTENT_VOLUME, key[1]):
                log.info("deleted %s", key[1])
        elif rules.may_leave(volume):
            await self._release(key[1])
        else:  # its claim may have waited for it to be seen here before it can grow
            self._claim_of(volume)

    async def _release(self, name: str) -> None:
        """Take our finalizer away; only from the object as it is now, so that nobody else's is lost or put back."""
        volume = await self.api.get(PERSISTENT_VOLUME, name)
        finalizers = (volume or {}).get("metadata", {}).get("finalizers") or []
        if volume and rules.FINALIZER in finalizers:
            others = [finalizer for finalizer in finalizers if finalizer != rules.FINALIZER]
            version = volume["metadata"]["resourceVersion"]
            patch = {"metadata": {"finalizers": others, "resourceVersion": version}}
            await self.api.patch(PERSISTENT_VOLUME, name, patch)

    def _directory(self, volume: Manifest) -> Path:
        """Where our volume's data is; by its name, so that no edited path ever leads out of the folder."""
        return self.volumes / str(volume["metadata"]["name"])


def _make_directory(path: Path, content: sources.Content | None) -> None:
    """An empty directory or a copy; whole or not there at all."""
    if path.exists():
        return
    if content is None:
        path.mkdir()
    else:
        copies.copy(content.directory, path)
