"""The scripts of setup and verification Jobs: read from their files."""

from __future__ import annotations

from pathlib import Path as FilePath

from mina_infra.spec.errors import Issue, Path
from mina_infra.spec.jobs import Jobs, JobScript
from mina_infra.spec.models import NodeGroup, TestnetSpec

LIMIT = 64 * 1024
"""Bytes: the kernel takes no argument longer than 128 KiB, and a script is one."""

_HINT = "Name a file beside the stack file, or give the script's text (several words or lines) itself."


def with_scripts(spec: TestnetSpec, base: FilePath) -> tuple[TestnetSpec, list[Issue]]:
    """The spec with each script's text in place of its file name, and what is wrong with them."""
    if all(group.jobs is None for group in spec.nodes):
        return spec, []
    issues: list[Issue] = []
    groups = tuple(_group(group, base, ("nodes", index), issues) for index, group in enumerate(spec.nodes))
    return spec.model_copy(update={"nodes": groups}), issues


def _group(group: NodeGroup, base: FilePath, path: Path, issues: list[Issue]) -> NodeGroup:
    if group.jobs is None:
        return group
    setup, verify = (
        _script(group.jobs.of(phase), base, (*path, "jobs", phase, "script"), issues) for phase in ("setup", "verify")
    )
    return group.model_copy(update={"jobs": Jobs(setup=setup, verify=verify)})


def _script(script: JobScript, base: FilePath, path: Path, issues: list[Issue]) -> JobScript:
    if script.script is None:
        return script
    text, found = read(script.script, base, path)
    issues += found
    return script.model_copy(update={"script": text})


def read(text: str, base: FilePath, path: Path) -> tuple[str, list[Issue]]:
    """The script's text and what is wrong with it. One word is the name of a file below `base`."""
    if len(text.split()) == 1:
        try:
            text = (base / text.strip()).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            return text, [Issue(path, f"cannot read '{text.strip()[:200]}' in {base}: {reason}.", _HINT)]
    if not text.strip():
        return text, [Issue(path, "the script is empty and would always pass.", "Leave it out for the built-in one.")]
    if len(text.encode()) > LIMIT:
        size = f"{len(text.encode()) / 1024:.0f} KiB"
        hint = "Put it into the image and call it from a short script."
        return text, [Issue(path, f"the script has {size}; at most {LIMIT // 1024} KiB fit an argument.", hint)]
    return text, []
