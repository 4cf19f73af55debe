"""Programs from Debian's packages: downloaded and unpacked beside the other tools, never installed. No root needed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mina_infra.errors import ToolError


def is_here() -> bool:
    """Whether this machine has the programs that fetch and unpack a package."""
    return bool(shutil.which("apt-get") and shutil.which("dpkg-deb"))


@contextmanager
def unpacked(packages: Sequence[str], beside: Path, *, dependencies: bool = False) -> Iterator[Path]:
    """A folder with the packages' files, gone at the end: what is wanted of it is moved out in one go.

    With `dependencies` also those of packages that they need and that this machine has not installed. The folder lies
    in `beside`, because a move is atomic only within one file system. Raises ToolError with apt's last words.
    """
    beside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=beside) as name:
        folder = Path(name)
        _download(packages, folder, dependencies)
        files = folder / "files"
        files.mkdir()
        for package in folder.rglob("*.deb"):
            _run(["dpkg-deb", "-x", str(package), str(files)], folder)
        yield files


def _download(packages: Sequence[str], folder: Path, dependencies: bool) -> None:
    """With the machine's lists of packages, or, where they are missing or too old, with new ones of our own."""
    # The user that apt otherwise downloads as cannot write here.
    apt = ["apt-get", "-q", "-o", "APT::Sandbox::User="]
    get = ["download", *packages]
    if dependencies:
        (folder / "found" / "partial").mkdir(parents=True)
        get = ["install", "--download-only", "--yes", "--no-install-recommends", "-o", "Debug::NoLocking=1"]
        get += ["-o", f"Dir::Cache::archives={folder}/found", *packages]
    try:
        _run([*apt, *get], folder)
    except ToolError:
        for part in ("state/lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True)
        apt += ["-o", f"Dir::State={folder}/state", "-o", f"Dir::Cache={folder}/cache"]
        apt += ["-o", "Dir::State::status=/var/lib/dpkg/status"]
        _run([*apt, "update"], folder)
        _run([*apt, *get], folder)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False
    )
    if done.returncode:
        said = "\n".join(done.stdout.strip().splitlines()[-5:])
        raise ToolError(f"{' '.join(command)} failed with exit code {done.returncode}:\n{said}")
