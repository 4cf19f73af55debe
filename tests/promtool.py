"""promtool, the judge of the Prometheus rules: from PATH, else once from the Debian package, into the cache of tools.

`make test` calls this file first, so that its one slow moment is seen. Nothing is installed, and no root is needed.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from mina_infra.errors import ToolError
from mina_infra.local.paths import tools_cache
from tests import debian

PACKAGE = "prometheus"
HELP = "Put promtool on PATH: apt-get install prometheus, brew install prometheus, or https://prometheus.io/download"


def ensure_promtool(report: Callable[[str], None]) -> Path:
    """The path of promtool. Raises ToolError where it is not on PATH and there is no Debian to get it from."""
    found = shutil.which("promtool")
    if found:
        return Path(found)
    target = tools_cache() / "promtool" / "promtool"
    if not os.access(target, os.X_OK):
        if not debian.is_here():
            raise ToolError(f"the alert rules cannot be checked: no promtool, and no apt-get to fetch it. {HELP}.")
        report(f"promtool: fetching Debian's package {PACKAGE} into {target.parent} (once; 20 MB)")
        try:
            with debian.unpacked([PACKAGE], target.parent) as files:
                (files / "usr" / "bin" / "promtool").replace(target)
        except ToolError as error:
            raise ToolError(f"{error}\n{HELP}.") from error
    return target


if __name__ == "__main__":
    try:
        ensure_promtool(lambda line: print(line, flush=True))
    except ToolError as error:
        sys.exit(f"error: {error}")
