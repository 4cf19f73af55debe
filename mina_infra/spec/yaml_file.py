"""Reading a YAML file as plain data, and where in the file each value stands.

Read as the engine reads it (YAML 1.2: `no` and `12:30` are text), and stricter where data would be lost in silence:
a key given twice is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import yaml

from mina_infra.spec.errors import Issue, Path, SpecError, camel

_TAG = "tag:yaml.org,2002:"
_DATA = {_TAG + kind for kind in ("str", "int", "float", "bool", "null", "merge", "map", "seq")}


class _Loader(yaml.SafeLoader):
    """PyYAML's loader with the words and numbers of YAML 1.2, as the engine's own reader has them."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as PyYAML declares it


_WORDS = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)", "-+0123456789"),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "merge": (r"<<", "<"),
}
for _kind, (_pattern, _first) in _WORDS.items():
    _Loader.add_implicit_resolver(_TAG + _kind, re.compile(rf"^(?:{_pattern})$"), list(_first))


@dataclass(frozen=True)
class Marks:
    """Where each value of a YAML file stands: path → (line, column), counted from 1.

    `root` is the path of the document in the file; issues begin there.
    """

    file: str
    places: Mapping[Path, tuple[int, int]] = field(default_factory=dict)
    root: Path = ()

    def locate(self, issue: Issue) -> Issue:
        """The issue with the place of its value, or of the nearest value around it."""
        path = camel((*self.root, *issue.path))
        while path not in self.places and path:
            path = path[:-1]
        line, column = self.places.get(path, (1, 1))
        return issue.at(self.file, line, column, str(self.root[-1]) if self.root else "")


def read_yaml(file: FilePath) -> tuple[Any, Marks]:
    """The data of a YAML file and where each value stands.

    Raises SpecError for a file that is missing, malformed, holds a key twice or anything but plain data.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SpecError([Issue((), f"cannot read {file}: {error.strerror}.")]) from error
    except UnicodeDecodeError as error:
        raise SpecError([Issue((), f"{file} is not UTF-8 text: {error.reason}.").at(file.name, 1, 1)]) from error
    try:
        return _load(text, file.name)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise SpecError([Issue((), f"not valid YAML: {problem}.").at(file.name, line, column)]) from error
    except (RecursionError, ValueError) as error:  # ValueError: an integer of thousands of digits
        problem = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise SpecError([Issue((), f"not valid YAML: {problem}.").at(file.name, 1, 1)]) from error


def _load(text: str, name: str) -> tuple[Any, Marks]:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None, Marks(name)
        walk = _Walk(loader, name)
        issues = list(walk.visit(node, ()))
        if issues:
            raise SpecError(issues)
        return loader.construct_document(node), Marks(name, walk.places)
    finally:
        loader.dispose()


class _Walk:
    """Notes the place of every value and reports what is not plain data.

    An anchored value is entered once, so that neither a cycle nor a nest of aliases is walked for ever.
    """

    def __init__(self, loader: _Loader, file: str) -> None:
        self.places: dict[Path, tuple[int, int]] = {}
        self._loader, self._file, self._seen = loader, file, set[int]()

    def visit(self, node: yaml.Node, path: Path) -> Iterator[Issue]:
        self._place(path, node)
        if id(node) in self._seen:
            return
        self._seen.add(id(node))
        if node.tag not in _DATA or not self._suits(node):
            tag = str(node.tag).replace(_TAG, "!!")
            yield self._issue(node, path, f"the tag {tag} is not for plain data, or does not suit its value.")
        if isinstance(node, yaml.MappingNode):
            yield from self._mapping(node, path)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                yield from self.visit(value, (*path, index))

    def _mapping(self, node: yaml.MappingNode, path: Path) -> Iterator[Issue]:
        first: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                yield self._issue(key, path, "a key must be text.")
                continue
            if key.value in first and key.tag == first[key.value].tag:
                line = first[key.value].start_mark.line + 1
                yield self._issue(key, (*path, key.value), f"given twice, here and in line {line}: one would be lost.")
            first.setdefault(key.value, key)
            inner = (*path, key.value)
            self._place(inner, key)
            yield from self.visit(value, inner)

    def _suits(self, node: yaml.Node) -> bool:
        """Whether an explicit tag suits the text: `!!int abc` would fail far from here."""
        if not isinstance(node, yaml.ScalarNode):
            return node.tag in (_TAG + "map", _TAG + "seq")
        resolved = self._loader.resolve(yaml.ScalarNode, node.value, (True, False))  # type: ignore[no-untyped-call]
        return node.tag in (_TAG + "str", resolved)

    def _place(self, path: Path, node: yaml.Node) -> None:
        """A value stands where its key stands, which came first."""
        self.places.setdefault(camel(path), (node.start_mark.line + 1, node.start_mark.column + 1))

    def _issue(self, node: yaml.Node, path: Path, message: str) -> Issue:
        return Issue(path, message).at(self._file, node.start_mark.line + 1, node.start_mark.column + 1)
