"""The last words of a daemon, in the shapes that crashes of real ones have (docs/facts.md: mina/crash-logs)."""

from __future__ import annotations

from typing import Any

from mina_infra.daemon.logs import Level
from mina_infra.simulator.log_lines import FATAL, Template, line
from mina_infra.simulator.node import Node

_SCHEDULER = (
    'Called from Async_kernel__Deferred0.bind.(fun) in file "src/deferred0.ml", line 54, characters 64-69',
    'Called from Async_kernel__Job_queue.run_job in file "src/job_queue.ml" (inlined), line 128, characters 2-5',
    'Called from Async_kernel__Job_queue.run_jobs in file "src/job_queue.ml", line 169, characters 6-47',
)
_BANNER = """
  ☠  Mina Daemon crashed. The Mina Protocol developers would like to know why!

  Please:
    Open an issue:
      <https://github.com/MinaProtocol/mina/issues/new>

    Briefly describe what you were doing and attach the crash report """
_HELPER_DIED = Template(
    Level.FATAL, "Mina_net2__Libp2p_helper", "libp2p_helper process died unexpectedly: $exit_status"
)
_INTERRUPTED = Template(Level.INFO, "Init__Mina_run", "Mina process was interrupted by $signal")
_HELPER_RAISED = (
    'Raised at Mina_net2__Libp2p_helper.handle_libp2p_helper_termination in file "src/lib/mina_net2/libp2p_helper.ml", '
    "line 144, characters 8-45"
)


def frontier_bug(node: Node, now_ms: float) -> list[str]:
    """A bug that names a block and a peer, so that its words differ from node to node; exn as since 2021."""
    block = node.tip.state_hash if node.tip else "none"
    sexp = [
        "monitor.ml.Error",
        [
            "exn.ml.Reraised",
            f"apply_diff of {block} from {node.spec.identity}",
            ["Failure", "Tried to apply a diff twice"],
        ],
        [
            'Raised at Stdlib.failwith in file "stdlib.ml", line 29, characters 17-33',
            "Called from Transition_frontier__Full_frontier.apply_diff in file "
            f'"src/lib/transition_frontier/full_frontier/full_frontier.ml", line {400 + len(node.spec.name)}, '
            "characters 12-80",
            *_SCHEDULER,
        ],
    ]
    return _crash(node, now_ms, {"commit_id": node.spec.commit_id, "sexp": sexp, "backtrace": sexp[2]})


def pool_bug(node: Node, now_ms: float) -> list[str]:
    """Another bug; exn is a text, as daemons of 2020 write it."""
    text = (
        '(monitor.ml.Error (Failure "Tried to handle a committed transaction in the pool but its nonce does not match '
        'the head of the queue for that sender.") ("Raised at file \\"stdlib.ml\\", line 33, characters 17-33" "Called '
        'from file \\"src/lib/network_pool/transaction_pool.ml\\", line 257, characters 14-107" "Called from file '
        '\\"list.ml\\", line 117, characters 24-34" "Caught by monitor coda"))'
    )
    return _crash(node, now_ms, text)


def helper_died(node: Node, now_ms: float, status: str = "killed by sigkill (signal number 9)") -> list[str]:
    """The libp2p helper went, and the daemon with it."""
    exn = {
        "commit_id": node.spec.commit_id,
        "sexp": [
            "monitor.ml.Error",
            "Mina_net2__Libp2p_helper.Libp2p_helper_died_unexpectedly",
            [_HELPER_RAISED, *_SCHEDULER],
        ],
        "backtrace": [_HELPER_RAISED],
    }
    return [_line(_HELPER_DIED, node, now_ms, {"exit_status": status}), *_crash(node, now_ms, exn)]


def terminated(node: Node, now_ms: float, *, noise: bool = True) -> list[str]:
    """An orderly end on SIGTERM. The helper has had the signal too; that its end is Fatal is noise."""
    words = [_line(_INTERRUPTED, node, now_ms, {"signal": "sigterm"})]
    return words + (helper_died(node, now_ms, "died after receiving sigterm (signal number 15)") if noise else [])


def _crash(node: Node, now_ms: float, exn: Any) -> list[str]:
    report = "/root/.mina-config/coda_crash_report_2026-01-01_00-00-00.000000.tar.gz"
    return [_line(FATAL, node, now_ms, {"exn": exn}), f"{_BANNER}{report}", "Mina process exited with status code 1"]


def _line(template: Template, node: Node, now_ms: float, metadata: dict[str, Any]) -> str:
    return line(template, now_ms, node, metadata, as_json=True)
