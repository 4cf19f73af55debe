"""The network's chain as far back as it can be read: only one daemon is asked for all of its frontier."""

from __future__ import annotations

import asyncio

from mina_infra.cluster.cluster import Cluster
from mina_infra.daemon.replies import GraphQLError, decode_best_chain, query
from mina_infra.errors import ClusterError
from mina_infra.guardian.forks import Chain
from mina_infra.guardian.past import join
from mina_infra.guardian.survey import ANSWER_SECONDS, Survey
from mina_infra.outputs import OutputsDocument


async def read_history(cluster: Cluster, outputs: OutputsDocument, survey: Survey, known: Chain | None) -> Chain | None:
    """The reference chain joined to what is known of it; None while nobody is synced.

    The whole frontier (about 160 kB for 290 blocks) is read once, or again after a gap. Where it cannot be had (the
    limited port does not tell it), the chain is as long as the survey's, and grows from look to look.
    """
    reference = survey.reference_chain
    if reference is None or survey.reference is None:
        return None
    chain = join(known, reference)
    if chain.to_root or len(chain.blocks) > outputs.chain.k:
        return chain
    port = next(node.ports["graphql"] for node in outputs.daemons() if node.name == survey.reference)
    pod = survey.answers[survey.reference].pod
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            wire = await cluster.graphql(pod, query("best_chain"), {"maxLength": outputs.chain.k + 1}, port=port)
        blocks = decode_best_chain(wire)
    except (ClusterError, GraphQLError, TimeoutError):
        return chain
    return join(chain, Chain(blocks, True)) if blocks else chain
