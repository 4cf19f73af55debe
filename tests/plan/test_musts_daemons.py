"""What a Mina workload must have on Kubernetes: one test for each line about all daemons or the network, so named.

Each line comes from a deployment that failed, or did nothing while it looked well. The tests look at all nodes of all
stacks and of a testnet with every role.
"""

from __future__ import annotations

import json

import pytest

from mina_infra.spec import SpecError
from tests.facts import names
from tests.plan.musts import CREDENTIAL, assert_sane, copies_privately, init_names, undefined_references
from tests.plan.testnets import (
    daemons,
    every_node,
    nodes,
    of_kind,
    plan,
    plans,
    secret_of,
    zoo,
)


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


AREAS = {TestEveryDaemon: "daemon", TestNetwork: "network"}
"""Areas of docs/facts.md, which says why each line is needed."""


@pytest.mark.parametrize("tests", AREAS)
def test_every_line_has_a_test(tests: type) -> None:
    found = [name.removeprefix("test_").replace("_", "-") for name in vars(tests) if name.startswith("test_")]
    assert found == names(AREAS[tests])
