"""The repository's own `__main__.py` as the inline program of a run.

The engine that `tools/` builds has no Python language host; it needs none, because it asks a language server that we
serve. Where the host is installed, `pulumi up` in the checkout runs the very same file.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pulumi
from pulumi.automation._server import LanguageServer
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import language_pb2_grpc
from pulumi.runtime.settings import SETTINGS

from mina_infra.errors import MinaInfraError


class Program:
    """Runs `__main__.py` of a project; `mistake` is the user's mistake that ended it, if one did."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.mistake: Exception | None = None

    def __call__(self) -> None:
        """The program callback of the Automation API."""
        self.mistake = None
        # Files named in the stack file stand beside the program, not in the engine's working folder.
        SETTINGS.root_directory = str(self.project)
        try:
            with _first_on_path(self.project):
                runpy.run_path(str(self.project / "__main__.py"), run_name="__mina_infra_program__")
        except (MinaInfraError, pulumi.RunError, ValueError) as error:
            self.mistake = error
            raise pulumi.RunError(str(error)) from error


@contextmanager
def served(program: Program) -> Iterator[str]:
    """Serve the program to a CLI of the caller's choosing; yields the address for its `--client` option.

    The Automation API does exactly this inside `Stack.up`, with a command line that it makes itself.
    """
    server = grpc.server(ThreadPoolExecutor(max_workers=4), options=_GRPC_CHANNEL_OPTIONS)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageServer(program), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0)


@contextmanager
def _first_on_path(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
