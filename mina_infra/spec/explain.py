"""What pydantic found, in the words of the document: where, what is there, what is allowed, what was probably meant."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mina_infra.spec import fields, misplaced, monitoring, storage
from mina_infra.spec.errors import Issue, Path
from mina_infra.spec.models import TestnetSpec

_PATTERNS = {**fields.PATTERNS, **monitoring.PATTERNS, **storage.PATTERNS}

_MAPPING, _LIST = "must be a mapping of keys to values", "must be a list"
_WHOLE, _NUMBER = "must be a whole number", "must be a number"
_WORDS: dict[str, str] = {
    "model_type": _MAPPING, "dict_type": _MAPPING, "tuple_type": _LIST, "list_type": _LIST,
    "string_type": "must be text",
    "int_type": _WHOLE, "int_parsing": _WHOLE, "int_from_float": _WHOLE, "int_parsing_size": _WHOLE,
    "float_type": _NUMBER, "float_parsing": _NUMBER, "finite_number": _NUMBER,
    "string_too_short": "must not be empty", "too_short": "must not be empty",
    "greater_than": "must be more than {gt}", "less_than": "must be less than {lt}",
    "greater_than_equal": "must be at least {ge}", "less_than_equal": "must be at most {le}",
}  # fmt: skip


def issues_of(error: ValidationError, model: type[BaseModel] = TestnetSpec) -> list[Issue]:
    """Every mistake that pydantic found in a document described by `model`."""
    return [_issue(each, model) for each in error.errors(include_url=False)]


def path_of(error: ErrorDetails) -> Path:
    """pydantic's location as a path in the document: without its marker of a mapping's key."""
    location = error["loc"]
    # A user's own key may read "[key]": that one is unknown, not of a wrong kind.
    is_marker = bool(location) and location[-1] == "[key]" and error["type"] != "extra_forbidden"
    return location[:-1] if is_marker else location


def not_plain(value: Any, path: Path = (), around: tuple[int, ...] = ()) -> Iterator[Issue]:
    """Issues of what no stack file can hold: keys that are no text, other values than text, number, list, mapping."""
    if isinstance(value, Mapping | list | tuple):
        if id(value) in around or len(around) > 100:
            yield Issue(path, "contains itself, or is nested too deeply.")
            return
        around = (*around, id(value))
        entries = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, inner in entries:
            if isinstance(value, Mapping) and not isinstance(key, str):
                yield Issue(path, f"a key must be text, not {article(type(key).__name__)}.", "Write it in quotes.")
            else:
                yield from not_plain(inner, (*path, key), around)
    elif not isinstance(value, str | int | float | None):
        yield Issue(
            path,
            f"found {article(type(value).__name__)}: must be plain data, known before anything runs.",
            "It decides which objects exist; pass the text or number itself.",
        )
    elif isinstance(value, float) and not math.isfinite(value):
        yield Issue(path, f"found {value}: must be a number.")
    elif isinstance(value, int) and abs(value) >= 2**63:
        yield Issue(path, "the number is too large.")
    elif isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
        yield Issue(path, "holds half a character (a lone surrogate): must be text.")


def shown(value: Any) -> str:
    """A value as its user wrote it, cut to a readable length."""
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:76]}...{text[-1]}"


def article(noun: str) -> str:
    return f"{'an' if noun[:1] in 'AEIOUaeiou' else 'a'} {noun}"


def nearest(word: str, known: list[str]) -> str | None:
    """What was probably meant, if anything is near: case and punctuation count for little."""
    plain: dict[str, str] = {}
    for each in known:
        plain.setdefault(_plain(each), each)
    near = difflib.get_close_matches(_plain(word), list(plain), n=1, cutoff=0.6)
    return plain[near[0]] if near else None


def known_keys(path: Path, model: type[BaseModel] = TestnetSpec) -> list[str]:
    """The keys that the mapping at a path may have; none where it is no model."""
    found = _model_at(path, model)
    return [str(info.alias or name) for name, info in found.model_fields.items()] if found else []


def _plain(word: str) -> str:
    return "".join(char for char in word.lower() if char.isalnum())


def _issue(error: ErrorDetails, model: type[BaseModel]) -> Issue:
    path, found = path_of(error), error["input"]
    explain = _SPECIAL.get(error["type"], _ordinary)
    return explain(error, path, found, model)


def _unknown(error: ErrorDetails, path: Path, found: Any, model: type[BaseModel]) -> Issue:
    elsewhere = misplaced.issue(path, found) if model is TestnetSpec else None
    if elsewhere:
        return elsewhere
    key, known = str(path[-1]), known_keys(path[:-1], model)
    near = nearest(key, known)
    if near and _plain(near) == _plain(key) and "_" in key:
        return Issue(path, f"'{key}' is another spelling of '{near}': both are given.", f"Keep '{near}'.")
    hint = f"Did you mean '{near}'? " if near else ""
    return Issue(path, f"unknown key {shown(key)}.", f"{hint}Known here: {', '.join(known)}.")


def _missing(error: ErrorDetails, path: Path, found: Any, model: type[BaseModel]) -> Issue:
    return Issue(path, "is missing.", _description(path, model))


def _choice(error: ErrorDetails, path: Path, found: Any, model: type[BaseModel]) -> Issue:
    expected = error["ctx"]["expected"].replace("'", "").replace(" or ", ", ")
    near = nearest(found, expected.split(", ")) if isinstance(found, str) else None
    return Issue(path, f"found {shown(found)}; allowed: {expected}.", f"Did you mean '{near}'?" if near else "")


def _ordinary(error: ErrorDetails, path: Path, found: Any, model: type[BaseModel]) -> Issue:
    context, text = error.get("ctx", {}), error["msg"].removeprefix("Value error, ")
    words = _PATTERNS.get(context.get("pattern", "")) or _WORDS.get(error["type"], "").format_map(context)
    text = words or f"{text[:1].lower()}{text[1:]}"
    message = text if shown(found) in text else f"found {shown(found)}: {text}"
    quotes = error["type"] == "string_type" and isinstance(found, int | float)
    return Issue(path, f"{message.rstrip('.')}.", "Write it in quotes." if quotes else _description(path, model))


_SPECIAL: dict[str, Callable[[ErrorDetails, Path, Any, type[BaseModel]], Issue]] = {
    "extra_forbidden": _unknown, "missing": _missing, "enum": _choice, "literal_error": _choice,
}  # fmt: skip


def _model_at(path: Path, model: type[BaseModel]) -> type[BaseModel] | None:
    """The model of the mapping at a path, found by walking the fields' annotations; None for any other mapping."""
    current: Any = model
    for part in path:
        if isinstance(current, type) and issubclass(current, BaseModel):
            fields = current.model_fields.items()
            current = next((info.annotation for name, info in fields if part in (name, info.alias)), None)
        else:  # an item of a list, or a value of a mapping such as a volume kind
            current = _item(current)
        current = _without_none(current)
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _item(annotation: Any) -> Any:
    """VolumeOverride for dict[VolumeKind, VolumeOverride], NodeGroup for tuple[NodeGroup, ...]."""
    inner = [each for each in getattr(annotation, "__args__", ()) if each is not Ellipsis]
    return inner[-1] if inner else None


def _without_none(annotation: Any) -> Any:
    inner = [each for each in getattr(annotation, "__args__", ()) if each is not type(None)]
    is_optional = type(None) in getattr(annotation, "__args__", ())
    return inner[0] if is_optional else annotation


def _description(path: Path, model: type[BaseModel]) -> str:
    found = _model_at(path[:-1], model) if path else None
    fields = found.model_fields.items() if found else ()
    return next((info.description or "" for name, info in fields if path[-1] in (name, info.alias)), "")
