"""The provider as a process: it starts, answers, and never outlives whoever started it."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2_grpc

from mina_infra.errors import ToolError
from mina_infra.local.provider.process import offline_provider
from tests.local.provider.support import KUBECONFIG


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    return path


def version(port: int) -> str:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        found: str = stub.GetPluginInfo(empty_pb2.Empty(), timeout=10, wait_for_ready=True).version
        return found


def is_up(port: int) -> bool:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            provider_pb2_grpc.ResourceProviderStub(channel).GetPluginInfo(empty_pb2.Empty(), timeout=5)
        except grpc.RpcError:
            return False
        return True


def test_it_serves_while_the_context_is_open_and_not_after(kubeconfig: Path, tmp_path: Path) -> None:
    with offline_provider(kubeconfig, tmp_path / "logs" / "provider.log") as port:
        assert version(port) == "4.34.2"
    assert not is_up(port)


def test_it_stops_when_the_work_fails(kubeconfig: Path, tmp_path: Path) -> None:
    found = []

    def work() -> None:
        with offline_provider(kubeconfig, tmp_path / "provider.log") as port:
            found.append(port)
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        work()
    assert not is_up(found[0])


def test_two_run_side_by_side(kubeconfig: Path, tmp_path: Path) -> None:
    with (
        offline_provider(kubeconfig, tmp_path / "one.log") as one,
        offline_provider(kubeconfig, tmp_path / "two.log") as two,
    ):
        assert one != two
        assert version(one) == version(two)


def test_it_dies_with_a_parent_that_is_killed(kubeconfig: Path, tmp_path: Path) -> None:
    script = textwrap.dedent(
        f"""
        import sys
        from pathlib import Path
        from mina_infra.local.provider.process import offline_provider
        with offline_provider(Path({str(kubeconfig)!r}), Path({str(tmp_path / "provider.log")!r})) as port:
            print(port, flush=True)
            sys.stdin.read()
        """
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    port = int(parent.stdout.readline())
    assert is_up(port)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    assert wait_until_down(port)


def wait_until_down(port: int) -> bool:
    """The listening socket closes when the child has seen the end of its standard input, a moment after the kill."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        for _ in range(1000):
            try:
                stub.GetPluginInfo(empty_pb2.Empty(), timeout=5)
            except grpc.RpcError:
                return True
    return False


def test_a_provider_that_cannot_start_names_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "provider.log"
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ToolError, match=str(log)), offline_provider(tmp_path / "none", log):
        pass
