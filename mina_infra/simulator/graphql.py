"""A GraphQL server of just the size that is needed: parses a query and answers with exactly the fields it selects.

Supported: one or several operations, variables with defaults, aliases, arguments, nested selections, inline and named
fragments on the type itself, `__typename`. Unknown fields, missing selections and selections on scalars are errors, as
the daemon's own server reports them. graphql-core checks the answers in the tests but is not needed here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

_TOKEN = re.compile(r"""[\s,]+|\#[^\n]*|(\.\.\.|[!$():=@\[\]{|}]|"(?:[^"\\\n]|\\.)*"|-?\d+(?:\.\d+)?|[_A-Za-z]\w*)""")


class QueryError(Exception):
    """What the server answers in `errors`; `path` names the field for an error while resolving."""

    def __init__(self, message: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True)
class Selection:
    """One selected field."""

    name: str
    alias: str
    arguments: Mapping[str, Any]
    fields: tuple[Selection | str, ...]
    """Selected fields below; a string names a fragment."""


@dataclass(frozen=True)
class Operation:
    """The chosen operation of a document."""

    fields: tuple[Selection | str, ...]
    fragments: Mapping[str, tuple[Selection | str, ...]]
    readers: dict[int, Callable[[Any], dict[str, Any]]] = field(default_factory=dict, compare=False)
    """What reads its fields off a value, by the type of the root."""


@dataclass(frozen=True)
class ObjectType:
    """A type that can be asked: for each field how to get its value from the parent, and the type of that value."""

    name: str
    fields: Mapping[str, Callable[..., Any]]
    children: Mapping[str, ObjectType] = field(default_factory=dict)

    def only(self, *names: str) -> ObjectType:
        """The same type with these fields alone."""
        children = {name: child for name, child in self.children.items() if name in names}
        return ObjectType(self.name, {name: self.fields[name] for name in names}, children)


def parse(text: str, operation: str | None, variables: Mapping[str, Any]) -> Operation:
    """The operation of a document, with its variables filled in. Raises QueryError."""
    return _Parser(text).document(operation, variables)


def project(root: ObjectType, source: Any, operation: Operation) -> dict[str, Any]:
    """The value of `data`. Raises QueryError."""
    reader = operation.readers.get(id(root))
    if reader is None:
        reader = operation.readers[id(root)] = _reader(root, operation.fields, operation.fragments, ())
    return reader(source)


def _reader(
    kind: ObjectType,
    selections: tuple[Selection | str, ...],
    fragments: Mapping[str, tuple[Selection | str, ...]],
    path: tuple[str, ...],
) -> Callable[[Any], dict[str, Any]]:
    """What reads exactly these fields off a value of that type, made once for each query: a status has 200 of them."""
    fields = [_field(kind, each, fragments, path) for each in _spread(selections, fragments)]

    def read(value: Any) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        alias = ""
        try:
            for alias, resolve in fields:
                answer[alias] = resolve(value)
        except (QueryError, TypeError) as error:
            if isinstance(error, QueryError) and error.path:
                raise
            words = str(error) if isinstance(error, QueryError) else f"Field '{alias}' of type '{kind.name}': {error}"
            raise QueryError(words, (*path, alias)) from error
        return answer

    return read


def _spread(
    selections: tuple[Selection | str, ...], fragments: Mapping[str, tuple[Selection | str, ...]]
) -> Iterator[Selection]:
    """The selections with those of the named fragments in their places."""
    for selection in selections:
        if not isinstance(selection, str):
            yield selection
        elif selection in fragments:
            yield from _spread(fragments[selection], fragments)
        else:
            raise QueryError(f"Fragment '{selection}' is not defined")


def _field(
    kind: ObjectType,
    selection: Selection,
    fragments: Mapping[str, tuple[Selection | str, ...]],
    path: tuple[str, ...],
) -> tuple[str, Callable[[Any], Any]]:
    if selection.name == "__typename":
        return selection.alias, lambda _value: kind.name
    resolver, child = kind.fields.get(selection.name), kind.children.get(selection.name)
    if resolver is None:
        raise QueryError(f"Field '{selection.name}' is not defined on type '{kind.name}'")
    if child is None and selection.fields:
        raise QueryError(f"Field '{selection.name}' of type '{kind.name}' is a scalar and has no fields")
    if child is not None and not selection.fields:
        raise QueryError(f"Field '{selection.name}' of type '{kind.name}' needs a selection of its fields")
    resolve = partial(resolver, **selection.arguments) if selection.arguments else resolver
    if child is None:
        return selection.alias, resolve
    below = _reader(child, selection.fields, fragments, (*path, selection.alias))

    def read(value: Any) -> Any:
        result = resolve(value)
        if isinstance(result, list | tuple):
            return [below(item) for item in result]
        return None if result is None else below(result)

    return selection.alias, read


