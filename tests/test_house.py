"""Rules of the house that no linter holds: sizes, names that must not appear, generated files, the lock."""

from __future__ import annotations

import ast
import os
import re
import stat
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]

LINES_OF_A_MODULE = 400
LINES_OF_A_TEST_MODULE = 450

GENERATED = {
    "schema/stack.schema.json": "tests/spec/test_schema.py",
    "schema/outputs.schema.json": "tests/spec/test_schema.py",
    "components/schema.json": "tests/components/test_package.py",
    "mina_infra/guardian/alerts/dashboard.json": "tests/guardian/alerts/test_dashboard.py",
    "requirements.lock": "tests/test_house.py",
}
"""Generated files that are kept, and the test that compares each with what generates it."""

POLLING_S = 0.1
"""Longest pause of a test that watches a real process; others wait for an event or use a virtual clock."""


@cache
def tracked() -> tuple[str, ...]:
    """Files of the repository, as git knows them; new ones that it does not ignore are included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return tuple(sorted(name for name in set(found) if (ROOT / name).is_file() or (ROOT / name).is_symlink()))


def python_files() -> list[str]:
    return [name for name in tracked() if name.endswith(".py")]


def text_of(name: str) -> str:
    return (ROOT / name).read_bytes().decode(errors="replace")


def lines_with(pattern: str, names: list[str] | tuple[str, ...]) -> list[str]:
    found = re.compile(pattern)
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name in names
        for number, line in enumerate(text_of(name).splitlines(), 1)
        if found.search(line)
    ]


def test_no_symlink_is_kept() -> None:
    """One anywhere in the repository breaks `pulumi package add` for engines before 3.247."""
    assert [name for name in tracked() if (ROOT / name).is_symlink()] == []


def test_modules_are_short() -> None:
    limits = {
        name: LINES_OF_A_TEST_MODULE if name.startswith("tests/") else LINES_OF_A_MODULE for name in python_files()
    }
    counts = {name: text_of(name).count("\n") for name in limits}
    assert {name: count for name, count in counts.items() if count > limits[name]} == {}


def test_no_file_names_a_registry() -> None:
    """Where packages come from is the user's choice: a mirror, a proxy, a wheel house."""
    hosts = ("py" + r"pi\.org", "python" + r"hosted\.org", r"proxy\.gol" + r"ang\.org", r"sum\.gol" + r"ang\.org", r"registry\.np" + "mjs")  # fmt: skip  # noqa: E501
    assert lines_with("|".join(hosts), tracked()) == []
    assert lines_with(r"^\s*--(index-url|extra-index-url|find-links|trusted-host)", tracked()) == []


def test_no_file_names_a_path_of_a_machine() -> None:
    """Paths inside a container are meant: those of the daemon's image, and /tmp of a pod."""
    in_the_image = r"\.mina-config|\.coda-config|libp2p-keys|wallet-keys"
    machine = rf"(?<![\w.~$}}/-])/(work|home|Users|opt|mnt|root(?!/({in_the_image})))/"
    ours = tuple(name for name in tracked() if name != "tests/test_house.py")
    assert lines_with(machine, ours) == []


def test_nothing_is_left_to_do() -> None:
    assert lines_with(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b", tracked()) == []


def sleeps(name: str) -> list[str]:
    """Pauses of a test, longer ones or in a layer that has no real process."""
    found = []
    for node in ast.walk(ast.parse(text_of(name))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep":
            pause = node.args[0]
            is_poll = isinstance(pause, ast.Constant) and float(str(pause.value)) <= POLLING_S
            if not is_poll or not name.startswith(("tests/world/", "tests/engine/", "tests/local/", "tests/node/")):
                found.append(f"{name}:{node.lineno}")
    return found


def test_no_test_sleeps() -> None:
    tests = [name for name in python_files() if name.startswith("tests/")]
    assert [place for name in tests for place in sleeps(name)] == []


def test_no_test_is_skipped() -> None:
    """A test that needs a tool builds or starts it."""
    tests = [name for name in python_files() if name.startswith("tests/") and name != "tests/test_house.py"]
    assert lines_with(r"pytest\.skip|mark\.skip|importorskip|xfail|unittest\.skip", tests) == []


def test_every_folder_of_tests_is_a_package() -> None:
    """So that two rooms may have test modules of the same name."""
    folders = {str(Path(name).parent) for name in python_files() if Path(name).name.startswith("test_")}
    assert [folder for folder in folders if f"{folder}/__init__.py" not in tracked()] == []


@pytest.mark.parametrize("name", GENERATED)
def test_generated_files_are_compared_by_a_test(name: str) -> None:
    assert name in tracked()
    assert Path(name).name in text_of(GENERATED[name]) or "schema.FILE" in text_of(GENERATED[name])


@pytest.mark.parametrize(
    "module", ["mina_infra.guardian.verify", "mina_infra.publish", "mina_infra.plan", "mina_infra.cli"]
)
def test_looking_at_a_network_does_not_load_pulumi(module: str) -> None:
    """`verify` and `plan` start in a fraction of a second."""
    code = f"import sys, {module}; print(sorted({{'pulumi', 'pulumi_kubernetes', 'grpc'}} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"


def test_ci_runs_exactly_what_a_user_runs() -> None:
    script = ROOT / ".ci" / "run"
    assert stat.S_IMODE(os.stat(script).st_mode) & 0o111 == 0o111
    commands = [line for line in script.read_text().splitlines() if line and not line.startswith("#")]
    assert commands == ["exec make test"]


def requirements(*groups: str) -> list[Requirement]:
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    names = [*project["dependencies"], *(each for group in groups for each in project["optional-dependencies"][group])]
    return [Requirement(each) for each in names]


def locked() -> dict[str, Version]:
    pins = re.findall(r"^([A-Za-z0-9._-]+)(?:\[.*\])?==(\S+)", text_of("requirements.lock"), re.MULTILINE)
    return {canonicalize_name(name): Version(version) for name, version in pins}


def test_the_lock_satisfies_the_project() -> None:
    """After a change of pyproject.toml: `make lock`."""
    lock = locked()
    for wanted in requirements("dev"):
        name = canonicalize_name(wanted.name)
        assert name in lock, f"{name} is not in requirements.lock"
        assert wanted.specifier.contains(lock[name]), f"{wanted} but requirements.lock has {lock[name]}"


def test_the_lock_pins_everything_by_hash_and_is_used() -> None:
    entries = re.split(r"\n(?=[A-Za-z0-9])", re.sub(r"(?m)^\s*#.*\n?", "", text_of("requirements.lock")).strip())
    assert [entry.split()[0] for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []
    assert "--require-hashes -r requirements.lock" in text_of("Makefile")


def test_no_other_lock_stands_beside_it() -> None:
    """Pulumi looks upwards for these and then demands the tool that wrote them."""
    assert not {"uv.lock", "poetry.lock", "Pipfile.lock"} & {Path(name).name for name in tracked()}


def test_dependencies_have_lower_bounds() -> None:
    """An upper bound alone lets an installer choose a release that never worked."""
    loose = [str(each) for each in requirements() if not any(s.operator in (">=", "==", "~=") for s in each.specifier)]
    assert loose == []
