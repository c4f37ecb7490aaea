"""What confirm asks the chain, and what it believes: outcomes, expiry, balances."""

from __future__ import annotations

import contextlib
import json
import random
from typing import Any

import pytest

from sniperforge import base58
from sniperforge.rpc import RpcError, RpcUnavailable
from sniperforge.tiles.chain import ChainReader, ChainState, Expired, Holdings, Landed, News, Reconciled, landed
from tests.unit.scripted_chain import BONK, USDC, WALLET, WSOL, Executed, ScriptedChain, signature


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
