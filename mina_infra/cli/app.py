"""The commands and how their mistakes are shown."""

from __future__ import annotations

import sys

from cyclopts import App, CycloptsError
from rich.console import Console

from mina_infra import __version__
from mina_infra.cli import (
    bench_storage,
    clone,
    cost,
    deploy,
    hygiene,
    jobs,
    lifecycle,
    local,
    migrate,
    operate,
    orphans,
    rebind,
    recover,
    snapshots,
)
from mina_infra.errors import ClusterError, MinaInfraError

HELP = """Mina testnets as code: one document, deployed with Pulumi, kept across redeployments, judged with evidence.

A testnet is the document in `Pulumi.<stack>.yaml`. `mina-infra up -s STACK` deploys it and runs its post-deploy
steps; `mina-infra local up --stack STACK` does the same on a cluster of its own on this machine, without any cloud.

Exit codes: 0 done and healthy, 1 failed or unstable, 2 could not tell, 130 interrupted.
"""

app = App(name="mina-infra", help=HELP, version=__version__, help_format="markdown", suppress_keyboard_interrupt=False)
app.command(deploy.plan)
app.command(deploy.alerts)
app.command(deploy.up)
app.command(deploy.preview)
app.command(deploy.destroy)
app.command(deploy.outputs)
app.command(deploy.pulumi)
app.command(operate.verify)
app.command(operate.seeds)
app.command(operate.publish)
app.command(operate.post_deploy)
app.command(lifecycle.pause)
app.command(lifecycle.resume)
app.command(recover.recover)
app.command(rebind.volumes)
app.command(rebind.rebind)
app.command(jobs.check_state)
app.command(clone.clone)
app.command(bench_storage.bench_storage)
app.command(hygiene.renew)
app.command(hygiene.expire)
app.command(orphans.orphans)
app.command(cost.cost)
app.command(snapshots.snapshot)
app.command(snapshots.snapshots)
app.command(migrate.migrate)
app.command(local.app)


def run(arguments: list[str] | None = None) -> None:
    """Run one command and exit with its code; a user's mistake is a message, never a stack trace."""
    errors = Console(stderr=True, highlight=False)
    try:
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
    sys.exit(code or 0)
