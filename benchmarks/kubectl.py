"""The kubectl to compare with: built once from `benchmarks/kubectl` into the cache of tools.

One on PATH is not used: it may be old, or a dispatcher that fetches another one.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Callable
from pathlib import Path

from mina_infra.errors import ToolError
from mina_infra.local import programs
from mina_infra.local.paths import tools_cache

SOURCE = Path(__file__).parent / "kubectl"
# The client libraries of Kubernetes 1.x are numbered 0.x.
PROGRAM = programs.Program(
    "kubectl",
    ".",
    "k8s.io/kubectl",
    ("version", "--client"),
    ("k8s.io/component-base/version.gitVersion=v1.{1}.{2}",),
)


def kubectl(report: Callable[[str], None]) -> Path:
    """The program; built where the cache has none (two minutes of processor time). Raises ToolError."""
    version = programs.pinned_version((SOURCE / "go.mod").read_text(), PROGRAM.pinned_by)
    target = tools_cache() / _key() / "bin" / PROGRAM.name
    if os.access(target, os.X_OK):
        return target
    report(f"building {PROGRAM.name} {programs.text_of((1, *version[1:]))} into {target.parent} (once)")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{PROGRAM.name}.{os.getpid()}.part")
    arguments = programs.build_arguments(PROGRAM, version)
    command = ["go", *(each for each in arguments[:-1] if each != "-v"), "-o", str(partial), arguments[-1]]
    environment = os.environ | {"CGO_ENABLED": "0", "GOWORK": "off"}
    try:
        subprocess.run(command, cwd=SOURCE, env=environment, check=True)
        partial.replace(target)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ToolError(f"kubectl, to compare with, cannot be built: {error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return target


def _key() -> str:
    parts = [(SOURCE / name).read_bytes() for name in ("go.mod", "go.sum", "main.go")]
    digest = hashlib.sha256(b"\n".join([*parts, platform.system().encode(), platform.machine().encode()])).hexdigest()
    return f"kubectl-{digest[:16]}"
