"""What confirm makes of what the chain says: outcomes, expiry, balances, and one fill per order."""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc._core import lib
from ipc.layout import dtype
from sniperforge import base58
from sniperforge.records import Record
from sniperforge.rpc import RpcError, RpcUnavailable
from sniperforge.tiles.chain import ChainReader, ChainState, Expired, Holdings, Landed, News, Reconciled, landed
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
from tests.unit.scripted_chain import BONK, USDC, WALLET, WSOL, Executed, ScriptedChain, key, signature

ORDER, WIRE, REFUSED, SENT = (Record(f"sf_{name}_t") for name in ("order", "wire", "refused", "sent"))
FILL = Record("sf_fill_t")
RUN = 3 << 32


# -- records ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sf_order_t", "sf_wire_t", "sf_fill_t", "sf_balance_t", "sf_pool_row_t"])
def test_a_record_reads_and_writes_what_numpy_does(name: str) -> None:
    record, shape = Record(name), dtype(name)
    data = random.Random(name).randbytes(shape.itemsize)
    values = record.named(data)
    row = np.frombuffer(data, shape)[0]
    for field, value in values.items():
        found: Any = row
        for part in field.replace("[", ".").replace("]", "").split("."):
            found = found[int(part) if part.isdigit() else part]
        assert (found.tobytes() if isinstance(value, bytes) else found) == value, field
    again = np.frombuffer(record.build(values), shape)[0]
    assert record.named(again.tobytes()) == values
    assert record.size == shape.itemsize


def test_a_record_knows_its_fields() -> None:
    with pytest.raises(KeyError):
        FILL.build({"price": 1})
    with pytest.raises(KeyError):
        Record("sf_fill_t", ["order", "price"])
    with pytest.raises(ValueError, match="order of memory"):
        Record("sf_fill_t", ["intent", "order"])


def test_base58_reads_what_it_writes_and_refuses_the_rest() -> None:
    rng = random.Random(1)
    for size in (32, 64):
        for zeros in range(4):
            data = bytes(zeros) + rng.randbytes(size - zeros)
            assert base58.decode(base58.encode(data), size) == data
    assert base58.encode(bytes(32)) == "1" * 32
    assert base58.decode("So11111111111111111111111111111111111111112", 32)[:1] == b"\x06"
    for text in ("", "0" * 32, "l" * 44, "1" * 31, "1" * 33, "ä", "z" * 44):
        with pytest.raises(ValueError, match=r"base58|spells"):
            base58.decode(text, 32)


# -- the chain reader -------------------------------------------------------------------------------------------------


class Reading:
    """A reader on a scripted chain, and what it told."""

    def __init__(self, commitment: Any = "confirmed") -> None:
        self.chain = ScriptedChain()
        self.news: list[News] = []
        self.reader = ChainReader(
            self.chain,  # type: ignore[arg-type]
            wallet=WALLET,
            commitment=commitment,
            tell=self.news.append,
            now_ns=lambda: 42,
        )

    def round(self, slots: int = 0, blocks: int | None = None) -> list[News]:
        """Lets slots and blocks pass; what the next round tells, without the chain's state."""
        self.chain.slot += slots
        self.chain.height += slots if blocks is None else blocks
        self.news.clear()
        self.reader.round()
        return [each for each in self.news if not isinstance(each, ChainState)]

    def only(self, kind: type[Any]) -> Any:
        """The one piece of news of a kind."""
        (found,) = [each for each in self.news if isinstance(each, kind)]
        return found


def test_the_first_round_tells_the_chain_and_all_balances() -> None:
    reading = Reading()
    reading.chain.tokens = {WSOL: 7, USDC: 0}
    holdings, reconciled = reading.round()
    state = reading.news[0]
    assert isinstance(state, ChainState)
    assert (state.slot, state.block_height, state.blockhash_slot, state.blockhash_ns) == (102, 90, 100, 42)
    assert state.blockhash == base58.decode(reading.chain.blockhash, 32)
    assert (state.last_valid_block_height, state.lamports_per_signature, state.wallet_lamports) == (
        240,
        5000,
        1_000_000,
    )
    assert holdings == Holdings(100, 1_000_000, {WSOL: 7, USDC: 0}, complete=True)
    assert reconciled == Reconciled()
    assert reading.round() == []


def test_the_blockhash_is_read_once_per_slot_and_at_confirmed() -> None:
    reading = Reading("finalized")
    for slots in (0, 0, 1, 0, 1):
        reading.round(slots)
    asked = reading.chain.asked("getLatestBlockhash")
    assert asked == [[{"commitment": "confirmed"}]] * 3
    assert reading.chain.asked("getEpochInfo")[0] == [{"commitment": "finalized"}]


