"""The document of a testnet: what a user writes under `mina-infra:testnet` in a stack file.

Fields are written in camelCase in YAML and accepted in snake_case from Python. All values are plain data: what decides
how many objects exist, and their names, is known before anything runs.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, ValidationInfo, field_validator

from mina_infra.outputs import Thresholds
from mina_infra.spec import fields
from mina_infra.spec.fields import (
    Cores,
    Digest,
    DnsLabel,
    ExistingName,
    Host,
    ImageRef,
    IPv4,
    Number,
    PeerId,
    Version,
    _Model,
)
from mina_infra.spec.jobs import Jobs, Timeouts
from mina_infra.spec.roles import AccessMode, Role, VolumeKind
from mina_infra.spec.snapshots import Snapshots
from mina_infra.spec.storage import Performance, StorageType
from mina_infra.spec.target import Retention, Target
from mina_infra.spec.values import Duration, Size, number

LedgerSource = Literal["shared-claim", "config-map", "image", "init-copy", "existing-claim", "bucket", "disk-copies"]


class Ledger(_Model):
    """Where the genesis artefacts come from."""

    source: LedgerSource = "shared-claim"
    """shared-claim: one claim, filled once by a Job, read by all. config-map: all in the runtime config (1 MiB).
    image: mounted from the image (Kubernetes 1.35). init-copy: copied from the image into each node's own volume.
    existing-claim, bucket, disk-copies: what is in `claim`, `bucket` or `snapshot`, checked against `digest`."""
    image: ImageRef | None = None
    """Image whose /genesis directory holds the artefacts; pinned by digest. It needs sh, find and sha256sum beside."""
    digest: Digest | None = None
    """Digest of the artefacts' files: checked once by the Job, or by each node where no Job fills anything."""
    claim: ExistingName | None = None
    """existing-claim: name of a claim in the testnet's namespace that many pods can mount."""
    bucket: Annotated[str, StringConstraints(pattern=fields.BUCKET)] | None = None
    """bucket: name of the Cloud Storage bucket (gke)."""
    workload_identity: Annotated[str, StringConstraints(pattern=fields.IDENTITY)] | None = None
    """bucket: Google service account that may read it and that the namespace's pods act as."""
    snapshot: ExistingName | None = None
    """disk-copies: name of a VolumeSnapshot in the testnet's namespace; read-only disks are made from it."""


class Genesis(_Model):
    """The chain that this era runs."""

    runtime_config: str
    """The daemon's runtime config: a JSON file (relative to the stack file), or the JSON text itself."""
    ledger: Ledger = Ledger()
    """Genesis ledger, proof and epoch ledger."""

    def config(self) -> dict[str, Any]:
        """The runtime config as data; `runtime_config` must be the text, as `parse` leaves it."""
        value: dict[str, Any] = json.loads(self.runtime_config)
        return value


class VolumeOverride(_Model):
    """What to change about one kind of volume; what is left out stays as in the role table."""

    type: StorageType | None = None
    """ssd, balanced, standard (block disks) or shared (file backend). testnet-ssd and testnet-standard are known."""
    size: Size | None = None
    """Requested capacity; providers round up. Growing is in place, shrinking is refused."""
    access_mode: AccessMode | None = None
    """Exactly one mode. ReadWriteOncePod for one node's state."""
    retention: Retention | None = None
    """Whether these volumes outlive the deployment; the testnet's retention when left out."""
    storage_class: ExistingName | None = None
    """Storage class of the cluster to use as it is, instead of one that the testnet makes for `type`."""
    performance: Performance | None = None
    """What the disk does beyond what its size gives it: {iops: 5000, throughput: 200}. Changed in place."""
    existing_claim: ExistingName | None = None
    """Claim in the testnet's namespace to mount instead of one of its own; for one node only. It is never deleted."""
    existing_volume: ExistingName | None = None
    """PersistentVolume to bind instead of having one made; for one node only."""
    from_snapshot: ExistingName | None = None
    """VolumeSnapshot of the testnet's namespace that a new volume starts with; for one node, and one that has no such
    volume yet. Once it has one, this may leave the document, but not change."""
    from_claim: ExistingName | None = None
    """Claim of this testnet that a new volume starts as a clone of; of the same type, in one zone, and no smaller."""


