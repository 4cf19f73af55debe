"""One image for everything, as an OCI layout in a tar file: Debian's static busybox and scripts that play Mina.

No registry and no container engine is asked; the runtime imports the file under all names that the manifests use.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

STAND_IN = Path(__file__).with_name("stand_in")
PAUSE = "registry.example/pause:1"
LEDGER = {"genesis_ledger.json": '{"accounts": []}\n', "proof/genesis_proof": "proof\n"}
SCHEMA = "create table blocks (id serial);\n"

_ELSEWHERE = {"lib": "etc/stand-in", "postgres-cgi": "etc/postgres-cgi"}
_FOLDERS = ("dev", "etc", "proc", "root", "sys", "tmp", "www")


class Image:
    """The layers and the two manifests (one that runs scripts, one that only waits), all by content."""

    def __init__(self, busybox: Path) -> None:
        self._blobs: dict[str, bytes] = {}
        layer = _layer(busybox)
        self._main = self._manifest(layer, {"Entrypoint": ["/bin/entrypoint"]})
        self._pause = self._manifest(layer, {"Entrypoint": ["/bin/tail", "-f", "/dev/null"]})

    @property
    def digest(self) -> str:
        """Of the image that plays Mina: `sha256:...`."""
        return str(self._main["digest"])

    def write(self, file: Path, names: Iterable[str]) -> None:
        """The tar file, with the image under all these names and the pause image under its own."""
        named = [(name, self._main) for name in names] + [(PAUSE, self._pause)]
        manifests = [{**of, "annotations": {"io.containerd.image.name": name}} for name, of in named]
        index = {"schemaVersion": 2, "manifests": manifests}
        files = {f"blobs/sha256/{digest}": blob for digest, blob in self._blobs.items()}
        files |= {"oci-layout": _json({"imageLayoutVersion": "1.0.0"}), "index.json": _json(index)}
        with tarfile.open(file, "w") as archive:
            for name, data in files.items():
                _add(archive, name, data, 0o644)

    def _manifest(self, layer: bytes, config: dict[str, Any]) -> dict[str, Any]:
        blob = self._blob(layer, "application/vnd.oci.image.layer.v1.tar")
        config = {
            "architecture": _architecture(),
            "os": "linux",
            "config": {"Env": ["PATH=/bin"], **config},
            "rootfs": {"type": "layers", "diff_ids": [blob["digest"]]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self._blob(_json(config), "application/vnd.oci.image.config.v1+json"),
            "layers": [blob],
        }
        return self._blob(_json(manifest), str(manifest["mediaType"]))

    def _blob(self, data: bytes, media_type: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        self._blobs[digest] = data
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}


def _layer(busybox: Path) -> bytes:
    """The file system; the same bytes each time, so that the digest is too."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in _FOLDERS:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            archive.addfile(entry)
        _add(archive, "bin/busybox", busybox.read_bytes(), 0o755)
        applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
        own = {file.name: file.read_bytes() for file in sorted(STAND_IN.iterdir())}
        for name in sorted(set(applets) - {"busybox", *own}):
            entry = tarfile.TarInfo(f"bin/{name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(entry)
        for name, data in own.items():
            _add(archive, _ELSEWHERE.get(name, f"bin/{name}"), data, 0o755)
        for name, text in LEDGER.items():
            _add(archive, f"genesis/{name}", text.encode(), 0o644)
        _add(archive, "etc/mina/archive/create_schema.sql", SCHEMA.encode(), 0o644)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    archive.addfile(entry, io.BytesIO(data))


def _architecture() -> str:
    names = {"x86_64": "amd64", "aarch64": "arm64"}
    machine = subprocess.run(["uname", "-m"], capture_output=True, text=True, check=True).stdout.strip()
    return names.get(machine, machine)


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
