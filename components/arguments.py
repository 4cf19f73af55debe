"""The arguments of the components: the document of a testnet, as every language of Pulumi can write it.

TypedDicts, because Pulumi infers its schema from nothing else correctly; the truth (defaults, checks) is
`mina_infra.spec`. All values are plain: they decide how many objects exist and what they are called.
"""

from typing import NotRequired, TypedDict


class MachinesArgs(TypedDict):
    """The machines that carry the testnet, as far as disks are concerned."""

    type: str
    """Machine type, e.g. n2-standard-8: decides how many disks one attaches."""
    count: int
    """How many there are, or how far the cluster may grow."""
    boot_disk_gib: NotRequired[int]
    """Boot disk of each, in GiB. Default: 100."""
    boot_disk: NotRequired[str]
    """Type of the boot disks: ssd, balanced (default) or standard."""


class QuotaArgs(TypedDict):
    """Limits of the project in the region, in GiB; what is left out is not checked."""

    ssd_gib: NotRequired[int]
    """SSD_TOTAL_GB: ssd and balanced disks together."""
    standard_gib: NotRequired[int]
    """DISKS_TOTAL_GB: standard disks."""
    hyperdisk_gib: NotRequired[int]
    """HDB_TOTAL_GB: Hyperdisk Balanced."""


class TargetArgs(TypedDict):
    """The cluster's provider and place."""

    provider: str
    """gke, eks, aks or local."""
    region: str
    """Region of the cluster."""
    zones: NotRequired[list[str]]
    """Zones in which volumes may be made; empty means all zones of the cluster."""
    replication: NotRequired[str]
    """zonal (default) or regional."""
    disk_family: NotRequired[str]
    """Block disks of gke: persistent-disk (default) or hyperdisk."""
    file_system: NotRequired[str]
    """Id of the EFS file system that carries shared volumes on eks: fs-0123456789abcdef0."""
    kubernetes: NotRequired[str]
    """Oldest release of Kubernetes that the cluster runs: 1.35."""
    networks: NotRequired[list[str]]
    """Pod and Service address ranges (CIDR) of the cluster. Default: 10.0.0.0/8."""
    storage_classes: NotRequired[str]
    """own (default): the testnet makes its storage classes. shared: it refers to those of the cluster's stack."""
    class_parameters: NotRequired[dict[str, str]]
    """More parameters of the storage classes, as the provider's driver names them."""
    machines: NotRequired[MachinesArgs]
    """Machines of a gke cluster; given, their attach slots and boot disks are reckoned with."""
    quota: NotRequired[QuotaArgs]
    """Limits of a gke project in the region."""


class LedgerArgs(TypedDict):
    """Where the genesis artefacts come from."""

    source: NotRequired[str]
    """shared-claim (default), config-map, image, init-copy, existing-claim, bucket or disk-copies."""
    image: NotRequired[str]
    """Image whose /genesis directory holds the artefacts; pinned by digest."""
    digest: NotRequired[str]
    """Digest of the artefacts' files."""
    claim: NotRequired[str]
    """existing-claim: name of a claim in the testnet's namespace that many pods can mount."""
    bucket: NotRequired[str]
    """bucket: name of the Cloud Storage bucket (gke)."""
    workload_identity: NotRequired[str]
    """bucket: Google service account that may read it and that the namespace's pods act as."""
    snapshot: NotRequired[str]
    """disk-copies: name of a VolumeSnapshot in the testnet's namespace."""


class GenesisArgs(TypedDict):
    """The chain that this era runs."""

    runtime_config: str
    """The daemon's runtime config: a JSON file, or the JSON text itself."""
    ledger: NotRequired[LedgerArgs]
    """Genesis ledger, proof and epoch ledger."""


class PerformanceArgs(TypedDict):
    """What a disk does beyond what its size gives it."""

    iops: NotRequired[int]
    """Operations a second."""
    throughput: NotRequired[int]
    """MiB a second."""


class KeysArgs(TypedDict):
    """A keyset: one Secret with accounts, shared by the nodes that name it."""

    secret: str
    """Secret in the testnet's namespace; of each account it holds NAME and NAME.pub."""
    account: NotRequired[str]
    """Account that the nodes take together. Default: each takes that of its own name."""


