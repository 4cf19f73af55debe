"""What a plan means to its reader: nodes by role, volumes by class, sizes, cost, attach slots, Secrets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from mina_infra.plan import secrets
from mina_infra.plan.objects import TestnetPlan
from mina_infra.plan.table import table
from mina_infra.spec import TestnetSpec
from mina_infra.storage import cost
from mina_infra.storage.capabilities import provider_info
from mina_infra.storage.machines import attach_limit
from mina_infra.storage.prices import usd_a_month
from mina_infra.storage.volumes import Claimed, Volumes

_NODE_NUMBER = re.compile(r"-\d+-(?=[a-z0-9]+$)")


_RETENTION = {"delete": "go with the deployment", "retain": "stay when the deployment goes"}


@dataclass(frozen=True)
class Group:
    """Nodes of one group. `disks` is how many block disks each of its pods attaches at most."""

    role: str
    name: str
    nodes: int
    stake: float
    disks: int


@dataclass(frozen=True)
class VolumeRow:
    """Claims that are alike. `usd` is for all of them and a month, None where the price is not known."""

    kind: str
    storage_class: str
    product: str
    access_mode: str
    retention: str
    claims: int
    gib_each: int
    gib: int
    usd: float | None


@dataclass(frozen=True)
class SecretRow:
    """Secrets that are alike: `fish-{1..60}-wallet`."""

    names: str
    count: int
    keys: tuple[str, ...]
    purpose: str


@dataclass(frozen=True)
class Summary:
    """The plan in figures. `usd` is None when a price is unknown; `unknown_prices` then names the products.
    `prices_of` is the date of the oldest price list that was used.

    `attach_limits`: block disks that a machine takes, on the provider's smallest and usual machine types; twice the
    same where the document names `machine`, the type.
    """

    testnet: str
    era: int
    provider: str
    region: str
    replication: str
    retention: str
    nodes: int
    paused: int
    objects: int
    gib: int
    usd: float | None
    known_usd: float
    unknown_prices: tuple[str, ...]
    prices_of: str | None
    attach_limits: tuple[int, int]
    machine: str | None
    groups: tuple[Group, ...]
    volumes: tuple[VolumeRow, ...]
    secrets: tuple[SecretRow, ...]

    def roles(self) -> dict[str, int]:
        """Nodes by role, in the order of the spec."""
        counts: Counter[str] = Counter()
        for group in self.groups:
            counts[group.role] += group.nodes
        return dict(counts)


def summarize(plan: TestnetPlan) -> Summary:
    spec = plan.spec
    estimate = cost.monthly(spec)
    rows = tuple(_volume_rows(plan))
    machine, limits = _machine(spec)
    return Summary(
        testnet=spec.name,
        era=spec.era,
        provider=spec.target.provider.value,
        region=spec.target.region,
        replication=spec.target.replication,
        retention=spec.retention.value,
        nodes=sum(group.count for group in spec.nodes),
        paused=len(spec.paused_nodes()),
        objects=len(plan.objects()),
        gib=sum(row.gib for row in rows),
        usd=estimate.usd,
        known_usd=estimate.known_usd,
        unknown_prices=estimate.unknown,
        prices_of=estimate.prices_of,
        attach_limits=limits,
        machine=machine,
        groups=tuple(_groups(plan)),
        volumes=rows,
        secrets=tuple(_secret_rows(plan)),
    )


def _machine(spec: TestnetSpec) -> tuple[str | None, tuple[int, int]]:
    """The machine type that the document names, if its slots are known, and how many machines of a kind take."""
    machines = spec.target.machines
    limit = attach_limit(spec.target.provider, machines.type) if machines else None
    if machines is None or limit is None:
        return None, provider_info(spec).attach_limits
    return machines.type, (limit, limit)


def _groups(plan: TestnetPlan) -> Iterable[Group]:
    volumes = Volumes(plan.spec)
    for group in plan.spec.nodes:
        disks = max(
            sum(volume.storage_class.capability.block for volume in volumes.own(group, node))
            for node in (None, *group.overrides)
        )
        yield Group(group.role.value, group.name, group.count, group.stake, disks)


def _volume_rows(plan: TestnetPlan) -> Iterable[VolumeRow]:
    spec = plan.spec
    alike: dict[tuple[str, str, int, str, str, str], list[Claimed]] = {}
    for claimed in Volumes(spec).all():
        volume = claimed.volume
        product = volume.storage_class.capability.product
        era = f" (era {claimed.kept_era})" if claimed.kept_era else ""
        key = (volume.kind.value + era, volume.class_name, volume.effective_gib, volume.access_mode.value)
        alike.setdefault((*key, volume.retention.value, product), []).append(claimed)
    for (kind, name, each, mode, retention, product), members in alike.items():
        usd = usd_a_month(spec.target.provider, spec.target.region, product, each)
        total = None if usd is None else usd * len(members)
        yield VolumeRow(kind, name, product, mode, retention, len(members), each, each * len(members), total)


def _secret_rows(plan: TestnetPlan) -> Iterable[SecretRow]:
    """Secrets that differ only in their node's number share a row."""
    alike: dict[tuple[str, tuple[str, ...]], list[secrets.SecretNeed]] = {}
    for each in secrets.needed(plan.spec):
        alike.setdefault((_NODE_NUMBER.sub("-#-", each.name), each.keys), []).append(each)
    for (pattern, keys), members in alike.items():
        if len(members) == 1:
            yield SecretRow(members[0].name, 1, keys, members[0].purpose)
        else:
            names = pattern.replace("-#-", "-{1.." + str(len(members)) + "}-")
            yield SecretRow(names, len(members), keys, members[0].purpose)


