"""What a Mina workload must have on Kubernetes: one test for each line, named after it.

Each line comes from a deployment that failed, or did nothing while it looked well. The tests look at all nodes of all
stacks and of a testnet with every role.
"""

from __future__ import annotations

import json
import re

import pytest

from mina_infra.spec import SpecError
from tests.plan.testnets import (
    NodeView,
    daemons,
    every_node,
    nodes,
    of_kind,
    plan,
    plans,
    secret_of,
    zoo,
)

REFERENCE = re.compile(r"\$\((\w+)\)")
CREDENTIAL = re.compile(r"PASS|PASSWORD|KEY|TOKEN|SECRET", re.IGNORECASE)
QUANTITY = re.compile(r"^\d+(Ki|Mi|Gi|Ti)$")


def undefined_references(container: dict[str, object]) -> set[str]:
    """References in arguments and variables to variables that are not defined before."""
    known: set[str] = set()
    missing: set[str] = set()
    for each in container.get("env", ()):  # type: ignore[attr-defined]
        missing |= set(REFERENCE.findall(each.get("value", ""))) - known
        known.add(each["name"])
    for text in container.get("args", ()):  # type: ignore[attr-defined]
        missing |= set(REFERENCE.findall(text)) - known
    return missing


def assert_sane(container: dict[str, object]) -> None:
    requests = container["resources"]["requests"]  # type: ignore[index]
    assert QUANTITY.match(requests["memory"]), requests
    assert re.match(r"^\d+(\.\d+)?m?$", requests["cpu"]), requests


def init_names(node: NodeView) -> list[str]:
    return [each["name"] for each in node.pod["initContainers"]]


def copies_privately(container: dict[str, object]) -> bool:
    script = container["command"][-1]  # type: ignore[index]
    return "chmod 0600" in script and "chmod 0700" in script


