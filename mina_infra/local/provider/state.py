"""What the engine keeps of an object: its live form beside the inputs it came from, secrets marked as secrets."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

from mina_infra.local.provider.wire import Properties, Secret, contains_secret, leaves, plain

INPUTS = "__inputs"
INITIAL_VERSION = "__initialApiVersion"
FIELD_MANAGER = "__fieldManager"


def checkpoint(
    inputs: Properties, live: Properties, from_inputs: Properties, *, api_version: str, field_manager: str
) -> Properties:
    """The outputs of a resource. `from_inputs` are the inputs as the engine sent them: their secrets stay secret.

    managedFields are left out: every operation reads them anew, and they would be half of the state file.
    """
    metadata = {key: value for key, value in live.get("metadata", {}).items() if key != "managedFields"}
    return {
        **annotate({**live, "metadata": metadata}, from_inputs),
        INPUTS: annotate(inputs, from_inputs),
        INITIAL_VERSION: api_version,
        FIELD_MANAGER: field_manager,
    }


def annotate(outs: Properties, ins: Properties) -> Properties:
    """`outs` with secrecy copied from `ins`; the data of a Secret are secret in any case.

    A list of which one element is secret becomes secret as a whole, because the server may reorder it.
    """
    hidden = ("data", "stringData") if outs.get("kind") == "Secret" else ()
    return {key: _secret(out) if key in hidden else _annotated(out, ins.get(key)) for key, out in outs.items()}


def _annotated(out: Any, given: Any) -> Any:
    if isinstance(out, dict) and isinstance(given, dict):
        return annotate(out, given)
    return _secret(out) if contains_secret(given) else out


def _secret(value: Any) -> Secret:
    return value if isinstance(value, Secret) else Secret(value)


def old_inputs(state: Properties) -> Properties:
    """The inputs in a checkpoint, plain."""
    found = plain(state.get(INPUTS, {}))
    return found if isinstance(found, dict) else {}


def live_object(state: Properties) -> Properties:
    """The live object in a checkpoint, plain, without our own keys."""
    return {key: plain(value) for key, value in state.items() if key not in (INPUTS, INITIAL_VERSION, FIELD_MANAGER)}


class Redactor:
    """Takes secret values out of texts that are about to be shown.

    The API server quotes values in its refusals; whoever reads a log must not find a key there.
    """

    SHORTEST = 3  # characters; shorter texts are no secrets, and taking them out would leave nothing readable

    def __init__(self, properties: Iterable[Properties] = ()) -> None:
        self._words: set[str] = set()
        for item in properties:
            self.add(item)

    def add(self, properties: Properties) -> None:
        for value in _secret_values(properties):
            self._words.update(word for word in _spellings(value) if len(word) >= self.SHORTEST)

    def __call__(self, text: str) -> str:
        for word in sorted(self._words, key=len, reverse=True):
            text = text.replace(word, "[secret]")
        return text


def _secret_values(value: Any) -> Iterable[Any]:
    if isinstance(value, Secret):
        yield from leaves(value)
    elif isinstance(value, dict):
        is_secret = value.get("kind") == "Secret"
        for key, item in value.items():
            hidden = is_secret and key in ("data", "stringData")
            yield from leaves(item) if hidden else _secret_values(item)
    elif isinstance(value, list):
        for item in value:
            yield from _secret_values(item)


def _spellings(value: Any) -> Iterable[str]:
    """The forms in which a value can turn up: itself, JSON, base64 both ways, its lines."""
    if value is None or isinstance(value, bool):
        return
    texts = [value] if isinstance(value, str) else [str(value), str(int(value))]
    texts.extend(_decoded(text) for text in list(texts))
    for text in filter(None, texts):
        yield text
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        yield base64.b64encode(text.encode()).decode()
        yield from (line.strip() for line in text.splitlines())


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return ""
