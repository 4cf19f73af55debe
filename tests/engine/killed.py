"""A run that is killed at an exact point: `python -m tests.engine.killed up|destroy run|engine N STATE PROJECT STACK`.

After N finished objects the run itself, or only the engine below it, gets SIGKILL.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from mina_infra.engine import run
from mina_infra.engine.process import leftovers
from mina_infra.engine.progress import Progress
from mina_infra.errors import EngineError
from mina_infra.local.control_plane import EmbeddedCluster
from tests.engine.testnets import environment

KILLED = 99
"""Exit code of a run whose engine was killed and that said so."""


def main(operation: str, victim: str, point: int, state: Path, project: Path, stack: str) -> int:
    name = state.name
    cluster = EmbeddedCluster(name, state, state / "kubeconfig", f"kwok-{name}", server="")
    env = environment(cluster, project, stack)
    see = Progress.see

    def see_and_kill(progress: Progress, event: Any, now: float) -> None:
        see(progress, event, now)
        if progress.done >= point:
            if victim == "run":
                os.kill(os.getpid(), signal.SIGKILL)
            for pid in leftovers(env.lock):
                os.kill(pid, signal.SIGKILL)

    Progress.see = see_and_kill  # type: ignore[method-assign]
    try:
        getattr(run, operation)(env)
    except EngineError as error:
        return KILLED if "was killed" in str(error) else print(error) or 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]), Path(sys.argv[5]), sys.argv[6]))
