"""Last lines of daemons that died, in the shapes that real ones have."""

from __future__ import annotations

import json
from typing import Any

PEER_A = "12D3KooWA9rE1Lp6kbGS6GZQ7xWcDqzY9RpT8nq4n1oWJwVbTQkH"
PEER_B = "12D3KooWKvBFXdNrk2vHyiZJcrbTzrv8rUbgTfzxDPAyNWd4RFFJ"
HASH_A = "3NKeMoncuHab5ScarV5ViyF16cJPT4taWNSaTLS64Dp67wuXigPZ"
HASH_B = "3NLoKn22eMnyQ7rxh5pxB6vBA3XhSAhhrf7akdqS6HbAKD14Dh1d"
KEY = "B62qkEMqwHY6yZ6sEZUxFZG4FkZKtDGHrHqQpYkqfGpLCm5QmXwpQy8"

FRAMES = [
    "Raised at Base__Error.raise in file \"src/error.ml\" (inlined), line 9, characters 14-30",
    "Called from Base__Or_error.ok_exn in file \"src/or_error.ml\", line 101, characters 17-32",
    "Called from Transition_frontier__Full_frontier.apply_diff in file "
    "\"src/lib/transition_frontier/full_frontier/full_frontier.ml\", line 411, characters 12-58",
]  # fmt: skip


def line(message: str, level: str = "Info", **metadata: Any) -> str:
    return json.dumps(
        {
            "timestamp": "2026-01-01 01:02:03.456789Z",
            "level": level,
            "source": {"module": "Mina_run", "location": 'File "src/app/cli/src/mina_run.ml", line 7, characters 6-16'},
            "message": message,
            "metadata": {"pid": 10, **metadata},
        }
    )


def unhandled(exn: Any) -> str:
    return line("Unhandled top-level exception: $exn\nGenerating crash report", "Fatal", exn=exn)


def missing_ancestor(state_hash: str, peer: str, number: int, *, commit: str = "0123abc") -> dict[str, Any]:
    """The form of 2021 and later: an S-expression as nested lists."""
    return {
        "commit_id": commit,
        "sexp": [
            "monitor.ml.Error",
            ["Failure", f"no ancestor of {state_hash} from {peer} at 10.0.{number}.7:8302, rpc {number}"],
            [frame.replace("411", str(400 + number)) for frame in FRAMES],
        ],
    }


def as_string(exn: dict[str, Any]) -> str:
    """The same exception in the form of 2019 and 2020: one string."""

    def text(value: Any) -> str:
        if isinstance(value, list):
            return "(" + " ".join(text(each) for each in value) + ")"
        escaped = value.replace('"', '\\"')
        return f'"{escaped}"' if " " in value else value

    return text(exn["sexp"])


SIGTERM_NOISE = "\n".join(
    [
        line("libp2p_helper process died unexpectedly: $exit", "Fatal", exit="received sigterm (signal number 15)"),
        unhandled({"sexp": ["Mina_net2__Libp2p_helper.Libp2p_helper_died_unexpectedly"]}),
    ]
)  # fmt: skip
BANNER = "\n\n☠ Mina Daemon crashed. Please tell us why!\n\nMina process exited with status code 1"
GO_PANIC = """panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x40 pc=0xa4b2c1]

goroutine 412 [running]:
codanet.(*Helper).handle(0xc0003a2000)
\tsrc/codanet/codanet.go:512 +0x41
main.main()
\tsrc/libp2p_helper/main.go:90 +0x1bf"""


def dead(exn: Any, *, lines_before: int = 3) -> bytes:
    """A whole previous log."""
    before = [line(f"Received a block {number}", "Debug") for number in range(lines_before)]
    return "\n".join([*before, unhandled(exn), *BANNER.split("\n")]).encode() + b"\n"
