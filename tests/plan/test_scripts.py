"""The shell steps of a pod, run for real: the start guard, the filling of the genesis ledger, the copying of keys."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mina_infra.plan import Manifest
from mina_infra.plan.guard import ANOTHER_GENESIS, IDENTITY, MARKER, OWNER
from tests.plan.testnets import nodes, of_kind, plan, plans, zoo


def run(container: Manifest, replaced: dict[str, Path], **environment: str) -> subprocess.CompletedProcess[str]:
    """A container's command with its paths moved into a test's folder."""
    env = {each["name"]: each.get("value", "") for each in container.get("env", ())}
    command = list(container["command"])
    for path, here in replaced.items():
        command = [part.replace(path, str(here)) for part in command]
        env = {name: value.replace(path, str(here)) for name, value in env.items()}
    shell = shutil.which("sh") or "sh"
    return subprocess.run(
        [shell, *command[1:]], env={"PATH": "/usr/bin:/bin", **env, **environment}, capture_output=True, text=True
    )


def guard(document: dict[str, Any] | None = None) -> Manifest:
    return next(nodes(plan(document or zoo()))).container("start-guard")


def fill(document: dict[str, Any] | None = None) -> Manifest:
    (job,) = of_kind(plan(document or zoo()), "Job")
    container: Manifest = job.manifest["spec"]["template"]["spec"]["containers"][0]
    return container


def wanted(container: Manifest) -> dict[str, Any]:
    env = {each["name"]: each["value"] for each in container["env"]}
    return {"digest": env["GENESIS_DIGEST"], "era": int(env["ERA"])}


class TestStartGuard:
    def look(self, volume: Path, document: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
        return run(guard(document), {"/root/.mina-config": volume})

    def test_an_empty_volume_is_marked(self, tmp_path: Path) -> None:
        (tmp_path / "lost+found").mkdir()
        assert self.look(tmp_path).returncode == 0
        assert json.loads((tmp_path / MARKER).read_text()) == wanted(guard())

    def test_the_same_genesis_passes_again_and_nothing_is_touched_but_a_stale_lock(self, tmp_path: Path) -> None:
        self.look(tmp_path)
        (tmp_path / "frontier").write_text("chain")
        (tmp_path / ".mina-lock").write_text("1")
        assert self.look(tmp_path).returncode == 0
        assert (tmp_path / "frontier").read_text() == "chain"
        assert not (tmp_path / ".mina-lock").exists()

    def test_rule_26_another_genesis_stops_the_node_with_both_digests(self, tmp_path: Path) -> None:
        self.look(tmp_path)
        (tmp_path / "frontier").write_text("chain")
        config = json.loads(zoo()["genesis"]["runtimeConfig"]) | {"ledger": {"name": "another"}}
        other = zoo(genesis={**zoo()["genesis"], "runtimeConfig": json.dumps(config)})
        result = self.look(tmp_path, other)
        assert result.returncode == ANOTHER_GENESIS
        assert wanted(guard())["digest"] in result.stderr
        assert wanted(guard(other))["digest"] in result.stderr
        assert (tmp_path / "frontier").read_text() == "chain"
        assert json.loads((tmp_path / MARKER).read_text()) == wanted(guard())

    def test_a_newer_era_stops_the_node(self, tmp_path: Path) -> None:
        self.look(tmp_path)
        result = self.look(tmp_path, zoo(era=2))
        assert result.returncode == ANOTHER_GENESIS
        assert '"era": 1' in result.stderr
        assert '"era": 2' in result.stderr

    def test_a_chain_without_a_marker_is_not_ours_to_start_on(self, tmp_path: Path) -> None:
        (tmp_path / "frontier").write_text("chain")
        result = self.look(tmp_path)
        assert result.returncode == ANOTHER_GENESIS
        assert not (tmp_path / MARKER).exists()
        assert "does not say which genesis" in result.stderr

    def test_stopped_before_the_marker_was_in_place_it_starts_over(self, tmp_path: Path) -> None:
        (tmp_path / f"{MARKER}.new").write_text("half")
        assert self.look(tmp_path).returncode == 0
        assert json.loads((tmp_path / MARKER).read_text()) == wanted(guard())


class TestOwner:
    """A volume never carries another node's keys or peer id, and always its chain."""

    def look(self, volume: Path, node: str = "whale-1", testnet: str = "zoo") -> subprocess.CompletedProcess[str]:
        container = next(each for each in nodes(plan(zoo(name=testnet))) if each.name == node).container("start-guard")
        return run(container, {"/root/.mina-config": volume})

    def fill(self, volume: Path) -> None:
        """What a daemon leaves: a chain, and who it is."""
        for folder in (*IDENTITY, "frontier", "root/snarked_ledger"):
            (volume / folder / "deep").mkdir(parents=True)
            (volume / folder / "deep" / "file").write_text(folder)

    def left(self, volume: Path) -> set[str]:
        return {each.name for each in volume.iterdir()} - {MARKER, OWNER}

    def test_a_volume_is_its_first_nodes_and_stays_so(self, tmp_path: Path) -> None:
        self.look(tmp_path)
        assert json.loads((tmp_path / OWNER).read_text()) == {"testnet": "zoo", "node": "whale-1"}
        self.fill(tmp_path)
        done = self.look(tmp_path)
        assert (done.returncode, done.stdout) == (0, "")
        assert self.left(tmp_path) == {*IDENTITY, "frontier", "root"}

    @pytest.mark.parametrize("other", [("whale-2", "zoo"), ("whale-1", "copy")])
    def test_another_owner_keeps_the_chain_and_loses_the_identity(self, tmp_path: Path, other: tuple[str, str]) -> None:
        self.look(tmp_path)
        self.fill(tmp_path)
        done = self.look(tmp_path, *other)
        assert done.returncode == 0
        assert self.left(tmp_path) == {"frontier", "root"}
        assert (tmp_path / "frontier" / "deep" / "file").read_text() == "frontier"
        assert json.loads((tmp_path / OWNER).read_text()) == {"testnet": other[1], "node": other[0]}
        assert '"whale-1"' in done.stdout
        assert "the chain stays" in done.stdout
        assert self.look(tmp_path, *other).stdout == "", "once is enough"

    def test_stopped_before_the_new_owner_was_written_it_removes_again(self, tmp_path: Path) -> None:
        self.look(tmp_path)
        self.fill(tmp_path)
        (tmp_path / f"{OWNER}.new").write_text("half")
        shutil.rmtree(tmp_path / IDENTITY[0])
        assert self.look(tmp_path, "whale-2").returncode == 0
        assert self.left(tmp_path) == {"frontier", "root"}

    def test_nothing_is_touched_on_a_volume_of_another_genesis(self, tmp_path: Path) -> None:
        self.look(tmp_path)
        self.fill(tmp_path)
        (tmp_path / MARKER).write_text('{"digest": "sha256:other", "era": 1}\n')
        assert self.look(tmp_path, "whale-2").returncode == ANOTHER_GENESIS
        assert self.left(tmp_path) == {*IDENTITY, "frontier", "root"}


