"""Which programs the embedded world needs, how each is built, and which may come from PATH: data and rules, pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from mina_infra.errors import ToolError

Version = tuple[int, int, int]


@dataclass(frozen=True)
class Module:
    """One Go module under `tools/`."""

    name: str
    programs: tuple[str, ...]


@dataclass(frozen=True)
class Program:
    """How one program is built and how it tells its version."""

    name: str
    package: str
    pinned_by: str  # the module in go.mod whose version is the program's
    version_command: tuple[str, ...]
    version_variables: tuple[str, ...] = ()  # linker variables, with {0}.{1}.{2} for the parts of the version


PULUMI = "pulumi"
KWOKCTL = "kwokctl"
KWOK = "kwok"
ETCD = "etcd"
APISERVER = "kube-apiserver"
CONTROLLER_MANAGER = "kube-controller-manager"
SCHEDULER = "kube-scheduler"
KUBELET = "kubelet"

ENGINE = Module("engine", (PULUMI,))
# The quick ones first, so that something visible happens early.
CLUSTER = Module("cluster", (KWOKCTL, ETCD, KWOK, APISERVER, CONTROLLER_MANAGER, SCHEDULER))
# A folder of its own in the cache: only the tests of `tests/node` run it, so nobody else builds it.
REAL_NODE = Module("cluster", (KUBELET,))
CONTROL_PLANE = (ETCD, APISERVER, CONTROLLER_MANAGER, SCHEDULER)

_KUBERNETES_VERSION = tuple(
    f"k8s.io/component-base/version.{variable}"
    for variable in ("gitVersion=v{0}.{1}.{2}", "gitMajor={0}", "gitMinor={1}")
)


def _kubernetes(name: str) -> Program:
    return Program(name, f"k8s.io/kubernetes/cmd/{name}", "k8s.io/kubernetes", ("--version",), _KUBERNETES_VERSION)


PROGRAMS: Mapping[str, Program] = {
    program.name: program
    for program in (
        Program(
            PULUMI,
            "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
            "github.com/pulumi/pulumi/pkg/v3",
            ("version",),
            ("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={0}.{1}.{2}",),
        ),
        # kwok and etcd carry their version in their source.
        Program(KWOKCTL, "sigs.k8s.io/kwok/cmd/kwokctl", "sigs.k8s.io/kwok", ("--version",)),
        Program(KWOK, "sigs.k8s.io/kwok/cmd/kwok", "sigs.k8s.io/kwok", ("--version",)),
        Program(ETCD, "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3", ("--version",)),
        _kubernetes(APISERVER),
        _kubernetes(CONTROLLER_MANAGER),
        _kubernetes(SCHEDULER),
        _kubernetes(KUBELET),
    )
}


def parse_version(text: str) -> Version | None:
    """The first `1.2.3` in what a program prints about itself."""
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def text_of(version: Version) -> str:
    return ".".join(str(part) for part in version)


def pinned_version(go_mod: str, module: str) -> Version:
    """The version that a go.mod requires of a module. Raises ToolError when it requires none."""
    found = re.search(rf"^\s*(?:require\s+)?{re.escape(module)}\s+v(\d+)\.(\d+)\.(\d+)\b", go_mod, re.MULTILINE)
    if not found:
        raise ToolError(f"tools: go.mod does not require {module}; the checkout is damaged, get a fresh one")
    return int(found[1]), int(found[2]), int(found[3])


def build_arguments(program: Program, version: Version) -> list[str]:
    """Arguments of `go` that build the program; the output path is to be appended after `-o`."""
    variables = [f"-X {variable.format(*version)}" for variable in program.version_variables]
    flags = " ".join(["-s", "-w", *variables])
    # -buildvcs=false: stamping asks git about the checkout, which may refuse (another owner) and would prove nothing.
    return ["build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-v", f"-ldflags={flags}", program.package]


def cache_key(module: Module, go_mod: str, go_sum: str, platform: str) -> str:
    """The cache folder of a module's programs: changes with its dependencies, the recipe and the platform.

    Comments and the order of lines in go.mod do not count: which of its blocks a requirement stands in changes nothing.
    """
    requirements = sorted(line.split("//")[0].strip() for line in go_mod.splitlines())
    recipe = [build_arguments(PROGRAMS[name], (0, 0, 0)) for name in module.programs]
    parts = [*(line for line in requirements if line), go_sum, platform, repr(recipe)]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return f"{module.name}-{digest[:16]}"


@dataclass(frozen=True)
class Choice:
    """Where the programs of one module come from: PATH, the cache, a build, or (control plane) kwokctl's download."""

    from_path: tuple[str, ...] = ()
    from_cache: tuple[str, ...] = ()
    to_build: tuple[str, ...] = ()
    fetched: tuple[str, ...] = ()


def choose(module: Module, on_path: Mapping[str, Version], needed: Mapping[str, Version], cached: set[str]) -> Choice:
    """Decide for each program of a module.

    `on_path` and `needed` are versions by program name, `cached` the names already built from this very module.
    The cluster's programs are taken from PATH as a set (a controller manager may not be newer than its API server);
    a complete cache is preferred to a download, because it needs no network.
    """
    good = {name for name in module.programs if on_path.get(name, (0, 0, 0)) >= needed[name]}
    everything = set(module.programs)
    if good == everything and len({on_path[name][:2] for name in good & _SAME_RELEASE}) <= 1:
        return Choice(from_path=module.programs)
    if cached >= everything:
        return Choice(from_cache=module.programs)
    if {KWOK, KWOKCTL} <= good:
        return Choice(from_path=(KWOKCTL, KWOK), fetched=CONTROL_PLANE)
    return Choice(
        from_cache=tuple(name for name in module.programs if name in cached),
        to_build=tuple(name for name in module.programs if name not in cached),
    )


_SAME_RELEASE = {APISERVER, CONTROLLER_MANAGER, SCHEDULER}
