"""Orders on their way: one fill per order, whatever comes in which order, over restarts too."""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc._core import lib
from sniperforge import base58
from sniperforge.records import Record
from sniperforge.tiles.chain import Expired, Landed
from sniperforge.tiles.orders import (
    TOKEN_NONE,
    Fill,
    OpenOrder,
    OpenOrdersError,
    Orders,
    Tokens,
    Watch,
    balance,
    custom_error,
    read_open_orders,
)
from tests.unit.scripted_chain import BONK, USDC, WSOL, key, signature

ORDER, WIRE, REFUSED, SENT = (Record(f"sf_{name}_t") for name in ("order", "wire", "refused", "sent"))
FILL = Record("sf_fill_t")
RUN = 3 << 32


def order_bytes(number: int, *, token_in: int = 0, token_out: int = 0, tip: int = 0, kind: int = 1) -> bytes:
    values = {"intent": 9, "bot": 5, "kind": kind, "token_in": token_in, "token_out": token_out}
    values |= {"amount_in": 1000, "expected_out": 1100, "tip_lamports": tip}
    return ORDER.build({"order": number} | {f"intent.{name}": value for name, value in values.items()})


def wire_bytes(number: int, signed: str) -> bytes:
    tx = b"\x01" + base58.decode(signed, 64) + b"message"
    about = {"order": number, "last_valid_block_height": 240, "tx_len": len(tx), "message_off": 65}
    return WIRE.build({**about, "tx": tx.ljust(1232, b"\0")})[: 80 + len(tx)]


def fill_of(fill: Any) -> dict[str, Any]:
    assert isinstance(fill, Fill)
    values = FILL.named(fill.payload)
    assert (fill.order, fill.outcome, fill.bot) == (values["order"], values["outcome"], values["bot"])
    return values


@pytest.fixture
def tokens() -> Tokens:
    known = Tokens()
    known.extend(base58.decode(mint, 32) for mint in (WSOL, USDC))
    return known


@pytest.fixture
def orders(tokens: Tokens) -> Orders:
    return Orders(tokens=tokens, simulated=True)


def executed(number: int, *, error: Any = None, lamports: int = -5000, **tokens: int) -> Landed:
    mints = {"wsol": WSOL, "usdc": USDC}
    deltas = {mints[name]: delta for name, delta in tokens.items()}
    return Landed(number, 103, error, 5000, 31_000, lamports, deltas)


def test_a_landed_cycle(orders: Orders) -> None:
    assert orders.order(order_bytes(RUN | 1), t_origin=1_000_000) == []
    signed = signature()
    assert orders.message(lib.SF_MSG_WIRE, wire_bytes(RUN | 1, signed)) == Watch(RUN | 1, signed, 240)
    fill = fill_of(orders.outcome(executed(RUN | 1, wsol=77), now_ns=3_500_000))
    assert fill == {
        "order": RUN | 1,
        "intent": 9,
        "bot": 5,
        "outcome": lib.SF_FILL_LANDED,
        "kind": lib.SF_INTENT_CYCLE,
        "flags": lib.SF_FILL_SIMULATED,
        "token_in": 0,
        "token_out": 0,
        "delta_in": 77,
        "delta_out": 0,
        "delta_lamports": -5000,
        "fee_lamports": 5000,
        "tip_lamports": 0,
        "slot": 103,
        "compute_units": 31_000,
        "expected_out": 1100,
        "amount_in": 1000,
        "error": 0,
        "latency_us": 2500,
        "signature": base58.decode(signed, 64),
        **{f"leg[{place}].{field}": 0 for place in range(lib.SF_LEG_MAX) for field in ("token", "delta")},
    }
    assert len(orders) == 0 and orders.unexpected == 0


