"""Fetches and builds what the tests on a real node need, with visible progress: `python -m tests.node`.

Silent where they cannot run: pytest says why.
"""

from __future__ import annotations

import sys

from mina_infra.errors import ToolError
from mina_infra.local.build import terminal_line
from mina_infra.local.tools import ensure_kubelet
from tests.node.debian import ensure_packages, why_not


def main() -> int:
    if why_not():
        return 0
    live = terminal_line(sys.stdout) if sys.stdout.isatty() else None
    try:
        ensure_packages(print)
        ensure_kubelet(print, live)
    except ToolError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
