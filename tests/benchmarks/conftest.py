"""The benchmarks are scripts, not a package: their folder is the first place where they look for each other."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
