"""Setup and verification Jobs of a group, and the time limits of a run.

A pair of scripts that look at a node's volumes, one before and one after a disruption: the storage RFC's job configs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Protocol

from pydantic import Field

from mina_infra.spec.errors import Issue, Path
from mina_infra.spec.fields import ImageRef, Number, _Model
from mina_infra.spec.roles import ROLES, Role
from mina_infra.spec.values import Duration


class JobScript(_Model):
    """One of the two: a script, the image that runs it, and how often and how long it may try."""

    script: str | None = None
    """The script's text, or the file (relative to the stack file) that holds it; the built-in one when left out.
    It runs with `sh -eu` while the node is paused. $VOLUMES: the node's volumes, each mounted at /volumes/KIND; $NODE,
    $RUN (the same before and after), $HEIGHT. Exit code 42 means that state is lost; others are tried again."""
    image: ImageRef | None = None
    """Image with a shell, pinned by digest; images.init when left out."""
    retries: Annotated[int, Field(ge=0, le=3), Number] = 2
    """How often a script that ends with another code than 42 is tried again."""
    restart_policy: Literal["Never", "OnFailure"] = "Never"
    """Never: with OnFailure a Job knows no exit codes."""


class Jobs(_Model):
    """The pair. Left empty it is the built-in one, which writes markers with checksums and finds them again."""

    setup: JobScript = JobScript()
    """Before the disruption."""
    verify: JobScript = JobScript()
    """After it."""

    def of(self, phase: str) -> JobScript:
        """One of the two by its phase."""
        return self.setup if phase == "setup" else self.verify


class Timeouts(_Model):
    """How long a run waits for objects. Where left out, the more nodes the longer (docs/facts.md: rule/39)."""

    claims: Duration | None = None
    """For each claim to be made and to be deleted."""
    deployments: Duration | None = None
    """For each Deployment to be deleted, and for all nodes together to run."""
    jobs: Duration | None = None
    """For each Job to end, waiting for its volume included."""


class Group(Protocol):
    """A group of nodes, as far as its Jobs are concerned."""

    @property
    def name(self) -> str: ...
    @property
    def role(self) -> Role: ...
    @property
    def jobs(self) -> Jobs | None: ...


def check(group: Group, path: Path) -> Iterator[Issue]:
    """What is wrong with a group's Jobs."""
    if group.jobs is None:
        return
    if not ROLES[group.role].volumes:
        yield Issue(
            (*path, "jobs"),
            f"a {group.role.value} has no volume of its own; nothing of it could be kept or lost.",
            "Remove `jobs`, or give it to a group that keeps state.",
        )
    for phase in ("setup", "verify"):
        yield from _check_script(group.name, phase, group.jobs.of(phase), (*path, "jobs", phase))


def _check_script(group: str, phase: str, script: JobScript, path: Path) -> Iterator[Issue]:
    if script.restart_policy != "Never":  # docs/facts.md: refusal/V37
        yield Issue(
            (*path, "restartPolicy"),
            f"job '{group}-{phase}': pod_failure_policy requires restart_policy Never.",
            "Remove `restartPolicy`; `retries` says how often the script is tried again.",
        )
    if script.image is not None and "@sha256:" not in script.image:
        yield Issue(
            (*path, "image"),
            f"job '{group}-{phase}': image '{script.image}' has a tag; what is checked before and after must be "
            "checked by the same program (@sha256:...).",
            "Take the digest that the registry printed when the image was pushed.",
        )
    if script.image is not None and script.script is None:
        yield Issue(
            (*path, "image"),
            f"job '{group}-{phase}': the built-in script runs in images.init, not in an image of its own.",
            "Give a `script` as well, or change images.init.",
        )
