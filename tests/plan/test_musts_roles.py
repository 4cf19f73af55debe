"""What a Mina workload must have on Kubernetes: one test for each line about a role, named after it.

Each line comes from a deployment that failed, or did nothing while it looked well. The tests look at all nodes of all
stacks and of a testnet with every role.
"""

from __future__ import annotations

import json
import re

import pytest

from mina_infra.spec import SpecError
from tests.facts import names
from tests.plan.musts import assert_sane, copies_privately, init_names, undefined_references
from tests.plan.testnets import (
    NodeView,
    every_node,
    nodes,
    plan,
    secret_of,
    zoo,
)


class TestBlockProducer:
    producers = staticmethod(lambda: every_node("block-producer"))

    def test_key(self) -> None:
        for node in self.producers():
            assert node.flag("-block-producer-key") == "/root/wallet-keys/key"
            assert "/root/wallet-keys" in [each["mountPath"] for each in node.main["volumeMounts"]]

    def test_key_pass(self) -> None:
        assert all("MINA_PRIVKEY_PASS" in node.env() for node in self.producers())

    def test_key_pass_secret(self) -> None:
        for node in self.producers():
            assert secret_of(node.env()["MINA_PRIVKEY_PASS"]) == ("passphrases", "wallet")

    def test_key_from_secret(self) -> None:
        for node in self.producers():
            assert node.volume("wallet-secret")["secret"]["secretName"] == f"{node.name}-wallet"
            assert "generate" not in json.dumps(node.container("wallet-key"))

    def test_key_private(self) -> None:
        for node in self.producers():
            step = node.container("wallet-key")
            assert copies_privately(step)
            assert node.volume("wallet-keys")["emptyDir"]["medium"] == "Memory"
            assert node.volume("wallet-secret")["secret"]["defaultMode"] == 0o400

    def test_not_seed(self) -> None:
        assert not any("-seed" in node.args for node in self.producers())


class TestSeed:
    seeds = staticmethod(lambda: every_node("seed"))

    def test_seed_flag(self) -> None:
        assert all("-seed" in node.args for node in self.seeds())

    def test_stable_key(self) -> None:
        for node in self.seeds():
            assert node.volume("libp2p-secret")["secret"]["secretName"] == f"{node.name}-libp2p"
            assert "generate" not in json.dumps(node.container("libp2p-key"))

    def test_own_service(self) -> None:
        for node in self.seeds():
            assert node.service is not None
            assert node.service["spec"]["selector"] == {"app": node.name, "testnet": node.plan.spec.name}


class TestSnarkCoordinator:
    coordinators = staticmethod(lambda: every_node("snark-coordinator"))

    def test_flag(self) -> None:
        for node in self.coordinators():
            assert node.flag("-run-snark-coordinator") == "$(SNARK_COORDINATOR_KEY)"
            assert secret_of(node.env()["SNARK_COORDINATOR_KEY"]) == (f"{node.name}-wallet", "pub")

    def test_not_worker(self) -> None:
        assert not any("-run-snark-worker" in node.args for node in self.coordinators())

    def test_trustlist(self) -> None:
        for node in self.coordinators():
            assert node.env()["MINA_CLIENT_TRUSTLIST"]["value"]

    def test_rpc_service(self) -> None:
        for node in self.coordinators():
            assert node.service is not None
            ports = {each["name"]: each["port"] for each in node.service["spec"]["ports"]}
            assert ports["client-port"] == 8301
            assert node.service["spec"].get("clusterIP") != "None", "a headless Service maps no ports"

    def test_has_workers(self) -> None:
        without = [group for group in zoo()["nodes"] if group["role"] != "snark-worker"]
        with pytest.raises(SpecError, match="without workers"):
            plan(zoo(nodes=without))


