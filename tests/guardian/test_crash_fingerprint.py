"""One bug is one fingerprint, two bugs are two."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.guardian.crashes.fingerprint import FRAMES, mask, signature
from mina_infra.guardian.crashes.records import words_of
from tests.guardian.crash_logs import (
    BANNER,
    GO_PANIC,
    HASH_A,
    HASH_B,
    KEY,
    PEER_A,
    PEER_B,
    SIGTERM_NOISE,
    as_string,
    dead,
    line,
    missing_ancestor,
    unhandled,
)

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
WORDS = ["line 7, characters 1-2", PEER_A, HASH_A, KEY, "10.1.2.3:8302", "0xc000", "deadbeef1", "/a/b", "src/x.ml", "9"]
NOISY = st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=6))).map("".join)


def fingerprint(log: bytes | str) -> str:
    found = words_of(log.encode() if isinstance(log, str) else log).signature
    assert found is not None
    return found.fingerprint


@given(st.one_of(st.text(), NOISY))
def test_masking_twice_changes_nothing(text: str) -> None:
    assert mask(mask(text)) == mask(text)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('file "a.ml", line 12, characters 3-40', 'file "a.ml", line _, characters _'),
        (f"from {PEER_A}", "from <peer>"),
        (f"block {HASH_A}", "block <hash>"),
        (f"key {KEY}", "key <key>"),
        ("at 10.0.3.7:8302", "at <ip>"),
        ("at 0xc0003a and commit 0314482bda", "at <hex> and commit <hex>"),
        ("no /root/.mina-config/frontier here", "no <path> here"),
        ("src/lib/a/b.ml", "src/lib/a/b.ml"),
        ("rpc 17 of 3", "rpc N of N"),
    ],
)
def test_what_is_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@given(
    st.text(BASE58, min_size=20, max_size=44),
    st.text(BASE58, min_size=48, max_size=50),
    st.integers(0, 250),
    st.booleans(),
)
def test_one_bug_of_two_nodes_is_one_fingerprint(peer: str, block: str, number: int, old_form: bool) -> None:
    other = missing_ancestor(f"3N{block}", f"12D3Koo{peer}", number, commit="another")
    one = dead(missing_ancestor(HASH_A, PEER_A, 1))
    assert fingerprint(dead(as_string(other) if old_form else other)) == fingerprint(one)


@given(
    st.lists(st.text("abcdefghijklmnopqrstuvwxyz ", min_size=3, max_size=30).map(str.strip), unique=True, min_size=2)
)
def test_different_exceptions_have_different_fingerprints(messages: list[str]) -> None:
    plain = {" ".join(message.split()) for message in messages}
    found = {fingerprint(dead({"sexp": ["monitor.ml.Error", ["Failure", message]]})) for message in plain}
    assert len(found) == len(plain)


def test_the_place_of_a_crash_counts_as_far_as_six_frames() -> None:
    def at(*places: str) -> str:
        return signature(
            "Failure x\n" + "\n".join(f'Called from file "{each}", line 1, characters 1-2' for each in places)
        ).fingerprint

    six = [f"src/{letter}.ml" for letter in "abcdef"]
    assert at(*six) != at("src/z.ml", *six[1:])
    assert at(*six, "src/g.ml") == at(*six, "src/h.ml")
    assert FRAMES == 6


def test_frames_are_told_apart_from_the_message() -> None:
    found = words_of(dead(missing_ancestor(HASH_B, PEER_B, 2))).signature
    assert found is not None
    assert "no ancestor of <hash> from <peer> at <ip>, rpc N" in found.title
    assert len(found.frames) == 3
    assert found.frames[2].endswith("full_frontier.ml , line _, characters _") or "full_frontier.ml" in found.frames[2]


def test_the_commit_of_the_exception_is_kept() -> None:
    assert words_of(dead(missing_ancestor(HASH_A, PEER_A, 1))).commit == "0123abc"


def test_the_noise_of_a_shutdown_is_no_crash() -> None:
    words = words_of((SIGTERM_NOISE + BANNER).encode())
    assert (words.signature, words.terminated) == (None, True)


def test_a_helper_that_dies_of_itself_is_one() -> None:
    alone = unhandled({"sexp": ["Mina_net2__Libp2p_helper.Libp2p_helper_died_unexpectedly"]})
    words = words_of(alone.encode())
    assert words.signature is not None
    assert not words.terminated


def test_a_crash_before_the_shutdown_is_not_lost_in_its_noise() -> None:
    log = dead(missing_ancestor(HASH_A, PEER_A, 1)) + SIGTERM_NOISE.encode()
    assert fingerprint(log) == fingerprint(dead(missing_ancestor(HASH_B, PEER_B, 9)))


def test_the_panic_of_a_helper_stands_in_no_record() -> None:
    one = line("Received a block") + "\n" + GO_PANIC
    other = line("Received a block") + "\n" + GO_PANIC.replace("412", "9").replace("0xa4b2c1", "0xb4b2c2")
    assert fingerprint(one) == fingerprint(other)
    assert "nil pointer" in str(words_of(one.encode()).signature)


def test_a_program_without_json_is_known_by_its_last_words() -> None:
    assert "unknown flag" in str(
        words_of(b"Error parsing command line:\n\n  unknown flag -x\nMina process exited with status code 1").signature
    )


@given(
    st.binary(max_size=300),
    st.recursive(
        st.none() | st.text(max_size=5),
        lambda part: st.lists(part) | st.dictionaries(st.text(max_size=3), part),
        max_leaves=8,
    ),
)
def test_no_log_breaks_the_reader(rest: bytes, exn: object) -> None:
    words_of(rest)
    words_of(json.dumps({"message": "$exn", "level": "Fatal", "metadata": {"exn": exn}}).encode() + b"\n" + rest)
