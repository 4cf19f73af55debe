"""What `mina-infra bench-storage` measures: `mina-infra:benchmark` in a stack file. Every field has a default."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from mina_infra.spec.fields import ImageRef, Number, _Model
from mina_infra.spec.roles import DiskType
from mina_infra.spec.storage import StorageType
from mina_infra.spec.values import Duration, Size

ProfileName = Literal["wal", "point-reads", "compaction", "bootstrap"]


def _pinned(image: str | None) -> str | None:
    if image is not None and "@sha256:" not in image:
        raise ValueError(f"image '{image}' has a tag; figures are compared over months, so pin it (@sha256:...)")
    return image


class Benchmark(_Model):
    """Disk types, sizes and loads to measure, one Job after the other."""

    image: Annotated[ImageRef | None, AfterValidator(_pinned)] = None
    """Image with `sh` and `fio`, pinned by digest. There is none by default: whose program runs is yours to say."""
    types: Annotated[tuple[StorageType, ...], Field(min_length=1)] = (
        DiskType.SSD, DiskType.BALANCED, DiskType.STANDARD,
    )  # fmt: skip
    """Types to compare."""
    sizes: Annotated[tuple[Size, ...], Field(min_length=1)] = (Size("4Gi"),)
    """Sizes of the volumes: those of production, since a small disk is a slow disk."""
    profiles: Annotated[tuple[ProfileName, ...], Field(min_length=1)] = (
        "wal", "point-reads", "compaction", "bootstrap",
    )  # fmt: skip
    """Loads: wal (4 KiB, each made durable), point-reads, compaction (reading and writing), bootstrap (writing)."""
    duration: Duration = Duration("120s")
    """How long each load is measured."""
    warm_up: Duration = Duration("15s")
    """How long it runs before that."""
    runs: Annotated[int, Field(ge=1, le=20), Number] = 3
    """How often each load is repeated; the median counts."""
