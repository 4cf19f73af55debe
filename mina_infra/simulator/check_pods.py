"""Pods of setup and verification Jobs: they run until the simulator has looked, and end with the script's exit code.

kwok leaves these pods alone once they run (local/stages.yaml); every other Job it ends at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mina_infra.cluster.api import POD, ApiStatusError, KubeApi, Manifest
from mina_infra.errors import ClusterError
from mina_infra.simulator import check_jobs, kwok
from mina_infra.simulator.hosting import wall_clock
from mina_infra.simulator.log_files import LogFile
from mina_infra.simulator.pods import JOB_LABEL, claim_mounts, literal_env
from mina_infra.simulator.volumes import NotThere, Volumes

NOT_RUN = 126
"""Exit code of a shell for a program that it may not run: the embedded cluster runs nobody's scripts."""


def is_check(labels: Mapping[str, str]) -> bool:
    """Whether a pod belongs to a setup or verification Job."""
    return labels.get(JOB_LABEL) in check_jobs.PHASES


class CheckPods:
    """Plays each of these pods once. What it knows of them lies in the pods themselves and in the volumes."""

    def __init__(self, api: KubeApi, volumes: Volumes, doors: kwok.Kwok) -> None:
        self.api = api
        self.doors = doors
        self.volumes = volumes
        self.logs: dict[str, LogFile] = {}
        """By the pod's uid."""

    def gone(self, uid: str) -> None:
        """The pod is gone, and its log with it."""
        if (log := self.logs.pop(uid, None)) is not None:
            log.delete()

    async def play(self, pod: Manifest, log: LogFile) -> None:
        """Do what the script does, keep its log, end the pod. Goes on trying until the pod is gone."""
        uid = pod["metadata"]["uid"]
        self.logs[uid] = log
        if pod.get("status", {}).get("phase") != "Running":
            return
        code: int | None = None
        while uid in self.logs:
            try:
                if code is None:
                    code, lines = await self._run(pod)
                    for line in lines:
                        log.add(wall_clock(), line)
                    log.flush()
                await self._end(pod, log, code)
                return
            except ApiStatusError as error:
                if error.code == 404:
                    return
                await asyncio.sleep(0.5)
            except (NotThere, ClusterError, OSError):
                await asyncio.sleep(0.5)

    async def _run(self, pod: Manifest) -> tuple[int, list[str]]:
        """Exit code and log lines. Raises NotThere, ClusterError, OSError."""
        meta, container = pod["metadata"], pod["spec"]["containers"][0]
        if check_jobs.BUILT_IN_LABEL not in meta["labels"]:
            return NOT_RUN, ["this cluster runs no containers, so it cannot run this script"]
        env = literal_env(container)
        folders = {mount.volume: await self.volumes.directory(meta["namespace"], mount) for mount in claim_mounts(pod)}
        phase = meta["labels"][JOB_LABEL]
        return check_jobs.play(phase, folders, env.get("RUN", ""), env.get("HEIGHT", ""))

    async def _end(self, pod: Manifest, log: LogFile, code: int) -> None:
        """Log first, then the status, which ends the Job. Raises ClusterError."""
        meta, container = pod["metadata"], pod["spec"]["containers"][0]
        names = [container["name"]]
        own = kwok.metadata(meta["namespace"], meta["name"], meta["uid"])
        await self.doors.put(kwok.LOGS, kwok.logs(own, log.path, names))
        status = ended(container, code, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        await self.api.patch(POD, meta["name"], {"status": status}, meta["namespace"], "status")


def ended(container: Mapping[str, Any], code: int, now: str) -> Manifest:
    """The status of a pod whose only container has ended."""
    reason = "Error" if code else "Completed"
    state = {"terminated": {"exitCode": code, "reason": reason, "startedAt": now, "finishedAt": now}}
    one = {
        "name": container["name"], "image": container["image"], "imageID": "", "ready": False, "started": False,
        "restartCount": 0, "state": state,
    }  # fmt: skip
    return {"phase": "Failed" if code else "Succeeded", "containerStatuses": [one]}
