"""Payments by their number: the network only counts what user agents offer, so a payment is its place in that count.

The same number is the same payment, in every pool and on every branch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mina_infra.simulator import pools
from mina_infra.simulator.chain import Header, base58, public_key
from mina_infra.simulator.view import View

SENDER, RECEIVER = public_key("user agent"), public_key("echo service")
# What user agents of Mina's testnets send, in nanomina: 0.0015 for a fee of 0.05.
_AMOUNT, _FEE = "1500000", "50000000"
_NO_MEMO = "E4YM2vTHhWEg66xpj52JErHUBU4pZ1yageL4TVDDpTTSsv8mK6YaH"
_MINA = "wSHV2S4qX9jFsLjQo8r1BsMLH2ZRKsZx6EJd1sbozGPieEC4Jf"
_FOR_EVER = str(2**32 - 1)

FIELDS = (
    "id", "hash", "kind", "nonce", "amount", "fee", "memo", "token", "feeToken", "validUntil", "isDelegation", "from",
    "to", "failureReason",
)  # fmt: skip
ACCOUNTS = ("source", "receiver", "feePayer")


def of_block(header: Header) -> list[dict[str, Any]]:
    """Those that a block carries."""
    return [_payment(number) for number in range(header.commands_total - header.commands, header.commands_total)]


def pooled(
    view: View,
    *,
    publicKey: str | None = None,
    hashes: Iterable[str] | None = None,
    ids: Iterable[str] | None = None,
) -> list[dict[str, Any]]:
    """Those that the node knows and that its best chain does not carry, by any of the three."""
    if view.tip is None or publicKey not in (None, SENDER):
        return []
    first = view.tip.commands_total
    found = [_payment(number) for number in range(first, first + pools.pool_size(view.network, view.node))]
    wanted = [set(each) for each in (hashes, ids) if each is not None]
    return [payment for payment in found if all(payment["hash"] in each for each in wanted)]


def _payment(number: int) -> dict[str, Any]:
    name = base58("5J", 52, "payment", str(number))
    return {
        "__typename": "UserCommandPayment",
        "id": name,
        "hash": name,
        "kind": "PAYMENT",
        "nonce": number,
        "source": SENDER,
        "receiver": RECEIVER,
        "feePayer": SENDER,
        "from": SENDER,
        "to": RECEIVER,
        "amount": _AMOUNT,
        "fee": _FEE,
        "memo": _NO_MEMO,
        "token": _MINA,
        "feeToken": _MINA,
        "validUntil": _FOR_EVER,
        "isDelegation": False,
        "failureReason": None,
    }
