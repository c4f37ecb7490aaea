"""The rebalancing strategy, on pools that swap as the chain does."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from ipc._core import lib
from sniperforge.records import Record
from sniperforge.strategies import Balance, Denied, Fill, Intent, Token
from sniperforge.strategies.base import Context
from sniperforge.strategies.rebalance import Rebalance
from sniperforge.tiles.strategies import BotParams, StrategyError, intent_bytes, load
from sniperforge.venues.raydium_cpmm import Rates, State
from tests.unit.market import messages, update, update_bytes

INTENT = Record("sf_intent_t")
SOL, USD, OTHER = "So11111111111111111111111111111111111111112", "E" * 43, "F" * 43


def context() -> Context:
    mints = (SOL, USD, OTHER)
    return Context(token=lambda row: Token(row, mints[row], 9), balances={}, intents_per_message=8)


SETTINGS: dict[str, Any] = {
    "mints": [SOL, USD],
    "weight_bps": 5000,
    "band_bps": 100,
    "slippage_bps": 30,
    "max_trade": 10**18,
    "cooldown_slots": 10,
    "give_up_slots": 600,
    "cu_limit": 80_000,
    "cu_price_micro_lamports": 1000,
}


class Wallet:
    """A wallet with a rebalancing bot on pools of its own, which swaps as the chain would."""

    def __init__(self, sol: int, usd: int, pools: dict[int, tuple[int, int]], **settings: Any) -> None:
        self.strategy = Rebalance.create(SETTINGS | settings, context())
        self.balances = self.strategy.context.balances
        self.pools = dict(pools)
        self.slot = 100
        self.seq = 0
        self.numbers: list[int] = []
        for token, amount in ((0, sol), (1, usd)):
            self.tell_balance(token, amount)

    def tell_balance(self, token: int, amount: int) -> None:
        self.balances[token] = amount
        self.strategy.on_balance(Balance(token, amount, self.slot))

    def show(self, slots: int = 1, **about: Any) -> list[Intent]:
        """All pools have an update; the intents that follow."""
        self.slot += slots
        payloads = [update_bytes(pool, a=a, b=b, slot=self.slot, **about) for pool, (a, b) in self.pools.items()]
        self.strategy.on_pools(messages(payloads, first_seq=self.seq))
        self.seq += len(payloads)
        found = [intent for _, _, intent in self.strategy.context.submitted]
        self.numbers += [number for number, _, _ in self.strategy.context.submitted]
        self.strategy.context.submitted.clear()
        return found

    def fill(self, intent: Intent, outcome: int, *, tell: bool = True) -> None:
        """The chain executes an intent, or not, and says so."""
        (hop,) = intent.hops
        delta_in = delta_out = 0
        if outcome == lib.SF_FILL_LANDED:
            reserves = self.pools[hop.pool]
            out = State(reserves, Rates(2500, 0)).quote_in(hop.a_to_b, hop.amount_in).amount_out
            assert out == intent.expected_out and 0 < hop.min_out <= out
            delta_in, delta_out = -hop.amount_in, out
            change = (hop.amount_in, -out) if hop.a_to_b else (-out, hop.amount_in)
            self.pools[hop.pool] = (reserves[0] + change[0], reserves[1] + change[1])
        about = dict.fromkeys(Fill._fields, 0) | {"intent": self.numbers[-1], "outcome": outcome, "slot": self.slot}
        self.strategy.on_fill(Fill(**about))
        if tell:
            self.tell_balance(intent.token_in, self.balances[intent.token_in] + delta_in)
            self.tell_balance(intent.token_out, self.balances[intent.token_out] + delta_out)

    def weight(self) -> float:
        a, b = max(self.pools.values(), key=lambda reserves: reserves[1])
        value = self.balances[0] * b / a
        return value / (value + self.balances[1])


def test_rebalance_sells_the_excess_on_the_best_pool() -> None:
    wallet = Wallet(0, 0, {1: (10**7, 150 * 10**7), 2: (10**6, 151 * 10**6)})
    assert wallet.show() == []
    wallet.tell_balance(0, 900)
    wallet.tell_balance(1, 100 * 150)
    (intent,) = wallet.show()
    (hop,) = intent.hops
    assert (intent.token_in, intent.token_out, hop.pool, hop.a_to_b) == (0, 1, 2, True)
    assert hop.amount_in == 400
    assert intent.expected_out == State((10**6, 151 * 10**6), Rates(2500, 0)).quote_in(True, 400).amount_out
    assert hop.min_out == intent.expected_out * 9970 // 10000
    assert (intent.cost_lamports, intent.cu_limit) == (5000 + 80, 80_000)
    wallet.fill(intent, lib.SF_FILL_LANDED)
    assert abs(wallet.weight() - 0.5) < 0.01
    assert wallet.show(slots=100) == []


def test_rebalance_buys_what_is_missing_in_either_order_of_the_pair() -> None:
    wallet = Wallet(100, 900, {})
    wallet.strategy.on_pools(messages([update_bytes(4, a=10**6, b=10**6, tokens=(1, 0))]))
    ((_, _, intent),) = wallet.strategy.context.submitted
    assert (intent.token_in, intent.token_out, intent.hops[0].a_to_b, intent.hops[0].amount_in) == (1, 0, True, 400)


def test_rebalance_has_one_order_under_way_and_waits_for_the_balances_after_it() -> None:
    wallet = Wallet(900, 100, {1: (10**6, 10**6)}, max_trade=100)
    (first,) = wallet.show()
    assert wallet.show(slots=100) == []  # no word yet
    wallet.fill(first, lib.SF_FILL_LANDED, tell=False)
    assert wallet.show(slots=100) == []  # filled, but the balances are those before
    wallet.tell_balance(0, 800)
    assert wallet.show() == []
    wallet.tell_balance(1, 199)
    assert len(wallet.show()) == 1


def test_rebalance_keeps_its_cooldown() -> None:
    wallet = Wallet(900, 100, {1: (10**6, 10**6)}, max_trade=100)
    (first,) = wallet.show()
    wallet.fill(first, lib.SF_FILL_REVERTED)
    assert wallet.show(slots=9) == []
    assert len(wallet.show(slots=1)) == 1


def test_rebalance_goes_on_after_a_denial_and_after_silence() -> None:
    wallet = Wallet(900, 100, {1: (10**6, 10**6)}, max_trade=100)
    assert len(wallet.show()) == 1
    wallet.strategy.on_denied(Denied(99, 1, 0, 0))  # of another
    assert wallet.show(slots=100) == []
    wallet.strategy.on_denied(Denied(1, 1, 0, 0))
    assert len(wallet.show()) == 1
    assert wallet.show(slots=599) == []
    recovered = Fill(**dict.fromkeys(Fill._fields, 0) | {"intent": 2, "flags": lib.SF_FILL_RECOVERED})
    wallet.strategy.on_fill(recovered)  # an earlier run's second intent is not this one's
    assert len(wallet.show(slots=1)) == 1


@pytest.mark.parametrize(
    "about", [{"flags": lib.SF_POOL_DISABLED}, {"venue": 99}, {"tokens": (0, 2)}, {"trade_fee_ppm": 0}]
)
def test_rebalance_leaves_pools_alone_that_cannot_be_swapped_on(about: dict[str, Any]) -> None:
    assert Wallet(900, 100, {1: (10**6, 10**6)}).show(**about) == []


def test_rebalance_does_nothing_without_balances_or_reserves() -> None:
    assert Wallet(0, 0, {1: (10**6, 10**6)}).show() == []
    assert Wallet(900, 100, {1: (0, 10**6)}).show() == []
    unknown = Rebalance.create(SETTINGS, context())
    unknown.on_pools(messages([update_bytes(1, a=10**6, b=10**6)]))
    assert not unknown.context.submitted


def test_rebalance_settings_that_cannot_work_are_refused() -> None:
    about = BotParams(bot=1, name="x", class_="sniperforge.strategies.rebalance:Rebalance", settings=dict(SETTINGS))
    for change in ({"mints": [SOL, SOL]}, {"slippage_bps": 10_000}, {"mints": [SOL]}, {"max_trade": 0}):
        wrong = msgspec.structs.replace(about, settings=SETTINGS | change)
        with pytest.raises(StrategyError, match=next(iter(change))):
            load(wrong, context())


def test_rebalance_on_random_markets_stays_exact_and_comes_to_rest() -> None:
    rng = random.Random(8)
    for _ in range(200):
        pools = {}
        for number in range(rng.randrange(1, 4)):
            depth = 10 ** rng.randrange(6, 14)
            pools[number] = (depth, depth * rng.randrange(90, 110) // 100)
        least = min(min(reserves) for reserves in pools.values())
        wallet = Wallet(
            rng.randrange(least // 50),
            rng.randrange(least // 50),
            pools,
            weight_bps=rng.randrange(0, 10_001),
            band_bps=rng.randrange(300, 2000),
            max_trade=rng.randrange(1, 10**12),
        )
        for _ in range(30):
            found = wallet.show(slots=10)
            assert len(found) <= 1
            for intent in found:
                (hop,) = intent.hops
                assert hop.amount_in <= wallet.balances[intent.token_in] and hop.min_out > 0
                row = INTENT.named(intent_bytes(1, 1, update(1, a=1, b=1), intent))
                assert row["min_out"] == hop.min_out and row["expected_out"] == intent.expected_out
                outcomes = (lib.SF_FILL_LANDED, lib.SF_FILL_LANDED, lib.SF_FILL_EXPIRED)
                wallet.fill(intent, rng.choice(outcomes))
        assert min(wallet.balances.values()) >= 0


def test_rebalance_reaches_the_band_in_steps() -> None:
    wallet = Wallet(10**12, 0, {1: (10**15, 10**15)}, max_trade=10**11)
    weights = [wallet.weight()]
    for _ in range(20):
        for intent in wallet.show(slots=10):
            wallet.fill(intent, lib.SF_FILL_LANDED)
        weights.append(wallet.weight())
    assert weights == sorted(weights, reverse=True)
    assert 0.48 < weights[-1] <= 0.51
