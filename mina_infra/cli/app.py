"""The commands and how their mistakes are shown."""

from __future__ import annotations

import sys

from cyclopts import App, CycloptsError, Group, Parameter
from rich.console import Console

import mina_infra
from mina_infra.errors import ClusterError, MinaInfraError

HELP = """Mina testnets as code: one document, deployed with Pulumi, kept across redeployments, judged with evidence.

A testnet is the document in `Pulumi.<stack>.yaml`. `mina-infra up -s STACK` deploys it and runs its post-deploy
steps; `mina-infra local up --stack STACK` does the same on a cluster of its own on this machine, without any cloud.

Exit codes: 0 done and healthy, 1 failed or unstable, 2 could not tell, 130 interrupted.
"""

# Named, not imported: a command loads its own modules when it is called, so `verify` does not pay for `plan` or `up`.
# In the order of a testnet's life.
COMMANDS = {
    "Deploy": (
        "deploy:plan", "deploy:preview", "deploy:up", "operate:post_deploy", "deploy:outputs", "deploy:destroy",
        "recover:recover", "deploy:pulumi",
    ),
    "Is the network healthy?": (
        "verdict:verify", "watch:watch", "report:report", "verdict:explain", "crashes:crashes", "join:join",
        "access:doctor", "access:rbac", "alerts:alerts", "alerts:dashboard",
    ),
    "Publish": ("operate:seeds", "operate:publish"),
    "Volumes and state": (
        "rebind:volumes", "lifecycle:pause", "lifecycle:resume", "snapshots:snapshot", "snapshots:snapshots",
        "clone:clone", "migrate:migrate", "rebind:rebind", "jobs:check_state",
    ),
    "Cost and what is left over": (
        "cost:cost", "orphans:orphans", "hygiene:expire", "hygiene:renew", "bench_storage:bench_storage",
    ),
}  # fmt: skip


def _default(value: object) -> str | None:
    """What the help shows as an option's default: nothing for a switch that is off or a list without entries."""
    if value in (None, False, "", ()):
        return None
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


app = App(
    name="mina-infra",
    help=HELP,
    version=lambda: mina_infra.__version__,
    help_format="markdown",
    default_parameter=Parameter(show_default=_default),
    group_commands=Group("Help", sort_key=len(COMMANDS) + 1),
    suppress_keyboard_interrupt=False,
)
for order, (title, commands) in enumerate(COMMANDS.items()):
    group = Group(title, sort_key=order)
    for place, command in enumerate(commands):
        app.command(f"mina_infra.cli.{command}", group=group, sort_key=place)
app.command("mina_infra.cli.local:app", name="local", group=Group("On this machine", sort_key=len(COMMANDS)))
NAMES = tuple(word for word in app if not word.startswith("-"))


def _describe(words: list[str]) -> None:
    """Load every command when the list of them is shown, because their docstrings say what they do."""
    if words and words[0] in (*NAMES, "--version"):
        return
    for name in NAMES:
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
