"""Image, build and flags of every node against what was deployed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mina_infra.cluster.objects import Container, Pod, Program, pod_of
from mina_infra.guardian.checks import versions
from mina_infra.guardian.checks.versions import commit_of, judge
from mina_infra.guardian.findings import State
from mina_infra.outputs import ChainOutput, NodeOutput, OutputsDocument
from tests.guardian.fake_cluster import world

IMAGE = "registry.example/mina-daemon:3.0.1"
FLAGS = {"log-snark-work-gossip": "true", "limited-graphql-port": "3095"}
WORDS = ("mina", "daemon", "-log-json", "-log-snark-work-gossip", "true", "-limited-graphql-port", "3095")
BUILD = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"


def outputs(**changes: Any) -> OutputsDocument:
    ports = {"graphql": 3085}
    nodes = [NodeOutput(name=name, role="plain", group="g", ports=ports) for name in ("a", "b", "c")]
    nodes.append(NodeOutput(name="worker", role="snark-worker", group="w"))
    made = OutputsDocument(
        testnet="t", era=1, namespace="t", seeds=[], claims=[], nodes=nodes, chain=ChainOutput(slot_ms=1000, k=290),
        images={"daemon": IMAGE, "bots": "registry.example/bots:1"}, daemon_flags=FLAGS,
    )  # fmt: skip
    return made.model_copy(update=changes)


def pod(node: str, image: str = IMAGE, words: tuple[str, ...] = WORDS, **more: Program) -> Pod:
    container = Container("mina", True, 0, None, None, None)
    return Pod(
        f"{node}-0", f"uid-{node}", node, "Running", True, False, datetime(2026, 1, 1, tzinfo=UTC), (container,), None,
        {"app": node}, {}, programs={"mina": Program(image, words), **more},
    )  # fmt: skip


PODS = [pod("a"), pod("b"), pod("c"), pod("worker", words=("mina", "internal", "snark-worker"))]
COMMITS = dict.fromkeys("abc", BUILD)


def test_a_testnet_as_deployed_passes() -> None:
    finding = judge(outputs(), PODS, COMMITS)
    assert (finding.state, finding.problems, finding.summary) == (State.PASS, (), "3 daemons of build 0a1b2c3")


def test_another_image_is_named() -> None:
    finding = judge(outputs(), [pod("a", "registry.example/mina-daemon:3.0.0"), *PODS[1:]], COMMITS)
    assert (finding.state, finding.problems, finding.nodes) == (State.FAIL, ("other-image",), ["a"])
    assert finding.settling  # a rollout may be under way


def test_the_daemon_must_run_the_daemons_image_and_sidecars_any_of_the_plan() -> None:
    bots, stranger = Program("registry.example/bots:1"), Program("registry.example/sidecar:1")
    assert judge(outputs(), [pod("a", bots=bots), *PODS[1:]], COMMITS).state is State.PASS
    assert judge(outputs(), [pod("a", "registry.example/bots:1"), *PODS[1:]], COMMITS).problems == ("other-image",)
    assert judge(outputs(), [pod("a", stranger=stranger), *PODS[1:]], COMMITS).nodes == ["a"]


@pytest.mark.parametrize(
    "words", [WORDS[:3], (*WORDS[:4], "false", *WORDS[5:]), (*WORDS[:-1], "3096"), WORDS[:3] + WORDS[5:]]
)
def test_a_missing_flag_is_named(words: tuple[str, ...]) -> None:
    finding = judge(outputs(), [pod("a", words=words), *PODS[1:]], COMMITS)
    assert (finding.problems, finding.nodes) == (("missing-flag",), ["a"])


def test_a_build_that_differs_is_a_tag_that_was_moved() -> None:
    finding = judge(outputs(), PODS, {**COMMITS, "c": "f" * 40})
    assert (finding.state, finding.problems, finding.nodes) == (State.PASS, ("other-commit",), ["c"])
    assert finding.warnings == ("build 0a1b2c3d4e5f is that of the tag or of most; another is on c",)
    assert "digest" in finding.action
    assert not finding.settling


def test_all_of_another_build_than_the_tag_says() -> None:
    tagged = "registry.example/mina-daemon:3.0.1-compatible-0a1b2c3-bullseye-devnet"
    pods = [pod(each.node, tagged) for each in PODS]
    assert judge(outputs(images={"daemon": tagged}), pods, COMMITS).problems == ()
    assert judge(outputs(images={"daemon": tagged}), pods, dict.fromkeys("abc", "f" * 40)).nodes == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("image", "commit"),
    [
        (IMAGE, None),
        (f"{IMAGE}@sha256:{'a' * 64}", None),
        ("gcr.io/o1labs-192920/mina-daemon:2.0.0rampup3-bfd1009-bullseye-berkeley", "bfd1009"),
        ("registry.example:5000/mina-daemon:3.0.1-20240605-devnet", None),
        (f"registry.example/mina-daemon:{BUILD}", BUILD),
        ("registry.example/mina-daemon:1234567", None),
        ("registry.example/deadbee/mina", None),
    ],
)
def test_the_commit_that_a_tag_tells(image: str, commit: str | None) -> None:
    assert commit_of(image) == commit


def test_nobody_answers_is_not_all_equal() -> None:
    finding = judge(outputs(), PODS, {})
    assert (finding.state, finding.settling) == (State.UNKNOWN, True)


def test_pods_that_go_and_paused_nodes_are_not_compared() -> None:
    going = replace(pod("a", "registry.example/mina-daemon:2.0.0"), deleting=True)
    assert judge(outputs(), [going, *PODS[1:]], COMMITS).state is State.PASS
    paused = outputs(nodes=[each.model_copy(update={"paused": each.name == "a"}) for each in outputs().nodes])
    assert judge(paused, [pod("a", "other"), *PODS[1:]], COMMITS).state is State.PASS


def test_image_and_words_are_read_from_the_pod() -> None:
    manifest = {
        "metadata": {"name": "a-0", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"containers": [{"name": "mina", "image": IMAGE, "command": ["mina"], "args": ["daemon", "-seed"]}]},
    }
    assert pod_of(manifest).programs == {"mina": Program(IMAGE, ("mina", "daemon", "-seed"))}


def test_a_simulated_network_is_of_one_build() -> None:
    assert world().verify().finding(versions.CHECK.name).state is State.PASS
