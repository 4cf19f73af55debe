"""The commands and how their mistakes are shown."""

from __future__ import annotations

import sys

from cyclopts import App, CycloptsError
from rich.console import Console

import mina_infra
from mina_infra.errors import ClusterError, MinaInfraError

HELP = """Mina testnets as code: one document, deployed with Pulumi, kept across redeployments, judged with evidence.

A testnet is the document in `Pulumi.<stack>.yaml`. `mina-infra up -s STACK` deploys it and runs its post-deploy
steps; `mina-infra local up --stack STACK` does the same on a cluster of its own on this machine, without any cloud.

Exit codes: 0 done and healthy, 1 failed or unstable, 2 could not tell, 130 interrupted.
"""

# Named, not imported: a command loads its own modules when it is called, so `verify` does not pay for `plan` or `up`.
COMMANDS = (
    "deploy:plan",
    "alerts:alerts",
    "alerts:dashboard",
    "deploy:up",
    "deploy:preview",
    "deploy:destroy",
    "deploy:outputs",
    "deploy:pulumi",
    "verdict:verify",
    "verdict:explain",
    "crashes:crashes",
    "join:join",
    "access:doctor",
    "access:rbac",
    "operate:seeds",
    "operate:publish",
    "operate:post_deploy",
    "watch:watch",
    "report:report",
    "lifecycle:pause",
    "lifecycle:resume",
    "recover:recover",
    "rebind:volumes",
    "rebind:rebind",
    "jobs:check_state",
    "clone:clone",
    "bench_storage:bench_storage",
    "hygiene:renew",
    "hygiene:expire",
    "orphans:orphans",
    "cost:cost",
    "snapshots:snapshot",
    "snapshots:snapshots",
    "migrate:migrate",
)

app = App(
    name="mina-infra",
    help=HELP,
    version=lambda: mina_infra.__version__,
    help_format="markdown",
    suppress_keyboard_interrupt=False,
)
for command in COMMANDS:
    app.command(f"mina_infra.cli.{command}")
app.command("mina_infra.cli.local:app", name="local")


def _describe(words: list[str]) -> None:
    """Load every command when the list of them is shown, because their docstrings say what they do."""
    names = [*(command.partition(":")[2].replace("_", "-") for command in COMMANDS), "local"]
    if words and words[0] in (*names, "--version"):
        return
    for name in names:
        loaded = app[name]
        del app[name]
        app.command(loaded)


def run(arguments: list[str] | None = None) -> None:
    """Run one command and exit with its code; a user's mistake is a message, never a stack trace."""
    errors = Console(stderr=True, highlight=False)
    try:
        _describe(sys.argv[1:] if arguments is None else arguments)
        code = app(arguments, result_action="return_value", exit_on_error=False)
    except CycloptsError:
        sys.exit(1)  # its message is printed; cyclopts' own code, 2, means "could not tell" here
    except KeyboardInterrupt:
        errors.print("interrupted; the same command goes on from here", markup=False)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)  # the reader (head, less) has seen enough
    except MinaInfraError as error:
        errors.print(str(error), markup=False, soft_wrap=True, style="red" if errors.is_terminal else None)
        sys.exit(2 if isinstance(error, ClusterError) else 1)
    except OSError as error:
        if error.filename is None:
            raise
        # A full disk, a folder that is read-only: whatever file it is, the user can mend it and we cannot.
        errors.print(f"{error.filename}: {error.strerror}", markup=False, soft_wrap=True)
        sys.exit(1)
    sys.exit(code or 0)
