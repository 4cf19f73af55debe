"""From a file to a checked spec: every mistake at once, each with file, line and column."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from mina_infra.spec import rules
from mina_infra.spec.errors import Issue, Path, SpecError
from mina_infra.spec.models import TestnetSpec

Rule = Callable[[TestnetSpec], Iterable[Issue]]
CONFIG_KEY = "mina-infra:testnet"


@dataclass(frozen=True)
class Marks:
    """Where each value of a YAML file stands: path → (line, column), counted from 1."""

    file: str
    places: Mapping[Path, tuple[int, int]] = field(default_factory=dict)
    root: Path = ()

    def locate(self, issue: Issue) -> Issue:
        """The issue with the place of its value, or of the nearest value around it."""
        path = (*self.root, *issue.path)
        while path not in self.places and path:
            path = path[:-1]
        line, column = self.places.get(path, (1, 1))
        return issue.at(self.file, line, column)


def read_yaml(file: FilePath) -> tuple[Any, Marks]:
    """The data of a YAML file and where each value stands. Raises SpecError for a missing or malformed file."""
    try:
        text = file.read_text()
    except OSError as error:
        raise SpecError([Issue((), f"cannot read {file}: {error.strerror}")]) from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        places: dict[Path, tuple[int, int]] = {}
        if node is not None:
            _mark(node, (), places)
        return yaml.safe_load(text), Marks(file.name, places)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        issue = Issue((), f"not valid YAML: {problem}")
        if mark:
            issue = issue.at(file.name, mark.line + 1, mark.column + 1)
        raise SpecError([issue]) from error


def _mark(node: yaml.Node, path: Path, places: dict[Path, tuple[int, int]]) -> None:
    places.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, str(key.value))
            places[inner] = (key.start_mark.line + 1, key.start_mark.column + 1)
            _mark(value, inner, places)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _mark(value, (*path, index), places)


def load_stack_spec(file: FilePath, more_rules: Iterable[Rule] = ()) -> TestnetSpec:
    """The testnet of a Pulumi stack file, with its runtime config read from beside it. Raises SpecError."""
    data, marks = read_yaml(file)
    config = data.get("config") if isinstance(data, Mapping) else None
    if not isinstance(config, Mapping) or CONFIG_KEY not in config:
        raise SpecError(
            [marks.locate(Issue((), f"no testnet: 'config: {CONFIG_KEY}:' is missing", "See README, 'The document'."))]
        )
    marks = Marks(marks.file, marks.places, ("config", CONFIG_KEY))
    return parse(config[CONFIG_KEY], base=file.parent, marks=marks, more_rules=more_rules)


def parse(data: Any, *, base: FilePath, marks: Marks | None = None, more_rules: Iterable[Rule] = ()) -> TestnetSpec:
    """The checked spec of a document given as data. `base` is the folder of relative file names. Raises SpecError."""
    try:
        spec = TestnetSpec.model_validate(data)
    except ValidationError as error:
        raise _located([_issue(each, data) for each in error.errors()], marks) from error
    issues = [issue for rule in (rules.check, *more_rules) for issue in rule(spec)]
    try:
        spec = spec.with_files(base)
        config = spec.genesis.config()
        issues += list(_runtime_config(config))
    except OSError as error:
        issues.append(
            Issue(
                ("genesis", "runtimeConfig"),
                f"cannot read '{spec.genesis.runtime_config}' in {base}: {error.strerror}.",
                "Name a JSON file beside the stack file, or give the JSON text itself.",
            )
        )
    except ValueError as error:
        issues.append(Issue(("genesis", "runtimeConfig"), f"not valid JSON: {error}."))
    if issues:
        raise _located(issues, marks)
    return spec


CONFIG_MAP_LIMIT = 2**20
"""Bytes: the API server refuses a larger ConfigMap (storage facts, V17)."""


def _runtime_config(config: Any) -> Iterable[Issue]:
    path: Path = ("genesis", "runtimeConfig")
    if not isinstance(config, Mapping):
        yield Issue(path, "the runtime config must be a JSON object.")
        return
    size = len(str(config))
    if size > CONFIG_MAP_LIMIT:
        yield Issue(
            path,
            f"the runtime config is {size / 2**20:.1f} MiB; ConfigMap data is limited to 1 MiB.",
            "Keep the ledger out of it: genesis.ledger.source: shared-claim.",
        )
    if not config.get("genesis", {}).get("genesis_state_timestamp"):
        yield Issue(
            path,
            "genesis.genesis_state_timestamp is missing: each node would start its chain at another time.",
            'Set it, for example "2026-01-01T00:00:00Z".',
        )


def _located(issues: list[Issue], marks: Marks | None) -> SpecError:
    return SpecError([marks.locate(issue) for issue in issues] if marks else issues)


def _issue(error: Any, data: Any) -> Issue:
    """One pydantic error in our words."""
    path = _real_path(error["loc"], data)
    kind, found = error["type"], error.get("input")
    if kind == "extra_forbidden":
        known = _fields_at(path[:-1])
        near = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.6)
        hint = f"Did you mean '{near[0]}'? " if near else ""
        return Issue(path, f"unknown key '{path[-1]}'.", f"{hint}Known here: {', '.join(known)}.")
    if kind == "missing":
        return Issue(path, "is missing.", _description(path))
    if kind == "enum":
        allowed = str(error["ctx"]["expected"])
        near = difflib.get_close_matches(str(found), allowed.replace("'", "").replace(" or ", ", ").split(", "), n=1)
        hint = f"Did you mean '{near[0]}'?" if near else ""
        return Issue(path, f"found {found!r}; allowed: {allowed}.", hint)
    text = str(error["msg"]).removeprefix("Value error, ")
    message = text if repr(found) in text else f"found {found!r}: {text[0].lower()}{text[1:]}"
    return Issue(path, message.rstrip(".") + ".", _description(path))


def _real_path(loc: tuple[Any, ...], data: Any) -> Path:
    """pydantic's location as a path in the document: without the marker of a mapping's key."""
    return tuple(part for part in loc if part != "[key]")


def _models_at(path: Path) -> type[BaseModel] | None:
    """The model that describes the mapping at a path, found by walking the fields' annotations."""
    model: Any = TestnetSpec
    for part in path:
        if isinstance(part, int):
            continue
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return None
        found = next((info for name, info in model.model_fields.items() if part in (name, info.alias)), None)
        if found is None:
            continue  # the key of a mapping, such as a volume kind: its value is described by the mapping's field
        model = _inner_model(found.annotation)
    return model if isinstance(model, type) and issubclass(model, BaseModel) else None


def _inner_model(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        model = _inner_model(inner)
        if model is not None:
            return model
    return None


def _fields_at(path: Path) -> list[str]:
    model = _models_at(path)
    return [str(info.alias or name) for name, info in model.model_fields.items()] if model else []


def _description(path: Path) -> str:
    model = _models_at(path[:-1])
    if model is None or not path:
        return ""
    for name, info in model.model_fields.items():
        if path[-1] in (name, info.alias):
            return info.description or ""
    return ""
