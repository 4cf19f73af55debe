"""The output of `mina client status`, in both forms and in every state of the daemon."""

import pytest

from mina_infra.daemon.replies import SyncStatus
from mina_infra.daemon.status_text import StatusTextError, parse_status

SYNCED = """Mina daemon status
-----------------------------------

Global number of accounts:                     1612
Block height:                                  290
Max observed block height:                     291
Max observed unvalidated block height:         292
Local uptime:                                  2d17h50m34s
Ledger Merkle root:                            jx7buQVWFLsXTtzRgSxbYcT8EYLS8KCZbLrfDcJxMtyy4thw2Ee
Protocol state hash:                           3NKeMoncuHab5ScarV5ViyF16cJPT4taWNSaTLS64Dp67wuXigPZ
Chain id:                                      5f704cc0c82e0ed70e873f0893d7e06f148524e3f0bdae2afb02e7819a0c24d1
Git SHA-1:                                     a42bdeef6b0c15ee34616e4df76c882b0c5c7c2a
Configuration directory:                       /root/.mina-config
Peers:                                         17
User_commands sent:                            0
SNARK worker:                                  None
SNARK work fee:                                100000000
Sync status:                                   Synced
Block producers running:                       1 (B62qrPN5Y5yq8kGE3FbVKbGTdTAJNdtNtB5sNVpxyRwWGcDEhpMzc8g)
Coinbase receiver:                             Block producer
Best tip consensus time:                       epoch=0, slot=388
Consensus time now:                            epoch=0, slot=389
Consensus mechanism:                           proof_of_stake
Consensus configuration:
\tDelta:                     0
\tk:                         290
\tChain start timestamp:     2024-06-05 00:00:00.000000Z
Addresses and ports:
\tExternal IP:    34.74.1.2
\tLibp2p PeerID:  12D3KooWAdgYL6hv18M3iDBdaK1dRygPivSfAfBNDzie6YqydVbs
"""

BOOTSTRAPPING = """Mina daemon status
-----------------------------------

Max observed block height:              291
Local uptime:                           34s
Chain id:                               5f704cc0
Peers:                                  3
Sync status:                            Bootstrap
"""


def test_the_text_of_a_synced_node() -> None:
    status = parse_status(SYNCED)
    assert status.sync_status is SyncStatus.SYNCED
    assert (status.blockchain_length, status.highest_block_length_received, status.peers) == (290, 291, 17)
    assert status.highest_unvalidated_block_length_received == 292
    assert status.uptime_secs == ((2 * 24 + 17) * 60 + 50) * 60 + 34
    assert status.state_hash is not None
    assert status.state_hash.startswith("3NKeMon")
    assert status.peer_id is not None
    assert status.block_producers == 1


def test_the_text_leaves_out_what_is_not_known() -> None:
    status = parse_status(BOOTSTRAPPING)
    assert status.sync_status is SyncStatus.BOOTSTRAP
    assert (status.blockchain_length, status.state_hash, status.peer_id) == (None, None, None)
    assert status.uptime_secs == 34


def test_the_older_title_is_read_too() -> None:
    assert parse_status(SYNCED.replace("Mina daemon", "Coda daemon")).blockchain_length == 290


def test_json_has_nulls_for_what_is_not_known() -> None:
    status = parse_status(
        '{"sync_status": "Catchup", "blockchain_length": null, "state_hash": null, "peers": [{}, {}], "uptime_secs": 5,'
        ' "addrs_and_ports": {"peer": null}, "block_production_keys": []}'
    )
    assert status.sync_status is SyncStatus.CATCHUP
    assert (status.blockchain_length, status.peers, status.uptime_secs, status.peer_id) == (None, 2, 5, None)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("Error: Unable to connect to Mina Daemon.\nmore", "Unable to connect"),
        ("", "it is empty"),
        ("Block height: 3", "no sync status"),
        (SYNCED.replace("Synced", "Asleep"), "ASLEEP|Asleep"),
        ('{"blockchain_length": 3', "not the JSON"),
        ('{"blockchain_length": 3}', "not the JSON"),
    ],
)
def test_what_is_not_a_status_is_refused(output: str, message: str) -> None:
    with pytest.raises(StatusTextError, match=message):
        parse_status(output)
