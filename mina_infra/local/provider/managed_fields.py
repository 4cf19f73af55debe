"""Who owns which field of a live object: handing fields over to our manager, and leaving alone what is ignored."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from mina_infra.cluster.api import Manifest
from mina_infra.local.provider.diff import parse_path
from mina_infra.local.provider.wire import Properties

# What a client-side create leaves behind; its fields go to our apply manager at the first update (4.34.2, await.go).
CREATE_MANAGER = "pulumi-kubernetes"
_CLIENT_SIDE = (CREATE_MANAGER, "pulumi-resource-kubernetes", "pulumi-kubernetes.exe")
_ADOPTED = (
    ("kubectl", "Apply"),
    ("kubectl", "Update"),
    ("before-first-apply", "Update"),
    *((name, "Update") for name in _CLIENT_SIDE),
)


def handed_over(live: Manifest, manager: str) -> list[dict[str, Any]] | None:
    """managedFields in which everything written client-side belongs to `manager`; None when there is nothing to do."""
    entries = entries_of(live)
    mine = next(
        (copy.deepcopy(e) for e in entries if e.get("manager") == manager and e.get("operation") == "Apply"), None
    )
    rest, edited = [], False
    for entry in entries:
        if entry.get("manager") == manager and entry.get("operation") == "Apply":
            continue
        if not _is_adopted(entry):
            rest.append(entry)
            continue
        edited = True
        if mine is None:
            mine = {**copy.deepcopy(entry), "manager": manager, "operation": "Apply"}
        else:
            mine["fieldsV1"] = _merged(mine.get("fieldsV1") or {}, entry.get("fieldsV1") or {})
    return [*rest, mine] if edited and mine is not None else None


def _is_adopted(entry: dict[str, Any]) -> bool:
    if entry.get("subresource"):
        return False
    manager, operation = str(entry.get("manager")), entry.get("operation")
    return any(manager.startswith(name) and operation == wanted for name, wanted in _ADOPTED)


def _merged(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    return {key: _merged(left.get(key, {}), right.get(key, {})) for key in {**left, **right}}


def entries_of(live: Manifest) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = live.get("metadata", {}).get("managedFields") or []
    return found


def forces(annotated: bool, live: Manifest | None, *, option: bool, preview: bool) -> bool:
    """Whether an apply overrides other managers: by annotation, by option, or where a conflict would mean nothing."""
    if annotated or option:
        return True
    if live is None:
        return preview
    entries = entries_of(live)
    if not entries:
        return True
    client_side = any(e.get("operation") == "Update" and e.get("manager") in _CLIENT_SIDE for e in entries)
    return preview and client_side


def keep_ignored(inputs: Properties, live: Manifest, manager: str, ignored: Iterable[str]) -> Properties:
    """The inputs without the ignored fields that others own, and with the live value of those that we own."""
    inputs = copy.deepcopy(inputs)
    for text in ignored:
        path = parse_path(text)
        if any(not isinstance(part, str) for part in path):
            continue  # the official provider handles plain paths only
        keys = [str(part) for part in path]
        ours = [e for e in entries_of(live) if e.get("manager") == manager]
        theirs = [e for e in entries_of(live) if e.get("manager") != manager]
        if _owns(theirs, keys) and not _owns(ours, keys):
            _remove(inputs, keys)
        elif (value := _lookup(live, keys)) is not None:
            _set(inputs, keys, value)
    return inputs


def _owns(entries: Iterable[dict[str, Any]], keys: list[str]) -> bool:
    return any(_lookup(entry.get("fieldsV1") or {}, [f"f:{key}" for key in keys]) is not None for entry in entries)


def _lookup(item: Any, keys: list[str]) -> Any:
    for key in keys:
        if not isinstance(item, dict) or key not in item:
            return None
        item = item[key]
    return item


def _remove(item: Any, keys: list[str]) -> None:
    parent = _lookup(item, keys[:-1])
    if isinstance(parent, dict):
        parent.pop(keys[-1], None)


def _set(item: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        item = item.setdefault(key, {})
    item[keys[-1]] = value
