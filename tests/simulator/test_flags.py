"""What a daemon refuses at its start, and in which words."""

import pytest

from mina_infra.simulator.flags import Refusal, read_flags, release_of

TODAY = (3, 0)
SEED = ["daemon", "-seed"]


def test_values_repeat_and_switches_are_true() -> None:
    flags = read_flags(["daemon", "-peer", "a", "--peer", "b", "-log-json", "-rest-port", "3085"], release=TODAY)
    assert flags.values["peer"] == ("a", "b")
    assert flags.one("log-json") == "true"
    assert flags.number("rest-port", 1) == 3085
    assert flags.number("client-port", 8301) == 8301


def test_a_flag_may_be_shortened_while_it_is_clear() -> None:
    assert read_flags([*SEED, "-log-l", "Debug"]).one("log-level") == "Debug"
    with pytest.raises(Refusal, match="ambiguous"):
        read_flags([*SEED, "-log", "x"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "SUBCOMMAND"),
        (["-seed"], "SUBCOMMAND"),
        (["daemon"], "No peers were given"),
        ([*SEED, "-peer-exchange"], "unknown flag -peer-exchange"),
        ([*SEED, "-log-received-blocks", "true"], "unknown flag -log-received-blocks"),
        ([*SEED, "-discovery-keypair", "x"], "unknown flag -discovery-keypair"),
        ([*SEED, "-rest-port"], "missing argument"),
        ([*SEED, "stray"], "anonymous"),
        ([*SEED, "-external-ip", "$(POD_IP)"], "never resolved"),
        ([*SEED, "-log-level", "Loud"], "log-level"),
        ([*SEED, "-block-producer-key", "/k"], "MINA_PRIVKEY_PASS"),
        ([*SEED, "-libp2p-keypair", "/k"], "MINA_LIBP2P_PASS"),
    ],
)
def test_a_bad_command_line_stops_the_start(words: list[str], message: str) -> None:
    with pytest.raises(Refusal, match=message):
        read_flags(words, release=TODAY)


def test_old_releases_take_the_flags_of_their_time() -> None:
    words = [*SEED, "-log-received-blocks", "true", "-discovery-keypair", "/k"]
    assert read_flags(words, ["CODA_LIBP2P_PASS"], release=(0, 0)).has("discovery-keypair")
    with pytest.raises(Refusal, match="libp2p-keypair"):
        read_flags([*SEED, "-libp2p-keypair", "/k"], ["MINA_LIBP2P_PASS"], release=(1, 3))


def test_a_peer_list_in_the_environment_is_a_peer_source() -> None:
    assert not read_flags(["daemon"], ["PEER_LIST_URL"]).has("seed")


@pytest.mark.parametrize(
    ("image", "release"),
    [
        ("registry:5000/mina-daemon:3.0.1-abc@sha256:00", (3, 0)),
        ("mina-daemon:v1.4.0", (1, 4)),
        ("registry:5000/mina-daemon@sha256:00", None),
        ("mina-daemon:latest", None),
    ],
)
def test_the_release_is_read_from_the_tag(image: str, release: tuple[int, int] | None) -> None:
    assert release_of(image) == release


def test_a_number_that_is_none_stops_the_start() -> None:
    with pytest.raises(Refusal, match="external-port"):
        read_flags([*SEED, "-external-port", "many"]).number("external-port", 1)
