"""Plan, record and cluster compared: laws that decide what a run may touch."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from mina_infra.engine.environment import EngineEnvironment
from mina_infra.engine.inventory import Comparison, LiveObject, compare, describe
from mina_infra.engine.recovery import condemned, tell
from mina_infra.engine.state import ObjectKey, Recorded, RecordedObject, parse_deployment
from mina_infra.plan.losses import Verdict

NAMESPACE = ObjectKey("", "Namespace", "", "qa")
KEYS = [NAMESPACE, *(ObjectKey("apps", "Deployment", "qa", f"whale-{index}") for index in range(4))]

planned_keys = st.sets(st.sampled_from(KEYS))
uids = st.sampled_from(["a", "b"])
records = st.dictionaries(st.sampled_from(KEYS), st.builds(RecordedObject, uids, st.booleans()))
live_objects = st.builds(
    LiveObject, uid=uids, testnet=st.sampled_from(["qa", "other", None]), owner=st.just("x"), leaving=st.booleans()
)
clusters = st.dictionaries(st.sampled_from(KEYS), live_objects)


def compared(
    planned: set[ObjectKey], known: dict[ObjectKey, RecordedObject], live: Mapping[ObjectKey, LiveObject]
) -> Comparison:
    return compare(planned, Recorded(known, len(known)), live, "qa")


@given(planned_keys, records, clusters)
def test_only_what_carries_our_label_is_ever_adopted(
    planned: set[ObjectKey], known: dict[ObjectKey, RecordedObject], live: dict[ObjectKey, LiveObject]
) -> None:
    found = compared(planned, known, live)
    assert all(live[key].testnet == "qa" and key in planned for key in found.adopt)
    assert all(live[key].testnet != "qa" for key in found.foreign)


@given(planned_keys, records, clusters)
def test_a_create_never_meets_an_object_that_was_not_adopted_or_refused(
    planned: set[ObjectKey], known: dict[ObjectKey, RecordedObject], live: dict[ObjectKey, LiveObject]
) -> None:
    """What the engine will create (planned, not on record) and what exists already: "already exists" is impossible."""
    found = compared(planned, known, live)
    collisions = {key for key in planned if key not in known and key in live and not live[key].leaving}
    assert collisions <= set(found.adopt) | set(found.foreign)


def test_a_claim_that_was_made_anew_is_not_called_gone() -> None:
    """`migrate` and `rebind` make claims anew, with their data."""
    gone, leaving, anew = (ObjectKey("", "PersistentVolumeClaim", "qa", name) for name in ("gone", "leaving", "anew"))
    live = {anew: LiveObject("b", "qa", "x"), leaving: LiveObject("a", "qa", "x", leaving=True)}
    said: dict[str, str] = {}
    report = cast(Any, SimpleNamespace(say=lambda label, text: said.update({label: text})))
    tell(report, Comparison(lost=(anew, gone, leaving)), Verdict(), live)
    assert said["warning"] == "claims are gone, and their volumes' state: gone, leaving; new ones take their place"
    assert said["refreshing"] == "claims that were made anew are taken as they are: anew"


@given(planned_keys, records, clusters)
def test_what_is_on_record_and_gone_is_noticed(
    planned: set[ObjectKey], known: dict[ObjectKey, RecordedObject], live: dict[ObjectKey, LiveObject]
) -> None:
    found = compared(planned, known, live)
    assert {key for key in planned if key in known and key not in live} <= set(found.lost)


@given(planned_keys)
def test_a_cluster_as_recorded_and_planned_needs_nothing(planned: set[ObjectKey]) -> None:
    known = {key: RecordedObject("a", False) for key in planned}
    live = {key: LiveObject("a", "qa", "x") for key in planned}
    assert compared(planned, known, live) == Comparison()


@given(records, clusters, st.sets(st.sampled_from(KEYS)))
def test_a_sweep_takes_only_what_is_ours_unrecorded_and_unprotected(
    known: dict[ObjectKey, RecordedObject], live: dict[ObjectKey, LiveObject], protected: set[ObjectKey]
) -> None:
    doomed = condemned(environment(protected), live, Recorded(known, len(known)))
    assert all(live[key].testnet == "qa" and key not in known and key not in protected for key in doomed)
    kept_inside = any(key.namespace == "qa" for key in {*known, *(protected & set(live))})
    assert not (NAMESPACE in doomed and kept_inside), "a namespace takes everything in it along"


def test_a_sweep_leaves_a_mounted_claim_and_in_a_kept_testnet_every_unplanned_one() -> None:
    """Both may hold what nobody else has: an old era's state, a claim taken over from another node."""
    old, loose = (ObjectKey("", "PersistentVolumeClaim", "qa", name) for name in ("old-e1", "loose"))
    live = {key: LiveObject("a", "qa", "x") for key in (old, loose)}
    pod = {"volumes": [{"persistentVolumeClaim": {"claimName": "old-e1"}}, {"configMap": {}}]}
    metadata = {"namespace": "qa", "name": "whale-1"}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {"template": {"spec": pod}},
    }

    def doomed(protect: bool) -> set[ObjectKey]:
        objects = [SimpleNamespace(manifest=deployment, protect=protect)]
        plan = SimpleNamespace(spec=SimpleNamespace(name="qa"), objects=lambda: objects)
        return set(condemned(cast(EngineEnvironment, SimpleNamespace(plan=plan)), live, Recorded()))

    assert doomed(protect=False) == {loose}
    assert doomed(protect=True) == set()