class TestGenesisJob:
    def look(
        self, folder: Path, document: dict[str, Any] | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        source, volume = folder / "source", folder / "claim"
        source.mkdir(exist_ok=True)
        volume.mkdir(exist_ok=True)
        if not any(source.iterdir()):
            (source / "genesis_ledger.json").write_text("{}")
            (source / "proof").mkdir()
            (source / "proof" / "genesis_proof").write_text("proof")
        return run(fill(document), {"/genesis": source, "/volume": volume}, **environment)

    def test_it_fills_the_claim_and_leaves_a_marker(self, tmp_path: Path) -> None:
        assert self.look(tmp_path).returncode == 0
        assert (tmp_path / "claim" / "proof" / "genesis_proof").read_text() == "proof"
        assert json.loads((tmp_path / "claim" / MARKER).read_text()) == wanted(fill())

    def test_rule_26_run_again_it_changes_nothing(self, tmp_path: Path) -> None:
        self.look(tmp_path)
        (tmp_path / "source" / "genesis_ledger.json").write_text("changed")
        result = self.look(tmp_path)
        assert result.returncode == 0
        assert "already there" in result.stdout
        assert (tmp_path / "claim" / "genesis_ledger.json").read_text() == "{}"

    def test_an_interrupted_copy_is_copied_again(self, tmp_path: Path) -> None:
        (tmp_path / "claim").mkdir()
        (tmp_path / "claim" / "genesis_ledger.json").write_text("ha")
        assert self.look(tmp_path).returncode == 0
        assert (tmp_path / "claim" / "genesis_ledger.json").read_text() == "{}"

    def test_rule_26_the_artefact_of_another_genesis_stays_and_both_are_named(self, tmp_path: Path) -> None:
        self.look(tmp_path)
        result = self.look(tmp_path, zoo(era=2))
        assert result.returncode == ANOTHER_GENESIS
        assert '"era": 1' in result.stderr
        assert '"era": 2' in result.stderr

    def test_the_digest_of_the_files_is_checked(self, tmp_path: Path) -> None:
        right = self.look(tmp_path).stdout.split("files ")[1].split(",")[0]
        shutil.rmtree(tmp_path / "claim")
        result = self.look(tmp_path, LEDGER_DIGEST=f"sha256:{'0' * 64}")
        assert result.returncode == ANOTHER_GENESIS
        assert right in result.stderr
        assert not (tmp_path / "claim" / MARKER).exists(), "nobody may take it for filled"
        assert self.look(tmp_path, LEDGER_DIGEST=right).returncode == 0

    def test_a_wrong_digest_fails_the_job_at_once(self) -> None:
        (job,) = of_kind(plans()["zoo"], "Job")
        fail, ignore = job.manifest["spec"]["podFailurePolicy"]["rules"]
        assert fail["onExitCodes"]["values"] == [ANOTHER_GENESIS]
        assert fail["onExitCodes"]["containerName"] == fill()["name"]
        assert ignore["action"] == "Ignore"
        assert "ttlSecondsAfterFinished" not in job.manifest["spec"]
        assert job.manifest["spec"]["template"]["spec"]["restartPolicy"] == "Never"

    def test_another_image_is_another_job(self) -> None:
        other = zoo(genesis={**zoo()["genesis"], "ledger": {"image": f"ledger@sha256:{'1' * 64}"}})
        names = {of_kind(each, "Job")[0].manifest["metadata"]["name"] for each in (plan(zoo()), plan(other))}
        assert len(names) == 2


@pytest.mark.parametrize(("step", "directory", "public"), [
    ("libp2p-key", "/root/libp2p-keys", "key.peerid"),
    ("wallet-key", "/root/wallet-keys", "key.pub"),
])  # fmt: skip
def test_keys_arrive_with_the_permissions_that_the_daemon_demands(
    tmp_path: Path, step: str, directory: str, public: str
) -> None:
    whale = next(node for node in nodes(plans()["zoo"]) if node.name == "whale-1")
    container = whale.container(step)
    source, target = tmp_path / "secret", tmp_path / "keys"
    source.mkdir()
    target.mkdir(mode=0o777)
    for name in ("key", "pub"):
        (source / name).write_text(name)
        (source / name).chmod(0o444)
    mounted = next(each["mountPath"] for each in container["volumeMounts"] if each["mountPath"].startswith("/secrets/"))
    for _ in range(2):  # a pod's init steps may run again
        assert run(container, {mounted: source, directory: target}).returncode == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in target.iterdir()} == {"key": 0o600, public: 0o600}