class TestEveryDaemon:
    def test_daemon_subcommand(self) -> None:
        assert all(node.args[0] == "daemon" for node in daemons())

    def test_libp2p_keypair(self) -> None:
        for node in daemons():
            assert node.flag("-libp2p-keypair") == "/root/libp2p-keys/key"
            assert "libp2p-key" in init_names(node)

    def test_libp2p_pass(self) -> None:
        assert all("MINA_LIBP2P_PASS" in node.env() for node in daemons())

    def test_libp2p_pass_secret(self) -> None:
        for node in daemons():
            assert secret_of(node.env()["MINA_LIBP2P_PASS"]) == ("passphrases", "libp2p")

    def test_libp2p_key_private(self) -> None:
        for node in daemons():
            assert copies_privately(node.container("libp2p-key"))
            assert node.volume("libp2p-keys") == {
                "name": "libp2p-keys",
                "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"},
            }

    def test_key_not_inline(self) -> None:
        for node in daemons():
            assert not any("BEGIN" in each or "box_primitive" in each for each in node.args)
            for flag in ("-libp2p-keypair", "-block-producer-key"):
                assert (node.flag(flag) or "/").startswith("/"), "a path, never a key"

    def test_p2p_reachable(self) -> None:
        for node in daemons():
            assert node.service is not None
            assert "external-port" in [port["name"] for port in node.service["spec"]["ports"]]

    def test_peers(self) -> None:
        for node in daemons():
            if node.role != "seed":
                assert len(node.flags("-peer")) == len(node.plan.outputs.seeds)

    def test_p2p_port_identity(self) -> None:
        for node in daemons():
            assert node.service is not None
            port = next(each for each in node.service["spec"]["ports"] if each["name"] == "external-port")
            inside = next(each for each in node.main["ports"] if each["name"] == "external-port")
            assert node.flag("-external-port") == str(port["port"]) == str(inside["containerPort"])
            assert port["targetPort"] in ("external-port", port["port"])

    def test_p2p_publish_not_ready(self) -> None:
        assert all(node.service and node.service["spec"]["publishNotReadyAddresses"] is True for node in daemons())

    def test_args_resolve(self) -> None:
        for node in daemons():
            assert undefined_references(node.main) == set()

    def test_no_removed_flags(self) -> None:
        invalid = {"-log-received-blocks", "-discovery-keypair", "-peer-exchange", "-direct-peers"}
        assert not [node.name for node in daemons() if invalid & set(node.args)]

    def test_config_file(self) -> None:
        for node in daemons():
            assert node.flag("-config-file") == "/config/daemon.json"
            mount = next(each for each in node.main["volumeMounts"] if each["name"] == "daemon-config")
            assert mount["mountPath"] == "/config"

    def test_config_dir_writable(self) -> None:
        allowed_inside = {"/root/.mina-config/genesis": "claim", "/root/.mina-config/wallets": "memory"}
        for node in daemons():
            mounts = {each["mountPath"]: each for each in node.main["volumeMounts"]}
            assert "/root" not in mounts
            state = mounts["/root/.mina-config"]
            assert not state.get("readOnly")
            assert "persistentVolumeClaim" in node.volume(state["name"])
            inside = {path for path in mounts if path.startswith("/root/.mina-config/")}
            assert inside <= set(allowed_inside), "nothing may shadow the state"

    def test_volumes_resolve(self) -> None:
        for node in every_node():
            manifests = [each.manifest for each in node.plan.objects()]
            named = {(each["kind"], each["metadata"]["name"]) for each in manifests}
            declared = {each["name"] for each in node.pod.get("volumes", ())}
            for volume in node.pod.get("volumes", ()):
                if "persistentVolumeClaim" in volume:
                    claim = ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
                    assert claim in named
                if "configMap" in volume:
                    assert ("ConfigMap", volume["configMap"]["name"]) in named
            mounted = {each["name"] for container in node.containers for each in container.get("volumeMounts", ())}
            assert mounted == declared

    def test_single_replica(self) -> None:
        assert all(node.deployment["spec"]["replicas"] == 1 for node in every_node())

    def test_recreate(self) -> None:
        assert all(node.deployment["spec"]["strategy"] == {"type": "Recreate"} for node in every_node())

    def test_metrics_consistent(self) -> None:
        for node in daemons():
            annotations = node.template["metadata"]["annotations"]
            port = next(each["containerPort"] for each in node.main["ports"] if each["name"] == "metrics-port")
            assert annotations["prometheus.io/scrape"] == "true"
            assert node.flag("-metrics-port") == annotations["prometheus.io/port"] == str(port)

    def test_graphql_bind(self) -> None:
        """Localhost is right: whoever needs GraphQL is in the pod (probe, bots) or comes by port-forward."""
        for node in daemons():
            assert "-insecure-rest-server" not in node.args
            assert node.main["readinessProbe"]["exec"]["command"][-1].startswith("http://127.0.0.1:3085/")

    def test_graphql_not_public(self) -> None:
        for each in plans().values():
            for service in of_kind(each, "Service"):
                assert not {3085, 3095} & {port["port"] for port in service.manifest["spec"]["ports"]}

    def test_trustlist_bounded(self) -> None:
        with pytest.raises(SpecError, match="full control"):
            plan(zoo(target={"provider": "gke", "region": "us-central1", "networks": ["0.0.0.0/0"]}))

    def test_gcloud_upload(self) -> None:
        assert not any("-upload-blocks-to-gcloud" in node.args for node in daemons())

    def test_resources_sane(self) -> None:
        for node in daemons():
            assert_sane(node.main)

    def test_selector(self) -> None:
        for each in plans().values():
            views = list(nodes(each))
            for node in views:
                selector = node.deployment["spec"]["selector"]["matchLabels"]
                chosen = [
                    other.name for other in views if selector.items() <= other.template["metadata"]["labels"].items()
                ]
                assert chosen == [node.name]

    def test_trustlist(self) -> None:
        for node in daemons():
            networks = ",".join(node.plan.spec.target.networks)
            assert node.env()["MINA_CLIENT_TRUSTLIST"]["value"] == networks
            assert not {"CODA_CLIENT_TRUSTLIST", "CONNECT_PRIVATE_IPS"} & set(node.env())

    def test_external_ip(self) -> None:
        for node in daemons():
            assert node.flag("-external-ip")
        zoo_seeds = [node.flag("-external-ip") for node in nodes(plans()["zoo"]) if node.role == "seed"]
        assert zoo_seeds == ["203.0.113.7", "203.0.113.8", "$(POD_IP)"]

    def test_probe_rbac(self) -> None:
        """No probe or init step calls the API, so pods carry no token and need no role."""
        for node in every_node():
            assert node.pod["automountServiceAccountToken"] is False
            assert "kubectl" not in json.dumps(node.pod)

    def test_archive_address(self) -> None:
        """Only the daemon beside an archive process sends blocks, to that process."""
        for node in daemons():
            if node.role == "archive":
                port = next(each for each in node.container("archive")["ports"] if each["name"] == "archive-port")
                assert node.flag("-archive-address") == f"127.0.0.1:{port['containerPort']}"
            else:
                assert "-archive-address" not in node.args


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