def test_a_landed_swap_with_a_tip(orders: Orders) -> None:
    orders.order(order_bytes(RUN | 1, token_out=1, tip=900, kind=2), 1)
    orders.message(lib.SF_MSG_WIRE, wire_bytes(RUN | 1, signature()))
    fill = fill_of(orders.outcome(executed(RUN | 1, lamports=-5900, wsol=-1000, usdc=1101), 2))
    assert (fill["delta_in"], fill["delta_out"], fill["delta_lamports"], fill["tip_lamports"]) == (
        -1000,
        1101,
        -5900,
        900,
    )


def test_what_stays_between_the_hops_is_in_the_legs(orders: Orders, tokens: Tokens) -> None:
    tokens.extend([base58.decode(BONK, 32)])
    orders.order(order_bytes(RUN | 1), 1)
    orders.message(lib.SF_MSG_WIRE, wire_bytes(RUN | 1, signature()))
    news = Landed(RUN | 1, 103, None, 5000, 1, -5000, {WSOL: 60, USDC: 0, BONK: 7, key(): -2})
    fill = fill_of(orders.outcome(news, 2))
    legs = [(fill[f"leg[{place}].token"], fill[f"leg[{place}].delta"]) for place in range(3)]
    assert (fill["delta_in"], legs) == (60, [(2, 7), (TOKEN_NONE, -2), (0, 0)])


def test_a_reverted_order(orders: Orders) -> None:
    orders.order(order_bytes(RUN | 1, tip=900), 1)
    orders.message(lib.SF_MSG_WIRE, wire_bytes(RUN | 1, signature()))
    fill = fill_of(orders.outcome(executed(RUN | 1, error={"InstructionError": [0, {"Custom": 6005}]}), 2))
    assert (fill["outcome"], fill["error"], fill["delta_lamports"], fill["tip_lamports"], fill["delta_in"]) == (
        lib.SF_FILL_REVERTED,
        6005,
        -5000,
        0,
        0,
    )


def test_an_expired_order(orders: Orders) -> None:
    orders.order(order_bytes(RUN | 1), 1)
    orders.message(lib.SF_MSG_WIRE, wire_bytes(RUN | 1, signature()))
    fill = fill_of(orders.outcome(Expired(RUN | 1, 500), 2))
    assert (fill["outcome"], fill["slot"], fill["fee_lamports"], fill["delta_lamports"]) == (
        lib.SF_FILL_EXPIRED,
        500,
        0,
        0,
    )


def test_a_refused_order_is_dropped_unless_it_was_sent(orders: Orders) -> None:
    orders.order(order_bytes(RUN | 1), 1)
    orders.order(order_bytes(RUN | 2), 1)
    orders.message(lib.SF_MSG_WIRE, wire_bytes(RUN | 2, signature()))
    orders.message(lib.SF_MSG_SENT, SENT.build({"order": RUN | 2}))
    reason = int(lib.SF_REFUSE_SIZE)
    refused = orders.message(lib.SF_MSG_REFUSED, REFUSED.build({"order": RUN | 1, "reason": reason}))
    assert fill_of(refused)["outcome"] == lib.SF_FILL_DROPPED and fill_of(refused)["error"] == reason
    assert orders.message(lib.SF_MSG_REFUSED, REFUSED.build({"order": RUN | 2})) is None
    assert len(orders) == 1 and orders.unexpected == 1


@pytest.mark.parametrize("about", [{"message_off": 64}, {"tx_len": 1233}, {"message_off": 700}])
def test_a_wire_that_is_no_transaction_is_not_asked_for(orders: Orders, about: dict[str, int]) -> None:
    orders.order(order_bytes(RUN | 1), 1)
    values = WIRE.named(wire_bytes(RUN | 1, signature()).ljust(WIRE.size, b"\0")) | about
    assert orders.message(lib.SF_MSG_WIRE, WIRE.build(values)) is None
    assert orders.unexpected == 1