def source(**ledger: str) -> dict[str, Any]:
    """The document with another source of the genesis artefacts."""
    document = zoo()
    document["genesis"]["ledger"] = ledger
    return document


class TestCopyIntoTheNodesOwnVolume:
    image = f"ledger@sha256:{'0' * 64}"

    def copy(self, artefacts: Path, volume: Path) -> subprocess.CompletedProcess[str]:
        step = next(nodes(plan(source(source="init-copy", image=self.image)))).container("genesis-copy")
        step["command"] = [part.replace("/genesis/.", f"{artefacts}/.") for part in step["command"]]
        return run(step, {"/root/.mina-config": volume})

    def test_once_beside_what_the_node_has(self, tmp_path: Path) -> None:
        artefacts, volume = tmp_path / "image", tmp_path / "volume"
        artefacts.mkdir()
        volume.mkdir()
        (volume / MARKER).write_text("the start guard's")
        (artefacts / "genesis_ledger.json").write_text("{}")
        assert self.copy(artefacts, volume).returncode == 0
        assert (volume / "genesis" / "genesis_ledger.json").read_text() == "{}"
        (volume / "genesis" / "genesis_proof").write_text("made by the daemon")
        assert "already there" in self.copy(artefacts, volume).stdout

    def test_not_over_another_genesis(self, tmp_path: Path) -> None:
        (tmp_path / "genesis").mkdir()
        (tmp_path / "genesis" / MARKER).write_text("another")
        assert self.copy(tmp_path, tmp_path).returncode == ANOTHER_GENESIS


class TestCheckOfWhatSomebodyElseFilled:
    def look(self, files: Path, digest: str) -> subprocess.CompletedProcess[str]:
        document = source(source="existing-claim", claim="ledger", digest=digest)
        step = next(nodes(plan(document))).container("genesis-check")
        return run(step, {"/root/.mina-config/genesis": files})

    def test_the_digest_of_the_handbook_passes(self, tmp_path: Path) -> None:
        (tmp_path / "genesis_ledger.json").write_text("{}")
        (tmp_path / MARKER).write_text("of whoever filled it: no part of the artefacts")
        (tmp_path / MARKER).rename(tmp_path.parent / "aside")
        command = "find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"
        printed = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True).stdout
        (tmp_path.parent / "aside").rename(tmp_path / MARKER)
        assert self.look(tmp_path, f"sha256:{printed.split()[0]}").returncode == 0

    def test_artefacts_of_another_era_stop_the_node_with_both_digests(self, tmp_path: Path) -> None:
        (tmp_path / "genesis_ledger.json").write_text("{}")
        wanted = f"sha256:{'d' * 64}"
        done = self.look(tmp_path, wanted)
        assert done.returncode == ANOTHER_GENESIS
        assert wanted in done.stderr
        assert "the files have digest sha256:" in done.stderr
