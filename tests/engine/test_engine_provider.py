"""Which Kubernetes provider a run uses."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mina_infra.engine import provider as choice
from mina_infra.engine.environment import EngineEnvironment
from mina_infra.engine.report import Silent
from mina_infra.errors import EngineError


@contextmanager
def ours() -> Iterator[int]:
    yield 4711


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EngineEnvironment:
    """An embedded stack with a user's Pulumi home of its own, and a CLI that counts its calls and downloads nothing."""
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "users"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", raising=False)
    cli = tmp_path / "pulumi"
    cli.write_text(
        f"#!{sys.executable}\nimport sys, time\nopen({str(tmp_path / 'calls')!r}, 'a').write('x')\n"
        "print('warning: Error downloading plugin: no such host', file=sys.stderr, flush=True)\ntime.sleep(60)\n"
    )
    cli.chmod(0o755)
    variables = {"PULUMI_HOME": str(tmp_path / "state" / "pulumi-home")}
    return EngineEnvironment(
        pulumi=cli, project=tmp_path, work_dir=tmp_path, stack="qa", backend=tmp_path, variables=variables,
        offline=ours, lock=tmp_path / "run.lock",
    )  # fmt: skip


def calls(env: EngineEnvironment) -> int:
    file = env.project / "calls"
    return len(file.read_text()) if file.exists() else 0


def variables(env: EngineEnvironment) -> dict[str, str]:
    with choice.provider(env, Silent()) as found:
        return found


def test_without_network_our_own_is_used_and_the_download_is_not_tried_again(env: EngineEnvironment) -> None:
    assert variables(env)["PULUMI_DEBUG_PROVIDERS"] == "kubernetes:4711"
    assert variables(env)["PULUMI_DEBUG_PROVIDERS"] == "kubernetes:4711"
    assert calls(env) == 1


def test_the_users_plugin_serves_embedded_clusters_too(env: EngineEnvironment, tmp_path: Path) -> None:
    plugin = tmp_path / "users" / "plugins" / f"resource-kubernetes-v{choice.wanted_version()}"
    plugin.mkdir(parents=True)
    (plugin / "pulumi-resource-kubernetes").touch()
    assert variables(env) == {}
    assert calls(env) == 0


def test_a_plugin_of_another_version_does_not_count(env: EngineEnvironment, tmp_path: Path) -> None:
    plugin = tmp_path / "users" / "plugins" / "resource-kubernetes-v3.0.0"
    plugin.mkdir(parents=True)
    (plugin / "pulumi-resource-kubernetes").touch()
    assert "PULUMI_DEBUG_PROVIDERS" in variables(env)


def test_pulumis_own_switch_forbids_the_download(env: EngineEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "true")
    assert "PULUMI_DEBUG_PROVIDERS" in variables(env)
    assert calls(env) == 0


def test_a_real_cluster_never_gets_our_own(env: EngineEnvironment) -> None:
    from dataclasses import replace

    with pytest.raises(EngineError, match="pulumi plugin install resource kubernetes"):
        variables(replace(env, offline=None))
