"""Who may not ask: the answer stands for a while, so that nobody is refused at every look."""

from __future__ import annotations

from collections.abc import Iterable

from mina_infra.cluster.api import ApiStatusError
from mina_infra.cluster.roads import FORBIDDEN

REFUSED_S = 600.0
"""After this somebody may have been granted the right."""


def refused(replies: Iterable[object]) -> bool:
    """Whether the API server refused any of these questions for want of a right."""
    return any(isinstance(reply, ApiStatusError) and reply.code == FORBIDDEN for reply in replies)