def headline(summary: Summary) -> str:
    """`200 nodes (2 seed, ...), 375 objects, 436 GiB, 77.12 USD/month`."""
    roles = ", ".join(f"{count} {role}" for role, count in summary.roles().items())
    paused = f", {summary.paused} of them paused" if summary.paused else ""
    return f"{summary.nodes} nodes ({roles}{paused}), {summary.objects} objects, {summary.gib} GiB, {money(summary)}"


def money(summary: Summary) -> str:
    """`89 USD/month`, or the known part and what is unknown."""
    if summary.usd is not None:
        return f"{summary.usd:,.2f} USD/month"
    unknown = f"no price known for {', '.join(summary.unknown_prices)} in {summary.provider} {summary.region}"
    return f"at least {summary.known_usd:,.2f} USD/month ({unknown})"


def to_text(summary: Summary) -> str:
    """The whole summary for a terminal of 120 columns; no colour, so that it reads the same in a file."""
    blocks = [
        f"{summary.testnet}: {headline(summary)}",
        f"{summary.provider} {summary.region}, {summary.replication} replication, era {summary.era}, "
        f"retention {summary.retention}: volumes {_RETENTION[summary.retention]}",
        "",
        table(
            ("role", "group", "nodes", "stake each", "disks each"),
            [(row.role, row.name, str(row.nodes), _percent(row.stake), str(row.disks)) for row in summary.groups],
        ),
        "",
        table(
            ("volume", "class", "claims", "GiB each", "GiB", "USD/month", "access mode", "retention"),
            [_cells(row) for row in summary.volumes],
        ),
        "",
        *_notes(summary),
        "",
        table(
            ("Secret that must exist", "keys", "for"),
            [(row.names, ", ".join(row.keys), row.purpose) for row in summary.secrets],
        ),
    ]
    return "\n".join(blocks) + "\n"


def _cells(row: VolumeRow) -> tuple[str, ...]:
    usd = "unknown" if row.usd is None else f"{row.usd:,.2f}"
    counts = (str(row.claims), str(row.gib_each), str(row.gib))
    return (row.kind, row.storage_class or "(existing volume)", *counts, usd, row.access_mode, row.retention)


def _notes(summary: Summary) -> list[str]:
    if summary.provider == "local":
        return ["prices: none, the embedded cluster's disks are directories of this machine"]
    small, usual = summary.attach_limits
    disks = sum(group.nodes * group.disks for group in summary.groups)
    most = max((group.disks for group in summary.groups), default=0)
    slots = f"attach slots: {disks} block disks, at most {most} a pod. "
    if summary.machine:
        slots += f"A {summary.machine} takes {small}: {-(-disks // small)} machines at least"
    else:
        slots += f"The smallest machine types take {small}, others up to {usual}: "
        slots += f"{-(-disks // small)} or {-(-disks // usual)} machines at least"
    return [
        slots,
        f"prices: list prices of {summary.prices_of}, volumes kept for a whole month"
        if summary.prices_of
        else "prices: none known",
    ]


def _percent(stake: float) -> str:
    return f"{stake:g} %" if stake else ""