@pytest.mark.parametrize(
    ("error", "number"),
    [
        ({"InstructionError": [1, {"Custom": 6005}]}, 6005),
        ({"InstructionError": [1, {"Custom": 0xFFFFFFFF}]}, -1),
        ({"InstructionError": [1, "InvalidAccountData"]}, 0),
        ({"InstructionError": [1, {"Custom": "x"}]}, 0),
        ({"InstructionError": []}, 0),
        ("BlockhashNotFound", 0),
        ({"InsufficientFundsForRent": {"account_index": 1}}, 0),
        (7, 0),
    ],
)
def test_the_number_of_a_custom_error(error: Any, number: int) -> None:
    assert custom_error(error) == number


@settings(max_examples=300)
@given(st.data())
def test_each_order_gets_one_fill_whatever_the_order_of_messages(data: st.DataObject) -> None:
    known = Tokens()
    known.extend([base58.decode(WSOL, 32)])
    orders = Orders(tokens=known, simulated=False)
    count = data.draw(st.integers(1, 5))
    links: list[list[tuple[str, int, Any]]] = [[], [], []]
    for number in range(1, count + 1):
        links[0].append(("order", number, None))
        if data.draw(st.booleans()):
            links[1].append(("refused", number, None))
        else:
            links[1].append(("wire", number, signature()))
            if data.draw(st.booleans()):
                links[2].append(("sent", number, None))
            if data.draw(st.booleans()):
                links[2].append(("refused", number, None))
    fills: list[int] = []
    watched: list[int] = []

    def take(found: Any) -> None:
        for each in found if isinstance(found, list) else [found]:
            if isinstance(each, Fill):
                fills.append(each.order)
            elif isinstance(each, Watch):
                watched.append(each.order)

    def chain() -> None:
        number = data.draw(st.sampled_from(watched))
        outcome = executed(number, wsol=1) if data.draw(st.booleans()) else Expired(number, 9)
        take(orders.outcome(outcome, 1))

    while any(links):
        link = data.draw(st.sampled_from([link for link in links if link]))
        kind, number, signed = link.pop(0)
        if kind == "order":
            take(orders.order(order_bytes(number), 1))
            if data.draw(st.booleans()):
                take(orders.order(order_bytes(number), 1))  # never happens, and changes nothing
        elif kind == "wire":
            take(orders.message(lib.SF_MSG_WIRE, wire_bytes(number, signed)))
        elif kind == "sent":
            take(orders.message(lib.SF_MSG_SENT, SENT.build({"order": number})))
        else:
            take(orders.message(lib.SF_MSG_REFUSED, REFUSED.build({"order": number})))
        if watched and data.draw(st.booleans()):
            chain()
    for number in list(watched):
        take(orders.outcome(Expired(number, 9), 1))
    assert sorted(fills) == list(range(1, count + 1))
    assert len(orders) == 0


# -- orders of earlier runs -------------------------------------------------------------------------------------------


def open_order(number: int, **about: Any) -> dict[str, Any]:
    values = {"order": number, "run": 1, "known": True, "intent": 4, "bot": 5, "kind": 1, "signature": signature()}
    values |= {"last_valid_block_height": 240, "mint_in": USDC, "mint_out": USDC, "amount_in": 10, "expected_out": 11}
    return values | about


def recovered(orders: Orders, *about: dict[str, Any]) -> list[Any]:
    text = json.dumps(about)
    return orders.recover(json_orders(text))


def json_orders(text: str) -> list[OpenOrder]:
    import msgspec

    return msgspec.json.decode(text, type=list[OpenOrder])


def test_a_recovered_order_is_booked_with_this_runs_rows(orders: Orders) -> None:
    (watch,) = recovered(orders, open_order(1 << 32 | 7))
    assert watch.order == 1 << 32 | 7
    fill = fill_of(orders.outcome(executed(1 << 32 | 7, usdc=5), 1))
    assert (fill["flags"], fill["token_in"], fill["delta_in"], fill["latency_us"]) == (
        lib.SF_FILL_SIMULATED | lib.SF_FILL_RECOVERED,
        1,
        5,
        0,
    )


