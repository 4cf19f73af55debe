"""Multiaddresses: one form is written, the old ones are read, mistakes are named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.daemon.multiaddress import Multiaddress, MultiaddressError, valid_peer_id

PEER = "12D3KooWAdgYL6hv18M3iDBdaK1dRygPivSfAfBNDzie6YqydVbs"
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@pytest.mark.parametrize(
    "text",
    [
        f"/dns4/seed-1.qa.example.org/tcp/10001/p2p/{PEER}",
        f"/ip4/34.74.1.2/tcp/8302/p2p/{PEER}",
        f"/ip6/2001:db8::1/tcp/8302/p2p/{PEER}",
    ],
)
def test_what_is_written_is_what_was_read(text: str) -> None:
    assert str(Multiaddress.parse(text)) == text


def test_the_old_spelling_is_read_and_the_new_one_written() -> None:
    old = f"/dns4/seed/tcp/8303/ipfs/{PEER}"
    assert str(Multiaddress.parse(old)) == old.replace("/ipfs/", "/p2p/")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"/dns4/seed/udp/1/p2p/{PEER}", "of the form"),
        (f"dns4/seed/tcp/1/p2p/{PEER}", "of the form"),
        (f"/dns4/seed/tcp/1/p2p/{PEER}/x", "of the form"),
        (f"/dns4/seed/tcp/one/p2p/{PEER}", "not a number"),
        (f"/dns4/seed/tcp/0/p2p/{PEER}", "between 1 and 65535"),
        (f"/dns4/seed/tcp/65536/p2p/{PEER}", "between 1 and 65535"),
        (f"/dns4/10.0.0.1/tcp/1/p2p/{PEER}", "does not fit"),
        (f"/ip4/seed/tcp/1/p2p/{PEER}", "does not fit"),
        (f"/unix/seed/tcp/1/p2p/{PEER}", "not one of"),
        (f"/dns4/se ed/tcp/1/p2p/{PEER}", "neither a host name"),
        ("/dns4/seed/tcp/1/p2p/QmOld", "12D3KooW"),
        (f"/dns4/seed/tcp/1/p2p/{PEER[:-1]}", "52 base58"),
        (f"/dns4/seed/tcp/1/p2p/{PEER[:-1]}0", "52 base58"),
        ("", "of the form"),
    ],
)
def test_a_mistake_is_named(text: str, message: str) -> None:
    with pytest.raises(MultiaddressError, match=message):
        Multiaddress.parse(text)


@given(st.text(alphabet=BASE58, min_size=44, max_size=44), st.integers(1, 65535), st.ip_addresses())
def test_every_address_survives_a_round_trip(tail: str, port: int, ip: object) -> None:
    address = Multiaddress(str(ip), port, "12D3KooW" + tail)
    assert Multiaddress.parse(str(address)) == address
    assert valid_peer_id(address.peer_id)
