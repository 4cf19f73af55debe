"""A run stopped at an exact point: `python -m tests.engine.killed OPERATION VICTIM N STATE PROJECT STACK [NODES]`.

After N finished objects (`40%`: of those that it deals with) the run itself (VICTIM `run`) or only the engine below it
(`engine`) gets SIGKILL, or the run gets a Ctrl-C (`ctrl-c`); with `nobody` it comes to its end. Nodes after the stack
are paused by an `up`. A `destroy` leaves what the document keeps.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from mina_infra.cli.place import embedded_environment_of
from mina_infra.engine import run
from mina_infra.engine.process import leftovers
from mina_infra.engine.progress import Progress
from mina_infra.engine.state import recorded
from mina_infra.errors import EngineError
from mina_infra.local.control_plane import EmbeddedCluster
from mina_infra.spec.pause import from_variable

CODES = {"run": -signal.SIGKILL, "engine": 99, "ctrl-c": 130, "nobody": 0}
"""How the process ends, by victim: 99 is a run whose engine was killed and that said so."""


def main(operation: str, victim: str, point: str, state: Path, project: Path, stack: str, nodes: str = "") -> int:
    name = state.name
    cluster = EmbeddedCluster(name, state, state / "kubeconfig", f"kwok-{name}", server="")
    env = embedded_environment_of(cluster, project, stack)
    see, done = Progress.see, victim == "nobody"
    more: dict[str, Any] = {"paused": from_variable(nodes)} if nodes else {}
    if operation == "destroy":
        more = {"exclude_protected": env.plan.keeps}
    kept = len(recorded(env).protected) if operation == "destroy" and env.plan.keeps else 0

    def see_and_kill(progress: Progress, event: Any, now: float) -> None:
        nonlocal done
        see(progress, event, now)
        if not done and progress.done >= _objects(point, progress.total - kept):
            done = True
            if victim == "engine":
                for pid in leftovers(env.lock):
                    os.kill(pid, signal.SIGKILL)
            else:
                os.kill(os.getpid(), signal.SIGKILL if victim == "run" else signal.SIGINT)

    Progress.see = see_and_kill  # type: ignore[method-assign]
    try:
        getattr(run, operation)(env, **more)
    except EngineError as error:
        return CODES["engine"] if "was killed" in str(error) else print(error) or 1
    except KeyboardInterrupt:
        return CODES["ctrl-c"]
    return 0


def _objects(point: str, total: int) -> int:
    return max(1, total * int(point[:-1]) // 100) if point.endswith("%") else int(point)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]), Path(sys.argv[5]), *sys.argv[6:]))
