"""The little GraphQL server: answers what is selected, refuses what the daemon's server refuses."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.simulator.graphql import QueryError, parse
from mina_infra.simulator.simulated import SimulatedNetwork


@pytest.fixture(scope="module")
def network() -> SimulatedNetwork:
    network = SimulatedNetwork(seed=1)
    network.run(slots=10)
    return network


def ask(network: SimulatedNetwork, query: str, **body: object) -> dict[str, object]:
    node = network.network.nodes["seed-1"]
    reply: dict[str, object] = msgspec.json.decode(
        network.answers.reply(node, msgspec.json.encode({"query": query, **body}))
    )
    return reply


def test_only_what_is_selected_is_answered_under_its_alias(network: SimulatedNetwork) -> None:
    assert ask(network, "{ state: syncStatus __typename }") == {"data": {"state": "SYNCED", "__typename": "query"}}


def test_variables_defaults_and_arguments(network: SimulatedNetwork) -> None:
    text = "query Q($n: Int = 2, $m: [Int!]) { bestChain(maxLength: $n) { stateHash } }"
    for variables, expected in (({}, 2), ({"n": 3}, 3), ({"n": None}, network.tip("seed-1").height)):
        answer = ask(network, text, variables=variables)
        assert len(answer["data"]["bestChain"]) == expected  # type: ignore[index]


def test_fragments_and_operations(network: SimulatedNetwork) -> None:
    text = """
      # a comment
      query A { ...F } query B { daemonStatus { ... on DaemonStatus { chainId } } } fragment F on query { timeOffset }
    """
    assert ask(network, text, operationName="A") == {"data": {"timeOffset": 0}}
    assert ask(network, text, operationName="B") == {"data": {"daemonStatus": {"chainId": network.constants.chain_id}}}
    assert "errors" in ask(network, text)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ nonsense }", "Field 'nonsense' is not defined on type 'query'"),
        ("{ daemonStatus { nonsense } }", "Field 'nonsense' is not defined on type 'DaemonStatus'"),
        ("{ daemonStatus }", "needs a selection"),
        ("{ daemonStatus { peers } }", "needs a selection"),
        ("{ version { x } }", "is a scalar"),
        ("{ version(x: 1) }", "unexpected keyword"),
        ("{ bestChain(maxLength: $n) { stateHash } }", "not defined"),
        ("mutation { stopDaemon }", "only queries"),
        ("{ version", "ends too early"),
        ("", "Must provide operation name"),
        ("{ version } ?", "unexpected"),
        ("{ block { stateHash } }", "exactly one"),
        ("{ ...F } fragment F on query { ...F }", "refer to each other"),
        ("{ ...G }", "Fragment 'G' is not defined"),
    ],
)
def test_mistakes_are_answered_as_errors(network: SimulatedNetwork, query: str, message: str) -> None:
    errors = ask(network, query)["errors"]
    assert message in errors[0]["message"]  # type: ignore[index]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"query": 3}', b"{}", b'{"query": "{version}", "variables": 3}'])
def test_a_body_that_is_no_request_is_an_error(network: SimulatedNetwork, body: bytes) -> None:
    node = network.network.nodes["seed-1"]
    assert b"errors" in network.answers.reply(node, body)


@given(st.text(alphabet='{}()!$:.=@[]|"abc 12\\\n#,'))
def test_no_text_makes_the_parser_fail_in_another_way(text: str) -> None:
    with contextlib.suppress(QueryError):
        parse(text, None, {})
