"""The container of the genesis ledger's Job, played: it fills the shared claim."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Set

from mina_infra.cluster.api import Manifest
from mina_infra.errors import ClusterError
from mina_infra.simulator import genesis
from mina_infra.simulator.pods import claim_mounts, wanted_genesis
from mina_infra.simulator.volumes import NotThere, Volumes


async def play(pod: Manifest, volumes: Volumes, alive: Set[str]) -> None:
    """Until it is done, or the pod's uid is no longer among those that are `alive`."""
    namespace, uid = pod["metadata"]["namespace"], pod["metadata"]["uid"]
    mounts = claim_mounts(pod)
    wanted = wanted_genesis(pod["spec"]["containers"][0])
    while uid in alive and mounts and wanted:
        try:
            genesis.fill(await volumes.directory(namespace, mounts[0]), wanted)
            return
        except genesis.AnotherGenesis as error:
            print(f"{namespace}/{pod['metadata']['name']}: {error}", file=sys.stderr, flush=True)
            return
        except (NotThere, ClusterError, OSError):
            await asyncio.sleep(0.5)
