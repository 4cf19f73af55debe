"""A real node for tests: an embedded control plane, containerd and a kubelet, and a testnet with every role on it.

Where that is impossible these tests are not collected, and the end of the run says so in one line.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mina_infra.local import control_plane, kwokctl, processes
from mina_infra.local.paths import STATE_VARIABLE
from mina_infra.local.tools import ensure_kubelet, ensure_tools
from tests.node.debian import ensure_packages, why_not
from tests.node.image import Image
from tests.node.machine import Programs, machine
from tests.node.testnet import Testnet, document

WHY_NOT = why_not()
collect_ignore_glob = ["test_*.py"] if WHY_NOT else []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if WHY_NOT:
        terminalreporter.write_line(f"tests/node not run: a real kubelet {WHY_NOT}")


@pytest.fixture(scope="package")
def testnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testnet]:
    """Deployed by the real engine; its pods run. It keeps its volumes (`retention: retain`)."""
    tools, programs = ensure_tools(print), Programs(ensure_kubelet(print), ensure_packages(print))
    root: Path = tmp_path_factory.mktemp("node")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STATE_VARIABLE, str(root / "state"))
        try:
            cluster = control_plane.start("node", tools, print, nodes=0)
            # It would play this node too.
            processes.end(kwokctl.component_processes(cluster.paths)["kwok-controller"])
            with machine(root / "machine", programs, cluster.kubeconfig) as running:
                image = Image(programs.busybox)
                made = Testnet("real", cluster, running, root / "project", document("real", image.digest))
                running.import_image(image, made.images())
                with made.served():
                    made.up()
                    made.until_running()
                    yield made
        finally:
            control_plane.stop("node")
