"""Building and finding tools, with a stand-in for the go command that takes no time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mina_infra.errors import ToolError
from mina_infra.local import build, tools
from mina_infra.local.paths import checkout

FAKE_GO = """#!/bin/sh
while [ "$1" != -o ]; do shift; done
echo "$$" >> "$GO_LOG"
{body}
printf '#!/bin/sh\\necho v9.9.9\\n' > "$2"
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with nothing but a shell: no tools, no Go, an empty cache."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/bin:/usr/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GO_LOG", str(tmp_path / "go.log"))
    return tmp_path


def install(machine: Path, name: str, text: str) -> None:
    program = machine / "bin" / name
    program.write_text(text)
    program.chmod(0o755)


def install_go(machine: Path, body: str = "") -> None:
    install(machine, "go", FAKE_GO.format(body=body))


def cached(machine: Path) -> list[str]:
    return sorted(file.name for file in (machine / "cache").rglob("bin/*"))


def test_without_tools_and_without_go_one_error_says_both_ways_out(machine):
    with pytest.raises(ToolError) as caught:
        tools.ensure_tools(print)
    assert "install Go 1.26" in str(caught.value)
    assert "brew install pulumi kwok" in str(caught.value)


def test_everything_is_built_once_with_a_line_for_each(machine):
    install_go(machine)
    lines: list[str] = []
    found = tools.ensure_tools(lines.append)
    built = [line for line in lines if ": built in" in line]
    assert [line.split("  ")[0] for line in built] == [f"tool {number} of 7" for number in range(1, 8)]
    assert found.kube_apiserver is not None
    assert os.access(found.kube_apiserver, os.X_OK)
    again: list[str] = []
    assert tools.ensure_tools(again.append) == found
    assert again == []


def test_tools_on_path_are_used_and_nothing_is_built(machine):
    install(machine, "pulumi", "#!/bin/sh\necho v3.260.0\n")
    for name in ("kwok", "kwokctl"):
        install(machine, name, f"#!/bin/sh\necho {name} version v0.8.1 go1.26\n")
    found = tools.ensure_tools(pytest.fail)
    assert found.kwokctl == machine / "bin" / "kwokctl"
    assert found.etcd is None


def test_a_tool_on_path_that_does_not_run_is_not_counted(machine):
    install(machine, "pulumi", "#!/bin/sh\necho v3.260.0\nexit 1\n")
    install_go(machine)
    assert tools.ensure_tools(lambda _line: None).pulumi.is_relative_to(machine / "cache")


def test_a_failed_build_shows_the_compilers_words_and_leaves_no_half_file(machine):
    install_go(machine, body='echo half > "$2"; echo "cannot find main module"; exit 1')
    with pytest.raises(ToolError, match="cannot find main module"):
        tools.ensure_tools(lambda _line: None)
    assert cached(machine) == []


def test_a_live_line_tells_how_far_the_build_is(machine):
    install_go(machine, body="echo k8s.io/api; echo k8s.io/client-go")
    live: list[str] = []
    tools.ensure_tools(lambda _line: None, live.append)
    assert any(line.startswith("tool 2 of 7  kwokctl 0.8.0: 2 packages") for line in live)


def test_two_builds_at_once_build_everything_once(machine):
    install_go(machine)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: tools.ensure_tools(lambda _line: None), range(2))
    assert first == second
    assert len((machine / "go.log").read_text().split()) == 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_the_compiler_and_leaves_nothing_half_done(machine, number):
    install_go(machine, body='echo half > "$2"; echo started; while :; do sleep 30; done')
    process = subprocess.Popen(
        [sys.executable, "-m", "mina_infra.local.tools"], cwd=checkout(), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert any("building" in line and "pulumi" in line for line in process.stdout)
    compiler = _wait_for_compiler(machine)
    process.send_signal(number)
    assert process.wait(20) in (130, 143)
    process.stdout.close()
    assert _group(compiler) == []
    assert cached(machine) == []


def _wait_for_compiler(machine: Path) -> int:
    """Until the stand-in has written its half file; its process id, which is its group's too."""
    while not list((machine / "cache").rglob("bin/.*.part")):
        time.sleep(0.01)
    return int((machine / "go.log").read_text().split()[0])


def _group(leader: int) -> list[int]:
    """Live processes (zombies do not count) of a process group."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, group = stat.read_text().rsplit(")", 1)[1].split()[:3]
        except OSError:
            continue
        if int(group) == leader and state != "Z":
            members.append(int(stat.parent.name))
    return members


def test_what_a_killed_builder_left_is_cleared(machine):
    install_go(machine)
    tools.ensure_tools(lambda _line: None)
    engine = next((machine / "cache" / "mina-infra" / "tools").glob("engine-*"))
    (engine / "bin" / ".pulumi.123.part").write_text("half")
    (engine / "bin" / "pulumi").unlink()
    tools.ensure_tools(lambda _line: None)
    assert [file.name for file in (engine / "bin").iterdir()] == ["pulumi"]


def test_the_live_line_never_wraps(capsys):
    build.terminal_line(sys.stdout)("x" * 300)
    assert len(capsys.readouterr().out) < 120


def test_an_interruption_while_the_compiler_is_being_started_ends_it_too(machine, monkeypatch):
    install_go(machine, body="while :; do sleep 30; done")
    started = []

    def interrupted(*arguments, **options):
        child = spawn(*arguments, **options)
        started.append(child.pid)
        signal.raise_signal(signal.SIGINT)  # before the caller has the child in its hands
        return child

    spawn = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tools.ensure_tools(lambda _line: None)
    assert [_group(leader) for leader in started] == [[]]
    assert cached(machine) == []