class _Parser:
    """Recursive descent over the tokens of one document."""

    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.position = 0

    def document(self, operation: str | None, variables: Mapping[str, Any]) -> Operation:
        operations: dict[str, tuple[dict[str, Any], int]] = {}
        fragments: dict[str, tuple[Selection | str, ...]] = {}
        while self.peek():
            if self.peek() == "fragment":
                self.position += 1
                name = self.take()
                self.expect("on")
                self.take()
                fragments[name] = self.selections(variables)
            else:
                name, defaults = self.header()
                operations[name] = (defaults, self.position)
                self.selections(defaults | dict(variables))
        return Operation(self._chosen(operations, operation, variables), fragments)

    def _chosen(
        self, operations: dict[str, tuple[dict[str, Any], int]], name: str | None, variables: Mapping[str, Any]
    ) -> tuple[Selection | str, ...]:
        if name is None and len(operations) != 1:
            raise QueryError("Must provide operation name if query contains multiple operations")
        chosen = operations.get(name) if name else next(iter(operations.values()))
        if chosen is None:
            raise QueryError(f"Operation '{name}' is not defined")
        defaults, self.position = chosen
        return self.selections(defaults | dict(variables))

    def header(self) -> tuple[str, dict[str, Any]]:
        """`query Name($v: T = 1)`: the name and the variables with their defaults (None without)."""
        if self.peek() == "{":
            return "", {}
        if (kind := self.take()) != "query":
            raise QueryError(f"only queries are served here, not '{kind}'")
        name = "" if self.peek() in ("(", "{") else self.take()
        defaults: dict[str, Any] = {}
        if self.peek() == "(":
            self.position += 1
            while self.peek() != ")":
                self.expect("$")
                variable = self.take()
                self.expect(":")
                while self.peek() not in ("=", "$", ")"):
                    self.take()
                defaults[variable] = None
                if self.peek() == "=":
                    self.position += 1
                    defaults[variable] = self.value({})
            self.position += 1
        return name, defaults

    def selections(self, variables: Mapping[str, Any]) -> tuple[Selection | str, ...]:
        self.expect("{")
        found: list[Selection | str] = []
        while self.peek() != "}":
            if self.peek() == "...":
                found.extend(self._spread(variables))
            else:
                found.append(self._field(variables))
        self.position += 1
        if not found:
            raise QueryError("Syntax error: an empty selection")
        return tuple(found)

    def _spread(self, variables: Mapping[str, Any]) -> tuple[Selection | str, ...]:
        self.position += 1
        if self.peek() == "on":
            self.position += 1
            self.take()
        elif self.peek() != "{":
            return (self.take(),)
        return self.selections(variables)

    def _field(self, variables: Mapping[str, Any]) -> Selection:
        alias = name = self.name()
        if self.peek() == ":":
            self.position += 1
            name = self.name()
        arguments: dict[str, Any] = {}
        if self.peek() == "(":
            self.position += 1
            while self.peek() != ")":
                argument = self.name()
                self.expect(":")
                arguments[argument] = self.value(variables)
            self.position += 1
        fields = self.selections(variables) if self.peek() == "{" else ()
        return Selection(name, alias, arguments, fields)

    def value(self, variables: Mapping[str, Any]) -> Any:
        token = self.take()
        if token == "$":
            name = self.take()
            if name not in variables:
                raise QueryError(f"Variable '${name}' is not defined")
            return variables[name]
        if token.startswith('"'):
            return token[1:-1].replace('\\"', '"').replace("\\\\", "\\")
        if token in _CONSTANTS:
            return _CONSTANTS[token]
        try:
            return float(token) if "." in token else int(token)
        except ValueError as error:
            raise QueryError(f"Syntax error: {token!r} is not a value that is understood here") from error

    def name(self) -> str:
        token = self.take()
        if not (token[0].isalpha() or token[0] == "_"):
            raise QueryError(f"Syntax error: a name is expected, found {token!r}")
        return token

    def peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        if not token:
            raise QueryError("Syntax error: the query ends too early")
        self.position += 1
        return token

    def expect(self, token: str) -> None:
        if (found := self.take()) != token:
            raise QueryError(f"Syntax error: {token!r} is expected, found {found!r}")


_CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None}


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise QueryError(f"Syntax error: unexpected {text[position]!r}")
        if match.group(1):
            tokens.append(match.group(1))
        position = match.end()
    return tokens
