"""More parameters of storage classes: what each driver knows, what is decided elsewhere, and how values are written.

A driver answers a parameter that it does not know by refusing every claim of the class
(docs/facts.md: storage/class-parameters), so a slip of the pen is refused here. What a type, a replication or a file
system decides cannot be said a second time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mina_infra.spec import Issue
from mina_infra.spec.errors import Path
from mina_infra.spec.explain import nearest
from mina_infra.spec.target import Provider, Target
from mina_infra.storage.capabilities import provider_of

FSTYPE = "csi.storage.k8s.io/fstype"
IN_TREE = {
    "kubernetes.io/gce-pd": "pd.csi.storage.gke.io",
    "kubernetes.io/aws-ebs": "ebs.csi.aws.com",
    "kubernetes.io/azure-disk": "disk.csi.azure.com",
    "kubernetes.io/azure-file": "file.csi.azure.com",
}
"""Provisioners that left Kubernetes with their plugins, and what took their place (docs/facts.md: refusal/V6)."""

LABELS_OF_A_DISK = 64
_LABEL_KEY, _LABEL_VALUE = re.compile(r"[a-z][a-z0-9_-]{0,62}"), re.compile(r"[a-z0-9_-]{0,63}")
_GOOGLE_KEY = re.compile(r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+")
_TAG = re.compile(r"[^/,\s]+/[^/,\s]+/[^/,\s]+")


@dataclass(frozen=True)
class Driver:
    """`known` may be given, a trailing `#` standing for any number; `decided` says what decides a key already."""

    known: frozenset[str]
    decided: Mapping[str, str] = field(default_factory=dict)

    def takes(self, key: str) -> bool:
        return key in self.known or (re.sub(r"\d+$", "#", key) in self.known and key[-1:].isdigit())


_ON_CREATE = frozenset({"provisioned-iops-on-create", "provisioned-throughput-on-create"})
_PERFORMANCE = "`performance` of a volume"
DRIVERS: Mapping[str, Driver] = {
    "pd.csi.storage.gke.io": Driver(
        frozenset({"disk-encryption-kms-key", "labels", "resource-tags", "storage-pools",
                   "enable-confidential-storage"}),
        {"type": "`type` of a volume and `target.diskFamily`", "replication-type": "`target.replication`",
         FSTYPE: "the daemon's databases: ext4", **dict.fromkeys(_ON_CREATE, _PERFORMANCE)},
    ),
    "filestore.csi.storage.gke.io": Driver(
        frozenset({"network", "reserved-ipv4-cidr", "reserved-ip-range", "connect-mode", "labels", "resource-tags",
                   "instance-encryption-kms-key"}),
        {"tier": "`type: shared`"},
    ),
    "ebs.csi.aws.com": Driver(
        frozenset({"encrypted", "kmsKeyId", "tagSpecification_#", "blockSize"}),
        {"type": "`type` of a volume", FSTYPE: "the daemon's databases: ext4",
         **dict.fromkeys(("iops", "throughput", "iopsPerGB", "allowAutoIOPSPerGBIncrease"), _PERFORMANCE)},
    ),
    "efs.csi.aws.com": Driver(
        frozenset({"basePath", "uid", "gid", "gidRangeStart", "gidRangeEnd"}),
        {"fileSystemId": "`target.fileSystem`", "provisioningMode": "`type: shared`",
         "directoryPerms": "`type: shared`"},
    ),
    "disk.csi.azure.com": Driver(
        frozenset({"diskEncryptionSetID", "tags", "resourceGroup", "location", "cachingMode", "networkAccessPolicy",
                   "diskAccessID", "enableBursting"}),
        {"skuName": "`type` of a volume and `target.replication`", "storageAccountType": "`type` of a volume",
         "fsType": "the daemon's databases: ext4", FSTYPE: "the daemon's databases: ext4"},
    ),
    "file.csi.azure.com": Driver(
        frozenset({"tags", "resourceGroup", "location", "storageAccount", "networkEndpointType"}),
        {"skuName": "`type: shared`", "protocol": "`type: shared`", "shareName": "each claim has a share of its own"},
    ),
    "local.mina-infra": Driver(frozenset(), {"type": "`type` of a volume"}),
}  # fmt: skip
"""Where the drivers document them: docs/facts.md: storage/providers."""


def added(target: Target, driver: str) -> dict[str, str]:
    """The parameters of a target that concern classes of one driver; a key may concern several."""
    return {key: value for key, value in sorted(target.class_parameters.items()) if DRIVERS[driver].takes(key)}


def check(target: Target, path: Path = ("target",)) -> Iterator[Issue]:
    """All issues of `classParameters`; `path` is where the target stands."""
    info = provider_of(target)
    drivers = sorted({found.driver for found in (*info.zonal.values(), *info.regional.values())})
    for key, value in target.class_parameters.items():
        place = (*path, "classParameters", key)
        if not any(DRIVERS[driver].takes(key) for driver in drivers):
            yield _unknown(target, key, drivers, place)
        elif target.provider is Provider.GKE:
            yield from _google(key, value, place)


def _unknown(target: Target, key: str, drivers: list[str], place: Path) -> Issue:
    """docs/facts.md: refusal/V6, refusal/V7"""
    if key in ("fstype", "zone", "zones") and target.provider is Provider.GKE:
        instead = f"'{FSTYPE}', which every class has" if key == "fstype" else "`target.zones`"
        return Issue(
            place,
            f"'{key}' is a parameter of 'kubernetes.io/gce-pd', which was removed in Kubernetes 1.28; with "
            f"'pd.csi.storage.gke.io' it becomes {instead}.",
            "Remove it.",
        )
    decided = next((DRIVERS[each].decided[key] for each in drivers if key in DRIVERS[each].decided), None)
    if decided:
        return Issue(place, f"storage classes: parameter '{key}' is decided by {decided}.", "Remove it.")
    known = sorted({each for driver in drivers for each in DRIVERS[driver].known})
    near = nearest(key, known)
    return Issue(
        place,
        f"storage classes: parameter '{key}' is not known to {' or '.join(drivers)}; the driver would refuse every "
        "claim.",
        f"Known: {', '.join(known) or 'none'}." + (f" Did you mean '{near}'?" if near else ""),
    )


def _google(key: str, value: str, place: Path) -> Iterator[Issue]:
    """How Google Cloud wants a value written."""
    if key == "labels":
        yield from _labels(value, place)
    elif key == "resource-tags":
        for each in value.split(","):
            if not _TAG.fullmatch(each.strip()):
                yield Issue(
                    place, f"resource tag '{each}' is not parent/key/value.", "For example my-project/team/infra."
                )
    elif key.endswith("kms-key") and not _GOOGLE_KEY.fullmatch(value):
        yield Issue(
            place,
            f"'{value}' is not the full name of a key.",
            "Write projects/PROJECT/locations/REGION/keyRings/RING/cryptoKeys/KEY.",
        )


def _labels(text: str, place: Path) -> Iterator[Issue]:
    """docs/facts.md: refusal/V31"""
    pairs = [each.strip().partition("=") for each in text.split(",")]
    if len(pairs) > LABELS_OF_A_DISK:
        yield Issue(place, f"{len(pairs)} disk labels; a disk takes {LABELS_OF_A_DISK}.", "Remove some.")
    for key, equals, value in pairs:
        if equals and _LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(value):
            continue
        yield Issue(
            place,
            f"disk label '{key}{equals}{value}': keys start with a lowercase letter; only lowercase letters, digits, "
            "'_' and '-', at most 63 characters.",
            f"Write '{_label_key(key)}={_label_text(value)}'.",
        )


def _label_text(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "-", text.lower())[:63]


def _label_key(text: str) -> str:
    plain = _label_text(text).lstrip("0123456789_-")
    return plain or "label"