class TestSnarkWorker:
    workers = staticmethod(lambda: every_node("snark-worker"))

    def test_subcommand(self) -> None:
        assert all(node.args[:2] == ["internal", "snark-worker"] for node in self.workers())

    def test_daemon_address(self) -> None:
        assert all(node.flag("-daemon-address") for node in self.workers())

    def test_address_resolves(self) -> None:
        for node in self.workers():
            host, port = str(node.flag("-daemon-address")).split(":")
            service, namespace, *rest = host.split(".")
            target = next(each for each in nodes(node.plan) if each.name == service)
            assert target.role == "snark-coordinator"
            assert target.service is not None
            assert (namespace, rest) == (node.plan.spec.namespace, ["svc", "cluster", "local"])
            assert int(port) in [each["port"] for each in target.service["spec"]["ports"]]

    def test_no_network_probe(self) -> None:
        for node in self.workers():
            assert not {"readinessProbe", "livenessProbe", "startupProbe", "ports"} & set(node.main)

    def test_no_keys(self) -> None:
        for node in self.workers():
            assert not node.pod.get("volumes")
            assert not any("valueFrom" in each for each in node.main["env"])

    def test_args_resolve(self) -> None:
        for node in self.workers():
            assert undefined_references(node.main) == set()

    def test_resources_sane(self) -> None:
        for node in self.workers():
            assert_sane(node.main)
            assert node.main["resources"]["requests"]["memory"] == "6Gi"

    def test_no_shared_claim(self) -> None:
        assert not any("persistentVolumeClaim" in json.dumps(node.pod) for node in self.workers())

    def test_selector(self) -> None:
        for node in self.workers():
            assert node.deployment["spec"]["selector"]["matchLabels"]["app"] == node.name


class TestArchive:
    archives = staticmethod(lambda: every_node("archive"))

    def test_run(self) -> None:
        assert all(node.container("archive")["args"][0] == "run" for node in self.archives())

    def test_postgres_uri(self) -> None:
        for node in self.archives():
            args = node.container("archive")["args"]
            assert args[args.index("--postgres-uri") + 1] == "postgresql://postgres@127.0.0.1:5432/archive"

    def test_postgres_secret(self) -> None:
        for node in self.archives():
            assert secret_of(node.env("archive")["PGPASSWORD"]) == ("archive-postgres", "password")
            assert secret_of(node.env("postgres")["POSTGRES_PASSWORD"]) == ("archive-postgres", "password")

    def test_args_resolve_archive(self) -> None:
        for node in self.archives():
            for name in ("archive", "postgres"):
                assert undefined_references(node.container(name)) == set()

    def test_service(self) -> None:
        for node in self.archives():
            assert node.service is not None
            assert 3086 in [each["port"] for each in node.service["spec"]["ports"]]

    def test_publish_not_ready(self) -> None:
        assert all(node.service and node.service["spec"]["publishNotReadyAddresses"] for node in self.archives())

    def test_schema(self) -> None:
        """The database runs, then its tables are made in one transaction, then the archive process starts."""
        for node in self.archives():
            steps = init_names(node)
            assert node.container("postgres")["restartPolicy"] == "Always"
            assert steps.index("postgres") < steps.index("schema")
            assert "startupProbe" in node.container("postgres"), "without it the next step does not wait"
            assert "--single-transaction" in node.container("schema")["command"][-1]
            assert "archive" in [each["name"] for each in node.pod["containers"]]

    def test_fed(self) -> None:
        assert all(node.flag("-archive-address") == "127.0.0.1:3086" for node in self.archives())


class TestPlainNode:
    plain = staticmethod(lambda: every_node("plain"))

    def test_not_seed(self) -> None:
        assert not any("-seed" in node.args for node in self.plain())

    def test_no_key(self) -> None:
        for node in self.plain():
            assert "-block-producer-key" not in node.args
            assert "wallet" not in json.dumps(node.pod["volumes"])

    def test_label(self) -> None:
        assert all(node.template["metadata"]["labels"]["role"] == "plain" for node in self.plain())


def with_user_agent() -> list[NodeView]:
    return [node for node in every_node() if node.has("user-agent")]


def with_bots() -> list[NodeView]:
    return [node for node in every_node() if node.has("bots")]


