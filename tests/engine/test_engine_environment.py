"""Where a run works: the private working folder of an embedded stack, the user's checkout for a real one."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
import yaml

from mina_infra.engine.environment import EngineEnvironment, ambient_environment, embedded_environment
from mina_infra.engine.process import MARK
from mina_infra.errors import EngineError
from mina_infra.spec import SpecError
from tests.engine.testnets import document


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    write(folder)
    return folder


def write(project: Path, **changes: object) -> None:
    target = {"provider": "gke", "region": "us-central1"}
    cluster = {"context": "gke", "kubeconfig": "~/kube/config"}
    config = {"mina-infra:testnet": document("qa", target=target, **changes), "mina-infra:cluster": cluster}
    (project / "Pulumi.qa.yaml").write_text(yaml.safe_dump({"config": config}))


def embedded(project: Path) -> EngineEnvironment:
    state = project.parent / "state"
    return embedded_environment(
        pulumi=Path("/bin/pulumi"), project=project, stack="qa", state=state, kubeconfig=state / "kubeconfig",
        context="kwok-local", offline=lambda: nullcontext(1),
    )  # fmt: skip


def test_an_embedded_stack_is_a_local_copy_and_the_checkout_stays_as_it_is(project: Path) -> None:
    before = {file: file.read_bytes() for file in project.iterdir()}
    env = embedded(project)
    assert {file: file.read_bytes() for file in project.iterdir()} == before
    config = yaml.safe_load(env.stack_file.read_text())["config"]
    assert config["mina-infra:testnet"]["target"]["provider"] == "local"
    assert config["mina-infra:cluster"]["context"] == "kwok-local"
    assert env.plan.spec.name == "qa"


def test_nobody_is_alerted_of_an_embedded_stack(project: Path) -> None:
    file = project / "Pulumi.qa.yaml"
    file.write_text(file.read_text() + "  mina-infra:monitoring: {budget: 1Ti}\n")
    assert "mina-infra:monitoring" not in yaml.safe_load(embedded(project).stack_file.read_text())["config"]


def test_the_salt_that_the_engine_wrote_is_kept(project: Path) -> None:
    file = embedded(project).stack_file
    file.write_text("encryptionsalt: v1:abc\n" + file.read_text())
    write(project, image="registry.example/mina-daemon:3.0.2")
    written = yaml.safe_load(embedded(project).stack_file.read_text())
    assert written["encryptionsalt"] == "v1:abc"
    assert written["config"]["mina-infra:testnet"]["image"].endswith("3.0.2")


def test_mistakes_are_shown_where_the_user_made_them(project: Path) -> None:
    write(project, colour="red")
    with pytest.raises(SpecError, match=r"Pulumi\.qa\.yaml:\d+:\d+"):
        embedded(project)


def test_an_embedded_stack_takes_nothing_from_the_users_pulumi(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "secret")
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://theirs")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    variables = embedded(project).process_environment(PULUMI_DEBUG_PROVIDERS="kubernetes:1")
    assert "PULUMI_ACCESS_TOKEN" not in variables
    assert variables["PULUMI_BACKEND_URL"].startswith("file://")
    assert variables["HTTPS_PROXY"] == "http://proxy"
    assert variables["PULUMI_DEBUG_PROVIDERS"] == "kubernetes:1"
    assert variables[MARK].startswith(str(embedded(project).lock))


def test_a_real_stack_is_the_users_own(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli = project.parent / "bin" / "pulumi"
    cli.parent.mkdir()
    cli.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(cli.parent))
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://theirs")
    env = ambient_environment(project=project, stack="qa")
    assert (env.pulumi, env.work_dir, env.offline, env.backend) == (cli, project, None, None)
    assert (env.context, env.kubeconfig) == ("gke", Path("~/kube/config").expanduser())
    assert env.process_environment()["PULUMI_BACKEND_URL"] == "s3://theirs"
    with pytest.raises(EngineError, match="known stacks: qa"):
        ambient_environment(project=project, stack="prod")


def test_a_real_stack_needs_the_cli(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(project))
    with pytest.raises(EngineError, match="Pulumi CLI"):
        ambient_environment(project=project, stack="qa")


def test_an_unknown_stack_names_the_known_ones(project: Path) -> None:
    (project / "Pulumi.qa.yaml").rename(project / "Pulumi.release.yaml")
    with pytest.raises(EngineError, match="known stacks: release"):
        embedded(project)
