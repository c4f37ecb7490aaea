"""Address lookup tables are read from the chain as build and sign want them."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest
from solders.address_lookup_table_account import ID
from solders.pubkey import Pubkey

from sniperforge import chain
from sniperforge.rpc import RpcClient
from tests.unit.rpc_node import json_node

KEYS = [Pubkey.from_bytes(bytes([number]) * 32) for number in range(1, 7)]
TABLE, OTHER = str(KEYS[4]), str(KEYS[5])


def table(
    addresses: list[Pubkey], *, deactivated: int = 2**64 - 1, owner: str = str(ID), kind: int = 1
) -> dict[str, Any]:
    head = struct.pack("<IQQBB32sH", kind, deactivated, 7, 0, 1, bytes(32), 0)
    data = base64.b64encode(head + b"".join(map(bytes, addresses))).decode()
    return {"data": [data, "base64"], "owner": owner, "lamports": 1, "executable": False}


def read(accounts: dict[str, Any]) -> dict[str, list[str]]:
    def answer(method: str, params: list[Any]) -> Any:
        assert method == "getMultipleAccounts" and params[1]["commitment"] == "confirmed"
        return {"context": {"slot": 9}, "value": [accounts[key] for key in params[0]]}

    with json_node(answer) as node, RpcClient(node.url, timeout_ms=20_000) as rpc:
        return chain.lookup_tables(rpc, list(accounts))


def test_addresses_come_in_the_order_of_the_table() -> None:
    found = read({TABLE: table(KEYS[:3]), OTHER: table([])})
    assert found == {TABLE: [str(key) for key in KEYS[:3]], OTHER: []}


@pytest.mark.parametrize(
    "account",
    [
        None,
        table(KEYS[:1], owner=str(KEYS[0])),
        table(KEYS[:1], kind=0),
        table(KEYS[:1], deactivated=100),
        table(KEYS[:1]) | {"data": [base64.b64encode(b"short").decode(), "base64"]},
        table(KEYS[:1]) | {"data": [base64.b64encode(bytes([1, 0, 0, 0]) + b"\xff" * 60).decode(), "base64"]},
    ],
)
def test_what_is_no_open_table_is_named(account: dict[str, Any] | None) -> None:
    with pytest.raises(chain.ChainError, match=f"{OTHER} is .*; take it out"):
        read({TABLE: table(KEYS[:3]), OTHER: account})