def test_a_landed_order_has_the_chains_own_deltas() -> None:
    reading = Reading()
    reading.round()
    reading.reader.watch(1, signed := signature(), 240)
    assert reading.round() == []
    reading.chain.executed[signed] = Executed(103, "processed", -7500, {WSOL: -300, USDC: 42, BONK: 1})
    assert reading.round(1) == []  # not confirmed yet
    reading.chain.executed[signed].level = "confirmed"
    reading.chain.tokens = {WSOL: 10, USDC: 20}
    outcome, holdings = reading.round(3)
    assert outcome == Landed(
        order=1,
        slot=103,
        error=None,
        fee_lamports=5000,
        compute_units=31_000,
        lamports=-7500,
        tokens={WSOL: -300, USDC: 42, BONK: 1},
        accounts={mint: (reading.chain.accounts[mint],) for mint in (BONK, USDC, WSOL)},
    )
    assert holdings == Holdings(104, 1_000_000, {WSOL: 10, USDC: 20, BONK: 0}, complete=False)
    assert reading.reader.watching == 0
    assert reading.round(1) == []


@pytest.mark.parametrize(
    ("commitment", "level", "books"),
    [
        ("processed", "processed", False),  # balances are told from confirmed on
        ("processed", "confirmed", True),
        ("confirmed", "finalized", True),
        ("finalized", "confirmed", False),
        ("finalized", "finalized", True),
    ],
)
def test_an_outcome_counts_from_its_commitment_on(commitment: str, level: str, books: bool) -> None:
    reading = Reading(commitment)
    reading.round()
    reading.reader.watch(1, signed := signature(), 240)
    reading.chain.executed[signed] = Executed(100, level)
    assert any(isinstance(each, Landed) for each in reading.round()) == books


def test_a_reverted_order_has_its_error_and_fee() -> None:
    reading = Reading()
    reading.round()
    reading.reader.watch(1, signed := signature(), 240)
    reading.chain.executed[signed] = Executed(100, error={"InstructionError": [2, {"Custom": 6005}]})
    reading.round()
    outcome = reading.only(Landed)
    assert (outcome.error, outcome.lamports, outcome.tokens) == (
        {"InstructionError": [2, {"Custom": 6005}]},
        -5000,
        {},
    )


def test_unknown_is_not_failed_and_expires_only_by_a_query_after_the_height() -> None:
    reading = Reading()
    reading.round()
    reading.reader.watch(1, signature(), last := reading.chain.height + 3)
    assert reading.round(1000, blocks=3) == []  # slots pass, the height is not above: still valid
    assert reading.chain.height == last
    searched = [options["searchTransactionHistory"] for _, options in reading.chain.asked("getSignatureStatuses")]
    assert not any(searched)
    reading.chain.status_slot = reading.chain.slot  # a node that is behind the one that told the height
    assert reading.round(1) == []
    reading.chain.status_slot = None
    assert reading.round() == [Expired(1, reading.chain.slot)]
    assert reading.chain.asked("getSignatureStatuses")[-1][1] == {"searchTransactionHistory": True}


def test_one_that_landed_in_the_last_block_is_not_expired() -> None:
    reading = Reading()
    reading.round()
    reading.reader.watch(1, signed := signature(), reading.chain.height)
    reading.chain.executed[signed] = Executed(100, "processed")
    assert reading.round(5) == []  # on its way to the commitment
    reading.chain.executed[signed].level = "confirmed"
    reading.round(1)
    assert reading.only(Landed).order == 1


def test_a_transaction_that_the_node_cannot_show_yet_is_asked_again() -> None:
    reading = Reading()
    reading.reader.watch(1, signed := signature(), 240)
    reading.chain.executed[signed] = executed = Executed(100, known=False)
    assert Reconciled() not in reading.round()
    executed.known = True
    assert Reconciled() in reading.round()
    assert reading.only(Landed).slot == 100


def test_balances_older_than_an_outcome_are_not_told() -> None:
    reading = Reading()
    reading.round()
    reading.reader.watch(1, signed := signature(), 240)
    reading.chain.executed[signed] = Executed(101, tokens={WSOL: 1})
    reading.chain.tokens = {WSOL: 5}
    reading.chain.balance_slot = 100
    assert [type(each) for each in reading.round(1)] == [Landed]
    assert reading.round() == []
    reading.reader.want_holdings()
    assert reading.round() == []
    reading.chain.balance_slot = 101
    assert reading.round() == [Holdings(101, 1_000_000, {WSOL: 5}, complete=True)]


