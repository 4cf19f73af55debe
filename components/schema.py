"""The schema of this package as Pulumi infers it for other languages.

Kept as `schema.json` beside this file, so that a change of what users see is reviewed; `python -m components.schema`
writes it anew, and a test compares. The one place that knows Pulumi's experimental analyser.
"""

import inspect
import json
from pathlib import Path
from typing import Any

from pulumi.provider.experimental.component import ComponentProvider

from components import COMPONENTS
from mina_infra import __version__

FILE = Path(__file__).with_name("schema.json")
PACKAGE = {"name": "mina-infra", "namespace": "o1-labs", "version": __version__}


def component_provider() -> ComponentProvider:
    """What serves the components to other languages, without its server."""
    return ComponentProvider(list(COMPONENTS), **PACKAGE)


def inferred() -> dict[str, Any]:
    """The schema that consumers generate their SDK from, its descriptions without the indentation of the source.

    Python 3.13 takes that indentation away by itself; so the file is the same for every Python.
    """
    schema: dict[str, Any] = json.loads(component_provider().schema or "", object_hook=_dedented)
    return schema


def _dedented(value: dict[str, Any]) -> dict[str, Any]:
    text = value.get("description")
    return {**value, "description": inspect.cleandoc(text)} if isinstance(text, str) else value


def text() -> str:
    """Content of `schema.json`."""
    return json.dumps(inferred(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