class VolumeArgs(TypedDict):
    """What to change about one kind of volume."""

    type: NotRequired[str]
    """ssd, balanced, standard or shared."""
    size: NotRequired[str]
    """Requested capacity, for example 4Gi. Growing is in place, shrinking is refused."""
    access_mode: NotRequired[str]
    """Exactly one access mode. Changing it replaces the claim, so it is refused on a kept one."""
    retention: NotRequired[str]
    """delete or retain; the testnet's retention when left out."""
    storage_class: NotRequired[str]
    """Storage class of the cluster to use as it is, instead of one that the testnet makes for `type`."""
    performance: NotRequired[PerformanceArgs]
    """What the disk does beyond what its size gives it. Changed in place."""
    existing_claim: NotRequired[str]
    """Claim in the testnet's namespace to mount instead of one of its own; for one node only."""
    existing_volume: NotRequired[str]
    """PersistentVolume to bind instead of having one made; for one node only."""
    from_snapshot: NotRequired[str]
    """VolumeSnapshot that a new volume starts with; for one node only."""
    from_claim: NotRequired[str]
    """Claim of this testnet that a new volume starts as a clone of."""


class SnapshotsArgs(TypedDict):
    """Snapshots of the nodes' volumes; a scheduled job takes what is due: `mina-infra snapshot --due`."""

    every: NotRequired[str]
    """How often: 6h, 24h, 7d. Default: 24h."""
    keep: NotRequired[int]
    """How many scheduled snapshots of each volume are kept. Default: 7."""
    kinds: NotRequired[list[str]]
    """Kinds of volumes. Default: runtime-state and postgres-state."""


class SettingsArgs(TypedDict):
    """What to change for one role."""

    volumes: NotRequired[dict[str, VolumeArgs]]
    """Changes to volumes by kind."""


class NodeSettingsArgs(TypedDict):
    """What to change for one node."""

    volumes: NotRequired[dict[str, VolumeArgs]]
    """Changes to volumes by kind."""
    paused: NotRequired[bool]
    """Stop this node and keep its volumes; as its group when left out."""


class ResourcesArgs(TypedDict):
    """Requests of the node's main container."""

    cpu: NotRequired[str]
    """Cores: 2, 500m."""
    memory: NotRequired[str]
    """Memory: 8Gi."""


class IdentityArgs(TypedDict):
    """A fixed libp2p identity."""

    peer_id: str
    """libp2p peer id, 12D3KooW..."""
    address: NotRequired[str]
    """Fixed public address or DNS name."""
    ip: NotRequired[str]
    """Reserved public IPv4 address behind `address` when that is a DNS name."""


class JobScriptArgs(TypedDict):
    """A setup or verification script."""

    script: NotRequired[str]
    """The script's text, or the file that holds it; the built-in one when left out."""
    image: NotRequired[str]
    """Image with a shell, pinned by digest; images.init when left out."""
    retries: NotRequired[int]
    """How often a script that ends with another code than 42 is tried again. Default: 2."""
    restart_policy: NotRequired[str]
    """Never (default)."""


class JobsArgs(TypedDict):
    """What looks at a node's volumes before and after a disruption; left empty, the built-in pair."""

    setup: NotRequired[JobScriptArgs]
    """Before the disruption."""
    verify: NotRequired[JobScriptArgs]
    """After it."""


class TimeoutsArgs(TypedDict):
    """How long a run waits for objects; where left out, the more nodes the longer."""

    claims: NotRequired[str]
    """For each claim to be made and to be deleted: 10m."""
    deployments: NotRequired[str]
    """For each Deployment to be deleted, and for all nodes together to run."""
    jobs: NotRequired[str]
    """For each Job to end, waiting for its volume included."""


