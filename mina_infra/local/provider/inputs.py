"""What the official provider does to inputs before it compares or sends them: normalising, pruning, naming."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from mina_infra.local.provider.shapes import normalize, normalize_secret
from mina_infra.local.provider.wire import Properties, Unknown, has_unknown

AUTONAMED = "pulumi.com/autonamed"
SKIP_AWAIT = "pulumi.com/skipAwait"
REPLACE_UNREADY = "pulumi.com/replaceUnready"

_READ_ONLY_METADATA = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "uid",
)


def normalized(manifest: Properties) -> Properties:
    """The plain inputs as the API's types would write them; with unknown values in them they stay as they are."""
    if not has_unknown(manifest):
        if manifest.get("apiVersion") == "v1" and manifest.get("kind") == "Secret":
            manifest = normalize_secret(manifest)
        else:
            manifest = prune(normalize(str(manifest.get("kind")), manifest), manifest)
    metadata = manifest.get("metadata")
    if isinstance(metadata, dict):
        kept = {key: value for key, value in metadata.items() if key not in _READ_ONLY_METADATA}
        manifest = {**manifest, "metadata": kept}
    return manifest


def prune(source: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    """What of `source` (a live object) has a counterpart in `target` (the inputs it came from)."""
    return {key: _pruned(value, target[key]) for key, value in source.items() if key in target}


def _pruned(value: Any, target: Any) -> Any:
    if type(value) is not type(target):
        return value
    if isinstance(value, dict):
        return prune(value, target)
    if isinstance(value, list):
        return _prune_list(value, target)
    return value


def _prune_list(source: list[Any], target: list[Any]) -> list[Any]:
    if not source or not target:
        return []
    if type(source[0]) is not type(target[0]):
        return list(source)
    return [_pruned(value, wanted) for value, wanted in zip(source, target, strict=False)]


def annotations_of(manifest: Properties) -> dict[str, Any]:
    metadata = manifest.get("metadata")
    found = metadata.get("annotations") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


def is_annotated(manifest: Properties, key: str) -> bool:
    return annotations_of(manifest).get(key) == "true"


def name_of(manifest: Properties) -> str:
    """The object's name; empty when it has none or when it is unknown."""
    metadata = manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


def namespace_of(manifest: Properties) -> str:
    metadata = manifest.get("metadata")
    namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
    return namespace if isinstance(namespace, str) else ""


def object_id(manifest: Properties) -> str:
    """`namespace/name`, or the name of a cluster-wide object."""
    namespace = namespace_of(manifest)
    return f"{namespace}/{name_of(manifest)}" if namespace else name_of(manifest)


def parse_id(text: str) -> tuple[str, str]:
    """Namespace (empty for none) and name."""
    parts = text.split("/")
    return ("", parts[0]) if len(parts) == 1 else (parts[0], parts[1])


def is_named(manifest: Properties) -> bool:
    """Has the object a name, known or still unknown?"""
    metadata = manifest.get("metadata")
    if isinstance(metadata, Unknown):
        return False
    return bool(name_of(manifest)) or (isinstance(metadata, dict) and isinstance(metadata.get("name"), Unknown))


def with_metadata(manifest: Properties, **fields: Any) -> Properties:
    """The manifest with these metadata fields; None removes one. Unknown metadata are left alone."""
    metadata = manifest.get("metadata", {})
    if not isinstance(metadata, dict):
        return manifest
    merged = {**metadata, **fields}
    return {**manifest, "metadata": {key: value for key, value in merged.items() if value is not None}}


def autonamed(manifest: Properties, name: str) -> Properties:
    """The manifest with a name of ours, marked so that a replacement may be created before the old one goes."""
    found = manifest.get("metadata", {})
    marks = found.get("annotations", {}) if isinstance(found, dict) else {}
    named = with_metadata(manifest, name=name)
    return named if not isinstance(marks, dict) else with_metadata(named, annotations={**marks, AUTONAMED: "true"})


def unique_name(prefix: str, seed: bytes = b"") -> str:
    """The prefix and eight hexadecimal digits: the same for the same seed, random without one."""
    return prefix + (hashlib.sha256(seed).hexdigest()[:8] if seed else secrets.token_hex(4))