def test_one_transaction_that_cannot_be_read_does_not_hold_up_the_others() -> None:
    reading = Reading()
    reading.round()
    signatures = [signature() for _ in range(3)]
    for number, signed in enumerate(signatures):
        reading.reader.watch(number, signed, 240)
        reading.chain.executed[signed] = Executed(100)
    reading.chain.executed[signatures[1]].tokens = {WSOL: 1}
    original = reading.chain.getTransaction

    def broken(signed: str, options: Any) -> Any:
        answer = original(signed, options)
        if signed == signatures[1]:
            answer["meta"]["postTokenBalances"][1]["uiTokenAmount"]["amount"] = "many"
        return answer

    reading.chain.getTransaction = broken  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="many"):
        reading.round()
    assert [each.order for each in reading.news if isinstance(each, Landed)] == [0, 2]
    reading.chain.getTransaction = original  # type: ignore[method-assign]
    reading.round()
    assert reading.only(Landed).order == 1


def test_statuses_are_asked_in_calls_of_256() -> None:
    reading = Reading()
    reading.round()
    signatures = [signature() for _ in range(600)]
    for number, signed in enumerate(signatures):
        reading.reader.watch(number, signed, 240)
        reading.chain.executed[signed] = Executed(100, tokens={WSOL: 1})
    reading.round()
    assert [len(params[0]) for params in reading.chain.asked("getSignatureStatuses")] == [256, 256, 88]
    assert sum(isinstance(each, Landed) for each in reading.news) == 600
    assert reading.only(Holdings).tokens == {WSOL: 0}


def test_what_was_told_before_a_failure_stays_told() -> None:
    reading = Reading()
    reading.round()
    reading.reader.watch(1, signed := signature(), 240)
    reading.chain.executed[signed] = Executed(100, tokens={WSOL: 1})
    reading.chain.refuse["getMultipleAccounts"] = RpcUnavailable("gone")
    with pytest.raises(RpcUnavailable):
        reading.round()
    assert reading.only(Landed).order == 1
    reading.chain.refuse.clear()
    assert [type(each) for each in reading.round()] == [Holdings]


def test_reconciled_waits_for_every_signature_and_all_balances() -> None:
    reading = Reading()
    reading.reader.watch(1, signature(), 240)
    reading.chain.refuse["getSignatureStatuses"] = RpcError("getSignatureStatuses", -32005, "behind", None)
    with pytest.raises(RpcError):
        reading.round()
    reading.chain.refuse = {"getTokenAccountsByOwner": RpcError("getTokenAccountsByOwner", -32010, "no index", None)}
    with pytest.raises(RpcError):
        reading.round()
    assert not any(isinstance(each, Reconciled | Holdings) for each in reading.news)
    reading.chain.refuse.clear()
    assert [type(each) for each in reading.round()] == [Holdings, Reconciled]
    assert reading.round() == []


def test_a_forgotten_order_is_not_asked_for() -> None:
    reading = Reading()
    reading.reader.watch(1, signature(), 240)
    reading.reader.forget(1)
    reading.reader.forget(2)
    reading.round()
    assert not reading.chain.asked("getSignatureStatuses")


def test_answers_of_another_form_are_errors_and_change_nothing() -> None:
    rng = random.Random(3)
    odd: list[Any] = [None, 1, "x", [], {}, [None], {"context": {"slot": "1"}, "value": 3}, {"value": None}, -1, 1.5]
    methods = ["getEpochInfo", "getSlot", "getLatestBlockhash", "getBalance", "getSignatureStatuses"]
    methods += ["getTransaction", "getTokenAccountsByOwner", "getMultipleAccounts", "getFeeForMessage"]
    for _ in range(2000):
        reading = Reading()
        reading.reader.watch(1, signed := signature(), 240)
        reading.chain.executed[signed] = Executed(100, tokens={WSOL: 4})
        reading.chain.replace = {method: rng.choice(odd) for method in rng.sample(methods, rng.randrange(1, 4))}
        with contextlib.suppress(ValueError, RpcError):
            reading.round()
        reading.chain.replace.clear()
        told = [each for each in reading.news if isinstance(each, Landed)]
        reading.round(1)
        told += [each for each in reading.news if isinstance(each, Landed)]
        assert [each.tokens for each in told] == [{WSOL: 4}]


def test_transactions_with_bytes_changed_are_read_or_refused() -> None:
    rng = random.Random(4)
    chain = ScriptedChain()
    signed = signature()
    chain.executed[signed] = Executed(100, tokens={WSOL: 4, USDC: -4})
    text = json.dumps(chain.getTransaction(signed, {"commitment": "confirmed"}))
    for _ in range(10_000):
        changed = list(text)
        for _ in range(rng.randrange(1, 4)):
            changed[rng.randrange(len(changed))] = chr(rng.randrange(32, 127))
        try:
            answer = json.loads("".join(changed))
        except ValueError:
            continue
        with contextlib.suppress(ValueError):
            landed(1, WALLET, answer)


# -- orders -----------------------------------------------------------------------------------------------------------


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
    refused = orders.message(lib.SF_MSG_REFUSED, REFUSED.build({"order": RUN | 1}))
    assert fill_of(refused)["outcome"] == lib.SF_FILL_DROPPED
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


@settings(max_examples=300, deadline=None)
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