class NodeGroupArgs(TypedDict):
    """Nodes that differ only in their number."""

    role: str
    """seed, block-producer, snark-coordinator, snark-worker, archive, plain, user-agent, faucet or echo."""
    group: NotRequired[str]
    """Name of the group, prefix of the nodes' names. Default: the role. Changing it makes new nodes."""
    count: NotRequired[int]
    """How many nodes. Default: 1. Raising it touches no other node."""
    stake: NotRequired[float]
    """Share of the total stake of each node, in percent. Default: 0."""
    bots: NotRequired[list[str]]
    """Bots beside each node: user-agent, faucet, echo."""
    identities: NotRequired[list[IdentityArgs]]
    """Fixed identities in the order of the nodes; required for seeds."""
    volumes: NotRequired[dict[str, VolumeArgs]]
    """Changes to the volumes of this group, by kind."""
    keys: NotRequired[KeysArgs]
    """Keyset with the accounts of these nodes. Default: a Secret NODE-wallet for each."""
    overrides: NotRequired[dict[str, NodeSettingsArgs]]
    """Changes for single nodes, by their names."""
    paused: NotRequired[bool]
    """Stop these nodes and keep their volumes; as the testnet when left out."""
    resources: NotRequired[ResourcesArgs]
    """Requests of the main container."""
    jobs: NotRequired[JobsArgs]
    """What `mina-infra check-state` runs on each node's volumes before and after a disruption."""


class ImagesArgs(TypedDict):
    """Images of what is not the daemon."""

    archive: NotRequired[str]
    """Archive process; needed with archive nodes."""
    postgres: NotRequired[str]
    """Database of the archive nodes."""
    user_agent: NotRequired[str]
    """Needed where a user agent runs."""
    bots: NotRequired[str]
    """Needed where faucet or echo run."""
    init: NotRequired[str]
    """Small image with a shell, for init containers and Jobs."""


class ThresholdsArgs(TypedDict):
    """What still counts as healthy."""

    profile: NotRequired[str]
    """Whose limits hold where nothing else is said: qa, public or mina-alerts. Default: qa."""
    fork_depth: NotRequired[int]
    """Blocks; at or above is a failure."""
    behind_blocks: NotRequired[int]
    """Blocks behind the best tip that are still in sync."""
    synced_share: NotRequired[float]
    """Share of daemons at the tip below which sync fails."""
    production_window: NotRequired[int]
    """Finished slots judged for block production."""
    production_error: NotRequired[float]
    """Chance of a false alarm of one production test."""


class TestnetArgs(TypedDict):
    """The document of a testnet."""

    name: str
    """Name of the testnet and of its namespace. Changing it makes a new testnet."""
    era: NotRequired[int]
    """One genesis; a new era is a new chain on new volumes. Default: 1."""
    kept_eras: NotRequired[list[int]]
    """Earlier eras whose volumes stay beside the new ones, unmounted."""
    target: TargetArgs
    """Where it runs."""
    image: str
    """The daemon's image. Changing it restarts the nodes and keeps their state."""
    daemon_version: NotRequired[str]
    """Mina release of the image; read from its tag when left out."""
    images: NotRequired[ImagesArgs]
    """Other images."""
    retention: NotRequired[str]
    """delete (default) or retain."""
    class_retention: NotRequired[str]
    """delete: deployed with `retention: delete` before, and the claims keep the classes of then."""
    ttl: NotRequired[str]
    """How long the testnet is meant to live: 72h. It is removed then, by whoever runs `mina-infra expire`."""
    automated: NotRequired[bool]
    """Made by a machine, such as a CI run: it must have a ttl and cannot keep its volumes. Default: false."""
    owner: NotRequired[str]
    """Who answers for it."""
    paused: NotRequired[bool]
    """Stop every node and keep everything else: volumes, Services, identities. Default: false."""
    genesis: GenesisArgs
    """The chain of this era."""
    snapshots: NotRequired[SnapshotsArgs]
    """Snapshots of the nodes' volumes on a schedule."""
    volumes: NotRequired[dict[str, VolumeArgs]]
    """Changes to volumes by kind, for all nodes."""
    roles: NotRequired[dict[str, SettingsArgs]]
    """Changes for all nodes of a role, by role."""
    nodes: list[NodeGroupArgs]
    """The nodes, as groups."""
    thresholds: NotRequired[ThresholdsArgs]
    """What still counts as healthy."""
    timeouts: NotRequired[TimeoutsArgs]
    """How long a run waits for objects."""
    post_deploy: NotRequired[list[str]]
    """What `mina-infra post-deploy` does, in order: verify, publish."""
