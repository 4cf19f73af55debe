"""The engine's property values: protobuf Structs to plain Python and back, with secrets and unknowns kept apart.

A value is None, bool, float, str, list, dict, `Secret` or `Unknown`; numbers arrive as float, as the engine sends them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import struct_pb2

Properties = dict[str, Any]

# Signatures and sentinels: pulumi/sdk/go/common/resource/{properties.go,plugin/rpc.go}.
SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"


@dataclass(frozen=True)
class Secret:
    """A value that may be shown to nobody; it prints without its content."""

    value: Any

    def __repr__(self) -> str:
        return "Secret([secret])"


@dataclass(frozen=True)
class Unknown:
    """A value that only the update itself will know; `zero` has its type, as JSON."""

    sentinel: str
    zero: Any = ""

    def as_json(self) -> dict[str, Any]:
        """How the official provider's JSON encoder writes it into the objects that it compares."""
        return {"Element": {"V": self.zero}}


UNKNOWNS = {
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7": False,
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421": 0.0,
    "04da6b54-80e4-46f7-96ec-b56ff0331ba9": "",
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2": [],
    "030794c1-ac77-496b-92df-f27374a8bd58": {},
    "e48ece36-62e2-4504-bad9-02848725956a": {},
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff": {},
}


def decode(struct: struct_pb2.Struct) -> Properties:
    """A Struct as a dict; raises ValueError for a secret without value."""
    fields = struct.fields
    return {key: _decode_value(fields[key]) for key in fields}


def _decode_value(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        text = value.string_value
        return Unknown(text, UNKNOWNS[text]) if text in UNKNOWNS else text
    if kind == "number_value":
        return value.number_value
    if kind == "bool_value":
        return value.bool_value
    if kind == "struct_value":
        decoded = decode(value.struct_value)
        if decoded.get(SIGNATURE_KEY) != SECRET_SIGNATURE:
            return decoded
        if "value" not in decoded:
            raise ValueError("malformed secret: it has no value")
        return Secret(decoded["value"])
    if kind == "list_value":
        return [_decode_value(item) for item in value.list_value.values]
    return None


def encode(properties: Mapping[str, Any], *, keep_secrets: bool = True) -> struct_pb2.Struct:
    """A dict as a Struct. Without `keep_secrets` (an engine that does not accept them) they become plain values."""
    struct = struct_pb2.Struct()
    _fill(struct, properties, keep_secrets)
    return struct


def _fill(struct: struct_pb2.Struct, properties: Mapping[str, Any], keep_secrets: bool) -> None:
    fields = struct.fields
    for key, item in properties.items():
        _encode_value(fields[key], item, keep_secrets)


def _encode_value(target: struct_pb2.Value, value: Any, keep_secrets: bool) -> None:
    if isinstance(value, str):
        target.string_value = value
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int | float):
        target.number_value = value
    elif isinstance(value, Mapping):
        target.struct_value.SetInParent()
        _fill(target.struct_value, value, keep_secrets)
    elif isinstance(value, list | tuple):
        target.list_value.SetInParent()
        for item in value:
            _encode_value(target.list_value.values.add(), item, keep_secrets)
    elif isinstance(value, Secret):
        if keep_secrets:
            value = {SIGNATURE_KEY: SECRET_SIGNATURE, "value": value.value}
            _encode_value(target, value, keep_secrets)
        else:
            _encode_value(target, value.value, keep_secrets)
    elif isinstance(value, Unknown):
        target.string_value = value.sentinel
    else:
        target.null_value = struct_pb2.NULL_VALUE


def plain(value: Any) -> Any:
    """A deep copy without secrecy; unknowns stay."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, Secret):
        return plain(value.value)
    return value


def has_unknown(value: Any) -> bool:
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    if isinstance(value, Secret):
        return has_unknown(value.value)
    return isinstance(value, Unknown)


def contains_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return any(contains_secret(item) for item in value.values())
    if isinstance(value, list):
        return any(contains_secret(item) for item in value)
    return isinstance(value, Secret)


def leaves(value: Any) -> Iterator[Any]:
    """Every scalar inside a value, secret or not."""
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    elif isinstance(value, Secret):
        yield from leaves(value.value)
    elif not isinstance(value, Unknown):
        yield value


def as_json(value: Any) -> Any:
    """What a JSON encoder in Go makes of a plain value: whole floats become integers, unknowns a struct."""
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Unknown):
        return as_json(value.as_json())
    return value
