"""What a start does about what it finds: every state of a killed, moved or rebooted cluster, without one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.local.control_plane import Seen, Step, decide, escalate
from mina_infra.local.kwokctl import COMPONENTS

ALL = frozenset(COMPONENTS)
HEALTHY = Seen(folder=True, complete=True, configured=True, data=True, programs=True, alive=ALL, ready=True)
ABSENT = Seen(folder=False, complete=False, configured=False, data=False, programs=False)


@pytest.mark.parametrize(
    ("seen", "step", "said"),
    [
        (ABSENT, Step.CREATE, ""),
        (HEALTHY, Step.KEEP, ""),
        (replace(HEALTHY, alive=ALL - {"etcd"}, ready=False), Step.START, "etcd not running"),
        (replace(HEALTHY, alive=frozenset(), ready=False), Step.START, "nothing of it running"),
        (replace(HEALTHY, complete=False), Step.RECREATE, "stopped before it was done"),
        (replace(HEALTHY, data=False), Step.RECREATE, "stopped before it was done"),
        (replace(HEALTHY, configured=False), Step.REBUILD, "not written to its end"),
        (replace(HEALTHY, alive=frozenset(), taken=(23456,)), Step.REBUILD, "port 23456 now belongs to another"),
        (replace(HEALTHY, alive=frozenset(), programs=False), Step.REBUILD, "programs it ran are gone"),
        (replace(HEALTHY, ready=False), Step.REBUILD, "does not answer"),
    ],
)
def test_every_state_has_its_step_and_its_reason(seen, step, said):
    found, why = decide(seen)
    assert found is step
    assert said in why


seen_states = st.builds(
    Seen,
    folder=st.booleans(), complete=st.booleans(), configured=st.booleans(), data=st.booleans(),
    programs=st.booleans(), alive=st.frozensets(st.sampled_from(COMPONENTS)), ready=st.booleans(),
    taken=st.sampled_from([(), (20001,)]),
)  # fmt: skip


@given(seen_states)
def test_data_of_a_finished_start_is_never_given_up_at_once(seen):
    step, why = decide(seen)
    if seen.folder and seen.complete and seen.data:
        assert step in (Step.KEEP, Step.START, Step.REBUILD)
    assert why or step in (Step.KEEP, Step.CREATE)


@given(seen_states)
def test_only_a_cluster_that_answers_with_all_its_parts_is_left_as_it_is(seen):
    if decide(seen)[0] is Step.KEEP:
        assert seen.ready
        assert seen.alive == ALL


@pytest.mark.parametrize("data_unreadable", [False, True])
def test_trying_harder_comes_to_an_end(data_unreadable):
    for step in Step:
        tried = [step]
        while harder := escalate(tried[-1], data_unreadable=data_unreadable):
            tried.append(harder)
        assert len(tried) <= 3


def test_readable_data_survives_every_failure():
    assert escalate(Step.START, data_unreadable=False) is Step.REBUILD
    assert escalate(Step.REBUILD, data_unreadable=False) is None


def test_unreadable_data_is_given_up_last():
    assert escalate(Step.START, data_unreadable=True) is Step.REBUILD
    assert escalate(Step.REBUILD, data_unreadable=True) is Step.RECREATE
