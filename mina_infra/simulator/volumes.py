"""From the volumes of a pod to directories of this machine, by the claim's PersistentVolume."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from mina_infra.cluster.api import CLAIM, CONFIG_MAP, PERSISTENT_VOLUME, KubeApi
from mina_infra.cluster.objects import bytes_of
from mina_infra.simulator.flags import Flags
from mina_infra.simulator.pods import DaemonPod, Mount
from mina_infra.simulator.view import CONFIG_DIR

_KEEP_SECONDS = 10.0


class NotThere(Exception):
    """A volume is not bound, a ConfigMap does not exist: the kubelet would not have started the container yet."""


class Volumes:
    """Finds directories; keeps the paths of PersistentVolumes, which never change, and ConfigMaps for some seconds."""

    def __init__(self, api: KubeApi, state: Path) -> None:
        self.api = api
        self.ephemeral = state / "ephemeral"
        self._paths: dict[str, Path] = {}
        self._sizes: dict[Path, int] = {}
        """Bytes that a volume was given, by its directory."""
        self._config_maps: dict[tuple[str, str], tuple[float, dict[str, str]]] = {}

    async def directory(self, namespace: str, mount: Mount) -> Path:
        """The directory behind a mounted claim. Raises NotThere."""
        claim = await self.api.get(CLAIM, mount.claim, namespace)
        name = ((claim or {}).get("spec") or {}).get("volumeName")
        if not name:
            raise NotThere(f"claim {mount.claim} is not bound")
        if name not in self._paths:
            volume = await self.api.get(PERSISTENT_VOLUME, name)
            spec = (volume or {}).get("spec") or {}
            path = (spec.get("hostPath") or spec.get("local") or {}).get("path")
            if not path:
                raise NotThere(f"volume {name} has no directory on this machine")
            self._paths[name] = Path(path)
            capacity = (spec.get("capacity") or {}).get("storage")
            self._sizes[Path(path)] = bytes_of(capacity) if capacity else 0
        path = self._paths[name] / mount.sub_path
        if not path.is_dir():
            raise NotThere(f"the directory of volume {name} does not exist")
        return path

    def size(self, directory: Path) -> int:
        """Bytes that the volume of a directory was given, as its claim was bound; 0 where that is not known."""
        return next((size for path, size in self._sizes.items() if directory.is_relative_to(path)), 0)

    async def config_directory(self, pod: DaemonPod, flags: Flags) -> Path:
        """Where the daemon keeps its state: its claim, or a directory that is deleted with the pod. Raises NotThere."""
        mount = pod.config_mount(flags)
        if mount is not None and mount.claim:
            return await self.directory(pod.namespace, mount)
        folder = self.ephemeral / pod.uid
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def drop_ephemeral(self, uid: str) -> None:
        """The pod is gone, and with it what was only in it."""
        shutil.rmtree(self.ephemeral / uid, ignore_errors=True)

    async def runtime_config(self, pod: DaemonPod, path: str) -> dict[str, Any]:
        """The content of -config-file. Raises NotThere, or ValueError for what is no JSON object."""
        mount = pod.mount_of(path)
        if mount is None or not mount.config_map:
            raise ValueError(f"Could not find the configuration file {path}")
        data = await self._config_map(pod.namespace, mount.config_map)
        projected = {file: key for key, file in mount.items} if mount.items else {key: key for key in data}
        file = mount.sub_path or path.removeprefix(mount.path).lstrip("/")
        if file not in projected or projected[file] not in data:
            raise ValueError(f"Could not find the configuration file {path}")
        config = json.loads(data[projected[file]])
        if not isinstance(config, dict):
            raise ValueError(f"{path} is not a JSON object")
        return config

    async def _config_map(self, namespace: str, name: str) -> dict[str, str]:
        """Two hundred pods that start together read one and the same map."""
        found = self._config_maps.get((namespace, name))
        if found is None or time.monotonic() - found[0] > _KEEP_SECONDS:
            manifest = await self.api.get(CONFIG_MAP, name, namespace)
            if manifest is None:
                raise NotThere(f"ConfigMap {name} does not exist")
            found = (time.monotonic(), manifest.get("data") or {})
            self._config_maps[(namespace, name)] = found
        return found[1]


def df(directory: Path, size: int) -> str:
    """`df -Pk` of a volume of `size` bytes: real files of a directory against what the claim was given."""
    used = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):  # a file that was replaced meanwhile
                used += os.lstat(os.path.join(folder, name)).st_blocks * 512
    blocks, taken = size // 1024, min(-(-used // 1024), size // 1024)
    share = -(-100 * taken // blocks) if blocks else 100
    return (
        "Filesystem     1024-blocks    Used Available Capacity Mounted on\n"
        f"/dev/simulated {blocks} {taken} {blocks - taken} {share}% {CONFIG_DIR}\n"
    )
