"""The manifests of every role really start: init containers, keys, nested and read-only mounts, config by content.

The image plays the daemon's file behaviour (stand_in/mina): it stops at a key that others may read, at a genesis that
can be written, at an unknown flag. So a pod that runs has passed all of that.
"""

from __future__ import annotations

import json

from mina_infra.cluster.api import DEPLOYMENT, Manifest
from mina_infra.spec import Role
from tests.node.testnet import KEY_TEXT, KEYSET, Testnet

WALLET, LIBP2P = "/root/wallet-keys", "/root/libp2p-keys"
CONFIG = "/root/.mina-config"


def test_a_node_of_every_role_starts_and_becomes_ready(testnet: Testnet) -> None:
    assert {group.role for group in testnet.spec.nodes} == set(Role)
    names = {name for group in testnet.spec.nodes for name in group.node_names()}

    def available(objects: dict[str, Manifest]) -> bool:
        return {name for name, item in objects.items() if item["status"].get("availableReplicas")} == names

    testnet.until(DEPLOYMENT, available)


def test_no_container_had_to_be_started_twice(testnet: Testnet) -> None:
    restarts = {
        f"{node}/{each['name']}": each["restartCount"]
        for node, pod in testnet.pods().items()
        for each in (*pod["status"].get("initContainerStatuses", ()), *pod["status"]["containerStatuses"])
        if each["restartCount"]
    }
    assert restarts == {}


def test_keys_are_as_private_as_the_daemon_demands(testnet: Testnet) -> None:
    files = f"{WALLET} {WALLET}/key {WALLET}/key.pub {LIBP2P} {LIBP2P}/key"
    for node in ("fish-1", "whale-1", "whale-2"):
        assert testnet.shell(node, "mina", f"stat -c %a {files}").split() == ["700", "600", "600", "700", "600"], node


def test_the_key_is_the_one_of_the_secret(testnet: Testnet) -> None:
    assert testnet.shell("fish-1", "mina", f"cat {WALLET}/key") == f"{KEY_TEXT}fish-1-wallet"
    assert testnet.shell("seed-1", "mina", f"cat {LIBP2P}/key {LIBP2P}/key.peerid").startswith(
        f"{KEY_TEXT}seed-1-libp2p"
    )


def test_of_a_keyset_each_node_gets_its_own_account_and_sees_no_other(testnet: Testnet) -> None:
    for node in ("whale-1", "whale-2"):
        said = testnet.shell(node, "mina", f"cd {WALLET} && ls && cat key && echo && cat key.pub")
        assert said.split() == ["key", "key.pub", f"{KEY_TEXT}{node}", f"{KEYSET}.{node}.pub"]
        mounted = testnet.machine.volume(testnet.pods()[node], "secret", "wallet-secret")
        assert sorted(path.name for path in mounted.glob("[!.]*")) == ["key", "pub"]


def test_keys_lie_in_memory_and_never_on_a_claim(testnet: Testnet) -> None:
    mounts = testnet.shell("fish-1", "mina", "cat /proc/mounts")
    kinds = {line.split()[1]: line.split()[2] for line in mounts.splitlines()}
    assert {kinds[path] for path in (WALLET, LIBP2P, f"{CONFIG}/wallets")} == {"tmpfs"}
    accounts = testnet.shell("fish-1", "mina", f"cd {CONFIG}/wallets/store && cat *")
    assert accounts.count(KEY_TEXT) == 3, "the producer's, the faucet's and the echo service's"
    files = [file for file in testnet.cluster.paths.volumes.rglob("*") if file.is_file()]
    assert files
    assert [file for file in files if KEY_TEXT.encode() in file.read_bytes()] == []


def test_the_config_arrives_by_content_and_cannot_be_written(testnet: Testnet) -> None:
    assert json.loads(testnet.shell("plain-1", "mina", "cat /config/daemon.json")) == testnet.spec.genesis.config()
    assert "Read-only file system" in testnet.shell("plain-1", "mina", "echo > /config/daemon.json")


def test_the_genesis_is_mounted_read_only_inside_the_state_that_is_written(testnet: Testnet) -> None:
    said = testnet.shell("plain-1", "mina", f"echo > {CONFIG}/genesis/attempt; echo > {CONFIG}/attempt && echo written")
    assert "Read-only file system" in said
    assert "written" in said
    (testnet.volume("plain-1-runtime-state-e1") / "attempt").unlink()


def test_the_shared_ledger_is_filled_once_and_read_by_all(testnet: Testnet) -> None:
    shared = testnet.volume("genesis-ledger-e1")
    marker = json.loads((shared / ".mina-infra-genesis").read_text())
    assert marker["digest"].startswith("sha256:")
    daemons = sorted(testnet.frontiers())
    assert len(daemons) == len(testnet.pods()) - 1, "all but the worker"
    for node in daemons:
        seen = testnet.shell(node, "mina", f"cd {CONFIG}/genesis && stat -c %i genesis_ledger.json && cat proof/*")
        assert seen.split() == [str((shared / "genesis_ledger.json").stat().st_ino), "proof"], node


def test_the_archive_has_its_tables_in_its_own_volume(testnet: Testnet) -> None:
    database = testnet.volume("archive-1-postgres-state-e1") / "pgdata"
    assert (database / "schema.sql").read_text().startswith("create table blocks")
