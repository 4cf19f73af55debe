"""The difference between the live object and new inputs, as the official provider reports it to the engine."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mina_infra.local.provider import inputs as manifests
from mina_infra.local.provider.rules import force_new, touches
from mina_infra.local.provider.state import live_object, old_inputs
from mina_infra.local.provider.wire import Properties, Unknown, as_json, plain

MISSING = object()
Path = list[str | int]


@dataclass(frozen=True)
class Change:
    """One changed property: kind is ADD, UPDATE or DELETE; `input_diff` says that it lies between inputs."""

    kind: str
    replace: bool = False
    input_diff: bool = False

    @property
    def name(self) -> str:
        return f"{self.kind}_REPLACE" if self.replace else self.kind


@dataclass
class Difference:
    """What changed and what follows from it."""

    detailed: dict[str, Change] = field(default_factory=dict)
    replaces: list[str] = field(default_factory=list)
    keeps_name: bool = False

    @property
    def delete_before_replace(self) -> bool:
        """The old object has to go first when its successor must have the same name."""
        return bool(self.replaces) and self.keeps_name

    @property
    def changed(self) -> bool:
        return bool(self.detailed or self.replaces)


def compare(
    state: Properties,
    news: Properties,
    *,
    namespaced: bool,
    mutable_config_maps: bool = False,
    mutable_secrets: bool = False,
    ignore_changes: Iterable[str] = (),
) -> Difference:
    """Old state (a checkpoint with `__inputs`) against new inputs; both decoded from the wire.

    The live object as the state knows it, cut to the shape of the old inputs, is compared with the new inputs: what
    the server filled in is no difference, what somebody else changed and a refresh saw is one.
    """
    live = live_object(state)
    old = manifests.normalized(old_inputs(state))
    new = manifests.normalized(plain(news))
    pruned = manifests.prune(live, old)
    pruned, new = _align(pruned, live, new, namespaced)
    patch = merge_patch(as_json(pruned), as_json(new))
    result = Difference(keeps_name=keeps_name(new, live))
    if patch:
        fields = force_new(new, mutable_config_maps=mutable_config_maps, mutable_secrets=mutable_secrets)
        result.detailed = detailed_diff(patch, pruned, new, fields)
        _ignore(result.detailed, ignore_changes)
        result.replaces = sorted(
            path
            for path, change in result.detailed.items()
            if change.replace or (path == "metadata" and change.kind == "DELETE")
        )
    return result


def keeps_name(new: Properties, live: Properties) -> bool:
    """Would the successor have the name and namespace of the old object, by the user's own wish?"""
    return (
        manifests.is_named(new)
        and not manifests.is_annotated(new, manifests.AUTONAMED)
        and manifests.name_of(new) == manifests.name_of(live)
        and manifests.namespace_of(new) == manifests.namespace_of(live)
    )


def _align(pruned: Properties, live: Properties, new: Properties, namespaced: bool) -> tuple[Properties, Properties]:
    """Take out what is no difference: the default namespace, versions, a name that the server generated."""
    if namespaced:
        pruned = manifests.with_metadata(pruned, namespace=manifests.namespace_of(pruned) or "default")
        new = manifests.with_metadata(new, namespace=manifests.namespace_of(new) or "default")
    else:
        pruned = manifests.with_metadata(pruned, namespace=None)
        new = manifests.with_metadata(new, namespace=None)
    if not pruned.get("apiVersion") and not pruned.get("kind"):
        pruned = {**pruned, "apiVersion": new.get("apiVersion"), "kind": new.get("kind")}
    pruned = manifests.with_metadata(pruned, resourceVersion=None)
    if manifests.name_of(new):
        pruned = manifests.with_metadata(pruned, name=manifests.name_of(live))
    return pruned, new


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, int | float) else type(value).__name__


def same_json(left: Any, right: Any) -> bool:
    """Equality of JSON values: 1 is 1.0, but true is not 1."""
    if _json_type(left) != _json_type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same_json(value, right[key]) for key, value in left.items())
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same_json, left, right))
    return bool(left == right)


