"""What a cluster's stack says of its storage: `mina-infra:storage` in a stack file; and words that testnets use too.

It stands beside `mina-infra:testnet`, because a class belongs to the cluster: the stack that declares it may have no
testnet at all, and every testnet with `target.storageClasses: shared` refers to it by its content.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema, model_validator

from mina_infra.spec.fields import Number, _Model
from mina_infra.spec.roles import ALIASES, DiskType
from mina_infra.spec.target import Retention, Target

_CLASS = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"

PATTERNS = {_CLASS: "must be the name of a storage class: at most 63 lower-case letters, digits and '-'"}
"""What each pattern means, for the reader of an error."""


def _meant(value: Any) -> Any:
    """ssd for testnet-ssd: the storage RFC's own names are read as what they mean."""
    return ALIASES.get(value, value) if isinstance(value, str) else value


StorageType = Annotated[
    DiskType,
    BeforeValidator(_meant),
    WithJsonSchema({"type": "string", "enum": [*(each.value for each in DiskType), *ALIASES]}),
]


class Performance(_Model):
    """What a disk does beyond what its size gives it. Changes of it are made in place."""

    iops: Annotated[int, Field(ge=1, le=10**6), Number] | None = None
    """Input and output operations a second."""
    throughput: Annotated[int, Field(ge=1, le=10**5), Number] | None = None
    """MiB a second."""

    @model_validator(mode="after")
    def _something(self) -> Performance:
        if self.iops is None and self.throughput is None:
            raise ValueError("name iops, throughput or both")
        return self


class FixedClass(_Model):
    """A class under a name of one's own, for manifests that are not ours."""

    type: StorageType
    """ssd, balanced, standard or shared."""
    retention: Retention = Retention.DELETE
    """delete or retain: what becomes of a volume when its claim goes."""


def _once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    twice = next((each for place, each in enumerate(values) if each in values[:place]), None)
    if twice is not None:
        raise ValueError(f"'{getattr(twice, 'value', twice)}' is listed twice")
    return values


class ClusterStorage(_Model):
    """The storage classes of one cluster: one for each type, retention and replication. Keep it in one stack."""

    target: Target
    """The cluster's provider and place; testnets that share the classes say the same."""
    types: Annotated[tuple[StorageType, ...], AfterValidator(_once)] = ()
    """Types to have classes of; all that the provider has when left out."""
    retentions: Annotated[tuple[Retention, ...], AfterValidator(_once)] = (Retention.DELETE, Retention.RETAIN)
    """Retentions to have classes of."""
    replications: Annotated[tuple[Literal["zonal", "regional"], ...], AfterValidator(_once)] = ()
    """Replications to have classes of; the target's own when left out."""
    performances: Annotated[tuple[Performance, ...], AfterValidator(_once)] = ()
    """Performances that volumes of testnets ask for, each a VolumeAttributesClass of every disk that takes it."""
    fixed: dict[Annotated[str, StringConstraints(pattern=_CLASS)], FixedClass] = Field(default_factory=dict)
    """Classes under names of one's own: {testnet-ssd: {type: ssd}}. Such a name cannot carry other settings later."""
