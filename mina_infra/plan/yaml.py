"""Manifests as multi-document YAML: exactly what the components register."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from mina_infra.plan.objects import Manifest, PlannedObject


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """libyaml's writer where it is there, ten times as fast; scripts as blocks, no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: Any, text: str) -> Any:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def to_yaml(objects: Iterable[PlannedObject]) -> str:
    """One document for each object, in the order of their registration."""
    return documents(each.manifest for each in objects)


def documents(manifests: Iterable[Manifest]) -> str:
    """One document for each manifest."""
    text: str = yaml.dump_all(list(manifests), Dumper=_Dumper, sort_keys=False, explicit_start=True, width=120)
    return text
