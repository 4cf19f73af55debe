"""The outputs document: the only contract between deployment and operation.

It is exported by the stack, is complete before anything runs (peer ids come from the spec, addresses are fixed),
holds no secret, and is versioned: fields are added with a default, never renamed or removed within one schema number.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

SCHEMA = 1


class _Model(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True, extra="ignore"
    )


class NodeOutput(_Model):
    """One expected node: a pod of this name's Deployment must exist, whatever happens to answer."""

    name: str = Field(description="Name of the node, of its Deployment and of its label `app`")
    role: str = Field(description="seed, block-producer, snark-coordinator, snark-worker, archive, plain, or a bot")
    group: str = Field(description="Node group of the document")
    stake: float = Field(default=0.0, description="Share of the total stake in percent; 0 for nodes without a key")
    container: str = Field(default="mina", description="The container that runs the node's main program")
    ports: dict[str, int] = Field(default_factory=dict, description="Container ports by name: graphql, p2p, ...")
    peer_id: str | None = Field(default=None, description="libp2p identity, where the spec fixes one")
    paused: bool = Field(default=False, description="Stopped on purpose: it has no pod, its volumes are kept")
    load_tps: float = Field(default=0.0, ge=0, description="Payments per second that a user agent in its pod sends")


class SeedOutput(_Model):
    """One published entry point."""

    name: str = Field(description="Name of the node")
    host: str = Field(description="Fixed address or DNS name")
    port: int = Field(description="libp2p port")
    peer_id: str = Field(description="libp2p peer id, 12D3KooW...")
    multiaddress: str = Field(description="What other nodes dial: /dns4/HOST/tcp/PORT/p2p/PEER, or /ip4/...")


class ClaimOutput(_Model):
    """One PersistentVolumeClaim."""

    name: str = Field(description="Name of the claim in the testnet's namespace")
    kind: str = Field(description="What it holds: runtime-state, postgres-state, genesis-ledger, ...")
    node: str | None = Field(default=None, description="The node that owns it; None for one shared by the testnet")
    size_gib: int = Field(description="What the provider provisions and bills, in GiB")
    storage_class: str = Field(description="Name of its storage class")
    access_mode: str = Field(description="Its one access mode, as Kubernetes writes it")
    retention: Literal["delete", "retain"] = Field(description="Whether it outlives the deployment")
    kept: bool = Field(default=False, description="Of an earlier era: it stays as it was made, and nothing mounts it")


class ChainOutput(_Model):
    """The constants by which the chain is judged."""

    slot_ms: int = Field(description="Length of a slot in milliseconds")
    k: int = Field(description="Depth of finality in blocks")
    active_slots: float = Field(default=0.75, description="f: the chance that a slot has a leader at full stake")
    transaction_capacity_log2: int | None = Field(
        default=None, description="Transactions that fit in a block, as a power of two; null where it is not known"
    )
    work_delay: int = Field(default=2, description="Trees of the scan state that wait for snark work")
    tps_goal: float | None = Field(
        default=None, description="Transactions per second, a block in every slot, that the chain was built for"
    )


Profile = Literal["qa", "public", "mina-alerts"]

# What a profile sets where the document says nothing; the defaults below are those of `qa`. `public`: 90 % of the nodes
# within 3 blocks, as Mina's own list of checks wanted it; 77 slots prove a decent rate, and many people look at it, so
# a false alarm must be rarer. `mina-alerts`: LongFork, the last 3 of 4 hashes, NodesOutOfSync and LowFillRate's window,
# which is k blocks (docs/facts.md: guardian/profiles, guardian/mina-alerts).
_PROFILES: dict[str, dict[str, float]] = {
    "qa": {},
    "public": {"behind_blocks": 3, "production_window": 77, "production_error": 1e-4},
    "mina-alerts": {"fork_depth": 16, "behind_blocks": 3, "synced_share": 0.6, "production_window": 290},
}


class Thresholds(_Model):
    """What still counts as healthy; sources beside each number."""

    profile: Profile = Field(
        default="qa",
        description="Whose limits hold where nothing else is said: qa, public, or mina-alerts (Mina's own)",
    )
    fork_depth: int = Field(default=8, ge=1, description="Blocks; at or above is a failure (Mina's MediumFork alert)")
    behind_blocks: int = Field(default=2, ge=0, description="Blocks behind the best tip that are still in sync")
    synced_share: float = Field(
        default=0.9, ge=0, le=1, description="Share of daemons at the tip below which sync fails"
    )
    production_window: int = Field(default=20, ge=1, description="Finished slots judged for block production")
    production_error: float = Field(
        default=1e-3, gt=0, lt=1, description="Chance of a false alarm of one production test"
    )

    @model_validator(mode="before")
    @classmethod
    def _of_profile(cls, data: Any) -> Any:
        """Fill in what the profile says, so that the document always holds the numbers that are in force."""
        profile = data.get("profile", "qa") if isinstance(data, dict) else None
        if not isinstance(profile, str) or profile not in _PROFILES:
            return data
        said = {name: value for name, value in _PROFILES[profile].items() if not {name, to_camel(name)} & data.keys()}
        return {**data, **said}


class OutputsDocument(_Model):
    """What a stack exports under the name `testnet`."""

    schema_: Literal[1] = Field(default=1, alias="schema", description="Version of this document's form")
    testnet: str = Field(description="Name of the testnet")
    era: int = Field(description="One genesis; a new era is a new chain on new volumes")
    namespace: str = Field(description="Namespace that holds everything")
    nodes: list[NodeOutput] = Field(description="Every expected node")
    seeds: list[SeedOutput] = Field(description="The entry points, in the order of the document")
    claims: list[ClaimOutput] = Field(description="Every expected claim, shared ones included")
    images: dict[str, str] = Field(description="Image by purpose: daemon, archive, postgres, ...")
    daemon_flags: dict[str, str] = Field(
        default_factory=dict,
        description="Flags of every daemon, without dashes, that operation relies on: gossip logs, limited port",
    )
    chain: ChainOutput = Field(description="The constants of the chain")
    thresholds: Thresholds = Field(default_factory=Thresholds, description="What still counts as healthy")
    post_deploy: list[str] = Field(default_factory=list, description="Steps of `mina-infra post-deploy`, in order")

    def to_json_value(self) -> dict[str, Any]:
        """The document as plain JSON data, keys in camelCase."""
        value: dict[str, Any] = self.model_dump(mode="json", by_alias=True)
        return value

    def running(self) -> list[NodeOutput]:
        """The nodes that should have a pod: all that are not paused."""
        return [node for node in self.nodes if not node.paused]

    def paused(self) -> list[NodeOutput]:
        """The nodes that are stopped on purpose."""
        return [node for node in self.nodes if node.paused]

    def daemons(self) -> list[NodeOutput]:
        """The nodes that should run a Mina daemon and so answer GraphQL; paused ones do not."""
        return [node for node in self.running() if "graphql" in node.ports]