def test_a_recovered_fill_waits_for_its_mints_to_have_rows(orders: Orders, tokens: Tokens) -> None:
    recovered(orders, open_order(7, mint_in=BONK, mint_out=BONK), open_order(8, mint_in=BONK, mint_out=key()))
    landed_deltas = Landed(7, 103, None, 5000, 1, -5000, {BONK: 3})
    assert orders.outcome(landed_deltas, 1) is None
    assert orders.outcome(Expired(8, 99), 1) is None
    assert orders.release(all_of_them=False) == [] and orders.held == 2
    tokens.extend([base58.decode(BONK, 32)])
    (first,) = orders.release(all_of_them=False)
    assert (fill_of(first)["token_in"], fill_of(first)["delta_in"]) == (2, 3)
    (second,) = orders.release(all_of_them=True)
    assert (fill_of(second)["token_in"], fill_of(second)["token_out"]) == (2, TOKEN_NONE)
    assert len(orders) == 0


def test_a_recovered_fill_waits_for_the_mint_between_its_hops(orders: Orders, tokens: Tokens) -> None:
    recovered(orders, open_order(7))
    assert orders.outcome(Landed(7, 103, None, 5000, 1, -5000, {USDC: 3, BONK: 4}), 1) is None
    assert orders.release(all_of_them=False) == []
    tokens.extend([base58.decode(BONK, 32)])
    fill = fill_of(orders.release(all_of_them=False)[0])
    assert (fill["delta_in"], fill["leg[0].token"], fill["leg[0].delta"]) == (3, 2, 4)


def test_a_recovered_order_without_its_record_books_what_the_transaction_traded(orders: Orders) -> None:
    recovered(orders, {"order": 7, "intent": 0, "bot": 5, "kind": 0, "signature": signature(), "known": False}
              | {"last_valid_block_height": 240, "mint_in": None, "mint_out": None})  # fmt: skip
    fill = fill_of(orders.outcome(executed(7, wsol=-9, usdc=4), 1))
    assert (fill["kind"], fill["token_in"], fill["delta_in"], fill["token_out"], fill["delta_out"]) == (
        lib.SF_INTENT_SWAP,
        0,
        -9,
        1,
        4,
    )


def test_a_recovered_order_that_was_never_signed_is_dropped(orders: Orders) -> None:
    (fill,) = recovered(orders, open_order(7, signature=""))
    assert fill_of(fill)["outcome"] == lib.SF_FILL_DROPPED


def test_the_file_of_open_orders(tmp_path: Path) -> None:
    path = tmp_path / "open_orders.json"
    assert read_open_orders(path) == []
    path.write_text(json.dumps([open_order(7), open_order(8, mint_in=None, mint_out=None)]))
    assert [order.order for order in read_open_orders(path)] == [7, 8]
    wrong: list[Any] = [3, "x", [{}], [open_order(-1)], [open_order(1, signature="0")], [open_order(1, mint_in="l")]]
    wrong += [[open_order(7), open_order(7)], [open_order(1, bot=1 << 32)], [open_order(1 << 64)]]
    for value in wrong:
        path.write_text(json.dumps(value))
        with pytest.raises(OpenOrdersError, match="remove it and start again"):
            read_open_orders(path)


def test_random_files_of_open_orders(tmp_path: Path) -> None:
    rng = random.Random(6)
    path = tmp_path / "open_orders.json"
    good = json.dumps([open_order(7)]).encode()
    for _ in range(2000):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data)
        with contextlib.suppress(OpenOrdersError):
            read_open_orders(path)


def test_a_balance_message() -> None:
    values = Record("sf_balance_t").named(balance(3, base58.decode(WSOL, 32), 99, 7))
    assert values == {"token": 3, "flags": 0, "amount": 99, "slot": 7, "mint": base58.decode(WSOL, 32)}
