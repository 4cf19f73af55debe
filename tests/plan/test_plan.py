"""Laws of a plan: what must hold for every document."""

from __future__ import annotations

import copy
import json
import re
import time
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mina_infra.plan import PlannedObject, TestnetPlan, load_stack, plan_group, plan_testnet
from mina_infra.plan.yaml import to_yaml
from tests.plan.testnets import PEERS, ROOT, nodes, of_kind, plan, plans, zoo

DNS_LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
LABEL_VALUE = re.compile(r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")

group_names = st.from_regex(r"[a-z][a-z0-9-]{0,10}[a-z0-9]", fullmatch=True)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Valid documents of many shapes."""
    names = draw(st.lists(group_names, min_size=5, max_size=5, unique=True))
    fixed = draw(st.integers(0, 2))
    groups: list[dict[str, Any]] = [
        {"role": "seed", "group": names[0], "count": 2, "identities": [{"peerId": PEERS[0]}, {"peerId": PEERS[1]}]},
        {
            "role": "block-producer",
            "group": names[1],
            "count": draw(st.integers(1, 4)),
            "stake": draw(st.floats(0.01, 20)),
            "bots": draw(st.lists(st.sampled_from(["user-agent", "faucet", "echo"]), unique=True)),
        },
    ]
    if fixed and groups[1]["count"] >= fixed:
        groups[1]["identities"] = [{"peerId": peer} for peer in PEERS[2 : 2 + fixed]]
    if draw(st.booleans()):
        groups += [{"role": "snark-coordinator"}, {"role": "snark-worker", "group": names[2], "count": 2}]
    if draw(st.booleans()):
        groups.append({"role": "archive", "group": names[3], "count": draw(st.integers(1, 2))})
    if draw(st.booleans()):
        groups.append({"role": draw(st.sampled_from(["plain", "user-agent", "faucet", "echo"])), "group": names[4]})
    provider, region = draw(
        st.sampled_from(
            [("gke", "us-central1"), ("aks", "eastus"), ("local", "local"), ("gke", "northamerica-northeast1")]
        )
    )
    return zoo(
        name=draw(st.from_regex(r"[a-z][a-z0-9-]{0,28}[a-z0-9]", fullmatch=True)),
        era=draw(st.integers(1, 9999)),
        target={"provider": provider, "region": region},
        retention=draw(st.sampled_from(["delete", "retain"])),
        nodes=groups,
    )


def bytes_of(of: TestnetPlan) -> str:
    return json.dumps([[each.key, each.manifest, each.protect, each.after] for each in of.objects()]) + json.dumps(
        of.outputs.to_json_value()
    )


def by_key(of: TestnetPlan) -> dict[str, PlannedObject]:
    return {each.key: each for each in of.objects()}


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in strings(each)]
    if isinstance(value, list):
        return [text for each in value for text in strings(each)]
    return [value] if isinstance(value, str) else []


many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@many
@given(documents())
def test_names_and_labels_are_valid(document: dict[str, Any]) -> None:
    for each in plan(document).objects():
        metadata = each.manifest["metadata"]
        assert DNS_LABEL.match(metadata["name"]), metadata["name"]
        assert all(LABEL_VALUE.match(value) for value in metadata["labels"].values())
        template = each.manifest.get("spec", {}).get("template")
        if isinstance(template, dict):
            assert all(LABEL_VALUE.match(value) for value in template["metadata"]["labels"].values())
            assert all(isinstance(value, str) for value in template["metadata"].get("annotations", {}).values())


@many
@given(documents())
def test_the_same_spec_gives_the_same_bytes(document: dict[str, Any]) -> None:
    assert bytes_of(plan(document)) == bytes_of(plan(copy.deepcopy(document)))


@many
@given(documents())
def test_keys_are_unique_and_everything_needed_is_planned_before(document: dict[str, Any]) -> None:
    seen: set[str] = set()
    for each in plan(document).objects():
        assert each.key not in seen
        assert set(each.after) <= seen, f"{each.key} needs {set(each.after) - seen}"
        seen.add(each.key)


@many
@given(documents())
def test_no_object_is_planned_twice(document: dict[str, Any]) -> None:
    planned = plan(document)
    named = [(each.manifest["kind"], each.manifest["metadata"]["name"]) for each in planned.objects()]
    assert len(named) == len(set(named))


@many
@given(documents(), st.data())
def test_adding_a_node_touches_only_its_own_objects(document: dict[str, Any], data: st.DataObject) -> None:
    """Every other node keeps its bytes, and so its pod."""
    grown = copy.deepcopy(document)
    index = data.draw(
        st.sampled_from(
            [i for i, group in enumerate(grown["nodes"]) if group["role"] not in ("seed", "snark-coordinator")]
        )
    )
    group = grown["nodes"][index]
    group["count"] = group.get("count", 1) + 1
    new = f"{group.get('group', group['role'])}-{group['count']}"
    before, after = by_key(plan(document)), by_key(plan(grown))
    assert {key for key in after if before.get(key) != after[key]} <= {
        "quota", new, f"{new}-p2p", *(f"{new}-{kind}-state-e{document['era']}" for kind in ("runtime", "postgres")),
    }  # fmt: skip
    assert set(before) <= set(after)


@many
@given(documents())
def test_a_new_era_keeps_services_and_identities_and_takes_new_volumes(document: dict[str, Any]) -> None:
    old, new = plan(document), plan({**document, "era": document["era"] % 9999 + 1})
    assert [each.manifest for each in of_kind(old, "Service")] == [each.manifest for each in of_kind(new, "Service")]
    assert old.outputs.seeds == new.outputs.seeds
    assert [each.peer_id for each in old.outputs.nodes] == [each.peer_id for each in new.outputs.nodes]
    assert not {claim.name for claim in old.outputs.claims} & {claim.name for claim in new.outputs.claims}


@many
@given(documents())
def test_ports_are_unique_in_a_pod(document: dict[str, Any]) -> None:
    for node in nodes(plan(document)):
        ports = [port for container in node.containers for port in container.get("ports", ())]
        assert len({port["containerPort"] for port in ports}) == len(ports)
        assert len({port["name"] for port in ports}) == len(ports)


@many
@given(documents())
def test_no_secret_is_made_and_none_is_needed_that_is_not_listed(document: dict[str, Any]) -> None:
    from mina_infra.plan import secrets

    planned = plan(document)
    assert not of_kind(planned, "Secret")
    listed = {(need.name, key) for need in secrets.needed(planned.spec) for key in need.keys}
    used = set()
    for node in nodes(planned):
        for container in node.containers:
            for variable in container.get("env", ()):
                if "secretKeyRef" in variable.get("valueFrom", {}):
                    reference = variable["valueFrom"]["secretKeyRef"]
                    used.add((reference["name"], reference["key"]))
        for volume in node.pod.get("volumes", ()):
            if "secret" in volume:
                used |= {(volume["secret"]["secretName"], key) for key in ("key", "pub")}
    assert used <= listed
    assert {name for name, _ in used} == {name for name, _ in listed}


@many
@given(documents())
def test_a_group_planned_alone_is_as_in_the_whole(document: dict[str, Any]) -> None:
    whole = plan(document)
    assert [plan_group(whole.spec, group.name) for group in whole.groups] == list(whole.groups)


@many
@given(documents())
def test_the_outputs_list_exactly_what_is_planned(document: dict[str, Any]) -> None:
    planned = plan(document)
    claims = {each.manifest["metadata"]["name"]: each.manifest for each in of_kind(planned, "PersistentVolumeClaim")}
    assert [node.name for node in planned.outputs.nodes] == [
        name for group in planned.groups for name in group.node_names
    ]
    assert {claim.name for claim in planned.outputs.claims} == set(claims)
    for claim in planned.outputs.claims:
        spec = claims[claim.name]["spec"]
        assert spec["resources"]["requests"]["storage"] == f"{claim.size_gib}Gi"
        assert spec["accessModes"] == [claim.access_mode]
        assert spec["storageClassName"] == claim.storage_class
    for node in nodes(planned):
        output = next(each for each in planned.outputs.nodes if each.name == node.name)
        assert output.container == node.main["name"]
        assert ("graphql" in output.ports) == ("daemon" in node.args)


@many
@given(documents())
def test_retention_protects_volumes_and_what_they_need_and_nothing_else(document: dict[str, Any]) -> None:
    planned = plan(document)
    protected = {each.manifest["kind"] for each in planned.objects() if each.protect}
    kept = {"Namespace", "StorageClass", "PersistentVolumeClaim"}
    assert protected == (kept if document["retention"] == "retain" else set())
    assert all(each.protect for each in planned.objects() if each.manifest["kind"] in kept) or not protected
    policies = {each.manifest["reclaimPolicy"] for each in of_kind(planned, "StorageClass")}
    assert policies == {"Retain" if protected else "Delete"}


def test_one_claim_belongs_to_one_workload() -> None:
    for planned in plans().values():
        used: dict[str, list[str]] = {}
        for node in nodes(planned):
            for volume in node.pod.get("volumes", ()):
                claim = volume.get("persistentVolumeClaim")
                if claim and not claim.get("readOnly"):
                    used.setdefault(claim["claimName"], []).append(node.name)
        assert all(len(owners) == 1 for owners in used.values())


def test_daemons_start_after_their_volumes_config_and_genesis() -> None:
    planned = by_key(plans()["zoo"])
    whale = planned["whale-1"]
    assert {"whale-1-runtime-state-e1", "whale-1-p2p", "daemon-config", "genesis-ledger-e1", "genesis-job"} <= set(
        whale.after
    )
    assert {"namespace", "quota", "class-ssd"} == set(planned["whale-1-runtime-state-e1"].after)
    assert "genesis-ledger-e1" in planned["genesis-job"].after
    assert "genesis-job" not in planned["snark-worker-1"].after


def test_without_a_shared_claim_there_is_no_job_and_no_mount() -> None:
    planned = plan(
        zoo(genesis={"runtimeConfig": zoo()["genesis"]["runtimeConfig"], "ledger": {"source": "config-map"}})
    )
    assert planned.genesis == ()
    assert not any("genesis-ledger" in text for node in nodes(planned) for text in strings(node.pod))


def test_nothing_that_waits_starves_the_engine() -> None:
    for each in plans()["qa"].objects():
        if each.manifest["kind"] in ("Deployment", "Service", "PersistentVolumeClaim"):
            assert each.manifest["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true"
        elif each.manifest["kind"] == "Job":
            assert "pulumi.com/skipAwait" not in each.manifest["metadata"]["annotations"]


def test_seeds_come_before_all_other_nodes() -> None:
    kinds = [each.manifest["metadata"]["labels"].get("role") for each in plans()["zoo"].objects()]
    of_nodes = [role for role in kinds if role]
    assert of_nodes == sorted(of_nodes, key=lambda role: role != "seed")


def test_a_public_seed_gets_a_load_balancer_only_where_there_is_an_outside() -> None:
    services = {node.name: node.service for node in nodes(plans()["zoo"])}
    assert services["seed-1"]["spec"]["type"] == "LoadBalancer"  # type: ignore[index]
    assert services["seed-1"]["spec"]["loadBalancerIP"] == "203.0.113.7"  # type: ignore[index]
    assert (
        services["seed-2"]["metadata"]["annotations"][  # type: ignore[index]
            "external-dns.alpha.kubernetes.io/hostname"
        ]
        == "seed-2.example.org"
    )
    assert services["seed-3"]["spec"]["type"] == "ClusterIP"  # type: ignore[index]
    assert [seed.multiaddress for seed in plans()["zoo"].outputs.seeds] == [
        f"/ip4/203.0.113.7/tcp/10001/p2p/{PEERS[0]}",
        f"/dns4/seed-2.example.org/tcp/10002/p2p/{PEERS[1]}",
        f"/dns4/seed-3.zoo.svc.cluster.local/tcp/10003/p2p/{PEERS[2]}",
    ]
    local = plan(zoo(target={"provider": "local", "region": "local"}))
    assert {each.manifest["spec"]["type"] for each in of_kind(local, "Service")} == {"ClusterIP"}
    assert local.outputs.seeds == plans()["zoo"].outputs.seeds, "what is published does not depend on it"


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        ([{"address": "203.0.113.7"}, {"address": "203.0.113.7"}], "already the address of seed-1"),
        ([{"ip": "203.0.113.7"}, {}], "address behind a DNS name"),
    ],
)
def test_an_address_belongs_to_one_seed(seeds: list[dict[str, str]], message: str) -> None:
    identities = [{"peerId": peer, **seed} for peer, seed in zip(PEERS, seeds, strict=False)]
    others = zoo()["nodes"][1:]
    with pytest.raises(Exception, match=message):
        plan(zoo(nodes=[{"role": "seed", "count": 2, "identities": identities}, *others]))


def test_the_image_changes_no_claim_and_no_service() -> None:
    old, new = by_key(plan(zoo())), by_key(plan(zoo(image="registry.example/mina-daemon:3.1.0")))
    changed = {each.manifest["kind"] for key, each in new.items() if old[key] != each}
    assert changed == {"Deployment"}


def test_a_daemon_setting_is_not_another_genesis() -> None:
    """Peers and pool sizes may change on a live chain; what makes the chain may not."""

    def digest(config: dict[str, Any]) -> str:
        document = zoo(genesis={**zoo()["genesis"], "runtimeConfig": json.dumps(config)})
        guard = next(nodes(plan(document))).container("start-guard")
        return next(str(each["value"]) for each in guard["env"] if each["name"] == "GENESIS_DIGEST")

    config = json.loads(zoo()["genesis"]["runtimeConfig"])
    assert digest(config) == digest({**config, "daemon": {"txpool_max_size": 1}})
    assert digest(config) != digest({**config, "genesis": {**config["genesis"], "k": 10}})
    assert digest(config) != digest({**config, "ledger": {"name": "other"}})


def test_planning_the_qa_net_is_quick_and_small() -> None:
    spec = load_stack(ROOT / "Pulumi.qa.yaml")
    times = []
    for _ in range(5):
        began = time.process_time()
        planned = plan_testnet(spec)
        times.append(time.process_time() - began)
    assert min(times) < 0.1
    assert len(planned.objects()) <= 500


def test_the_namespace_says_who_answers_and_until_when() -> None:
    manifest = by_key(plans()["qa"])["namespace"].manifest
    annotations = {"mina-infra/owner": "testnet-guardian", "mina-infra/ttl": "72h"}
    assert annotations.items() <= manifest["metadata"]["annotations"].items()


def test_every_object_is_applied_under_one_name() -> None:
    """Whatever a killed run applied belongs to us; a made-up name would make a conflict of every later change."""
    for planned in plans().values():
        names = {each.manifest["metadata"]["annotations"]["pulumi.com/patchFieldManager"] for each in planned.objects()}
        assert names == {"mina-infra"}


def test_yaml_holds_exactly_the_manifests() -> None:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for planned in plans().values():
        manifests = [each.manifest for each in planned.objects()]
        assert list(yaml.load_all(to_yaml(planned.objects()), Loader=loader)) == manifests