def environment(protected: set[ObjectKey]) -> EngineEnvironment:
    """An environment whose plan protects these keys."""
    objects = [
        SimpleNamespace(
            manifest={
                "apiVersion": f"{key.group}/v1" if key.group else "v1",
                "kind": key.kind,
                "metadata": {"namespace": key.namespace, "name": key.name},
            },
            protect=True,
        )
        for key in protected
    ]
    plan = SimpleNamespace(spec=SimpleNamespace(name="qa"), objects=lambda: objects)
    return cast(EngineEnvironment, SimpleNamespace(plan=plan))


def item(labels: dict[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "uid": "u", "labels": labels, **metadata}}


def test_ownership_needs_both_labels() -> None:
    ours = {"app.kubernetes.io/managed-by": "mina-infra", "testnet": "qa"}
    assert describe(item(ours)).testnet == "qa"
    assert describe(item({"testnet": "qa"})).testnet is None
    assert describe(item()).testnet is None


def test_the_owner_of_a_foreign_object_is_named() -> None:
    assert describe(item({"app.kubernetes.io/managed-by": "Helm"})).owner == "Helm"
    assert describe(item(managedFields=[{"manager": "kubectl"}])).owner == "kubectl"
    assert describe(item()).owner == "unknown"


def test_a_record_is_read_from_a_deployment() -> None:
    def resource(kind: str, **more: Any) -> dict[str, Any]:
        outputs = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "w", "namespace": "qa", "uid": "u"}}
        return {"type": f"kubernetes:apps/v1:{kind}", "urn": urn, "custom": True, "outputs": outputs, **more}

    urn = "urn:pulumi:qa::mina-infra::kubernetes:apps/v1:Deployment::qa-w"
    stack, provider = "urn:pulumi:qa::mina-infra::pulumi:pulumi:Stack::qa", "pulumi:providers:kubernetes"
    known = parse_deployment(
        {
            "resources": [
                {"type": "pulumi:pulumi:Stack", "urn": stack},
                {"type": provider, "urn": urn, "custom": True, "inputs": {"clusterIdentifier": "here"}},
                resource("Deployment", protect=True),
                resource("StatefulSet", delete=True),
            ]
        }
    )
    ((key, found),) = known.objects.items()
    assert key == ObjectKey("apps", "Deployment", "qa", "w")
    assert (found.uid, found.protect, found.urn, found.manifest["kind"]) == ("u", True, urn, "Deployment")
    assert (known.resources, known.stacks, known.cluster) == (3, {"qa"}, "here")
    assert parse_deployment({}) == Recorded()
