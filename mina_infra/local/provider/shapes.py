"""The round trip through Go's typed objects which the official provider makes of every input of a built-in kind.

It drops what the types do not know and what `omitempty` drops (`hostNetwork: false`, but not `replicas: 0`, which is a
pointer), makes whole numbers integers and writes quantities in canonical form. shapes.json holds the types;
tools/cluster/shapes prints it and a test compares it with the API server's own OpenAPI document.
"""

from __future__ import annotations

import base64
import binascii
import json
from functools import cache
from importlib import resources
from typing import Any

from mina_infra.local.provider.quantity import canonical

Shapes = dict[str, dict[str, str]]


class MismatchError(ValueError):
    """A value that Go would refuse to convert; the official provider then leaves the whole object as it is."""


@cache
def shapes() -> Shapes:
    text = (resources.files(__package__) / "shapes.json").read_text()
    loaded: Shapes = json.loads(text)
    return loaded


def normalize(kind: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest after the round trip; unchanged when it does not fit its type. The input is not modified."""
    if kind not in shapes():
        return manifest
    try:
        return _struct(kind, manifest)
    except MismatchError:
        return manifest


def _struct(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MismatchError(f"{name} is not an object")
    result = {}
    for field, code in shapes()[name].items():
        if field not in value:
            continue
        pointer, code = code.startswith("*"), code.removeprefix("*")
        kept, code = code.startswith("!"), code.removeprefix("!")
        converted = None if value[field] is None and pointer else _convert(code, value[field])
        if kept or (converted is not None if pointer else not _is_zero(code, converted)):
            result[field] = converted
    return result


def _is_zero(code: str, value: Any) -> bool:
    """What Go's `omitempty` drops: empty strings, numbers, lists and maps, never a struct."""
    return value is None or (code[0] in "sifby[{" and not value)


def _convert(code: str, value: Any) -> Any:
    match code[0]:
        case "*":
            return None if value is None else _convert(code[1:], value)
        case "[":
            return None if value is None else [_convert(code[1:], item) for item in _of(list, value)]
        case "{":
            return None if value is None else {k: _convert(code[1:], v) for k, v in _of(dict, value).items()}
        case "a":
            return value
    if value is None:
        return _zero(code)
    if code in _SCALARS:
        return _SCALARS[code](value)
    return _struct(code, value)


def _zero(code: str) -> Any:
    return {"s": "", "i": 0, "f": 0.0, "b": False, "q": "0", "x": 0, "y": None}.get(code, {})


def _of(kind: type[Any], value: Any) -> Any:
    if not isinstance(value, kind):
        raise MismatchError(f"expected {kind.__name__}, found {type(value).__name__}")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MismatchError(f"expected a number, found {type(value).__name__}")
    return value


def _integer(value: Any) -> int:
    if _number(value) != int(value):
        raise MismatchError("expected a whole number")
    return int(value)


def _quantity(value: Any) -> str:
    if not isinstance(value, str):
        number = _number(value)
        value = str(int(number)) if number == int(number) else repr(number)
    try:
        return canonical(value)
    except ValueError as error:
        raise MismatchError(str(error)) from error


def _bytes(value: Any) -> str:
    try:
        return canonical_base64(_of(str, value))
    except binascii.Error as error:
        raise MismatchError("not base64") from error


_SCALARS = {
    "s": lambda value: _of(str, value),
    "b": lambda value: _of(bool, value),
    "i": _integer,
    "f": lambda value: float(_number(value)),
    "q": _quantity,
    "x": lambda value: value if isinstance(value, str) else _integer(value),
    "y": _bytes,
}


def canonical_base64(text: str) -> str:
    """Go's base64: line ends are ignored, everything else must be right. Raises binascii.Error."""
    cleaned = text.replace("\r", "").replace("\n", "")
    return base64.b64encode(base64.b64decode(cleaned, validate=True)).decode()


def normalize_secret(manifest: dict[str, Any]) -> dict[str, Any]:
    """As the API server stores a Secret: stringData folded into data, data in canonical base64."""
    strings = manifest.get("stringData")
    data = manifest.get("data")
    if isinstance(strings, dict) and strings and all(isinstance(item, str) for item in strings.values()):
        folded = {key: base64.b64encode(text.encode()).decode() for key, text in strings.items()}
        rest = {key: item for key, item in manifest.items() if key != "stringData"}
        return {**rest, "data": {**(data if isinstance(data, dict) else {}), **folded}}
    if not isinstance(data, dict) or not data:
        return manifest
    return {**manifest, "data": {key: _readable_base64(item) for key, item in data.items()}}


def _readable_base64(item: Any) -> Any:
    try:
        return canonical_base64(item) if isinstance(item, str) else item
    except binascii.Error:
        return item  # the API server will refuse it and say why
