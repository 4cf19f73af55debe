"""What a cluster's stack cannot declare: disks that the provider does not have, parameters that it does not know."""

from __future__ import annotations

from collections.abc import Iterator

from mina_infra.spec import ClusterStorage, DiskType, Issue, Provider
from mina_infra.spec.errors import Path
from mina_infra.storage import attributes
from mina_infra.storage.capabilities import disks_of, provider_of
from mina_infra.storage.classes import targets
from mina_infra.storage.rules import check_target


def check(storage: ClusterStorage) -> Iterator[Issue]:
    """All issues of `mina-infra:storage`; raises nothing."""
    seen: set[tuple[object, str]] = set()
    found = [issue for target in targets(storage) for issue in check_target(target)]
    for issue in (*found, *_own(storage), *_disks(storage), *attributes.check_cluster(storage)):
        if (issue.path, issue.message) not in seen:
            seen.add((issue.path, issue.message))
            yield issue


def _own(storage: ClusterStorage) -> Iterator[Issue]:
    """What belongs into the document of a testnet."""
    if storage.target.storage_classes == "shared":
        yield Issue(
            ("target", "storageClasses"),
            "this stack declares the shared classes; `shared` is what a testnet's target says to refer to them.",
            "Remove `storageClasses` here.",
        )


def _disks(storage: ClusterStorage) -> Iterator[Issue]:
    """Types that the provider lacks (docs/facts.md: refusal/V39)."""
    provider = storage.target.provider
    for target in targets(storage):
        known = disks_of(target)
        if target.replication == "regional" and not provider_of(target).regional:
            continue  # said once for the target
        wanted: list[tuple[Path, DiskType]] = [(("types", index), disk) for index, disk in enumerate(storage.types)]
        if target.replication == storage.target.replication:
            wanted += [(("fixed", name, "type"), each.type) for name, each in storage.fixed.items()]
        for path, disk in wanted:
            if disk not in known:
                yield Issue(
                    path,
                    f"provider '{provider.value}' has no {target.replication} '{disk.value}' disk; supported here: "
                    f"{', '.join(each.value for each in known)}.",
                    "Choose one of these types.",
                )
        if provider is Provider.EKS and not target.file_system and _wants_files(storage):
            yield Issue(
                ("target", "fileSystem"),
                "eks shares volumes over EFS, and no file system is named.",
                "Set target.fileSystem: fs-..., or leave `shared` out of `types`.",
            )


def _wants_files(storage: ClusterStorage) -> bool:
    named = (*storage.types, *(each.type for each in storage.fixed.values()))
    return not storage.types or any(disk.value == "shared" for disk in named)
