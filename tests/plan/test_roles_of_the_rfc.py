"""The role table of the storage RFC, row by row, and the keysets that its nodes may share."""

from __future__ import annotations

from typing import Any

import pytest

from mina_infra.plan import TestnetPlan, secrets
from mina_infra.plan.summary import summarize
from mina_infra.spec import SpecError
from tests.plan.testnets import NodeView, every_node, nodes, of_kind, plan, secret_of, zoo

LEDGER, CONFIG, STATE, KEYS, POSTGRES = "genesis ledger", "daemon config", "runtime state", "wallet keys", "database"
TABLE = {
    "archive": {LEDGER, CONFIG, STATE, POSTGRES},
    "block-producer": {LEDGER, KEYS, CONFIG, STATE},
    "seed": {LEDGER, CONFIG, STATE},
    "snark-coordinator": {LEDGER, KEYS, CONFIG, STATE},
    "user-agent": {LEDGER, KEYS, CONFIG, STATE},
    "faucet": {LEDGER, KEYS, CONFIG, STATE},
    "echo": {LEDGER, KEYS, CONFIG, STATE},
}
"""What the RFC wants of each role. Its row "coordinator/worker" is the coordinator's: a worker keeps nothing."""


def has(node: NodeView) -> set[str]:
    """What of the table a node's pod really mounts, seen in the manifests."""
    found = set()
    claims = {
        each.manifest["metadata"]["name"]: each.manifest["metadata"]["labels"]
        for each in of_kind(node.plan, "PersistentVolumeClaim")
    }
    kinds = {"genesis-ledger": LEDGER, "runtime-state": STATE, "postgres-state": POSTGRES}
    mounted = {mount["name"] for container in node.containers for mount in container.get("volumeMounts", ())}
    for volume in node.pod.get("volumes", ()):
        assert volume["name"] in mounted, f"{node.name}: {volume['name']} is mounted nowhere"
        if "persistentVolumeClaim" in volume:
            labels = claims[volume["persistentVolumeClaim"]["claimName"]]
            found.add(kinds[labels["mina-infra/volume"]])
            assert labels.get("app", node.name) == node.name, "nobody mounts what is another node's"
        found |= {CONFIG} if "configMap" in volume else set()
        secret = (volume.get("secret") or {}).get("secretName", "")
        found |= {KEYS} if secret and not secret.endswith("-libp2p") else set()
    if any(name == "SNARK_COORDINATOR_KEY" for name in node.env()):
        found.add(KEYS)  # of its account it needs the public key alone
    return found


@pytest.mark.parametrize("role", TABLE)
def test_a_role_has_what_the_rfc_gives_it(role: str) -> None:
    members = every_node(role)
    assert members
    assert [has(node) for node in members] == [TABLE[role]] * len(members)


def test_a_snark_worker_keeps_nothing() -> None:
    """A stateless prover, whatever the RFC says of coordinator and worker together."""
    for node in every_node("snark-worker"):
        assert has(node) == set()


def with_keys(**groups: Any) -> dict[str, Any]:
    """The zoo with `keys` for some groups, by their names or roles."""
    changed = zoo()
    for group in changed["nodes"]:
        keys = groups.get((group.get("group") or group["role"]).replace("-", "_"))
        if keys:
            group["keys"] = keys
    return changed


def planned(**groups: Any) -> TestnetPlan:
    return plan(with_keys(**groups))


def refused(**groups: Any) -> str:
    with pytest.raises(SpecError) as caught:
        planned(**groups)
    (issue,) = caught.value.issues
    return f"{issue.message} {issue.hint}"


def by_name(of: TestnetPlan) -> dict[str, NodeView]:
    return {node.name: node for node in nodes(of)}


def test_a_keyset_is_one_secret_of_several_groups_and_each_node_sees_its_own_account() -> None:
    found = by_name(planned(whale={"secret": "producers"}, fish={"secret": "producers"}))
    for name in ("whale-1", "whale-2", "fish-1", "fish-2"):
        secret = found[name].volume("wallet-secret")["secret"]
        assert secret["secretName"] == "producers"
        assert secret["defaultMode"] == 0o400
        assert secret["items"] == [{"key": name, "path": "key"}, {"key": f"{name}.pub", "path": "pub"}]


def test_a_user_agent_sends_from_its_producers_account_of_the_keyset() -> None:
    node = by_name(planned(fish={"secret": "producers"}))["fish-2"]
    assert node.volume("sender-account")["secret"]["items"][0]["key"] == "fish-2"
    assert secret_of(node.env("user-agent")["CODA_PUBLIC_KEY"]) == ("producers", "fish-2.pub")


def test_one_account_may_serve_a_coordinator_and_a_user_agent() -> None:
    shared = {"secret": "services", "account": "treasury"}
    found = by_name(planned(snark_coordinator=shared, user_agent=shared))
    coordinator, agent = found["snark-coordinator-1"], found["user-agent-1"]
    assert secret_of(coordinator.env()["SNARK_COORDINATOR_KEY"]) == ("services", "treasury.pub")
    assert agent.volume("sender-account")["secret"]["items"][0] == {"key": "treasury", "path": "key"}


def test_what_must_exist_names_a_keyset_once_with_all_its_accounts() -> None:
    of = planned(whale={"secret": "producers"}, fish={"secret": "producers"})
    (row,) = (each for each in secrets.needed(of.spec) if each.name == "producers")
    accounts = ("whale-1", "whale-2", "fish-1", "fish-2")
    assert set(row.keys) == {*accounts, *(f"{each}.pub" for each in accounts)}
    assert "whale-1-wallet" not in {each.name for each in secrets.needed(of.spec)}
    assert "producers" in {each.names for each in summarize(of).secrets}


def test_without_a_keyset_nothing_changes() -> None:
    node = by_name(plan(zoo()))["whale-1"]
    assert node.volume("wallet-secret")["secret"] == {"secretName": "whale-1-wallet", "defaultMode": 0o400}


def test_two_producers_never_share_an_account() -> None:
    said = refused(whale={"secret": "producers", "account": "one"})
    assert "whale-1 and whale-2 would produce with one account, 'one' of Secret 'producers'" in said
    assert "fork the chain" in said
    single = {"secret": "producers", "account": "whale-1"}
    changed = with_keys(whale={"secret": "producers"}, fish=single)
    changed["nodes"][2]["count"] = 1
    with pytest.raises(SpecError, match="whale-1 and fish-1 would produce with one account"):
        plan(changed)


def test_keys_for_nodes_without_an_account_and_of_other_namespaces() -> None:
    assert "a plain has no account of its own" in refused(plain={"secret": "producers"})
    assert "a faucet has no account of its own" in refused(faucet={"secret": "producers"})
    assert "'other/producers' names a namespace" in refused(whale={"secret": "other/producers"})
