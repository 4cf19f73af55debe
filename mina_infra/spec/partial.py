"""What can still be said about a document with broken fields, so that one run shows every mistake.

Broken fields are left out and what stays is judged by the rules; issues that the gaps themselves may cause are dropped.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mina_infra.spec.errors import Issue, Path, camel
from mina_infra.spec.explain import known_keys, nearest, path_of
from mina_infra.spec.models import TestnetSpec

_STAND_INS: dict[Path, Any] = {
    ("name",): "testnet",
    ("image",): "image:3.0.1",
    ("genesis",): {"runtimeConfig": "{}", "ledger": {"source": "config-map"}},
    ("genesis", "runtimeConfig"): "{}",
    ("nodes", "*"): {"role": "plain"},
    ("nodes", "*", "role"): "plain",
}
"""What takes the place of a required value that is missing or broken; "*" is any index."""

_OF_ONE_GROUP = {"bots", "identities", "volumes", "resources", "paused", "keys", "jobs"}
"""Fields of a node group that say nothing about other groups."""


def read_rest(data: Any, errors: list[ErrorDetails]) -> TestnetSpec | None:
    """The document without what is broken, or None where nothing can be said without it."""
    rest = json.loads(json.dumps(data))
    for _ in range(5):  # leaving out a value may leave its parent incomplete, which is then left out in turn
        if not isinstance(rest, dict):
            return None
        places = {(path_of(error), error["type"] == "missing") for error in errors}
        for path, missing in sorted(places, key=lambda place: [str(part).rjust(6) for part in place[0]], reverse=True):
            if not _leave_out(rest, path, missing):
                return None
        try:
            return TestnetSpec.model_validate(copy.deepcopy(rest))
        except ValidationError as error:
            errors = error.errors(include_url=False)
    return None


def unrelated(issues: Iterable[Issue], errors: list[ErrorDetails]) -> list[Issue]:
    """The issues that none of the broken fields can have caused."""
    broken = {place for error in errors if (place := _meant(error)) is not None}
    return [issue for issue in issues if not any(_may_cause(place, issue.path) for place in broken)]


def _leave_out(data: Any, path: Path, missing: bool) -> bool:
    """Remove the value at a path, or put a stand-in there. False where its parent is the document itself."""
    if not path:
        return False
    stand_in = _STAND_INS.get(tuple("*" if isinstance(part, int) else part for part in path))
    if stand_in is None and missing:
        return _leave_out(data, path[:-1], missing=False)
    parent: Any = data
    for part in path[:-1]:
        try:
            parent = parent[part]
        except (KeyError, IndexError, TypeError):
            return True  # left out already, with what was around it
    _put(parent, path[-1], copy.deepcopy(stand_in))
    return True


def _put(parent: Any, key: str | int, stand_in: Any) -> None:
    if isinstance(parent, dict) and isinstance(key, str):
        if stand_in is None:
            parent.pop(key, None)
        else:
            parent[key] = stand_in
    elif isinstance(parent, list) and isinstance(key, int) and key < len(parent):
        parent[key : key + 1] = [] if stand_in is None else [stand_in]


def _meant(error: ErrorDetails) -> Path | None:
    """The field that an error concerns: of an unknown key the one that was probably meant, if any."""
    path = camel(path_of(error))
    if error["type"] != "extra_forbidden":
        return path
    near = nearest(str(path[-1]), known_keys(path[:-1]))
    return (*path[:-1], near) if near else None


def _may_cause(broken: Path, path: Path) -> bool:
    if broken == ("era",) and path[:1] == ("keptEras",):
        return True  # which are earlier, only a good one tells
    if broken[:1] == path[:1] == ("nodes",) and len(path) <= 2:
        # Rules between groups stand at `nodes` or at a whole group; they look at role, name, count and stake.
        return not set(broken[2:3]) & _OF_ONE_GROUP
    near, place = broken[:2], path[:2]
    return near[: len(place)] == place or place[: len(near)] == near
