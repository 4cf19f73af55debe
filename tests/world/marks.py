"""Markers in the volumes of a network on the embedded cluster, and the heights beside them."""

from __future__ import annotations

from pathlib import Path

from mina_infra.cluster.api import CLAIM
from mina_infra.plan.guard import IDENTITY
from tests.world.survivors import Network
from tests.world.witness import height_on


def volumes(network: Network) -> dict[str, Path]:
    """Directory of each bound claim's volume by the claim's name."""
    items = network.ask(lambda api: api.objects(CLAIM, network.name))
    folder = network.cluster.paths.volumes
    bound = {item["metadata"]["name"]: item["spec"].get("volumeName") for item in items}
    return {claim: folder / volume for claim, volume in bound.items() if volume}


def mark(network: Network) -> dict[str, str]:
    """Write a marker into every volume; what each holds, by the claim's name."""
    for claim, folder in volumes(network).items():
        (folder / "marker").write_text(f"{network.name}/{claim}")
    return marks(network)


def marks(network: Network) -> dict[str, str]:
    found = {claim: folder / "marker" for claim, folder in volumes(network).items()}
    return {claim: file.read_text() for claim, file in found.items() if file.exists()}


def heights(network: Network) -> dict[str, int]:
    """Height on each volume that has one, by the claim's name."""
    found = {claim: height_on(folder) for claim, folder in volumes(network).items()}
    return {claim: height for claim, height in found.items() if height}


def identity_files(volume: Path) -> list[str]:
    """The content of every file in which a daemon says who it is."""
    files = [file for name in IDENTITY for file in (volume / name).rglob("*") if file.is_file()]
    return [file.read_text() for file in files]


def plant_keys(network: Network) -> None:
    """An account's key in each daemon's volume, as a wallet keeps it."""
    for claim, folder in volumes(network).items():
        if "runtime-state" in claim:
            key = folder / "wallets" / "store" / "key"
            key.parent.mkdir(parents=True, exist_ok=True)
            key.write_text(f"secret of {network.name}")