class TestUserAgent:
    def test_sender(self) -> None:
        for node in with_user_agent():
            assert secret_of(node.env("user-agent")["CODA_PUBLIC_KEY"]) == (f"{node.name}-wallet", "pub")

    def test_pass(self) -> None:
        assert all("MINA_PRIVKEY_PASS" in node.env("user-agent") for node in with_user_agent())

    def test_pass_secret(self) -> None:
        for node in with_user_agent():
            assert secret_of(node.env("user-agent")["MINA_PRIVKEY_PASS"]) == ("passphrases", "wallet")

    def test_graphql(self) -> None:
        for node in with_user_agent():
            env = node.env("user-agent")
            assert (env["CODA_HOST"]["value"], env["CODA_PORT"]["value"]) == ("127.0.0.1", node.flag("-rest-port"))

    def test_wallet(self) -> None:
        """The sender's account is in the wallet directory of the daemon in the same pod, and never on a disk."""
        for node in with_user_agent():
            assert node.volume("sender-account")["secret"]["secretName"] == f"{node.name}-wallet"
            step = node.container("import-sender")
            assert "accounts import" in step["command"][-1]
            places = {each["name"]: each["mountPath"] for each in node.main["volumeMounts"]}
            assert places["wallets"] == f"{node.flag('-config-directory')}/wallets"
            assert "medium" in node.volume("wallets")["emptyDir"]

    def test_interval_name(self) -> None:
        for node in with_user_agent():
            assert node.env("user-agent")["AGENT_SEND_EVERY_MINS"]["value"] == "1"
            assert "AGENT_SEND_EVERY_MINUTES" not in node.env("user-agent")

    def test_resources_sane(self) -> None:
        for node in with_user_agent():
            assert_sane(node.container("user-agent"))


class TestBots:
    def test_wallet(self) -> None:
        for node in with_bots():
            wanted = {"faucet", "echo"} & {each.removeprefix("import-") for each in init_names(node)}
            assert wanted
            for bot in wanted:
                assert node.volume(f"{bot}-account")["secret"]["secretName"] == f"{bot}-service"

    def test_resources_sane(self) -> None:
        for node in with_bots():
            assert_sane(node.container("bots"))

    def test_graphql(self) -> None:
        for node in with_bots():
            env = node.env("bots")
            assert env["MINA_GRAPHQL_HOST"]["value"] == "127.0.0.1"
            assert env["MINA_GRAPHQL_PORT"]["value"] == node.flag("-rest-port") == "3085"

    def test_echo(self) -> None:
        for node in with_bots():
            wanted = node.has("import-echo")
            assert ("ECHO_PUBLICKEY" in node.env("bots")) is wanted
            assert ("ECHO_PASSWORD" in node.env("bots")) is wanted

    def test_faucet(self) -> None:
        for node in with_bots():
            assert secret_of(node.env("bots")["FAUCET_PUBLICKEY"]) == ("faucet-service", "pub")
            assert "FAUCET_PASSWORD" in node.env("bots")

    def test_amounts(self) -> None:
        for node in with_bots():
            for name in ("FAUCET_AMOUNT", "FEE_AMOUNT"):
                value = node.env("bots")[name]["value"]
                assert value.isdigit()
                assert 10**8 <= int(value) < 2**63

    def test_discord(self) -> None:
        for node in with_bots():
            assert secret_of(node.env("bots")["DISCORD_API_KEY"]) == ("discord", "token")

    def test_pass_secret(self) -> None:
        for node in with_bots():
            for name, variable in node.env("bots").items():
                assert not re.search("PASSWORD|API_KEY", name) or "secretKeyRef" in variable["valueFrom"]

    def test_probe_bind(self) -> None:
        """No probe of a bot goes to the daemon's GraphQL by the pod's address, where it does not listen."""
        for node in [*with_bots(), *with_user_agent()]:
            for name in ("bots", "user-agent"):
                if node.has(name):
                    assert not {"livenessProbe", "readinessProbe", "startupProbe"} & set(node.container(name))


AREAS = {
    TestBlockProducer: "block-producer",
    TestSeed: "seed",
    TestSnarkCoordinator: "snark-coordinator",
    TestSnarkWorker: "snark-worker",
    TestArchive: "archive",
    TestPlainNode: "plain",
    TestUserAgent: "user-agent",
    TestBots: "bots",
}
"""Areas of docs/facts.md, which says why each line is needed."""


@pytest.mark.parametrize("tests", AREAS)
def test_every_line_has_a_test(tests: type) -> None:
    found = [name.removeprefix("test_").replace("_", "-") for name in vars(tests) if name.startswith("test_")]
    assert found == names(AREAS[tests])


def test_the_archive_process_serves_its_metrics_where_prometheus_looks() -> None:
    for node in every_node("archive"):
        args = node.container("archive")["args"]
        port = next(each for each in node.container("archive")["ports"] if each["name"] == "archive-metrics")
        assert args[args.index("--metrics-port") + 1] == str(port["containerPort"]) == "10002"
