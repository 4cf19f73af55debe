"""A claim between two volumes: gone, and not yet made again by `mina-infra migrate`, which was killed.

Any run of the engine would make it empty, and its node would begin a new chain on it.
"""

from __future__ import annotations

from mina_infra.cluster.api import CLAIM, PERSISTENT_VOLUME, KubeApi
from mina_infra.engine.environment import EngineEnvironment
from mina_infra.engine.inventory import Live
from mina_infra.engine.state import ObjectKey
from mina_infra.errors import EngineError
from mina_infra.plan import labels


async def refuse_half_moved(api: KubeApi, env: EngineEnvironment, live: Live) -> None:
    """Raise EngineError when a planned claim is gone and its data waits on a marked volume."""
    name = env.plan.spec.name
    half_moved = f"{labels.selector(name)},{labels.MOVED}={labels.BEGUN}"
    marked = await api.objects(PERSISTENT_VOLUME, labels=half_moved)
    planned = {ObjectKey.of(each.manifest) for each in env.plan.objects()}
    for volume in marked:
        origin = (volume["metadata"].get("annotations") or {}).get(labels.MOVED_FROM, "")
        namespace, _, claim = origin.partition("/")
        key = ObjectKey("", CLAIM.kind, namespace, claim)
        if key in planned and key not in live:
            raise EngineError(
                f"claim '{claim}' is being moved to another volume and would be made empty; nothing was changed. "
                f"Complete the move first: mina-infra migrate -s {env.stack}"
            )
