"""The Pulumi CLI as the Automation API calls it, with processes that end when they should.

The Automation API starts the CLI in our own process group, so that a Ctrl-C hits engine, providers and us at once, and
leaves it running when we are killed. This class is handed to it instead of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pulumi._version import version as sdk_version
from pulumi.automation import CommandResult, OnOutput, PulumiCommand
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

from mina_infra.engine import process
from mina_infra.engine.environment import EngineEnvironment


class EngineCommand(PulumiCommand):
    """Runs the CLI of an environment, in that environment. `finished` is how the last command ended.

    `more`: options by command that the Automation API has no parameter for.
    """

    def __init__(self, env: EngineEnvironment, more: Mapping[str, Sequence[str]] | None = None) -> None:
        # Not the base class's: that one would start `pulumi version`. Whoever made the environment chose a CLI that is
        # recent enough, and the Automation API only asks whether it is newer than 3.205.
        self.command = str(env.pulumi)
        self.version = VersionInfo.parse(str(sdk_version))
        self.finished: process.Finished | None = None
        self._env = env
        self._more = dict(more or {})

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OnOutput | None = None,
        on_error: OnOutput | None = None,
    ) -> CommandResult:
        """Run one command. Raises CommandError when it fails, KeyboardInterrupt after Ctrl-C."""
        self.finished = None
        args = [*args, *self._more.get(args[0], ())]
        done = process.run(
            [self.command, "--non-interactive", *args],
            cwd=Path(cwd),
            env=self._env.process_environment(**{**additional_env, "PULUMI_AUTOMATION_API": "true"}),
            on_output=on_output,
            on_error=on_error,
        )
        self.finished = done
        result = CommandResult(done.stdout, done.stderr, done.code)
        if done.code != 0:
            raise create_command_error(result)
        return result
