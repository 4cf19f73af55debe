"""The daemon's runtime config: read from its file, and checked for what the daemons and the checks rely on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path as FilePath
from typing import Any

from mina_infra.spec.errors import Issue, Path

CONFIG_MAP_LIMIT = 2**20
"""Bytes: the API server refuses a larger ConfigMap (docs/facts.md: refusal/V17)."""

PATH: Path = ("genesis", "runtimeConfig")
_WHOLE_NUMBERS = (
    ("genesis", "k"),
    ("genesis", "slots_per_epoch"),
    ("proof", "block_window_duration_ms"),
)


def read(runtime_config: str, base: FilePath) -> tuple[str, list[Issue]]:
    """The text of the config, keys sorted and without white space, and what is wrong with it.

    `runtime_config` is a file below `base`, or the JSON text itself. The text is empty when it cannot be read.
    """
    try:
        text = runtime_config
        if not text.lstrip().startswith("{"):
            text = (base / text).read_text(encoding="utf-8")
        config = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except OSError as error:
        message = f"cannot read '{runtime_config[:200]}' in {base}: {error.strerror}."
        return "", [Issue(PATH, message, "Name a JSON file beside the stack file, or give the JSON text itself.")]
    except (ValueError, RecursionError) as error:
        problem = "nested too deeply" if isinstance(error, RecursionError) else error
        return "", [Issue(PATH, f"not valid JSON: {problem}.")]
    if not isinstance(config, dict):
        return "", [Issue(PATH, "the runtime config must be a JSON object.")]
    text = json.dumps(config, sort_keys=True, separators=(",", ":"))
    return text, [Issue(PATH, message, hint) for message, hint in _problems(config, len(text))]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; one of two equal keys would be lost in silence."""
    keys = [key for key, _ in pairs]
    twice = next((key for key in keys if keys.count(key) > 1), None) if len(set(keys)) < len(keys) else None
    if twice is not None:
        raise ValueError(f"the key {twice!r} is given twice")
    return dict(pairs)


def _no_number(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON number")


def _problems(config: dict[str, Any], size: int) -> Iterator[tuple[str, str]]:
    """Messages with hints. `size` in bytes of the text (which is ASCII, as JSON escapes the rest)."""
    if size > CONFIG_MAP_LIMIT:
        yield (
            f"the runtime config is {size / 2**20:.1f} MiB; ConfigMap data is limited to 1 MiB.",
            "Keep the ledger out of it: genesis.ledger.source: shared-claim.",
        )
    sections = {}
    for name in ("genesis", "proof"):
        sections[name] = config.get(name, {})
        if not isinstance(sections[name], dict):
            yield f"{name} must be a JSON object.", ""
            sections[name] = {}
    yield from _timestamp(sections["genesis"].get("genesis_state_timestamp"))
    for section, key in _WHOLE_NUMBERS:
        value = sections[section].get(key, 1)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            yield f"{section}.{key} must be a whole number above 0.", ""


def _timestamp(value: Any) -> Iterator[tuple[str, str]]:
    hint = 'Set it, for example "2026-01-01T00:00:00Z".'
    if not value:
        yield "genesis.genesis_state_timestamp is missing: each node would start its chain at another time.", hint
        return
    try:
        has_zone = datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        has_zone = False
    if not has_zone:
        yield "genesis.genesis_state_timestamp must be a date and time with its time zone.", hint
