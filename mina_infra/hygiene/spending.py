"""What each testnet of a cluster costs a month, by the volumes that it really has. Pure.

Disks are paid for as long as they exist. So those of a paused testnet, of one that was destroyed and keeps its
volumes, and those that no claim holds any more are shown beside those that are used, and so are snapshots. A claim that
never got a disk costs nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mina_infra.hygiene.contents import Claim, Contents, claims_of_pod, is_our_snapshot, is_ours, moved_from
from mina_infra.persistence import objects
from mina_infra.spec import Provider
from mina_infra.storage.prices import SNAPSHOT, dated, usd_a_month
from mina_infra.storage.products import product_of

Manifest = Mapping[str, Any]
NOBODY = "(no testnet)"


class State(StrEnum):
    """What a volume is there for."""

    RUNNING = "running"
    """A node or a Job that runs has it."""
    PAUSED = "paused"
    """Its node exists and is scaled to zero."""
    KEPT = "kept"
    """Its claim is there and nothing mounts it."""
    RELEASED = "released"
    """No claim holds it."""
    MOVED = "moved"
    """No claim holds it, because `migrate` moved its data to another one."""
    SNAPSHOT = "snapshot"
    """A snapshot: at most so much, since what it holds is billed and not the size of its volume."""
    PENDING = "pending"
    """A claim that got no disk yet."""


@dataclass(frozen=True)
class Spent:
    """Volumes of one testnet that are alike. `usd` is for all of them and a month, None where it is not known."""

    testnet: str
    state: State
    storage_class: str
    product: str
    volumes: int
    gib: int
    usd: float | None


@dataclass(frozen=True)
class Spending:
    """A cluster's volumes, as far as they are testnets'. `prices_of`: date of the oldest price list that was used."""

    rows: tuple[Spent, ...]
    prices_of: str | None = None

    def testnets(self) -> tuple[str, ...]:
        """Their names, in the order of the rows."""
        return tuple(dict.fromkeys(row.testnet for row in self.rows))


@dataclass(frozen=True)
class _Disk:
    """One volume or snapshot, or the claim of a volume that is not there yet. `product` is what bills it."""

    testnet: str
    state: State
    made_by: str
    product: tuple[Provider, str] | None
    gib: int


def spending(contents: Contents, regions: Collection[str] = ()) -> Spending:
    """What is paid for. `regions`: those that the cluster's stacks name, for clusters whose machines name none."""
    region = contents.region_or(regions)
    alike: dict[tuple[str, State, str, str], list[float | None]] = {}
    sizes: Counter[tuple[str, State, str, str]] = Counter()
    products = set()
    for disk in (*_claims(contents), *_released(contents), *_snapshots(contents)):
        key = (disk.testnet, disk.state, disk.made_by, disk.product[1] if disk.product else "unknown")
        usd: float | None = None
        if disk.product:
            products.add(disk.product)
            usd = (
                0.0 if disk.state is State.PENDING else usd_a_month(disk.product[0], region, disk.product[1], disk.gib)
            )
        alike.setdefault(key, []).append(usd)
        sizes[key] += disk.gib
    rows = sorted(_row(key, prices, sizes[key]) for key, prices in alike.items())
    dates = [date for provider, product in products if (date := dated(provider, [product]))]
    return Spending(tuple(each for _, each in rows), min(dates, default=None))


def _row(key: tuple[str, State, str, str], prices: list[float | None], gib: int) -> tuple[tuple[Any, ...], Spent]:
    testnet, state, name, product = key
    known = [price for price in prices if price is not None]
    usd = sum(known) if len(known) == len(prices) else None
    return (testnet, list(State).index(state), name, product), Spent(
        testnet, state, name, product, len(prices), gib, usd
    )


def _claims(contents: Contents) -> Iterator[_Disk]:
    """Every claim in a testnet's namespace, also those that the testnet was only given."""
    testnets = contents.testnets
    disks = {each["metadata"]["name"]: each for each in contents.volumes}
    mounted, paused = _users(contents)
    for claim in contents.claims:
        key: Claim = (claim["metadata"]["namespace"], claim["metadata"]["name"])
        if key[0] not in testnets:
            continue
        volume = disks.get(claim["spec"].get("volumeName") or "")
        if volume is None:
            state = State.PENDING
        elif key in mounted:
            state = State.RUNNING
        else:
            state = State.PAUSED if key in paused else State.KEPT
        size = volume["spec"]["capacity"]["storage"] if volume else claim["spec"]["resources"]["requests"]["storage"]
        yield _disk(contents, key[0], state, volume or claim, objects.gib(size))


def _users(contents: Contents) -> tuple[set[Claim], set[Claim]]:
    """The claims that pods or Deployments with pods mount, and those of Deployments that are scaled to zero."""
    mounted = set(contents.mounted)
    paused: set[Claim] = set()
    for each in contents.deployments:
        claims = claims_of_pod(each["metadata"]["namespace"], each["spec"]["template"]["spec"])
        if each["spec"].get("replicas", 1):
            mounted |= claims
        else:
            paused |= claims
    return mounted, paused


def _released(contents: Contents) -> Iterator[_Disk]:
    """Volumes without a claim; of which testnet the last one was."""
    for volume in contents.volumes:
        if (volume.get("status") or {}).get("phase") not in ("Released", "Available", "Failed"):
            continue
        if is_ours(volume, contents):
            namespace = (volume["spec"].get("claimRef") or {}).get("namespace") or NOBODY
            gib = objects.gib(volume["spec"]["capacity"]["storage"])
            yield _disk(contents, namespace, State.MOVED if moved_from(volume) else State.RELEASED, volume, gib)


def _snapshots(contents: Contents) -> Iterator[_Disk]:
    """What snapshots stand for: their contents, whether their snapshot is there or not."""
    testnets = contents.testnets
    for content in contents.snapshot_contents:
        reference = content["spec"]["volumeSnapshotRef"]
        namespace = reference.get("namespace", "")
        if namespace not in testnets and not is_our_snapshot(reference.get("name", "")):
            continue
        found = product_of({"provisioner": content["spec"]["driver"]})
        product = (found[0], SNAPSHOT) if found else None
        gib = objects.gib(str((content.get("status") or {}).get("restoreSize") or 0))
        yield _Disk(namespace, State.SNAPSHOT, "(snapshots)", product, gib)


def _disk(contents: Contents, testnet: str, state: State, of: Manifest, gib: int) -> _Disk:
    return _Disk(testnet, state, of["spec"].get("storageClassName") or "(none)", contents.product(of), gib)
