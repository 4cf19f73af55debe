"""Replies of daemons, as bytes: what is read, what is refused."""

from datetime import UTC, datetime

import pytest

from mina_infra.daemon.replies import (
    GraphQLError,
    SyncStatus,
    decode_best_chain,
    decode_status,
    decode_version,
    parse_timestamp,
)

BLOCK = b"""{"stateHash": "3Nb", "creatorAccount": {"publicKey": "B62q"}, "commandTransactionCount": 3,
  "snarkJobs": [{"fee": "1"}], "transactions": {"coinbase": "720000000000"},
  "protocolState": {"previousStateHash": "3Na", "blockchainState": {"date": "1767225780000"},
    "consensusState": {"blockHeight": "12", "slotSinceGenesis": "564480", "slot": "3", "epoch": "2"}}}"""


def test_numbers_travel_as_strings() -> None:
    chain = decode_best_chain(b'{"data": {"bestChain": [' + BLOCK + b"]}}")
    assert chain is not None
    block = chain[0]
    assert (block.height, block.slot, block.coinbase, block.date_ms) == (12, 564480, 720_000_000_000, 1767225780000)
    assert (block.parent_hash, block.snark_jobs, block.commands, block.creator) == ("3Na", 1, 3, "B62q")


def test_the_slot_of_the_current_genesis_differs_from_the_one_across_forks() -> None:
    chain = decode_best_chain(b'{"data": {"bestChain": [' + BLOCK + b"]}}")
    assert chain is not None
    assert chain[0].global_slot(slots_per_epoch=7140) == 2 * 7140 + 3


@pytest.mark.parametrize(
    "reply",
    [
        b'{"data": {"bestChain": null}}',
        b'{"errors": [{"message": "Could not obtain best chain from transition frontier"}], "data": null}',
        b'{"errors": [{"message": "Daemon is bootstrapping", "path": ["bestChain"]}], "data": {"bestChain": null}}',
    ],
)
def test_a_bootstrapping_node_has_no_best_chain_whichever_way_it_says_so(reply: bytes) -> None:
    assert decode_best_chain(reply) is None


def test_an_error_of_the_server_keeps_its_words() -> None:
    with pytest.raises(GraphQLError, match="Field 'x' is not defined on type 'query'") as caught:
        decode_best_chain(b'{"errors": [{"message": "Field \'x\' is not defined on type \'query\'"}]}')
    assert caught.value.messages == ("Field 'x' is not defined on type 'query'",)


def test_an_error_beside_data_is_an_error() -> None:
    """GraphQL answers 200 with `errors`, and `data` may look complete."""
    with pytest.raises(GraphQLError, match="half"):
        decode_version(b'{"data": {"version": "1", "syncStatus": "SYNCED"}, "errors": [{"message": "half"}]}')


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"<html>Mina is not running</html>",
        b'{"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "no endpoints", "code": 503}',
        b'{"data": {"daemonStatus": {"syncStatus": "SYNCED"}}}',
        b'{"data": {"daemonStatus": null}}',
        b"[1]",
    ],
)
def test_what_is_not_a_daemons_reply_is_never_a_status(reply: bytes) -> None:
    """A puppeteer's mock page answers 200 on the GraphQL port, a proxy answers with a Kubernetes Status."""
    with pytest.raises(GraphQLError, match="no reply of a Mina daemon"):
        decode_status(reply)


def test_an_unknown_sync_status_is_refused() -> None:
    with pytest.raises(GraphQLError, match="ASLEEP"):
        decode_version(b'{"data": {"version": null, "syncStatus": "ASLEEP"}}')
    assert decode_version(b'{"data": {"version": null, "syncStatus": "SYNCED"}}').sync_status is SyncStatus.SYNCED


@pytest.mark.parametrize(
    "text", ["2024-06-05 00:00:00.000000Z", "2024-06-05T00:00:00Z", "2024-06-05T02:00:00+02:00", "2024-06-05 00:00:00"]
)
def test_times_are_read_with_a_blank_or_a_t(text: str) -> None:
    assert parse_timestamp(text) == datetime(2024, 6, 5, tzinfo=UTC)
