"""The role table of the storage RFC, as data: what each role is and which volumes it has.

A new role or volume kind is a row here; names, claims, mounts and checks follow from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mina_infra.spec.values import Size


class Role(StrEnum):
    """What a node does in the network."""

    SEED = "seed"
    BLOCK_PRODUCER = "block-producer"
    SNARK_COORDINATOR = "snark-coordinator"
    SNARK_WORKER = "snark-worker"
    ARCHIVE = "archive"
    PLAIN = "plain"
    USER_AGENT = "user-agent"
    FAUCET = "faucet"
    ECHO = "echo"


class VolumeKind(StrEnum):
    """What a volume holds; the RFC's own list."""

    GENESIS_LEDGER = "genesis-ledger"
    GENESIS_PROOF = "genesis-proof"
    EPOCH_LEDGER = "epoch-ledger"
    DAEMON_CONFIG = "daemon-config"
    WALLET_KEYS = "wallet-keys"
    RUNTIME_STATE = "runtime-state"
    POSTGRES_STATE = "postgres-state"


class AccessMode(StrEnum):
    """Who may mount a claim; exactly one for each, as storage drivers refuse combinations."""

    # docs/facts.md: refusal/V4
    READ_WRITE_ONCE_POD = "ReadWriteOncePod"
    READ_WRITE_ONCE = "ReadWriteOnce"
    READ_ONLY_MANY = "ReadOnlyMany"
    READ_WRITE_MANY = "ReadWriteMany"


class DiskType(StrEnum):
    """Types of storage in neutral words; every provider has its own disks for them."""

    SSD = "ssd"
    BALANCED = "balanced"
    STANDARD = "standard"
    SHARED = "shared"


ALIASES = {"testnet-ssd": DiskType.SSD, "testnet-standard": DiskType.STANDARD}
"""The storage RFC's names of its two classes, and what they mean."""


class Backing(StrEnum):
    """What carries a volume of a kind by default."""

    CLAIM = "claim"
    CONFIG_MAP = "config-map"
    SECRET = "secret"


@dataclass(frozen=True)
class VolumeDefault:
    """One row of the RFC's volume list, with its known mistakes mended (docs/facts.md: storage/rfc-defects).

    `path` is the directory in the container; `shared` volumes exist once for a testnet and era, others once a node.
    `size` and `disk` are None for what needs no disk.
    """

    kind: VolumeKind
    backing: Backing
    path: str
    shared: bool
    access_mode: AccessMode
    size: Size | None = None
    disk: DiskType | None = None


_GENESIS = "/root/.mina-config/genesis"

VOLUMES: dict[VolumeKind, VolumeDefault] = {
    row.kind: row
    for row in (
        # Ledger, proof and epoch ledger are one artefact set on one volume: they belong to one genesis, are identical
        # on every node, and each more disk would cost an attach slot (docs/facts.md: storage/attach-slots).
        VolumeDefault(
            VolumeKind.GENESIS_LEDGER, Backing.CLAIM, _GENESIS, True, AccessMode.READ_ONLY_MANY, Size("1Gi"),
            DiskType.SHARED,
        ),
        VolumeDefault(
            VolumeKind.GENESIS_PROOF, Backing.CLAIM, _GENESIS, True, AccessMode.READ_ONLY_MANY, Size("1Gi"),
            DiskType.SHARED,
        ),
        VolumeDefault(
            VolumeKind.EPOCH_LEDGER, Backing.CLAIM, _GENESIS, True, AccessMode.READ_ONLY_MANY, Size("1Gi"),
            DiskType.SHARED,
        ),
        VolumeDefault(
            VolumeKind.DAEMON_CONFIG, Backing.CONFIG_MAP, "/config", True, AccessMode.READ_ONLY_MANY,
        ),
        VolumeDefault(
            VolumeKind.WALLET_KEYS, Backing.SECRET, "/root/wallet-keys", False, AccessMode.READ_ONLY_MANY,
        ),
        VolumeDefault(
            VolumeKind.RUNTIME_STATE, Backing.CLAIM, "/root/.mina-config", False, AccessMode.READ_WRITE_ONCE_POD,
            Size("2Gi"), DiskType.SSD,
        ),
        VolumeDefault(
            VolumeKind.POSTGRES_STATE, Backing.CLAIM, "/var/lib/postgresql/data", False,
            AccessMode.READ_WRITE_ONCE_POD, Size("8Gi"), DiskType.SSD,
        ),
    )
}  # fmt: skip

_GENESIS_KINDS = (VolumeKind.GENESIS_LEDGER, VolumeKind.GENESIS_PROOF, VolumeKind.EPOCH_LEDGER)
_DAEMON = (*_GENESIS_KINDS, VolumeKind.DAEMON_CONFIG, VolumeKind.RUNTIME_STATE)


@dataclass(frozen=True)
class RoleInfo:
    """What is true of every node of a role.

    `daemon`: runs `mina daemon` (a bot on its own does not; as a sidecar it shares its producer's daemon).
    `stakes`: may hold stake and produce blocks. `bot`: may stand beside a block producer.
    """

    role: Role
    volumes: tuple[VolumeKind, ...]
    daemon: bool = False
    stakes: bool = False
    bot: bool = False


ROLES: dict[Role, RoleInfo] = {
    info.role: info
    for info in (
        RoleInfo(Role.SEED, _DAEMON, daemon=True),
        RoleInfo(Role.BLOCK_PRODUCER, (*_DAEMON, VolumeKind.WALLET_KEYS), daemon=True, stakes=True),
        RoleInfo(Role.SNARK_COORDINATOR, (*_DAEMON, VolumeKind.WALLET_KEYS), daemon=True),
        # A worker is a stateless prover without libp2p, chain or key, whatever the RFC's table says of
        # "coordinator/worker" together (docs/facts.md: snark-worker/no-keys, snark-worker/no-shared-claim).
        RoleInfo(Role.SNARK_WORKER, ()),
        RoleInfo(Role.ARCHIVE, (*_DAEMON, VolumeKind.POSTGRES_STATE), daemon=True),
        RoleInfo(Role.PLAIN, _DAEMON, daemon=True),
        # A bot on its own has a daemon of its own to hold its account; as a sidecar it uses the producer's.
        RoleInfo(Role.USER_AGENT, (*_DAEMON, VolumeKind.WALLET_KEYS), daemon=True, bot=True),
        RoleInfo(Role.FAUCET, (*_DAEMON, VolumeKind.WALLET_KEYS), daemon=True, bot=True),
        RoleInfo(Role.ECHO, (*_DAEMON, VolumeKind.WALLET_KEYS), daemon=True, bot=True),
    )
}
