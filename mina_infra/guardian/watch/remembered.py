"""What looks leave for the checks of the next one: over looks that see nothing, and over a kill of the watch.

Some checks compare looks (blocks that came late, counters that rise, since when a node is not synced), and some read
what is gone an hour later (the events that explain a restart). Without this a watch that begins again would warm up
anew, and take for unexplained what it had explained before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import get_type_hints

import msgspec

from mina_infra.guardian.counters import Producers
from mina_infra.guardian.crashes.model import Crashes
from mina_infra.guardian.disk import Disks
from mina_infra.guardian.evidence import Evidence, Unseen
from mina_infra.guardian.forks import Chain
from mina_infra.guardian.past import Past

CHAIN_BLOCKS = 64
"""Of the chain that are kept: as far as the checks look back where a daemon cannot tell the rest again, once."""
_PARTS = ("crashes", "disk", "producers")
"""Of the evidence, beside what `Past` has of it."""


@dataclass(frozen=True)
class Remembered:
    """The newest of each part of the evidence that a later look builds on; None: it was never seen."""

    past: Past = field(default_factory=Past)
    crashes: Crashes | None = None
    disk: Disks | None = None
    producers: Producers | None = None

    @classmethod
    def of(cls, kept: Mapping[str, bytes]) -> Remembered:
        """What `parts` made. Raises msgspec.DecodeError."""
        types = get_type_hints(cls)
        return cls(**{name: msgspec.json.decode(part, type=types[name]) for name, part in kept.items()})

    def parts(self) -> dict[str, bytes]:
        """To be kept, each by itself, because most of them rarely change."""
        chain = self.past.chain
        if chain is not None and len(chain.blocks) > CHAIN_BLOCKS:
            chain = Chain(chain.blocks[-CHAIN_BLOCKS:], to_root=False)
        kept = replace(self, past=replace(self.past, chain=chain))
        return {each.name: msgspec.json.encode(getattr(kept, each.name)) for each in fields(self)}

    def after(self, evidence: Evidence) -> Remembered:
        """The same after one more look; what it did not see stays."""
        found = {name: getattr(evidence, name) for name in _PARTS}
        seen = {name: part for name, part in found.items() if not isinstance(part, Unseen)}
        return replace(self, past=evidence.kept(), **seen)

    def into(self, evidence: Evidence) -> Evidence:
        """A look, with what it did not see as it was seen before."""
        unseen = [name for name in _PARTS if isinstance(getattr(evidence, name), Unseen)]
        return replace(evidence, **{name: part for name in unseen if (part := getattr(self, name)) is not None})
