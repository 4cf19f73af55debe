"""Snapshots of the nodes' volumes on a schedule, as the document asks for them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mina_infra.spec.fields import Number, _Model
from mina_infra.spec.roles import VolumeKind
from mina_infra.spec.values import Duration


class Snapshots(_Model):
    """Snapshots of the nodes' volumes. A scheduled job takes what is due: `mina-infra snapshot --due`."""

    every: Duration = Duration("24h")
    """How often: 6h, 24h, 7d. Each stretch of this length since midnight UTC, 1 January 1970, has one snapshot."""
    keep: Annotated[int, Field(ge=1, le=1000), Number] = 7
    """How many scheduled snapshots of each volume are kept; those that were asked for by hand are never counted."""
    kinds: tuple[VolumeKind, ...] = (VolumeKind.RUNTIME_STATE, VolumeKind.POSTGRES_STATE)
    """Kinds of volumes of which snapshots are taken."""
