"""The seeds of a testnet, as they may be published."""

from __future__ import annotations

import json
from dataclasses import dataclass

from mina_infra.daemon.multiaddress import Multiaddress
from mina_infra.errors import MinaInfraError
from mina_infra.guardian.verdict import Verdict
from mina_infra.outputs import OutputsDocument

SCHEMA = 1


class PublishRefusedError(MinaInfraError):
    """This must not be published; what was published before stays as it is."""


@dataclass(frozen=True, order=True)
class Seed:
    """One published entry point."""

    multiaddress: Multiaddress
    name: str


def seed_list(outputs: OutputsDocument) -> list[Seed]:
    """All seeds that are not paused, sorted by multiaddress, each address once.

    Raises MultiaddressError for an address that no daemon could dial, PublishRefusedError for one that contradicts
    itself.
    """
    seeds: dict[Multiaddress, Seed] = {}
    paused = {node.name for node in outputs.paused()}
    for output in outputs.seeds:
        if output.name in paused:
            continue
        address = Multiaddress.parse(output.multiaddress)
        parts = Multiaddress(output.host, output.port, output.peer_id)
        if address != parts:
            raise PublishRefusedError(
                f"seed {output.name}: multiaddress {address} is not host, port and peer id {parts}"
            )
        seeds.setdefault(address, Seed(address, output.name))
    return sorted(seeds.values())


def refuse_unseen(seeds: list[Seed], verdict: Verdict) -> None:
    """Raise PublishRefusedError unless every seed was seen with the identity that its address promises.

    A daemon with another key is not reachable at that address, however healthy the network is.
    """
    for seed in seeds:
        try:
            seen = verdict.node(seed.name).peer_id
        except KeyError:
            raise PublishRefusedError(f"seed {seed.name} is not among the nodes of the verdict") from None
        if seen != seed.multiaddress.peer_id:
            raise PublishRefusedError(
                f"seed {seed.name} says that its peer id is {seen or 'not known yet'}, the outputs document says "
                f"{seed.multiaddress.peer_id}: is the right libp2p key mounted?"
            )


def peers_text(seeds: list[Seed]) -> str:
    """The file for a daemon's -peer-list-file or -peer-list-url: one multiaddress a line."""
    return "".join(f"{seed.multiaddress}\n" for seed in seeds)


def seeds_json(outputs: OutputsDocument, seeds: list[Seed]) -> str:
    """The seeds as data (schema 1). It names no moment, so the same seeds make the same file."""
    value = {
        "schema": SCHEMA,
        "testnet": outputs.testnet,
        "era": outputs.era,
        "seeds": [
            {
                "name": seed.name,
                "multiaddress": str(seed.multiaddress),
                "host": seed.multiaddress.host,
                "port": seed.multiaddress.port,
                "peerId": seed.multiaddress.peer_id,
            }
            for seed in seeds
        ],
    }
    return json.dumps(value, indent=2) + "\n"
