"""What is watched over in a cluster: `mina-infra:monitoring` in a stack file.

It stands beside `mina-infra:cluster` and not inside the testnet, because a cluster has one set of alerts, not one for
each testnet (docs/facts.md: rule/33).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

from mina_infra.spec.fields import Number, _Model
from mina_infra.spec.values import Duration, Size

_NAMESPACES = r"^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$|^[a-z][a-z0-9-]{0,28}\*$"
_PROJECT = r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$"
_CLUSTER = r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$"
_NAMESPACE = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
_PREFIX = r"^[A-Za-z][A-Za-z0-9]{0,30}$"
_CHANNEL = r"^projects/[a-z][a-z0-9-]{4,28}[a-z0-9]/notificationChannels/[0-9]{1,30}$"

PATTERNS = {
    _NAMESPACES: "must be the name of a testnet, or the beginning of several and '*': ci-*",
    _PROJECT: "must be the id of a Google Cloud project",
    _CLUSTER: "must be the name of a GKE cluster",
    _NAMESPACE: "must be the name of a namespace that exists",
    _PREFIX: "must be a word: the part of the daemons' metrics before the first underscore, Coda",
    _CHANNEL: "must be a notification channel: projects/PROJECT/notificationChannels/NUMBER",
}
"""What each pattern means, for the reader of an error."""


def _fraction(alert: str, what: str, example: float) -> Callable[[float], float]:
    """A threshold between 0 and 1; 85 for 85 percent would never be reached (docs/facts.md: refusal/V38)."""

    def check(value: float) -> float:
        if not 0 < value < 1:
            raise ValueError(f"alert '{alert}': {what} threshold is a fraction ({example:g}), got {value:g}")
        return value

    return check


def _told(channels: tuple[str, ...]) -> tuple[str, ...]:
    if not channels:
        raise ValueError("no alert has a notification channel; nobody would be told")
    return channels


_FRACTION = WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1})


class WatchedTestnet(_Model):
    """What a testnet may use. The testnet of the stack itself needs no entry: its document says it."""

    storage: Size | None = None
    """Allocation: what its claims may request together."""
    ttl: Duration | None = None
    """How long an automated run may last."""


class GoogleCloud(_Model):
    """Alert policies in Google Cloud Monitoring, made by the component `Monitoring`."""

    project: Annotated[str, StringConstraints(pattern=_PROJECT)]
    """Project of the cluster; the policies are made in it."""
    cluster: Annotated[str, StringConstraints(pattern=_CLUSTER)]
    """Name of the GKE cluster: a project's metrics are those of all its clusters."""
    channels: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=_CHANNEL)], ...],
        AfterValidator(_told),
        Field(json_schema_extra={"minItems": 1}),
    ]
    """Who is told: projects/PROJECT/notificationChannels/NUMBER, at least one."""


class PrometheusOperator(_Model):
    """Rules, scrapes and the dashboard as objects of the Prometheus operator and of Grafana's sidecar.

    The testnet of the stack is watched over: its daemons' metrics, those of `mina-infra watch`, and the storage.
    """

    namespace: Annotated[str, StringConstraints(pattern=_NAMESPACE)]
    """Where Prometheus and Grafana look for them. It must exist; a destroy of the stack takes only the objects away."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels by which the operator selects rules and scrapes: release: kube-prometheus-stack."""
    profile: Literal["guardian", "mina-alerts"] = "guardian"
    """Rules on the daemons' metrics: ours, made from the criteria, or Mina's own 37 as they are (docs/alerts.md)."""
    prefix: Annotated[str, StringConstraints(pattern=_PREFIX)] = "Coda"
    """Namespace of the daemons' metrics."""
    watch: bool = True
    """Rules on the metrics of `mina-infra watch`. Without a watch they would say that nobody watches."""
    storage: bool = True
    """Rules on the cluster's storage; false in all stacks of a cluster but one."""
    dashboard: bool = True
    """The dashboard, as a ConfigMap that Grafana's sidecar finds by its label; false in all stacks but one."""


class Monitoring(_Model):
    """Alerts on the storage of one cluster. Keep it in one stack of a cluster; two would tell everything twice."""

    budget: Size | None = None
    """All volumes of the cluster together; no alert on their total when left out."""
    utilization: Annotated[
        float, Number, AfterValidator(_fraction("volume-nearly-full", "utilization", 0.85)), _FRACTION
    ] = 0.85
    """Share of a volume, of its bytes or its files, above which it is nearly full."""
    quota: Annotated[float, Number, AfterValidator(_fraction("disk-quota", "quota", 0.8)), _FRACTION] = 0.8
    """Share of the project's disk quota above which the next deployment may be refused."""
    idle: Duration = Duration("12h")
    """How long a volume without a user, or without a change, is left alone. The look-back of the queries."""
    testnets: dict[Annotated[str, StringConstraints(pattern=_NAMESPACES)], WatchedTestnet] = Field(default_factory=dict)
    """Other testnets of the cluster, by name or by a prefix and '*' for those that come and go: ci-*."""
    google: GoogleCloud | None = None
    """Google Cloud Monitoring; Prometheus rules (`mina-infra alerts`) do without."""
    prometheus: PrometheusOperator | None = None
    """Objects for a Prometheus and a Grafana in the cluster. Without it, `mina-infra alerts` prints the rules."""
