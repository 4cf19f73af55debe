"""Rules of the document that need no provider: what the models' types cannot say. Each yields issues, none raises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mina_infra.spec import jobs, ledger_rules
from mina_infra.spec.errors import Issue, Path
from mina_infra.spec.explain import nearest
from mina_infra.spec.models import NodeGroup, TestnetSpec, VolumeOverride, tag_version
from mina_infra.spec.roles import ROLES, VOLUMES, Backing, Role, VolumeKind

OWN_CLAIMS = (VolumeKind.RUNTIME_STATE, VolumeKind.POSTGRES_STATE, VolumeKind.GENESIS_LEDGER)


def check(spec: TestnetSpec) -> Iterator[Issue]:
    """All issues of a document whose fields are well-formed."""
    yield from _network(spec)
    yield from _namespace(spec)
    yield from _lifetime(spec)
    yield from _names(spec)
    yield from _peer_ids(spec)
    yield from _eras(spec)
    yield from _repeated(("target", "zones"), spec.target.zones)
    yield from _images(spec)
    yield from ledger_rules.check(spec.genesis.ledger)
    yield from _volumes(spec)
    for index, group in enumerate(spec.nodes):
        yield from _group(group, ("nodes", index))


def _network(spec: TestnetSpec) -> Iterator[Issue]:
    if not spec.groups_of(Role.SEED):
        yield Issue(
            ("nodes",),
            "no seed: a daemon that is not a seed refuses to start without somebody to contact.",
            "Add {role: seed, count: 2, identities: [{peerId: ...}, {peerId: ...}]}.",
        )
    workers, coordinators = spec.groups_of(Role.SNARK_WORKER), spec.groups_of(Role.SNARK_COORDINATOR)
    count = sum(group.count for group in coordinators)
    if workers and not coordinators:
        yield Issue(
            ("nodes", spec.nodes.index(workers[0])),
            "snark workers without a snark-coordinator: nobody would hand out work.",
            "Add {role: snark-coordinator}.",
        )
    if coordinators and not workers:
        yield Issue(
            ("nodes", spec.nodes.index(coordinators[0])),
            "a snark coordinator without workers proves nothing.",
            "Add {role: snark-worker, count: 1} or more.",
        )
    if count > 1:
        yield Issue(
            ("nodes", spec.nodes.index(coordinators[-1])),
            f"{count} snark coordinators; workers dial exactly one.",
            "Keep one {role: snark-coordinator} and raise the count of the workers.",
        )
    stake = sum(group.stake * group.count for group in spec.nodes)
    if stake > 100 + 1e-6:
        yield Issue(
            ("nodes",),
            f"the nodes' stakes add up to {stake:g} percent; at most 100 exist (stake is per node, times count).",
            "Lower `stake` or `count` of a group.",
        )
    if stake == 0:
        yield Issue(
            ("nodes",),
            "no node holds stake: no block would ever be produced.",
            "Give a block-producer group `stake`, in percent of the total, for each node.",
        )


def _namespace(spec: TestnetSpec) -> Iterator[Issue]:
    if spec.name == "default" or spec.name.startswith("kube-"):
        yield Issue(
            ("name",),
            f"'{spec.name}' is a namespace of Kubernetes itself, and a testnet owns the namespace of its name.",
            "Choose another name.",
        )


def _lifetime(spec: TestnetSpec) -> Iterator[Issue]:
    """Nobody remembers what a machine made (docs/facts.md: refusal/V32)."""
    if spec.automated and spec.ttl is None:
        yield Issue(
            ("ttl",),
            f"testnet '{spec.name}' is automated: set ttl (for example 6h) so its volumes are removed.",
            "Add `ttl: 6h`; `mina-infra expire` removes it then.",
        )


def _eras(spec: TestnetSpec) -> Iterator[Issue]:
    yield from _repeated(("keptEras",), spec.kept_eras)
    for index, era in enumerate(spec.kept_eras):
        if era >= spec.era:
            yield Issue(
                ("keptEras", index),
                f"era {era} is {'the present one' if era == spec.era else 'not over'}; only earlier ones are kept.",
                f"Remove it, or set era: {era + 1}.",
            )


def _repeated(path: Path, values: Sequence[object]) -> Iterator[Issue]:
    for index, value in enumerate(values):
        if value in values[:index]:
            yield Issue((*path, index), f"'{value}' is listed twice.", "Remove one.")


def _names(spec: TestnetSpec) -> Iterator[Issue]:
    owner: dict[str, int] = {}
    for index, group in enumerate(spec.nodes):
        clash = next((name for name in group.node_names() if name in owner), None)
        if clash:
            yield Issue(
                ("nodes", index),
                f"two nodes are named '{clash}': nodes[{owner[clash]}] and nodes[{index}].",
                "Give one of the groups its own `group` name.",
            )
        for name in group.node_names():
            owner.setdefault(name, index)


def _peer_ids(spec: TestnetSpec) -> Iterator[Issue]:
    peers: dict[str, str] = {}
    for index, group in enumerate(spec.nodes):
        for place, identity in enumerate(group.identities):
            first = peers.setdefault(identity.peer_id, f"nodes[{index}].identities[{place}]")
            if first != f"nodes[{index}].identities[{place}]":
                yield Issue(
                    ("nodes", index, "identities", place, "peerId"),
                    f"peer id {identity.peer_id} is already the identity of {first}.",
                    "Every node needs a libp2p key of its own.",
                )


def _images(spec: TestnetSpec) -> Iterator[Issue]:
    wanted = {bot for group in spec.nodes for bot in group.bots} | {group.role.value for group in spec.nodes}
    needs = (
        ("archive", spec.images.archive, {"archive"}),
        ("userAgent", spec.images.user_agent, {"user-agent"}),
        ("bots", spec.images.bots, {"faucet", "echo"}),
    )
    for field, image, users in needs:
        if image is None and users & wanted:
            yield Issue(
                ("images", field),
                f"no image for {', '.join(sorted(users & wanted))}.",
                f"Set images.{field}.",
            )
    if spec.daemon_version is None and tag_version(spec.image) is None:
        yield Issue(
            ("image",),
            f"'{spec.image}' does not tell the daemon's release, which decides the flags that it accepts.",
            "Set daemonVersion, for example daemonVersion: 3.0.1.",
        )


def _volumes(spec: TestnetSpec) -> Iterator[Issue]:
    places: list[tuple[Path, Mapping[VolumeKind, VolumeOverride]]] = [(("volumes",), spec.volumes)]
    places += [(("roles", role.value, "volumes"), settings.volumes) for role, settings in spec.roles.items()]
    places += [place for index, group in enumerate(spec.nodes) for place in _volumes_of(group, ("nodes", index))]
    for path, overrides in places:
        for kind in overrides:
            if kind not in OWN_CLAIMS:
                yield Issue((*path, kind.value), *_no_claim(kind))
            elif len(path) > 1 and VOLUMES[kind].shared:
                yield Issue(
                    (*path, kind.value),
                    f"{kind.value} is shared by the whole testnet; it cannot differ for one "
                    f"{'role' if path[0] == 'roles' else 'node' if len(path) > 3 else 'group'}.",
                    f"Set volumes.{kind.value} at the top.",
                )
    for role, settings in spec.roles.items():
        yield from _foreign(role, settings.volumes, ("roles", role.value, "volumes"))


def _volumes_of(group: NodeGroup, path: Path) -> Iterator[tuple[Path, Mapping[VolumeKind, VolumeOverride]]]:
    yield (*path, "volumes"), group.volumes
    for node, settings in group.overrides.items():
        yield (*path, "overrides", node, "volumes"), settings.volumes


def _foreign(role: Role, volumes: Mapping[VolumeKind, VolumeOverride], path: Path) -> Iterator[Issue]:
    """Volumes that a node of this role has not got."""
    has = ROLES[role].volumes
    for kind in volumes:
        if kind in OWN_CLAIMS and not VOLUMES[kind].shared and kind not in has:
            yield Issue(
                (*path, kind.value),
                f"a {role.value} has no {kind.value}; it has: {', '.join(each.value for each in has) or 'no volumes'}.",
                "Remove this entry.",
            )


def _no_claim(kind: VolumeKind) -> tuple[str, str]:
    """Kinds that no claim carries; for keys docs/facts.md: refusal/V14"""
    backing = VOLUMES[kind].backing
    if backing is Backing.SECRET:
        return (
            "wallet keys are Secrets: a claim would be rounded up to 1 GiB and keep keys in plain text on a disk.",
            "Remove this entry.",
        )
    if backing is Backing.CONFIG_MAP:
        return "the daemon's config is a ConfigMap named by its content, not a claim.", "Remove this entry."
    return (
        f"{kind.value} lies on the volume of genesis-ledger: one artefact set for each genesis.",
        "Change volumes.genesis-ledger instead.",
    )


def _group(group: NodeGroup, path: Path) -> Iterator[Issue]:
    info = ROLES[group.role]
    yield from _repeated((*path, "bots"), group.bots)
    yield from jobs.check(group, path)
    if group.stake and not info.stakes:
        yield Issue(
            (*path, "stake"),
            f"a {group.role.value} cannot hold stake; only block producers do.",
            "Remove `stake`, or make it a block-producer group.",
        )
    if group.bots and group.role is not Role.BLOCK_PRODUCER:
        yield Issue(
            (*path, "bots"),
            f"bots stand beside a block producer, whose accounts they use; this group is {group.role.value}.",
            "Move `bots` to a block-producer group, or add the bot as a role of its own.",
        )
    if group.role is Role.SEED and len(group.identities) != group.count:
        yield Issue(
            (*path, "identities"),
            f"{group.count} seeds but {len(group.identities)} identities: every other node dials a seed's peer id, "
            "so each needs its own, fixed one.",
            "List one {peerId: 12D3KooW...} for each seed (`mina libp2p generate-keypair` prints it).",
        )
    elif len(group.identities) > group.count:
        yield Issue(
            (*path, "identities"),
            f"{len(group.identities)} identities for {group.count} nodes.",
            "Raise `count` or remove identities at the end.",
        )
    if group.identities and not info.daemon:
        yield Issue((*path, "identities"), f"a {group.role.value} has no libp2p identity.", "Remove `identities`.")
    for place, volumes in _volumes_of(group, path):
        yield from _foreign(group.role, volumes, place)
    for node in group.overrides:
        if node not in group.node_names():
            near = nearest(node, list(group.node_names()))
            yield Issue(
                (*path, "overrides", node),
                f"group '{group.name}' has no node '{node}'.",
                f"Its nodes are {group.name}-1 to {group.name}-{group.count}."
                + (f" Did you mean '{near}'?" if near else ""),
            )