def merge_patch(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """RFC 7386: what to change in `old` to get `new`; None deletes, lists are replaced whole."""
    patch: dict[str, Any] = {}
    for key, value in new.items():
        before = old.get(key, MISSING)
        if isinstance(before, dict) and isinstance(value, dict):
            inner = merge_patch(before, value)
            if inner:
                patch[key] = inner
        elif not same_json(before, value):
            patch[key] = value
    patch.update({key: None for key in old if key not in new})
    return patch


def detailed_diff(
    patch: dict[str, Any], live: dict[str, Any], new: dict[str, Any], fields: tuple[str, ...]
) -> dict[str, Change]:
    """Each changed property by its path; `live` is the pruned live object, which also stands for the old inputs."""
    converter = _Converter(fields)
    converter.in_map([], patch, live, new, live, in_array=False)
    return converter.changes


class _Converter:
    """Walks a merge patch beside the old and new objects (4.34.2, provider.go, patchConverter)."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        self.fields = fields
        self.changes: dict[str, Change] = {}

    def value(self, path: Path, value: Any, old: Any, new: Any, old_input: Any, *, in_array: bool) -> None:
        if new is MISSING and (value is not None or old_input is MISSING):
            return
        change = self._kind(value, old, new)
        if change.kind == "UPDATE" and isinstance(value, dict) and isinstance(old, dict):
            self.in_map(path, value, old, _map(new), _map(old_input), in_array=in_array)
        elif change.kind == "UPDATE" and isinstance(value, list) and isinstance(old, list):
            self.in_list(path, value, old, _list(new), _list(old_input))
        elif change.kind != "UPDATE" or value is None or not same_json(value, as_json(old)):
            replace = touches(path, value, self.fields)
            self.changes[path_text(path)] = Change(change.kind, replace, change.input_diff)

    @staticmethod
    def _kind(value: Any, old: Any, new: Any) -> Change:
        if value is None and not isinstance(new, Unknown):
            return Change("DELETE", input_diff=True)
        return Change("ADD" if old is MISSING else "UPDATE")

    def in_map(
        self,
        path: Path,
        patch: dict[str, Any],
        old: dict[str, Any],
        new: dict[str, Any],
        old_input: dict[str, Any],
        *,
        in_array: bool,
    ) -> None:
        keys = [*patch, *(key for key in old if key not in patch)] if in_array else list(patch)
        for key in keys:
            before, after, was = old.get(key, MISSING), new.get(key, MISSING), old_input.get(key, MISSING)
            self.value([*path, key], patch.get(key), before, after, was, in_array=in_array)

    def in_list(self, path: Path, patch: list[Any], old: list[Any], new: list[Any], old_input: list[Any]) -> None:
        for index in range(max(len(patch), len(old))):
            value = patch[index] if index < len(patch) else None
            before = old[index] if index < len(old) else MISSING
            self.value([*path, index], value, before, _at(new, index), _at(old_input, index), in_array=True)


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _at(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else None


def path_text(path: Path) -> str:
    """`spec.containers[0].image`, `data["daemon.json"]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif any(char in part for char in '."[]'):
            text += '["{}"]'.format(part.replace('"', '\\"'))
        else:
            text += f".{part}" if text else part
    return text


_PART = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+|\*)\]|\.?([^.\[\]"]+)')


def parse_path(text: str) -> Path:
    """The parts of a property path. Raises ValueError."""
    parts: Path = []
    position = 0
    while position < len(text):
        match = _PART.match(text, position)
        if not match:
            raise ValueError(f"failed to parse property path {text!r}")
        quoted, index, name = match.groups()
        if quoted is not None:
            parts.append(quoted.replace('\\"', '"'))
        elif index is not None:
            parts.append(index if index == "*" else int(index))
        else:
            parts.append(name)
        position = match.end()
    return parts


def _ignore(changes: dict[str, Change], ignored: Iterable[str]) -> None:
    for text in ignored:
        wanted = parse_path(text)
        for path in list(changes):
            parts = parse_path(path)
            if len(wanted) <= len(parts) and all(w in ("*", p) for w, p in zip(wanted, parts, strict=False)):
                del changes[path]
