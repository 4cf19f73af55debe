"""Serves the components to programs in other languages; the engine runs `python components/`."""

import sys
from pathlib import Path

# The engine puts this folder first on the path, where `components` would not be found by its name.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from pulumi.provider.experimental import component_provider_host  # noqa: E402

from components import COMPONENTS  # noqa: E402
from mina_infra import __version__  # noqa: E402

if __name__ == "__main__":
    component_provider_host(name="mina-infra", namespace="o1-labs", version=__version__, components=list(COMPONENTS))
