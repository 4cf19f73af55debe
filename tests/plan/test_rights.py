"""The guardian's roles as data: least privilege, both verbs of a stream, nothing outside the namespace."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from mina_infra.plan.rights import PROXY, Duty, Subject, manifests, rights
from mina_infra.plan.yaml import documents

GUARDIAN = Subject("guardian")


def made(*duties: Duty, subject: Subject = GUARDIAN, proxy: bool = False) -> dict[str, dict[str, Any]]:
    found = manifests("qa", "qa", duties, subject, proxy=proxy)
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in found}


def rules(*duties: Duty, proxy: bool = False) -> list[dict[str, Any]]:
    every = made(*duties, proxy=proxy).values()
    return [rule for each in every if each["kind"] == "Role" for rule in each["rules"]]


def test_no_role_names_everything_or_what_is_nobodys_business() -> None:
    for rule in rules(*Duty, proxy=True):
        words = {*rule["verbs"], *rule["resources"], *rule["apiGroups"]}
        assert "*" not in words
        assert words.isdisjoint({"secrets", "nodes", "nodes/proxy", "clusterroles", "deletecollection", "escalate"})
        assert words.isdisjoint({"bind", "impersonate", "patch", "roles", "rolebindings", "serviceaccounts"})


def test_everything_lies_in_the_namespace_and_says_whose_it_is() -> None:
    for each in made(Duty.OBSERVER, Duty.EXEC, Duty.CHAOS).values():
        assert each["kind"] in ("ServiceAccount", "Role", "RoleBinding")
        assert each["metadata"]["namespace"] == "qa"
        assert each["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "mina-infra", "testnet": "qa"}


def test_who_lets_outsiders_join_has_rights_in_their_namespace_alone() -> None:
    """Making a namespace cannot be restricted to one, so it is made with the role and kept."""
    found = made(Duty.JOIN)
    home = found.pop("Namespace/qa-join")
    assert home["metadata"] == {"name": "qa-join", "labels": {"mina-infra/join": "qa"}}
    places = {name: each["metadata"]["namespace"] for name, each in found.items()}
    assert places == {
        "ServiceAccount/guardian": "qa",
        "Role/guardian-join": "qa-join",
        "RoleBinding/guardian-join-guardian": "qa-join",
    }
    assert found["RoleBinding/guardian-join-guardian"]["subjects"][0]["namespace"] == "qa"
    assert not any("namespaces" in rule["resources"] and rule["verbs"] != ["get"] for rule in rules(*Duty))


def test_the_observer_changes_nothing() -> None:
    assert {verb for rule in rules(Duty.OBSERVER) for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert not any("/" in each and each != "pods/log" for rule in rules(Duty.OBSERVER) for each in rule["resources"])


def test_the_proxy_is_given_only_to_whom_asks_for_it() -> None:
    assert "pods/proxy" not in {name for rule in rules(*Duty) for name in rule["resources"]}
    assert rules(Duty.OBSERVER, proxy=True)[-1] == PROXY.rule()
    assert len(rules(Duty.EXEC, proxy=True)) == len(rules(Duty.EXEC))


def test_streams_have_both_verbs_for_servers_before_and_after_1_35() -> None:
    for rule in rules(Duty.EXEC):
        assert set(rule["verbs"]) == {"get", "create"}
    assert set(PROXY.verbs) == {"get", "create"}


def test_a_namespace_is_read_by_its_name_alone() -> None:
    own = next(rule for rule in rules(Duty.OBSERVER) if rule["resources"] == ["namespaces"])
    assert own["resourceNames"] == ["qa"]


@pytest.mark.parametrize("duty", Duty)
def test_every_right_says_what_needs_it(duty: Duty) -> None:
    assert all(right.why for right in rights(duty, "qa"))


def test_a_binding_gives_the_role_of_its_name_to_the_account_or_the_user() -> None:
    account = made(Duty.CHAOS)["RoleBinding/guardian-chaos-guardian"]
    assert account["roleRef"]["name"] == "guardian-chaos"
    assert account["subjects"] == [{"kind": "ServiceAccount", "name": "guardian", "namespace": "qa"}]
    people = made(Duty.EXEC, subject=Subject("Ada@example.org", user=True))
    assert "ServiceAccount/guardian" not in people
    person = people["RoleBinding/guardian-exec-ada-example.org"]
    assert person["subjects"][0] == {
        "kind": "User", "name": "Ada@example.org", "apiGroup": "rbac.authorization.k8s.io",
    }  # fmt: skip


def test_the_yaml_holds_the_same() -> None:
    wanted = list(manifests("qa", "qa", [*Duty], GUARDIAN, proxy=True))
    assert list(yaml.safe_load_all(documents(wanted))) == wanted