class TestNetwork:
    def test_seed(self) -> None:
        without = [group for group in zoo()["nodes"] if group["role"] != "seed"]
        with pytest.raises(SpecError, match="no seed"):
            plan(zoo(nodes=without))

    def test_same_config(self) -> None:
        for each in plans().values():
            assert len(of_kind(each, "ConfigMap")) == 1
            mounted = {
                node.volume("daemon-config")["configMap"]["name"] for node in nodes(each) if node.role != "snark-worker"
            }
            assert mounted == {of_kind(each, "ConfigMap")[0].manifest["metadata"]["name"]}

    def test_config_size(self) -> None:
        config = {"genesis": {"genesis_state_timestamp": "2026-01-01T00:00:00Z"}, "ledger": {"name": "x" * 2**20}}
        with pytest.raises(SpecError, match="1 MiB"):
            plan(zoo(genesis={"runtimeConfig": json.dumps(config), "ledger": {"source": "config-map"}}))

    def test_hostports(self) -> None:
        assert not any("hostPort" in json.dumps(node.pod) or "hostNetwork" in node.pod for node in every_node())

    def test_services_select(self) -> None:
        for each in plans().values():
            views = list(nodes(each))
            for service in of_kind(each, "Service"):
                selector = service.manifest["spec"]["selector"]
                chosen = [node for node in views if selector.items() <= node.template["metadata"]["labels"].items()]
                assert len(chosen) == 1
                named = {port["name"] for container in chosen[0].containers for port in container.get("ports", ())}
                assert {port["targetPort"] for port in service.manifest["spec"]["ports"]} <= named

    def test_valid_ports(self) -> None:
        for node in every_node():
            for container in node.containers:
                for port in container.get("ports", ()):
                    assert set(port) == {"name", "containerPort", "protocol"}
                    assert 1 <= port["containerPort"] <= 65535
                    assert len(port["name"]) <= 15

    def test_peers_resolve(self) -> None:
        for each in plans().values():
            views = {node.name: node for node in nodes(each)}
            for node in views.values():
                for peer in node.flags("-peer"):
                    _, kind, host, _, port, _, peer_id = peer.split("/")
                    seed = views[host.split(".")[0]]
                    assert kind == "dns4"
                    assert host == f"{seed.name}.{each.spec.namespace}.svc.cluster.local"
                    assert seed.flag("-external-port") == port
                    assert seed.template["metadata"]["annotations"]["mina-infra/peer-id"] == peer_id

    def test_no_plain_secrets(self) -> None:
        for node in every_node():
            for container in node.containers:
                for variable in container.get("env", ()):
                    if CREDENTIAL.search(variable["name"]):
                        assert "secretKeyRef" in variable.get("valueFrom", {}), variable


LINES = {
    TestEveryDaemon: """
        daemon-subcommand libp2p-keypair libp2p-pass libp2p-pass-secret libp2p-key-private key-not-inline
        p2p-reachable peers p2p-port-identity p2p-publish-not-ready args-resolve no-removed-flags config-file
        config-dir-writable volumes-resolve single-replica recreate metrics-consistent graphql-bind
        graphql-not-public trustlist-bounded gcloud-upload resources-sane selector trustlist external-ip probe-rbac
        archive-address
    """,
    TestBlockProducer: "key key-pass key-pass-secret key-from-secret key-private not-seed",
    TestSeed: "seed-flag stable-key own-service",
    TestSnarkCoordinator: "flag not-worker trustlist rpc-service has-workers",
    TestSnarkWorker: """
        subcommand daemon-address address-resolves no-network-probe no-keys args-resolve resources-sane
        no-shared-claim selector
    """,
    TestArchive: """
        run postgres-uri postgres-secret args-resolve-archive service publish-not-ready schema fed
    """,
    TestPlainNode: "not-seed no-key label",
    TestUserAgent: "sender pass pass-secret graphql wallet interval-name resources-sane",
    TestBots: "wallet resources-sane graphql echo faucet amounts discord pass-secret probe-bind",
    TestNetwork: """
        seed same-config config-size hostports services-select valid-ports peers-resolve no-plain-secrets
    """,
}
"""The list itself, in the order in which it was written down."""


def test_every_line_has_a_test() -> None:
    for scope, lines in LINES.items():
        tests = [name.removeprefix("test_").replace("_", "-") for name in vars(scope) if name.startswith("test_")]
        assert tests == lines.split()
