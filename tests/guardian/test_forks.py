"""The common-ancestor algorithm against a brute force that sees the whole tree."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from mina_infra.daemon.replies import Block
from mina_infra.guardian.forks import BlockTree, Chain, Relation, Standing, reference_of


def block(name: str, parent: str, height: int, slot: int | None = None) -> Block:
    slot = height if slot is None else slot
    return Block(
        state_hash=name, parent_hash=parent, height=height, slot=slot, epoch=0, slot_in_epoch=slot, creator="B62",
        commands=0, snark_jobs=0, coinbase=0, date_ms=slot * 1000,
    )  # fmt: skip


def line(length: int, first_height: int = 1, branch: str = "m", parent: str = "m0") -> list[Block]:
    """`length` blocks named BRANCH+height, the first on `parent`."""
    blocks = []
    for height in range(first_height, first_height + length):
        blocks.append(block(f"{branch}{height}", parent, height))
        parent = f"{branch}{height}"
    return blocks


def relate(chain: Sequence[Block], reference: Sequence[Block], *, to_root: bool = True) -> Relation:
    mine, theirs = Chain(chain, to_root), Chain(reference, to_root)
    return BlockTree([mine, theirs]).relate(mine, theirs)


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Block]:
    """A random tree of up to 40 blocks over one genesis."""
    parents = draw(st.lists(st.integers(min_value=0), max_size=40))
    blocks = {"b0": block("b0", "none", 1)}
    for number, choice in enumerate(parents, start=1):
        parent = blocks[f"b{choice % number}"]
        blocks[f"b{number}"] = block(f"b{number}", parent.state_hash, parent.height + 1)
    return blocks


def whole_chain(blocks: dict[str, Block], tip: str) -> list[Block]:
    chain = []
    name = tip
    while name in blocks:
        chain.append(blocks[name])
        name = blocks[name].parent_hash
    return chain[::-1]


@given(blocks=trees(), data=st.data())
def test_whole_chains_give_the_brute_force_answer(blocks: dict[str, Block], data: st.DataObject) -> None:
    names = st.sampled_from(sorted(blocks))
    mine, theirs = (whole_chain(blocks, data.draw(names)) for _ in range(2))
    common = {each.state_hash for each in mine} & {each.state_hash for each in theirs}
    own, ahead = len(mine) - len(common), len(theirs) - len(common)
    relation = relate(mine, theirs)
    assert (relation.own, relation.reference) == (own, ahead)
    expected = {(False, False): "equal", (False, True): "behind", (True, False): "ahead", (True, True): "forked"}
    assert relation.standing == expected[bool(own), bool(ahead)]


@given(blocks=trees(), data=st.data())
def test_cut_chains_never_give_another_answer_than_whole_ones(blocks: dict[str, Block], data: st.DataObject) -> None:
    """Reading fewer blocks may leave the question open; it must not change the answer."""
    names = st.sampled_from(sorted(blocks))
    mine, theirs = (whole_chain(blocks, data.draw(names)) for _ in range(2))
    cut = st.integers(min_value=1, max_value=8)
    short_mine, short_theirs = mine[-data.draw(cut) :], theirs[-data.draw(cut) :]
    a = Chain(short_mine, to_root=len(short_mine) == len(mine))
    b = Chain(short_theirs, to_root=len(short_theirs) == len(theirs))
    relation = BlockTree([a, b]).relate(a, b)
    if relation.standing is not Standing.UNDECIDED:
        assert relation == relate(mine, theirs)


def test_a_sibling_is_a_fork_of_depth_one() -> None:
    shared = line(5)
    relation = relate([*shared, block("x", "m5", 6)], [*shared, block("y", "m5", 6)])
    assert (relation.standing, relation.own, relation.reference, relation.ancestor_height) == ("forked", 1, 1, 5)


def test_the_parent_of_the_oldest_block_counts_though_nobody_sent_it() -> None:
    relation = relate(line(3, 10, "x", "m9"), line(4, 10, "y", "m9"), to_root=False)
    assert (relation.standing, relation.own, relation.reference) == ("forked", 3, 4)


def test_blocks_of_other_nodes_bridge_a_gap() -> None:
    main = line(50)
    behind, reference, bridge = Chain(main[:10], False), Chain(main[-5:], False), Chain(main, True)
    assert BlockTree([behind, reference]).relate(behind, reference).standing is Standing.UNDECIDED
    relation = BlockTree([behind, reference, bridge]).relate(behind, reference)
    assert (relation.standing, relation.reference) == (Standing.BEHIND, 40)


def test_frontiers_that_do_not_meet_in_height_are_undecidable() -> None:
    assert relate(line(10, 1), line(10, 100, "m", "m99")).standing is Standing.BEHIND_BEYOND_FRONTIER


def test_overlapping_frontiers_without_a_common_block_are_split() -> None:
    assert relate(line(30, 1, "x", "x0"), line(35, 1, "y", "y0")).standing is Standing.SPLIT
    assert relate(line(30, 20, "x", "x19"), line(35, 22, "y", "y21")).standing is Standing.SPLIT


def test_overlap_without_a_common_block_is_undecided_while_older_blocks_can_be_read() -> None:
    assert relate(line(5, 20, "x", "x19"), line(5, 20, "y", "y19"), to_root=False).standing is Standing.UNDECIDED


def test_the_reference_is_the_highest_tip_then_the_most_common_never_the_first() -> None:
    main = line(6)
    chains = {
        "a-first": Chain(main[:4], True),
        "b-old": Chain(main[:4], True),
        "c-old": Chain(main[:4], True),
        "d-one": Chain([*main[:5], block("x6", "m5", 6)], True),
        "e-two": Chain(main, True),
        "f-two": Chain(main, True),
    }
    assert reference_of(chains) == "e-two"
    assert reference_of({}) is None
