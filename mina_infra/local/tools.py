"""Finds or builds the seven programs of the embedded world: the Pulumi CLI, kwok, kwokctl and a control plane.

`python -m mina_infra.local.tools` does it by itself and prints where they are.
"""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mina_infra.errors import ToolError
from mina_infra.local import build, programs
from mina_infra.local.paths import checkout, tools_cache
from mina_infra.local.programs import CLUSTER, ENGINE, KUBELET, PROGRAMS, REAL_NODE, Choice, Module, Version

Report = Callable[[str], None]


@dataclass(frozen=True)
class Tools:
    """Paths of the programs. The control plane's are None where kwokctl, taken from PATH, fetches its own."""

    pulumi: Path
    kwokctl: Path
    kwok: Path
    etcd: Path | None = None
    kube_apiserver: Path | None = None
    kube_controller_manager: Path | None = None
    kube_scheduler: Path | None = None


def ensure_tools(report: Report, live: Report | None = None) -> Tools:
    """All programs, built where neither PATH nor the cache has them (about 15 minutes on two cores, once).

    `report` gets one line for each thing that happened; `live`, if given, the state of the running build about once a
    second, to be shown over itself on a terminal. Raises ToolError; an interruption leaves nothing half done.
    """
    plans = [_plan(module) for module in (ENGINE, CLUSTER)]
    missing = sum(len(plan.choice.to_build) for plan in plans)
    if missing:
        _require_go([name for plan in plans for name in plan.choice.to_build])
        report(f"building {missing} tools into {tools_cache()} (once; about 15 minutes on two cores)")
    done = 0
    paths: dict[str, Path | None] = {}
    for plan in plans:
        build.build_missing(plan.job, plan.choice.to_build, build.Progress(report, live, first=done + 1, total=missing))
        done += len(plan.choice.to_build)
        paths.update(plan.paths())
    return _tools(paths)


def ensure_kubelet(report: Report, live: Report | None = None) -> Path:
    """The kubelet of the control plane's release, built where it is missing (about 2 minutes after the other tools).

    The embedded cluster does without one: it is for tests on a real node. Raises ToolError.
    """
    plan = _plan(REAL_NODE)
    missing = plan.choice.to_build
    if missing:
        _require_go(list(missing))
        report(f"building the {KUBELET} into {tools_cache()} (once; about 2 minutes on two cores)")
    build.build_missing(plan.job, missing, build.Progress(report, live, first=1, total=len(missing)))
    path = plan.paths()[KUBELET]
    assert path, "choose() fetches only control planes"
    return path


@dataclass(frozen=True)
class _Plan:
    choice: Choice
    job: build.Job
    on_path: dict[str, Path]

    def paths(self) -> dict[str, Path | None]:
        found: dict[str, Path | None] = {name: self.on_path[name] for name in self.choice.from_path}
        found |= {name: self.job.output(name) for name in self.choice.from_cache + self.choice.to_build}
        return found | dict.fromkeys(self.choice.fetched)


def _plan(module: Module) -> _Plan:
    source = checkout() / "tools" / module.name
    try:
        go_mod, go_sum = ((source / name).read_text() for name in ("go.mod", "go.sum"))
    except OSError as error:
        raise ToolError(f"{source} is not readable ({error.strerror}); run mina-infra from a whole checkout") from error
    needed = {name: programs.pinned_version(go_mod, PROGRAMS[name].pinned_by) for name in module.programs}
    key = programs.cache_key(module, go_mod, go_sum, f"{platform.system()}-{platform.machine()}")
    job = build.Job(source, tools_cache() / key / "bin", needed)
    cached = {name for name in module.programs if os.access(job.output(name), os.X_OK)}
    on_path = {name: Path(path) for name in module.programs if (path := shutil.which(name))}
    versions = {name: version for name, path in on_path.items() if (version := version_of(name, path))}
    return _Plan(programs.choose(module, versions, needed, cached), job, on_path)


def version_of(name: str, path: Path) -> Version | None:
    """What the program says its version is; None when it does not run or says nothing of the kind."""
    command = [str(path), *PROGRAMS[name].version_command]
    environment = os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "true"}  # or it asks the network for a newer one
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return programs.parse_version(answer.stdout + answer.stderr) if answer.returncode == 0 else None


def _require_go(missing: list[str]) -> None:
    if not shutil.which("go"):
        raise ToolError(
            f"{', '.join(missing)} not found, and no Go toolchain to build them. Either\n"
            "  install Go 1.26 or newer (https://go.dev/dl) and run this again: everything is built once, or\n"
            "  install the programs, for example `brew install pulumi kwok` (pulumi 3.259, kwok and kwokctl 0.8 "
            "or newer must be on PATH)."
        )


def _tools(paths: dict[str, Path | None]) -> Tools:
    by_field = {name.replace("-", "_"): path for name, path in paths.items()}
    pulumi, kwokctl, kwok = (by_field.pop(name) for name in ("pulumi", "kwokctl", "kwok"))
    if not (pulumi and kwokctl and kwok):
        raise AssertionError("choose() fetches only control planes")
    return Tools(pulumi, kwokctl, kwok, **by_field)


def main() -> int:
    """Print one line for each program; on a terminal a build shows a live line."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a running build is stopped as for Ctrl-C
    terminal = sys.stdout.isatty()
    clear = "\x1b[K" if terminal else ""
    live = build.terminal_line(sys.stdout) if terminal else None
    try:
        tools = ensure_tools(lambda line: print(f"{clear}{line}", flush=True), live)
    except ToolError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; what was built so far is kept", file=sys.stderr)
        return 130
    for name, path in vars(tools).items():
        print(f"{name.replace('_', '-'):<24} {path or 'fetched by kwokctl'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