class Keys(_Model):
    """A keyset: one Secret with accounts, shared by the nodes that name it instead of a Secret for each node."""

    secret: ExistingName
    """Secret in the testnet's namespace. Of each account it holds NAME, the encrypted key file, and NAME.pub."""
    account: ExistingName | None = None
    """Account that the nodes take together; each takes that of its own name (whale-1, whale-1.pub) when left out."""


class Settings(_Model):
    """What to change for one role."""

    volumes: dict[VolumeKind, VolumeOverride] = Field(default_factory=dict)
    """Changes to volumes by kind."""


class NodeSettings(Settings):
    """What to change for one node."""

    paused: bool | None = None
    """Stop this node and keep its volumes, or run it although its group is paused; as its group when left out."""


class Resources(_Model):
    """Requests of the node's main container."""

    cpu: Cores | None = None
    """Cores, as Kubernetes writes them: 2, 500m."""
    memory: Size | None = None
    """Memory: 8Gi. (512m would be half a byte.)"""


class Identity(_Model):
    """A fixed libp2p identity: the peer id is known before anything runs, its key lies in a Secret."""

    peer_id: PeerId
    """libp2p peer id, 12D3KooW..."""
    address: Host | None = None
    """Fixed public address or DNS name. Without one the node is reached by its Service's name inside the cluster."""
    ip: IPv4 | None = None
    """Reserved public IPv4 address behind `address` when that is a DNS name: the load balancer's, and advertised."""


class NodeGroup(_Model):
    """Nodes that differ only in their number: group `whale` with count 2 is whale-1 and whale-2."""

    role: Role
    """What the nodes do."""
    group: DnsLabel | None = None
    """Name of the group, prefix of the nodes' names; the role when left out."""
    count: Annotated[int, Field(ge=1, le=500), Number] = 1
    """How many nodes. Raising it adds nodes at the end and touches no other."""
    stake: Annotated[float, Field(ge=0, le=100), Number] = 0.0
    """Share of the total stake of each node, in percent."""
    bots: tuple[Literal["user-agent", "faucet", "echo"], ...] = ()
    """Bots beside each node of this group (block producers only)."""
    identities: tuple[Identity, ...] = ()
    """Fixed identities, in the order of the nodes; required for seeds."""
    volumes: dict[VolumeKind, VolumeOverride] = Field(default_factory=dict)
    """Changes to the volumes of this group."""
    keys: Keys | None = None
    """Keyset with the accounts of these nodes; a Secret NODE-wallet for each when left out."""
    overrides: dict[str, NodeSettings] = Field(default_factory=dict)
    """Changes for single nodes, by their names: {whale-3: {volumes: {runtime-state: {size: 8Gi}}}}."""
    paused: bool | None = None
    """Stop these nodes and keep their volumes, or run them although the testnet is paused; as the testnet when left
    out."""
    resources: Resources = Resources()
    """Requests of the main container; the role's default when left out."""
    jobs: Jobs | None = None
    """What `mina-infra check-state` runs on each node's volumes before and after a disruption; {} for the built-in."""

    @property
    def name(self) -> str:
        return self.group or self.role.value

    def node_names(self) -> tuple[str, ...]:
        return tuple(f"{self.name}-{index}" for index in range(1, self.count + 1))


class Images(_Model):
    """Images of what is not the daemon."""

    archive: ImageRef | None = None
    """Archive process; needed with archive nodes."""
    postgres: ImageRef = "postgres:16-alpine"
    """Database of the archive nodes."""
    user_agent: ImageRef | None = None
    """Needed where a user agent runs."""
    bots: ImageRef | None = None
    """Faucet and echo; needed where one of them runs."""
    init: ImageRef = "busybox:1.36"
    """Small image with a shell, for init containers and Jobs."""


