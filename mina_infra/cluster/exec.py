"""Running a command in a container through the API server."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mina_infra.cluster.api import POD, KubeApi
from mina_infra.cluster.fanout import NoAnswerError
from mina_infra.cluster.replies import Bounded
from mina_infra.cluster.retry import DroppedError
from mina_infra.cluster.socket import Frames, with_frames
from mina_infra.errors import ClusterError

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDOUT, STDERR, STATUS = 1, 2, 3

# kwok reports a command's failure as an InternalError whose text ends so, instead of as NonZeroExitCode.
_EXIT_STATUS = re.compile(r"exit status (\d+)\s*$")


class ExecFailedError(ClusterError):
    """The command could not be run; nothing is known about what it would have said."""


@dataclass(frozen=True)
class ExecResult:
    """What a finished command left."""

    stdout: bytes
    stderr: bytes
    exit_code: int


async def exec_in_pod(
    api: KubeApi, namespace: str, pod: str, container: str, argv: Sequence[str], *, timeout: float
) -> ExecResult:
    """Run `argv` without standard input and wait for its end, at most `timeout` seconds.

    Raises ApiStatusError (no such pod, forbidden), ExecFailedError, NoAnswerError, DroppedError, and BadReplyError for
    more than 8 MiB of output. A stream that ends without a status says nothing about the command, so it is DroppedError
    and never an exit code.
    """
    params = [("container", container), ("stdout", "true"), ("stderr", "true"), ("stdin", "false"), ("tty", "false")]
    params += [("command", word) for word in argv]
    try:
        async with asyncio.timeout(timeout):
            return await with_frames(api, POD.path(namespace, pod, "exec"), params, PROTOCOLS, _collect)
    except TimeoutError as error:
        raise NoAnswerError(f"{argv[0]!r} in {pod} did not end within {timeout:g} s") from error


async def _collect(frames: Frames) -> ExecResult:
    # Bytes are decoded by nobody here: a character may be split over two frames.
    output = {STDOUT: Bounded(), STDERR: Bounded()}
    while (frame := await frames.receive()) is not None:
        channel, data = frame
        if channel in output:
            output[channel].add(data)
        elif channel == STATUS:
            return ExecResult(output[STDOUT].body, output[STDERR].body, exit_code(data))
    raise DroppedError("the stream ended without the command's status")


def exit_code(status_frame: bytes) -> int:
    """The exit code in a Status object of the error channel. Raises ExecFailedError when the command never ran."""
    try:
        status: dict[str, Any] = json.loads(status_frame)
    except ValueError as error:
        raise ExecFailedError(f"unreadable status: {status_frame[:200]!r}") from error
    if status.get("status") == "Success":
        return 0
    message = str(status.get("message", ""))
    if status.get("reason") == "NonZeroExitCode":
        for cause in (status.get("details") or {}).get("causes") or []:
            if cause.get("reason") == "ExitCode" and str(cause.get("message", "")).isdigit():
                return int(cause["message"])
    elif ended := _EXIT_STATUS.search(message):
        return int(ended[1])
    raise ExecFailedError(message or f"the command was not run: {status.get('reason', 'no reason given')}")
