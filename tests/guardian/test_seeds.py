"""Seeds as published: two that let newcomers in, under the address and the identity that they have."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from mina_infra.daemon.replies import DaemonStatus, Peer, SyncStatus
from mina_infra.guardian.checks.seeds import judge
from mina_infra.guardian.criteria import criteria_of
from mina_infra.guardian.findings import Finding, State
from mina_infra.guardian.verdict import Health
from mina_infra.outputs import SeedOutput
from mina_infra.simulator.node import NodeSpec
from tests.guardian.fake_cluster import outputs_of, world
from tests.guardian.surveys import status, survey_of
from tests.guardian.test_forks import line

CRITERIA = criteria_of(world(slots=0).outputs)
NAMES = ("seed-1", "seed-2", "a", "b", "c", "d")
CHAIN = line(20)


def published(name: str, host: str = "203.0.113.7", port: int = 10001) -> SeedOutput:
    address = f"/ip4/{host}/tcp/{port}/p2p/id-{name}"
    return SeedOutput(name=name, host=host, port=port, peer_id=f"id-{name}", multiaddress=address)


SEEDS = (published("seed-1"), published("seed-2"))


def says(
    name: str,
    *,
    peers: Sequence[str] = ("id-seed-1", "id-seed-2"),
    identity: str | None = None,
    port: int = 10001,
    address: str = "203.0.113.7",
    sync: SyncStatus = SyncStatus.SYNCED,
    uptime_slots: int = 10_000,
) -> DaemonStatus:
    base = status(20, sync, uptime_slots)
    own = Peer(host=address, libp2p_port=port, peer_id=identity or f"id-{name}") if identity != "" else None
    return msgspec.structs.replace(
        base,
        peers=tuple(Peer(host="h", libp2p_port=1, peer_id=each) for each in peers),
        addrs_and_ports=msgspec.structs.replace(base.addrs_and_ports, external_ip=address, libp2p_port=port, peer=own),
    )


def found(
    *different: tuple[str, DaemonStatus], seeds: Sequence[SeedOutput] = SEEDS, silent: Sequence[str] = ()
) -> Finding:
    statuses = {name: says(name) for name in NAMES} | dict(different)
    chains = {name: [] if "BOOT" in statuses[name].sync_status else CHAIN for name in NAMES if name not in silent}
    return judge(survey_of(chains, 20, statuses=statuses, silent=silent), seeds, CRITERIA)


def test_two_seeds_as_published_pass() -> None:
    assert (found().state, found().problems) == (State.PASS, ())


def test_a_testnet_without_seeds_is_not_asked() -> None:
    assert not found(seeds=()).asked


def test_one_seed_alone_passes_with_a_warning() -> None:
    finding = found(seeds=SEEDS[:1])
    assert (finding.state, finding.problems) == (State.PASS, ("too-few-seeds",))
    assert "one seed alone" in finding.warnings[0]


def test_one_of_two_that_bootstraps_for_ever_is_too_few() -> None:
    finding = found(("seed-1", says("seed-1", sync=SyncStatus.BOOTSTRAP)))
    assert (finding.state, finding.problems) == (State.FAIL, ("too-few-seeds", "seed-down"))
    assert finding.nodes == ["seed-1"]


def test_one_that_has_just_begun_leaves_the_question_open() -> None:
    finding = found(("seed-1", says("seed-1", sync=SyncStatus.BOOTSTRAP, uptime_slots=2)))
    assert (finding.state, finding.settling) == (State.UNKNOWN, True)


def test_one_of_three_down_is_a_warning() -> None:
    third = published("a")
    finding = found(("a", says("a", sync=SyncStatus.BOOTSTRAP)), seeds=(*SEEDS, third))
    assert (finding.state, finding.problems) == (State.PASS, ("seed-down",))
    assert finding.warnings[0].startswith("a: not at the tip")


def test_a_silent_seed_may_be_the_roads_fault() -> None:
    finding = found(silent=["seed-2"])
    assert (finding.state, finding.silent, finding.problems) == (
        State.UNKNOWN,
        ("seed-2",),
        (),
    )


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (says("seed-1", identity="id-other", peers=()), "its peer id is id-other"),
        (says("seed-1", port=8302), "it listens on port 8302"),
        (says("seed-1", address="10.0.0.4"), "its address is 10.0.0.4"),
    ],
)
def test_a_seed_that_is_not_as_published_fails_at_once_however_many_others_there_are(
    said: DaemonStatus, words: str
) -> None:
    finding = found(("seed-1", said), seeds=(*SEEDS, *(published(name) for name in "abcd")))
    assert (finding.state, finding.problems[0], finding.settling) == (State.FAIL, "seed-address", False)
    assert words in str(finding.evidence[0]["found"])


def test_a_name_may_lead_to_any_address() -> None:
    named = [published("seed-1", host="seed-1.example.org"), SEEDS[1]]
    assert found(("seed-1", says("seed-1", address="10.0.0.4")), seeds=named).state is State.PASS


def test_a_seed_without_a_peer_id_is_down() -> None:
    assert found(("seed-1", says("seed-1", identity=""))).problems == ("too-few-seeds", "seed-down")


def test_a_seed_that_is_nobodys_peer_cannot_be_dialled() -> None:
    lonely = [(name, says(name, peers=("id-seed-1",))) for name in NAMES]
    finding = found(*lonely)
    assert (finding.state, finding.problems) == (State.FAIL, ("too-few-seeds", "seed-unreachable"))
    assert finding.nodes == ["seed-2"]


def test_too_few_witnesses_prove_nothing() -> None:
    assert found(*((name, says(name, peers=())) for name in NAMES)).state is State.PASS


# --- on a simulated network -------------------------------------------------------------------------------------------


def test_seeds_of_a_healthy_network_pass_and_both_dead_fail() -> None:
    here = world(nodes=[NodeSpec("seed-1", seed=True), NodeSpec("seed-2", seed=True), NodeSpec("whale-1", stake=1)])
    assert here.verify().finding("seeds").state is State.PASS
    for name in ("seed-1", "seed-2"):
        here.network.crash(name)
    finding = here.verify().finding("seeds")
    assert (finding.state, finding.nodes) == (State.FAIL, ["seed-1", "seed-2"])
    assert finding.figures["usable"] == 0


def test_a_published_identity_that_is_not_the_seeds_own_is_found() -> None:
    """The libp2p key of another seed was mounted."""
    here = world()
    seeds = here.outputs.seeds
    swapped = [seeds[0].model_copy(update={"peer_id": seeds[1].peer_id}), seeds[1]]
    here.outputs = outputs_of(here.network, seeds=swapped)
    verdict = here.verify()
    assert verdict.health is Health.UNSTABLE
    assert verdict.finding("seeds").problems[0] == "seed-address"


def test_a_paused_seed_is_not_missed() -> None:
    here = world()
    here.cluster.paused = {"seed-1"}
    nodes = [node.model_copy(update={"paused": node.name == "seed-1"}) for node in here.outputs.nodes]
    here.outputs = here.outputs.model_copy(update={"nodes": nodes})
    assert here.verify().finding("seeds").figures["seeds"] == 1
