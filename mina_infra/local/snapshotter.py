"""The snapshot controller and driver of the embedded cluster: a copy of a volume's directory for each VolumeSnapshot.

The rules are in `snapshots`; this is the loop around them. As the provisioner it keeps nothing in memory that matters:
a snapshot is a directory that appears whole, under the name that its content's uid decides.

    <handle>/data/           what the volume held at that moment
    <handle>/snapshot.json   {"gib": 2, "taken": "2026-01-01T00:00:00Z"}
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from mina_infra.cluster.api import (
    CLAIM,
    PERSISTENT_VOLUME,
    SNAPSHOT_CLASS,
    SNAPSHOT_CONTENT,
    VOLUME_SNAPSHOT,
    ApiStatusError,
    Kind,
    KubeApi,
)
from mina_infra.errors import ClusterError
from mina_infra.local import copies, events
from mina_infra.local import snapshots as rules
from mina_infra.local import volumes as volume_rules
from mina_infra.local.following import Key, follow
from mina_infra.local.keyed import KeyedQueue
from mina_infra.local.volumes import Manifest, Refusal

log = logging.getLogger(__name__)

_WORKERS = 16
# The real controller's back-off; what waits for a claim to be bound is looked at often.
_FIRST_RETRY_SECONDS = 1.0
_LAST_RETRY_SECONDS = 30.0


class Snapshotter:
    """Takes, binds and deletes. `ready` is told of each snapshot that can be restored."""

    def __init__(self, api: KubeApi, volumes: Path, folder: Path, ready: Callable[[Manifest], None]) -> None:
        self.api = api
        self.volumes = volumes
        self.folder = folder
        self.ready = ready
        self.snapshots: dict[Key, Manifest] = {}
        self.contents: dict[Key, Manifest] = {}
        retry = (ClusterError, OSError)
        self.snapshot_queue = KeyedQueue[Key](self._serve_snapshot, workers=_WORKERS, retry=retry)
        self.content_queue = KeyedQueue[Key](self._serve_content, workers=_WORKERS, retry=retry)
        self.delays: dict[Key, float] = {}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.snapshot_queue.run())
            tasks.create_task(self.content_queue.run())
            tasks.create_task(follow(self.api, VOLUME_SNAPSHOT, self.snapshots, self._snapshot_changed))
            tasks.create_task(follow(self.api, SNAPSHOT_CONTENT, self.contents, self._content_changed))

    def _snapshot_changed(self, snapshot: Manifest) -> None:
        self.snapshot_queue.add(volume_rules.key_of(snapshot))
        if (snapshot.get("status") or {}).get("readyToUse"):
            self.ready(snapshot)

    def _content_changed(self, content: Manifest) -> None:
        self.content_queue.add(volume_rules.key_of(content))
        reference = content["spec"].get("volumeSnapshotRef") or {}
        self.snapshot_queue.add((reference.get("namespace", ""), reference.get("name", "")))

    # A snapshot: which content is it bound to?

    async def _serve_snapshot(self, key: Key) -> None:
        snapshot = self.snapshots.get(key)
        if snapshot is None:
            self.delays.pop(key, None)
            return
        if snapshot["metadata"].get("deletionTimestamp"):
            await self._end_snapshot(key, snapshot)
            return
        try:
            bound = await self._bind(snapshot)
        except Refusal as refusal:
            await self._refuse(key, snapshot, str(refusal))
            return
        if bound is not None:
            self.delays.pop(key, None)
            await self._tell_status(VOLUME_SNAPSHOT, snapshot, rules.snapshot_status(bound))

    async def _bind(self, snapshot: Manifest) -> Manifest | None:
        """The snapshot's content, made where there is none; None for a snapshot of another driver. Raises Refusal."""
        source = snapshot["spec"]["source"]
        given = source.get("volumeSnapshotContentName")
        if given:
            return await self._bind_given(snapshot, str(given))
        found = self.contents.get(("", rules.content_name(snapshot)))
        if found:
            return found
        if (snapshot.get("status") or {}).get("boundVolumeSnapshotContentName"):
            # Never take it again: it would be of another moment under the old name.
            if await self.api.get(SNAPSHOT_CONTENT, rules.content_name(snapshot)) is None:
                raise Refusal("VolumeSnapshotContent is missing")
            return None  # the watch is behind
        return await self._take(snapshot, str(source["persistentVolumeClaimName"]))

    async def _take(self, snapshot: Manifest, claim_name: str) -> Manifest | None:
        class_ = rules.class_of(snapshot, await self.api.objects(SNAPSHOT_CLASS))
        if class_["driver"] != volume_rules.PROVISIONER:
            return None
        claim = await self.api.get(CLAIM, claim_name, snapshot["metadata"]["namespace"])
        bound = str((claim or {"spec": {}})["spec"].get("volumeName") or "")
        volume = await self.api.get(PERSISTENT_VOLUME, bound) if bound else None
        rules.check_claim(claim_name, claim, volume, class_)
        assert volume is not None, "check_claim raises"
        await self._protect(snapshot)
        return await self._create(rules.content(snapshot, volume, class_))

    async def _bind_given(self, snapshot: Manifest, name: str) -> Manifest | None:
        found = await self.api.get(SNAPSHOT_CONTENT, name)
        if found is not None and not rules.is_ours(found):
            return None
        rules.check_given(snapshot, name, found)
        assert found is not None, "check_given raises"
        await self._protect(snapshot)
        if not found["spec"]["volumeSnapshotRef"].get("uid"):
            spec = {"volumeSnapshotRef": rules.reference(snapshot)}
            found = await self.api.patch(SNAPSHOT_CONTENT, name, {"spec": spec})
        return found

    async def _protect(self, snapshot: Manifest) -> None:
        """Keep it until its content is dealt with."""
        wanted = [rules.BOUND_FINALIZER, rules.SOURCE_FINALIZER]
        have = snapshot["metadata"].get("finalizers") or []
        if missing := [each for each in wanted if each not in have]:
            await self._finalizers(VOLUME_SNAPSHOT, snapshot, [*have, *missing])

    async def _end_snapshot(self, key: Key, snapshot: Manifest) -> None:
        """As its content's policy says: that goes first, or stays without it. Claims being made from it are waited for.

        Raises ApiStatusError (409) when it changed meanwhile; then it is looked at again.
        """
        if await self._is_being_restored(snapshot):
            self.snapshot_queue.add(key, after=_FIRST_RETRY_SECONDS)
            return
        source = snapshot["spec"]["source"]
        name = source.get("volumeSnapshotContentName") or rules.content_name(snapshot)
        found = await self.api.get(SNAPSHOT_CONTENT, name)
        is_its = found and found["spec"]["volumeSnapshotRef"].get("uid") == snapshot["metadata"]["uid"]
        if found and is_its and found["spec"]["deletionPolicy"] == "Delete":
            await self.api.delete(SNAPSHOT_CONTENT, name)
            return  # we come back when it is gone
        have = snapshot["metadata"].get("finalizers") or []
        mine = (rules.BOUND_FINALIZER, rules.SOURCE_FINALIZER)
        if any(each in mine for each in have):
            await self._finalizers(VOLUME_SNAPSHOT, snapshot, [each for each in have if each not in mine])

    async def _is_being_restored(self, snapshot: Manifest) -> bool:
        namespace, name = volume_rules.key_of(snapshot)
        if not (snapshot.get("status") or {}).get("readyToUse"):
            return False
        for claim in await self.api.objects(CLAIM, namespace):
            source = claim["spec"].get("dataSource") or {}
            pending = (claim.get("status") or {}).get("phase") == "Pending"
            if pending and (source.get("kind"), source.get("name")) == (VOLUME_SNAPSHOT.kind, name):
                return True
        return False

    async def _refuse(self, key: Key, snapshot: Manifest, why: str) -> None:
        """Say it in the status and as an event, and come back ever later."""
        message = (
            why
            if snapshot["spec"]["source"].get("volumeSnapshotContentName")
            else "Failed to create snapshot content with error "
            f'failed to get input parameters to create snapshot {key[1]}: "{why}"'
        )
        if await self._tell_status(VOLUME_SNAPSHOT, snapshot, rules.error_status(message, events.now())):
            log.warning("snapshot %s: %s", "/".join(key), message)
            reason = "SnapshotContentCreationFailed"
            await events.tell(self.api, events.failure_event(snapshot, message, events.now(), reason))
        delay = self.delays.get(key, _FIRST_RETRY_SECONDS)
        self.delays[key] = min(delay * 2, _LAST_RETRY_SECONDS)
        self.snapshot_queue.add(key, after=delay)

    # A content: is its data there?

    async def _serve_content(self, key: Key) -> None:
        content = self.contents.get(key)
        if content is None or not rules.is_ours(content):
            return
        if content["metadata"].get("deletionTimestamp"):
            await self._end_content(content)
        elif not (content.get("status") or {}).get("readyToUse"):
            await self._fill(key, content)

    async def _fill(self, key: Key, content: Manifest) -> None:
        handle = rules.handle_of(content)
        place = self._place(handle)
        stored = await asyncio.to_thread(_read, place) if place else None
        volume_name = content["spec"]["source"].get("volumeHandle")
        if stored is None and place and volume_name:
            volume = await self.api.get(PERSISTENT_VOLUME, volume_name)
            directory = self.volumes / str(volume_name)
            if volume is not None and directory.is_dir():
                now = rules.Stored(volume_rules.capacity_gib(volume), datetime.now(UTC).replace(microsecond=0))
                stored = await asyncio.to_thread(_take, directory, place, now)
                log.info("snapshot %s of %s taken", handle, volume_name)
        if stored is None:
            said = "rpc error: code = NotFound desc = "
            said += f"Snapshot {handle} does not exist" if not volume_name else f"Volume {volume_name} does not exist"
            message = f"Failed to check and update snapshot content: {said}"
            await self._tell_status(SNAPSHOT_CONTENT, content, rules.error_status(message, events.now()))
            self.content_queue.add(key, after=_LAST_RETRY_SECONDS)
            return
        finalizers = content["metadata"].get("finalizers") or []
        if rules.CONTENT_FINALIZER not in finalizers:
            content = await self._finalizers(SNAPSHOT_CONTENT, content, [*finalizers, rules.CONTENT_FINALIZER])
        await self._tell_status(SNAPSHOT_CONTENT, content, rules.content_status(handle, stored))

    async def _end_content(self, content: Manifest) -> None:
        have = content["metadata"].get("finalizers") or []
        if rules.CONTENT_FINALIZER not in have:
            return
        place = self._place(rules.handle_of(content))
        if content["spec"]["deletionPolicy"] == "Delete" and place:
            await asyncio.to_thread(copies.remove, place)
        await self._finalizers(SNAPSHOT_CONTENT, content, [each for each in have if each != rules.CONTENT_FINALIZER])
        log.info("deleted %s", content["metadata"]["name"])

    def _place(self, handle: str) -> Path | None:
        """Where a snapshot's data is; None for a handle that would lead out of the folder."""
        if handle in ("", ".", "..") or handle.startswith(".") or os.sep in handle:
            return None
        return self.folder / handle

    # Writing

    async def _create(self, content: Manifest) -> Manifest:
        """Create it; one that an earlier life of ours made is taken as it is."""
        try:
            return await self.api.create(content)
        except ApiStatusError as error:
            found = await self.api.get(SNAPSHOT_CONTENT, content["metadata"]["name"]) if error.code == 409 else None
            if found is None:
                raise
            return found

    async def _tell_status(self, kind: Kind, item: Manifest, wanted: Manifest) -> bool:
        """Write what is new in a status; whether anything was."""
        if not rules.differs(item.get("status"), wanted):
            return False
        namespace, name = volume_rules.key_of(item)
        try:
            await self.api.patch(kind, name, {"status": wanted}, namespace or None, subresource="status")
        except ApiStatusError as error:
            if error.code != 404:  # it went meanwhile
                raise
        return True

    async def _finalizers(self, kind: Kind, item: Manifest, wanted: list[str]) -> Manifest:
        """Set them on the object as we know it; 409 when it has changed since."""
        namespace, name = volume_rules.key_of(item)
        meta = {"finalizers": wanted, "resourceVersion": item["metadata"]["resourceVersion"]}
        return await self.api.patch(kind, name, {"metadata": meta}, namespace or None)


def _read(place: Path) -> rules.Stored | None:
    try:
        data = json.loads((place / "snapshot.json").read_text())
    except FileNotFoundError:
        return None
    return rules.Stored(int(data["gib"]), datetime.fromisoformat(data["taken"]))


def _take(directory: Path, place: Path, stored: rules.Stored) -> rules.Stored:
    """Copy the directory as it is at one moment; nothing is seen of it before it is whole."""
    partial = copies.hidden(place)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    copies.copy(directory, partial / "data")
    (partial / "snapshot.json").write_text(json.dumps({"gib": stored.gib, "taken": stored.taken.isoformat()}))
    partial.rename(place)
    return stored
