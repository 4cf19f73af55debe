"""The queries are valid against the real schema, and the simulator's answers have the real schema's shapes."""

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import msgspec
import pytest
from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    build_schema,
    execute,
    get_named_type,
    parse,
    print_schema,
    validate,
)

from mina_infra.daemon.replies import decode_best_chain, decode_status, decode_version, query
from mina_infra.simulator.answers import QUERY
from mina_infra.simulator.graphql import ObjectType
from mina_infra.simulator.simulated import SimulatedNetwork
from mina_infra.simulator.view import View

QUERIES = ("status", "best_chain", "block", "block_at", "version", "time_offset")


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    text = files("mina_infra.daemon").joinpath("schema.graphql").read_text(encoding="utf-8")
    return build_schema(text, assume_valid=True)


@pytest.fixture(scope="module")
def network() -> SimulatedNetwork:
    network = SimulatedNetwork(seed=1)
    network.run(slots=30)
    return network


@pytest.mark.parametrize("name", QUERIES)
def test_queries_are_valid_for_the_real_schema(schema: GraphQLSchema, name: str) -> None:
    assert validate(schema, parse(query(name))) == []


def test_the_schema_is_the_daemons(schema: GraphQLSchema) -> None:
    """A re-print loses nothing but the comment: the file is what graphql-core printed."""
    text = files("mina_infra.daemon").joinpath("schema.graphql").read_text(encoding="utf-8")
    assert text.partition("\n\n")[2].strip() == print_schema(schema).strip()


def every_field(kind: ObjectType, seen: frozenset[str] = frozenset()) -> list[tuple[str, str, ObjectType | None]]:
    """(type, field, type of the field) of all that the simulator serves."""
    found: list[tuple[str, str, ObjectType | None]] = []
    for name in kind.fields:
        child = kind.children.get(name)
        found.append((kind.name, name, child))
        if child is not None and child.name not in seen:
            found += every_field(child, seen | {kind.name})
    return found


def test_the_simulator_serves_only_fields_of_the_real_schema(schema: GraphQLSchema) -> None:
    for kind, name, child in every_field(QUERY):
        real = schema.type_map[kind]
        assert isinstance(real, GraphQLObjectType)
        assert name in real.fields, f"{kind}.{name}"
        named = get_named_type(real.fields[name].type)
        if isinstance(named, GraphQLInterfaceType):
            named = next(each for each in schema.get_possible_types(named) if child and each.name == child.name)
        assert (child.name if child else None) == (named.name if isinstance(named, GraphQLObjectType) else None)


def resolver_of(root: ObjectType) -> Callable[..., Any]:
    """The simulator's own resolvers as graphql-core's field resolver."""
    types = {kind: None for kind, _, _ in every_field(root)}

    def collect(kind: ObjectType) -> None:
        types[kind.name] = kind  # type: ignore[assignment]
        for child in kind.children.values():
            collect(child)

    collect(root)

    def resolve(source: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        kind: Any = types[info.parent_type.name]
        return kind.fields[info.field_name](source, **arguments)

    return resolve


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("node", ["seed-1", "whale-1"])
def test_graphql_core_gives_the_same_answer_from_the_same_data(
    schema: GraphQLSchema, network: SimulatedNetwork, name: str, node: str
) -> None:
    """graphql-core checks every value against the schema's types and non-null marks; so do ours, then."""
    view = View(network.network, network.network.nodes[node])
    variables = {"maxLength": 10, "stateHash": network.tip().state_hash, "height": 3}
    result: Any = execute(
        schema, parse(query(name)), view, variable_values=variables, field_resolver=resolver_of(QUERY)
    )
    assert result.errors is None
    own = msgspec.json.decode(network.reply(node, name, **variables))
    assert own == {"data": result.data}


def test_everything_a_node_serves_fits_the_schema(schema: GraphQLSchema, network: SimulatedNetwork) -> None:
    def selection(kind: ObjectType) -> str:
        fields = [f for f in kind.fields if f != "block"]
        return " ".join(f"{f} {{ {selection(kind.children[f])} }}" if f in kind.children else f for f in fields)

    text = f"{{ {selection(QUERY)} }}"
    view = View(network.network, network.network.nodes["whale-1"])
    assert validate(schema, parse(text)) == []
    result: Any = execute(schema, parse(text), view, field_resolver=resolver_of(QUERY))
    assert result.errors is None
    assert network.answers.reply(view.node, msgspec.json.encode({"query": text})) == msgspec.json.encode(
        {"data": result.data}
    )


def test_replies_decode(network: SimulatedNetwork) -> None:
    status = decode_status(network.reply("whale-1", "status"))
    chain = decode_best_chain(network.reply("whale-1", "best_chain", maxLength=5))
    assert chain is not None
    assert (chain[-1].state_hash, chain[-1].height) == (status.state_hash, status.blockchain_length)
    assert status.consensus_configuration.slot_duration == 180_000
    assert decode_version(network.reply("whale-1", "version")).version == status.commit_id
