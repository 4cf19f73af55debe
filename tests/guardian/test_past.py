"""What looks leave behind: bounded, joined by hash, and enough to judge a chain that keeps only its newest blocks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mina_infra.guardian.findings import State
from mina_infra.guardian.forks import Chain
from mina_infra.guardian.past import KEPT_BLOCKS, KEPT_SLOTS, Past, join
from tests.guardian.fake_cluster import world
from tests.guardian.surveys import survey_of
from tests.guardian.test_forks import block, line
from tests.guardian.test_production import CRITERIA

MAIN = line(400)


@given(end=st.integers(1, 200), grown=st.integers(0, 60), length=st.integers(1, 80))
def test_joined_chains_are_the_chain_itself(end: int, grown: int, length: int) -> None:
    old, new = Chain(MAIN[max(0, end - 50) : end], True), Chain(MAIN[max(0, end + grown - length) : end + grown], False)
    joined = join(old, new)
    tops = list(MAIN[: end + grown])
    assert list(joined.blocks) == tops[-len(joined.blocks) :]
    if length >= grown:
        assert len(joined.blocks) >= min(50, end)


def test_blocks_that_were_given_up_are_forgotten() -> None:
    old = Chain([*MAIN[:10], block("x11", "m10", 11), block("x12", "x11", 12)], True)
    new = Chain(MAIN[8:14], False)
    assert [each.state_hash for each in join(old, new).blocks] == [f"m{height}" for height in range(1, 15)]


def test_after_a_gap_the_new_chain_stands_alone_and_no_chain_grows_for_ever() -> None:
    assert join(Chain(MAIN[:10], True), Chain(MAIN[20:30], False)).blocks == MAIN[20:30]
    chain = Chain(MAIN[:10], True)
    for end in range(11, 401):
        chain = join(chain, Chain(MAIN[end - 5 : end], False))
    assert len(chain.blocks) == KEPT_BLOCKS


def test_looks_are_kept_one_a_slot_and_for_some_slots_only() -> None:
    past = Past()
    for tenth in range(300):
        seen = survey_of({"a": MAIN[:100]}, now_slot=tenth // 10)
        past = past.with_look(seen, None, frozenset({f"late-{tenth // 10}"}), CRITERIA)
    assert len(past.looks) == KEPT_SLOTS + 1
    assert past.looks[-1].late == {"late-29"}
    assert past.before(25_000) is past.looks[-5]
    assert past.before(0) is None


def test_a_chain_that_keeps_five_blocks_is_judged_from_what_was_read_before() -> None:
    """With k = 4 one look sees five slots or so: production could never tell."""
    here = world(k=4, slots=30)
    verdict = here.verify(deadline_slots=30)
    assert verdict.finding("production").state is State.PASS
    assert verdict.healthy
