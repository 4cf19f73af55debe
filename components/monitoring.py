"""The alerts on a cluster's storage and on its testnets, and the dashboard."""

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import pulumi

from components.arguments import TestnetArgs
from components.objects import MONITORING, kubernetes_version, plan_of, require_provider, token
from mina_infra.guardian.alerts.groups import groups, scrape_seconds
from mina_infra.guardian.alerts.panels import content
from mina_infra.plan import PlannedObject, parse_document
from mina_infra.plan.monitoring import WatchedNetwork, monitoring_objects
from mina_infra.spec import Monitoring as Settings
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


class PrometheusArgs(TypedDict):
    """Objects for a Prometheus operator and a Grafana in the cluster."""

    namespace: str
    """Where Prometheus and Grafana look for them; it must exist."""
    labels: NotRequired[dict[str, str]]
    """Labels by which the operator selects rules and scrapes: release: kube-prometheus-stack."""
    profile: NotRequired[str]
    """Rules on the daemons' metrics: guardian (default), or mina-alerts, Mina's own 37."""
    prefix: NotRequired[str]
    """Namespace of the daemons' metrics. Default: Coda."""
    watch: NotRequired[bool]
    """Rules on the metrics of `mina-infra watch`. Default: true."""
    storage: NotRequired[bool]
    """Rules on the cluster's storage. Default: true."""
    dashboard: NotRequired[bool]
    """The dashboard, as a ConfigMap for Grafana's sidecar. Default: true."""


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
    prometheus: NotRequired[PrometheusArgs]
    """Rules, scrapes and the dashboard as objects in the cluster. Without it there are none."""


class MonitoringArgs(TypedDict):
    """Arguments of Monitoring."""

    settings: MonitoringSettings
    """What is watched over."""
    testnets: NotRequired[list[TestnetArgs]]
    """Documents of testnets in the cluster: their allocation is what they plan, their time is their ttl."""


class Monitoring(pulumi.ComponentResource):
    """Alerts on one cluster and its testnets: policies of Google Cloud on the storage; rules and a dashboard in it.

    One for a cluster and its project, whatever the number of testnets: the policies are grouped by namespace. Objects
    in the cluster need its Kubernetes provider.
    """

    policies: pulumi.Output[list[str]]
    """Names of the alerts that are policies."""
    objects: pulumi.Output[list[str]]
    """What was made in the cluster: rules, scrapes, the dashboard."""

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        root = Path(pulumi.runtime.get_root_directory() or ".")
        base = root if root.is_dir() else Path()  # under Pulumi's mocks it is a placeholder
        settings, documents = parse_monitoring(args["settings"]), args.get("testnets", [])
        planned = policies(settings, [parse_document(each, base=base) for each in documents])
        inside = objects_of(settings, documents)
        if inside:
            require_provider(opts, name)
        provider = provider_version() if planned else ""
        super().__init__(MONITORING, name, {}, opts)
        # One after the other: Google wants the policies of a project changed by a single client
        # (docs/facts.md: monitoring/policies).
        last: list[pulumi.Resource] = []
        for policy in planned:
            last = [self._policy(f"{name}-{policy.name}", policy, provider, last)]
        for each in inside:
            options = pulumi.ResourceOptions(parent=self, version=kubernetes_version())
            pulumi.CustomResource(token(each.manifest), f"{name}-{each.key}", dict(each.manifest), options)
        self.policies = pulumi.Output.from_input([policy.name for policy in planned])
        self.objects = pulumi.Output.from_input([each.key for each in inside])
        self.register_outputs({"policies": self.policies, "objects": self.objects})

    def _policy(self, name: str, policy: Policy, provider: str, after: list[pulumi.Resource]) -> pulumi.Resource:
        options = pulumi.ResourceOptions(parent=self, depends_on=after, version=provider)
        return pulumi.CustomResource(ALERT_POLICY, name, dict(policy.inputs), options)


def objects_of(settings: Settings, documents: Sequence[Mapping[str, Any]]) -> tuple[PlannedObject, ...]:
    """The objects for a Prometheus and a Grafana in the cluster; none where the settings name no Prometheus."""
    operator = settings.prometheus
    if operator is None:
        return ()
    plans = [plan_of(each) for each in documents]
    networks = [
        WatchedNetwork(
            plan.spec,
            groups(plan.outputs, profile=operator.profile, prefix=operator.prefix, watch=operator.watch),
            scrape_seconds(plan.outputs),
        )
        for plan in plans
    ]
    return monitoring_objects(settings, networks, content(operator.prefix))


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
