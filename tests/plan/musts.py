"""What several of the musts' tests look for in a container."""

from __future__ import annotations

import re

from tests.plan.testnets import NodeView

REFERENCE = re.compile(r"\$\((\w+)\)")
CREDENTIAL = re.compile(r"PASS|PASSWORD|KEY|TOKEN|SECRET", re.IGNORECASE)
QUANTITY = re.compile(r"^\d+(Ki|Mi|Gi|Ti)$")


def undefined_references(container: dict[str, object]) -> set[str]:
    """References in arguments and variables to variables that are not defined before."""
    known: set[str] = set()
    missing: set[str] = set()
    for each in container.get("env", ()):  # type: ignore[attr-defined]
        missing |= set(REFERENCE.findall(each.get("value", ""))) - known
        known.add(each["name"])
    for text in container.get("args", ()):  # type: ignore[attr-defined]
        missing |= set(REFERENCE.findall(text)) - known
    return missing


def assert_sane(container: dict[str, object]) -> None:
    requests = container["resources"]["requests"]  # type: ignore[index]
    assert QUANTITY.match(requests["memory"]), requests
    assert re.match(r"^\d+(\.\d+)?m?$", requests["cpu"]), requests


def init_names(node: NodeView) -> list[str]:
    return [each["name"] for each in node.pod["initContainers"]]


def copies_privately(container: dict[str, object]) -> bool:
    script = container["command"][-1]  # type: ignore[index]
    return "chmod 0600" in script and "chmod 0700" in script