class ThresholdsSpec(Thresholds):
    """The thresholds that a user changes; a misspelt one is an error here, unlike in an outputs document."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _numbers(cls, value: Any, info: ValidationInfo) -> Any:
        return value if info.field_name == "profile" else number(value)


PostDeployStep = Literal["verify", "publish"]


class TestnetSpec(_Model):
    """One testnet: everything that is deployed and judged follows from this document."""

    __test__ = False  # not a test class, whatever its name looks like to pytest

    name: DnsLabel
    """Name of the testnet and of its namespace."""
    era: Annotated[int, Field(ge=1, le=9999), Number] = 1
    """One genesis. A new era is a new chain on new volumes; names, identities and addresses stay."""
    kept_eras: tuple[Annotated[int, Field(ge=1, le=9999), Number], ...] = ()
    """Earlier eras whose volumes stay beside the new ones, unmounted. Those of others go, if a run names them."""
    target: Target
    """Where it runs."""
    image: ImageRef
    """The daemon's image; pin it by digest where it matters."""
    daemon_version: Version | None = None
    """Mina release of `image`, e.g. 3.0.1: decides the daemon's flags. Read from the image's tag when left out."""
    images: Images = Images()
    """Other images."""
    retention: Retention = Retention.DELETE
    """delete: volumes go with the deployment. retain: they are kept and protected."""
    class_retention: Literal[Retention.DELETE] | None = None
    """delete: the testnet was first deployed with `retention: delete`, and its claims keep the classes of then."""
    ttl: Duration | None = None
    """How long the testnet is meant to live, from its first deployment; `mina-infra renew` prolongs it."""
    automated: bool = False
    """Made by a machine, such as a CI run: it must have a ttl and cannot keep its volumes."""
    owner: str | None = None
    """Who answers for it; an annotation on the namespace."""
    paused: bool = False
    """Stop every node and keep everything else: volumes, Services, identities. Groups and nodes may say otherwise."""
    genesis: Genesis
    """The chain of this era."""
    snapshots: Snapshots | None = None
    """Snapshots of the nodes' volumes on a schedule; a job that runs `mina-infra snapshot --due` takes them."""
    volumes: dict[VolumeKind, VolumeOverride] = Field(default_factory=dict)
    """Changes to volumes by kind, for all nodes."""
    roles: dict[Role, Settings] = Field(default_factory=dict)
    """Changes for all nodes of a role: {archive: {volumes: {postgres-state: {size: 64Gi}}}}."""
    nodes: Annotated[tuple[NodeGroup, ...], Field(min_length=1)]
    """The nodes, as groups."""
    thresholds: ThresholdsSpec = ThresholdsSpec()
    """What still counts as healthy."""
    timeouts: Timeouts = Timeouts()
    """How long a run waits for objects; follows the number of nodes where left out."""
    post_deploy: tuple[PostDeployStep, ...] = ("verify",)
    """What `mina-infra post-deploy` does, in order."""

    def with_runtime_config(self, text: str) -> TestnetSpec:
        """The same spec with the runtime config's text in place of its file name."""
        genesis = self.genesis.model_copy(update={"runtime_config": text})
        return self.model_copy(update={"genesis": genesis})

    @property
    def namespace(self) -> str:
        return self.name

    def is_paused(self, group: NodeGroup, node: str) -> bool:
        """Whether a node is stopped: the node's own word before its group's, that before the testnet's."""
        own = group.overrides.get(node)
        said = (own.paused if own else None, group.paused)
        return next((word for word in said if word is not None), self.paused)

    def node_names(self) -> tuple[str, ...]:
        """All nodes, in the order of the document."""
        return tuple(name for group in self.nodes for name in group.node_names())

    def paused_nodes(self) -> frozenset[str]:
        """The names of all nodes that are stopped."""
        return frozenset(name for group in self.nodes for name in group.node_names() if self.is_paused(group, name))

    def groups_of(self, role: Role) -> tuple[NodeGroup, ...]:
        return tuple(group for group in self.nodes if group.role == role)


def tag_version(image: str) -> str | None:
    """The Mina release that an image's tag begins with, or None: `mina-daemon:3.0.1-abc` is 3.0.1."""
    name = image.split("@", 1)[0].rsplit("/", 1)[-1]
    _, _, tag = name.partition(":")
    match = re.match(r"v?(\d+\.\d+(?:\.\d+)?(?:-beta\d*)?)", tag)
    return match[1] if match else None
