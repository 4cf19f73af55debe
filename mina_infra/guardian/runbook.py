"""What the guardian's runbook says to do: its tables of events, for the time before a release and the time after it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """One row of the runbook: where it stands, what to do, how grave it is, and whose it is."""

    row: str
    action: str
    criticality: str
    owner: str


_NOBODY = "whoever the issue is assigned to"

_QA_UNSTABLE = Event(
    row="QA-net, event 3: unstable testnet",
    action="create an issue that describes the observed behaviour; the protocol team investigates and provides a "
    "hotfix before the release goes on",
    criticality="Blocker",
    owner="Aneesha",
)
_QA_OTHER = Event(
    row="QA-net, event 5: other errors, which do not destabilise the testnet",
    action="create an issue that describes the behaviour",
    criticality="Minor",
    owner=_NOBODY,
)
_RELEASE_UNSTABLE = Event(
    row="release, event 4: unstable testnet",
    action="create an issue for the protocol team to investigate; decide on further actions with the owners, on their "
    "findings",
    criticality="Critical",
    owner="Aneesha, Brandon, the engineer who investigates the issue",
)
_RELEASE_OTHER = Event(
    row="release, event 2: nodes that crash or err now and then",
    action="if it is not a known bug, create an issue with the latest crash report",
    criticality="Minor",
    owner=_NOBODY,
)


def unstable(profile: str) -> Event:
    """What to do about an unstable testnet: a QA-net before its release, any other network after it."""
    return _QA_UNSTABLE if profile == "qa" else _RELEASE_UNSTABLE


def other(profile: str) -> Event:
    """What to do about a failed check that makes no criterion of instability."""
    return _QA_OTHER if profile == "qa" else _RELEASE_OTHER
