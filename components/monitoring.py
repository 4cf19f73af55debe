"""The alerts on a cluster's storage."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NotRequired, TypedDict

import pulumi

from components.arguments import TestnetArgs
from components.objects import MONITORING
from mina_infra.plan import parse_document
from mina_infra.spec import parse_monitoring
from mina_infra.storage.google_alerts import Policy, policies

ALERT_POLICY = "gcp:monitoring/alertPolicy:AlertPolicy"


class WatchedTestnetArgs(TypedDict):
    """What a testnet may use."""

    storage: NotRequired[str]
    """Allocation: what its claims may request together, for example 2Ti."""
    ttl: NotRequired[str]
    """How long an automated run may last: 6h."""


class GoogleCloudArgs(TypedDict):
    """Where the alert policies are made, and who is told."""

    project: str
    """Project of the cluster."""
    cluster: str
    """Name of the GKE cluster."""
    channels: list[str]
    """Notification channels: projects/PROJECT/notificationChannels/NUMBER, at least one."""


class MonitoringSettings(TypedDict):
    """What is watched over in a cluster, as `mina-infra:monitoring` in a stack file."""

    budget: NotRequired[str]
    """All volumes of the cluster together, for example 4Ti."""
    utilization: NotRequired[float]
    """Share of a volume above which it is nearly full. Default: 0.85."""
    quota: NotRequired[float]
    """Share of the project's disk quota above which it is nearly used up. Default: 0.8."""
    idle: NotRequired[str]
    """How long a volume without a user, or without a change, is left alone. Default: 12h."""
    testnets: NotRequired[dict[str, WatchedTestnetArgs]]
    """Testnets whose document is elsewhere, by name or by a prefix and '*'."""
    google: NotRequired[GoogleCloudArgs]
    """Google Cloud Monitoring. Without it there are no policies."""


class MonitoringArgs(TypedDict):
    """Arguments of Monitoring."""

    settings: MonitoringSettings
    """What is watched over."""
    testnets: NotRequired[list[TestnetArgs]]
    """Documents of testnets in the cluster: their allocation is what they plan, their time is their ttl."""


class Monitoring(pulumi.ComponentResource):
    """Alert policies on the storage of one cluster: totals, allocations, automated runs, idle and failing volumes.

    One for a cluster and its project, whatever the number of testnets: the alerts are grouped by namespace.
    """

    policies: pulumi.Output[list[str]]
    """Names of the alerts that are policies."""

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        root = Path(pulumi.runtime.get_root_directory() or ".")
        base = root if root.is_dir() else Path()  # under Pulumi's mocks it is a placeholder
        testnets = [parse_document(each, base=base) for each in args.get("testnets", [])]
        planned = policies(parse_monitoring(args["settings"]), testnets)
        provider = provider_version() if planned else ""
        super().__init__(MONITORING, name, {}, opts)
        # One after the other: Google wants the policies of a project changed by a single client
        # (docs/facts.md: monitoring/policies).
        last: list[pulumi.Resource] = []
        for policy in planned:
            last = [self._policy(f"{name}-{policy.name}", policy, provider, last)]
        self.policies = pulumi.Output.from_input([policy.name for policy in planned])
        self.register_outputs({"policies": self.policies})

    def _policy(self, name: str, policy: Policy, provider: str, after: list[pulumi.Resource]) -> pulumi.Resource:
        options = pulumi.ResourceOptions(parent=self, depends_on=after, version=provider)
        return pulumi.CustomResource(ALERT_POLICY, name, dict(policy.inputs), options)


def provider_version() -> str:
    """The installed release of pulumi_gcp, which is the provider's; its 292 MB of Python are never imported.

    The user's own lock decides it, as for every provider. Raises ValueError when it is not installed.
    """
    try:
        return version("pulumi_gcp")
    except PackageNotFoundError:
        raise ValueError(
            "alert policies need the Google Cloud provider, and pulumi_gcp is not installed: "
            "pip install 'mina-infra[gcp]' (292 MB). Without it: remove `google` from mina-infra:monitoring, and give "
            "the rules of `mina-infra alerts --format prometheus` to a Prometheus."
        ) from None
