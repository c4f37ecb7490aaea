"""The sniper over scripted messages: every filter, every exit, sales that fail, what comes back after a restart."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ipc._core import ffi, lib
from sniperforge.config import ConfigError
from sniperforge.config import load as load_config
from sniperforge.records import Record
from sniperforge.strategies import Balance, Denied, Fill, Held, Hop, Intent, Token, Verdict
from sniperforge.strategies.base import Context, PoolUpdates
from sniperforge.strategies.sniper import Sniper, SniperConfig, contradictions
from sniperforge.tiles.strategies import BotParams, StrategyError, load
from tests.unit.market import messages, update, update_bytes

SOL = 10**9
WSOL, USDC = "So11111111111111111111111111111111111111112", "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
COIN, OTHER, MAKER = "C" * 43, "D" * 43, "M" * 43
MINTS = (WSOL, USDC, COIN, OTHER)
SIZE = SOL // 10
SETTINGS: dict[str, Any] = {
    "size_lamports": SIZE,
    "venues": ["raydium_cpmm", "pump_fun"],
    "max_pool_age_s": 600,
    "min_liquidity_lamports": 5 * SOL,
    "max_liquidity_lamports": 0,
    "min_market_cap_lamports": 0,
    "max_market_cap_lamports": 0,
    "min_progress_bps": 0,
    "max_progress_bps": 9000,
    "max_entry_impact_bps": 300,
    "max_exit_impact_bps": 300,
    "mints": [],
    "denied_mints": [],
    "denied_creators": [],
    "max_positions": 2,
    "max_buys_per_pool": 1,
    "max_buys_per_minute": 10,
    "take_profit": [[2000, 5000], [5000, 5000]],
    "stop_loss_bps": 1500,
    "trailing_stop_bps": 1000,
    "max_hold_s": 300,
    "min_slippage_bps": 10,
    "max_slippage_bps": 400,
    "retry_slots": 3,
    "give_up_slots": 600,
    "cu_limit": 0,
    "cu_price_micro_lamports": 1000,
}
SUPPLY = 10**15
START_S = 100_000


class Desk:
    """A sniper and the market it sees: one pool of the coin (token 2) against SOL or USDC, another of SOL and USDC."""

    def __init__(self, *, quote: int = 0, depth: int = 100 * SOL, **settings: Any) -> None:
        context = Context(
            token=lambda row: Token(row, MINTS[row], 9 if row == 0 else 6), balances={}, intents_per_message=8
        )
        self.sniper = Sniper.create(SETTINGS | settings, context)
        self.quote, self.depth = quote, depth
        self.slot = self.seq = 0
        self.clock = START_S
        self.price = 1.0
        self.orders = 0
        self.numbers: list[int] = []
        self.show(pool=9, tokens=(0, 1), a=1000 * SOL, b=150_000 * 10**6)

    def show(self, price: float | None = None, *, slots: int = 1, seconds: int = 0, **about: Any) -> list[Intent]:
        """The coin's pool has an update, at so many times its first price; the intents that follow."""
        self.slot += slots
        self.clock += seconds
        self.price = price if price is not None else self.price
        values: dict[str, Any] = {
            "pool": 5,
            "tokens": (2, self.quote),
            "a": SUPPLY // 2,
            "b": int(self.depth * self.price),
        } | about
        payload = update_bytes(values.pop("pool"), slot=self.slot, unix_s=self.clock, **values)
        self.sniper.on_pools(messages([payload], first_seq=self.seq))
        self.seq += 1
        return self.taken()

    def taken(self) -> list[Intent]:
        found = self.sniper.context.submitted
        self.numbers += [number for number, _, _ in found]
        intents = [intent for _, _, intent in found]
        found.clear()
        return intents

    def verdict(self, outcome: int = lib.SF_VERDICT_PASSES, *, pool: int = 5, **about: Any) -> list[Intent]:
        values: dict[str, Any] = {
            "token": 2, "pool": pool, "quote": self.quote, "outcome": outcome, "reasons": 0, "slot": self.slot,
            "amount": 10 * SOL, "supply": SUPPLY, "opened": START_S - 30, "mint": COIN, "creators": (MAKER,),
        }  # fmt: skip
        self.sniper.context.next_message()
        self.sniper.on_verdict(Verdict(**(values | about)))
        return self.taken()

    def fill(self, intent: Intent, outcome: int = lib.SF_FILL_LANDED, *, flags: int = 0, **about: Any) -> None:
        landed = outcome == lib.SF_FILL_LANDED
        self.orders += 1
        values: dict[str, Any] = {
            "order": self.orders, "intent": self.numbers[-1], "outcome": outcome, "kind": lib.SF_INTENT_SWAP,
            "flags": flags, "token_in": intent.token_in, "token_out": intent.token_out,
            "delta_in": -intent.hops[0].amount_in if landed else 0,
            "delta_out": intent.expected_out if landed else 0, "delta_lamports": -5000, "fee_lamports": 5000,
            "slot": self.slot, "expected_out": intent.expected_out, "amount_in": intent.hops[0].amount_in, "error": 0,
        }  # fmt: skip
        self.sniper.on_fill(Fill(**(values | about)))

    def deny(self, reason: int) -> None:
        self.sniper.on_denied(Denied(self.numbers[-1], reason, 0, 0))

    def bought(self) -> int:
        """Buys the coin; how much of it."""
        self.show()
        (intent,) = self.verdict()
        self.fill(intent)
        return intent.expected_out


def test_a_verdict_that_passes_is_bought_on() -> None:
    desk = Desk()
    desk.show()
    (intent,) = desk.verdict()
    (hop,) = intent.hops
    assert (intent.token_in, intent.token_out, hop.amount_in, intent.create, intent.reduce) == (0, 2, SIZE, True, False)
    quoted = update(5, a=SUPPLY // 2, b=desk.depth).quote_in(False, SIZE)
    assert intent.expected_out == quoted and 0 < hop.min_out < quoted
    assert hop.min_out >= quoted * (10_000 - 400) // 10_000
    desk.fill(intent)
    assert not desk.show() and not desk.verdict(), "held already"
    assert desk.sniper.positions[2].cost_lamports == SIZE


def test_a_verdict_may_come_before_the_pool() -> None:
    desk = Desk()
    assert not desk.verdict()
    assert len(desk.show()) == 1


def test_a_refusal_takes_a_passing_verdict_back() -> None:
    desk = Desk()
    desk.verdict()
    desk.verdict(lib.SF_VERDICT_REFUSED, reasons=lib.SF_UNSAFE_MINT_AUTHORITY)
    assert not desk.show()


@pytest.mark.parametrize(
    ("settings", "about"),
    [
        ({"venues": ["pump_fun"]}, {}),
        ({}, {"opened": START_S - 700}),
        ({}, {"opened": 0}),
        ({"min_liquidity_lamports": 101 * SOL}, {}),
        ({"max_liquidity_lamports": 99 * SOL}, {}),
        ({"min_market_cap_lamports": 201 * SOL}, {}),
        ({"max_market_cap_lamports": 199 * SOL}, {}),
        ({"max_entry_impact_bps": 9}, {}),
        ({"max_exit_impact_bps": 9}, {}),
        ({"mints": [OTHER]}, {}),
        ({"denied_mints": [COIN]}, {}),
        ({"denied_creators": [MAKER]}, {}),
        ({}, {"amount": SIZE - 1}),
        ({}, {"quote": 3}),
    ],
)
def test_each_filter_keeps_from_buying(settings: dict[str, Any], about: dict[str, Any]) -> None:
    desk = Desk(**settings)
    desk.show()
    assert not desk.verdict(**about) and not desk.show()


def test_filters_that_let_it_pass() -> None:
    desk = Desk(
        mints=[COIN], min_market_cap_lamports=199 * SOL, max_market_cap_lamports=201 * SOL,
        min_liquidity_lamports=99 * SOL, max_liquidity_lamports=101 * SOL, max_entry_impact_bps=11,
        max_exit_impact_bps=11, denied_mints=[OTHER], denied_creators=[OTHER], max_pool_age_s=31,
    )  # fmt: skip
    desk.show()
    assert len(desk.verdict()) == 1


def test_counts_limit_buys() -> None:
    desk = Desk(max_positions=1, max_buys_per_minute=2, max_buys_per_pool=3)
    desk.bought()
    desk.show(pool=6, tokens=(3, 0))
    other: dict[str, Any] = {"pool": 6, "token": 3, "mint": OTHER}
    assert not desk.verdict(**other), "one position at most"
    (sale,) = desk.show(1.6)
    desk.fill(sale)
    (intent,) = desk.verdict(**other)
    desk.fill(intent, token_out=3)
    (sale,) = desk.show(1.6, pool=6, tokens=(3, 0))
    desk.fill(sale)
    assert not desk.verdict(), "two a minute"
    assert len(desk.show(seconds=61)) == 1 or len(desk.verdict()) == 1


def test_one_buy_in_a_pool() -> None:
    desk = Desk()
    desk.bought()
    (sale,) = desk.show(1.6)
    desk.fill(sale)
    assert not desk.sniper.positions and not desk.verdict() and not desk.show()


def test_a_buy_that_reverts_is_tried_again() -> None:
    desk = Desk()
    desk.show()
    (intent,) = desk.verdict()
    desk.fill(intent, lib.SF_FILL_REVERTED)
    assert not desk.show(), "not at once"
    assert len(desk.show(slots=3)) == 1


def test_a_denied_buy_waits_for_the_next_price_or_the_next_verdict() -> None:
    desk = Desk()
    desk.show()
    desk.verdict()
    desk.deny(lib.SF_DENY_QUOTE)
    assert len(desk.show(slots=4)) == 1
    desk.deny(lib.SF_DENY_UNSAFE)
    assert not desk.show(slots=4)
    assert len(desk.verdict()) == 1


# -- exits --


def test_take_profit_sells_by_levels() -> None:
    desk = Desk(trailing_stop_bps=0)
    bought = desk.bought()
    assert not desk.show(1.19)
    (half,) = desk.show(1.25)
    (hop,) = half.hops
    assert hop.amount_in == bought // 2 and half.reduce and hop.min_out > 0 and half.token_out == 0
    desk.fill(half)
    assert not desk.show(1.3), "the first level is sold"
    (rest,) = desk.show(1.6)
    assert rest.hops[0].amount_in == bought - bought // 2
    desk.fill(rest)
    assert not desk.sniper.positions


def test_a_jump_over_two_levels_sells_both() -> None:
    desk = Desk()
    bought = desk.bought()
    (sale,) = desk.show(1.6)
    assert sale.hops[0].amount_in == bought


def test_the_stop_sells_everything_also_after_the_price_came_back() -> None:
    desk = Desk(trailing_stop_bps=0)
    bought = desk.bought()
    assert not desk.show(0.9)
    (sale,) = desk.show(0.84)
    assert sale.hops[0].amount_in == bought
    desk.fill(sale, lib.SF_FILL_REVERTED)
    assert len(desk.show(1.0, slots=3)) == 1


def test_the_trailing_stop_follows_the_highest() -> None:
    desk = Desk(take_profit=[])
    bought = desk.bought()
    assert not desk.show(1.5) and not desk.show(1.4)
    (sale,) = desk.show(1.34)
    assert sale.hops[0].amount_in == bought


def test_the_time_limit_needs_no_news_of_the_pool() -> None:
    desk = Desk()
    bought = desk.bought()
    assert not desk.show(seconds=299)
    (sale,) = desk.show(seconds=1, pool=9, tokens=(0, 1), a=1000 * SOL, b=150_000 * 10**6)
    assert sale.hops[0].amount_in == bought


def test_a_verdict_forces_the_exit_at_once() -> None:
    desk = Desk()
    bought = desk.bought()
    (sale,) = desk.verdict(lib.SF_VERDICT_EXIT, reasons=lib.SF_UNSAFE_CREATOR)
    assert sale.hops[0].amount_in == bought
    desk.fill(sale)
    assert not desk.sniper.positions and not desk.show()


def test_an_exit_while_the_buy_is_under_way_sells_what_it_brings() -> None:
    desk = Desk()
    desk.show()
    (intent,) = desk.verdict()
    assert not desk.verdict(lib.SF_VERDICT_EXIT)
    desk.fill(intent)
    assert len(desk.show()) == 1


def test_sales_that_revert_get_more_slippage_up_to_the_ceiling() -> None:
    desk = Desk(max_slippage_bps=100)
    desk.bought()
    allowed = []
    for _ in range(6):
        (sale,) = desk.verdict(lib.SF_VERDICT_EXIT) or desk.show(slots=3)
        allowed.append(10_000 - sale.hops[0].min_out * 10_000 // sale.expected_out)
        desk.fill(sale, lib.SF_FILL_REVERTED)
    assert allowed == sorted(allowed) and allowed[0] < allowed[1] and allowed[-1] in (100, 101)


def test_a_sale_too_large_for_risk_is_cut() -> None:
    desk = Desk()
    bought = desk.bought()
    desk.verdict(lib.SF_VERDICT_EXIT)
    desk.deny(lib.SF_DENY_ORDER_SIZE)
    (half,) = desk.show(slots=3)
    assert half.hops[0].amount_in == bought // 2
    desk.fill(half)
    (rest,) = desk.show(slots=3)
    assert rest.hops[0].amount_in == (bought - bought // 2) // 2


def test_an_order_without_a_word_is_given_up() -> None:
    desk = Desk()
    desk.bought()
    desk.verdict(lib.SF_VERDICT_EXIT)
    assert not desk.show(slots=599) and len(desk.show()) == 1


def test_what_left_by_another_way_is_not_sold() -> None:
    desk = Desk()
    bought = desk.bought()
    desk.sniper.on_balance(Balance(2, bought // 4, desk.slot))
    (sale,) = desk.verdict(lib.SF_VERDICT_EXIT)
    assert sale.hops[0].amount_in == bought // 4


# -- over USDC --


def test_a_pool_against_usdc_is_bought_over_the_pool_of_sol_and_usdc() -> None:
    desk = Desk(quote=1, depth=15_000 * 10**6)
    desk.show()
    (intent,) = desk.verdict(amount=16 * 10**6)
    first, second = intent.hops
    assert (first.pool, second.pool, intent.token_in, intent.token_out) == (9, 5, 0, 2)
    assert first.amount_in == SIZE and second.amount_in == first.min_out
    desk.fill(intent)
    (sale,) = desk.verdict(lib.SF_VERDICT_EXIT)
    assert [hop.pool for hop in sale.hops] == [5, 9] and sale.token_out == 0
    assert sale.hops[1].amount_in == sale.hops[0].min_out


def test_liquidity_in_usdc_counts_in_sol() -> None:
    desk = Desk(quote=1, depth=15_000 * 10**6, min_liquidity_lamports=101 * SOL)
    desk.show()
    assert not desk.verdict(amount=16 * 10**6)


# -- curves --


def curve_update(desk: Desk, *, paid_in: int) -> None:
    """An update of the coin's bonding curve."""
    virtual_quote = 30 * SOL + paid_in
    virtual_token = 30 * SOL * 1_073_000_000_000_000 // virtual_quote
    state, head = ffi.new("sf_pump_fun_state_t *"), ffi.new("sf_pool_update_t *")
    state.virtual_token, state.virtual_quote = virtual_token, virtual_quote
    state.real_token, state.real_quote = virtual_token - 279_900_000_000_000, paid_in
    desk.slot += 1
    head.pool, head.venue, head.slot, head.unix_s = 5, lib.SF_VENUE_PUMP_FUN, desk.slot, desk.clock
    head.reserve = [virtual_token, virtual_quote]
    head.token_a, head.token_b = 2, 0
    head.state_bytes = ffi.sizeof(state[0])
    payload = bytes(ffi.buffer(head)) + bytes(ffi.buffer(state))
    record = Record("sf_message_t").build({"seq": desk.seq, "kind": lib.SF_MSG_POOL, "length": len(payload)})
    desk.sniper.on_pools(PoolUpdates(record + payload, len(record) + len(payload)))
    desk.seq += 1


@pytest.mark.parametrize(
    ("settings", "paid_in", "buys"),
    [
        ({"min_progress_bps": 3000}, 10 * SOL, True),
        ({"min_progress_bps": 4000}, 10 * SOL, False),
        ({"max_progress_bps": 3000}, 10 * SOL, False),
        ({"min_market_cap_lamports": 40 * SOL, "max_market_cap_lamports": 60 * SOL}, 10 * SOL, True),
        ({"max_market_cap_lamports": 40 * SOL}, 10 * SOL, False),
        ({"min_liquidity_lamports": 11 * SOL}, 10 * SOL, False),
    ],
)
def test_filters_of_curves(settings: dict[str, Any], paid_in: int, buys: bool) -> None:
    desk = Desk(**settings)
    curve_update(desk, paid_in=paid_in)
    assert bool(desk.verdict()) == buys


# -- after a restart --


def test_positions_come_back_and_their_exits_go_on() -> None:
    desk = Desk()
    desk.show()
    bought = 10**12
    worth = update(5, a=SUPPLY // 2, b=desk.depth).quote_in(True, bought // 2)
    desk.sniper.on_held(Held(2, bought, 2 * worth * 10 // 13, bought // 2, worth, START_S - 200))
    assert not desk.show(), "the first level is sold"
    (sale,) = desk.show(1.2)
    assert sale.hops[0].amount_in == bought - bought // 2


def test_the_time_limit_counts_from_the_purchase_of_the_earlier_run() -> None:
    desk = Desk(take_profit=[], stop_loss_bps=0, trailing_stop_bps=0)
    desk.show()
    desk.sniper.on_held(Held(2, 10**9, SIZE, 0, 0, START_S - 300))
    assert len(desk.show()) == 1


def test_an_exit_that_was_told_before_what_is_held_is_not_forgotten() -> None:
    desk = Desk()
    desk.show()
    assert not desk.verdict(lib.SF_VERDICT_EXIT)
    desk.sniper.on_held(Held(2, 10**9, SIZE, 0, 0, START_S))
    assert len(desk.show()) == 1


@pytest.mark.parametrize("held_first", [True, False])
def test_recovered_fills_count_whichever_comes_first(held_first: bool) -> None:
    desk = Desk()
    desk.show()
    held = Held(2, 10**9, SIZE, 0, 0, START_S)
    if held_first:
        desk.sniper.on_held(held)
    desk.numbers.append(1)
    intent = Intent(token_in=2, token_out=0, expected_out=SIZE, hops=[Hop(5, 2, True, 10**9, SIZE)])
    sold = {"delta_in": -(10**9), "delta_out": SIZE, "amount_in": 10**9}
    desk.fill(intent, flags=lib.SF_FILL_RECOVERED, **sold)
    if not held_first:
        desk.sniper.on_held(held)
    assert not desk.sniper.positions and not desk.show()


def test_the_same_messages_give_the_same_intents() -> None:
    def day() -> list[Intent]:
        desk = Desk()
        desk.bought()
        return [intent for price in (1.0, 1.1, 1.05, 1.3, 1.2, 1.6) for intent in desk.show(price)]

    assert day() == day() != []


# -- settings that can never work --


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"min_liquidity_lamports": 6 * SOL, "max_liquidity_lamports": 5 * SOL}, "min_liquidity_lamports"),
        ({"min_market_cap_lamports": 2, "max_market_cap_lamports": 1}, "min_market_cap_lamports"),
        ({"min_progress_bps": 9500}, "min_progress_bps"),
        ({"mints": [COIN], "denied_mints": [COIN]}, "denied_mints"),
        ({"mints": [COIN, "abc"]}, r"mints\[1\]"),
        ({"denied_creators": ["abc"]}, r"denied_creators\[0\]"),
        (
            {"venues": ["pump_fun"], "min_liquidity_lamports": 90 * SOL, "max_liquidity_lamports": 0},
            "min_liquidity_lamports",
        ),
        ({"size_lamports": 4 * SOL, "max_liquidity_lamports": 50 * SOL}, "size_lamports"),
        ({"take_profit": [[5000, 5000], [2000, 5000]]}, "take_profit"),
        ({"take_profit": [[2000, 6000], [5000, 5000]]}, "take_profit"),
        ({"take_profit": [[1, 5000], [5000, 5000]]}, "take_profit"),
        ({"take_profit": [], "stop_loss_bps": 0, "trailing_stop_bps": 0, "max_hold_s": 0}, "take_profit"),
        ({"stop_loss_bps": 10_000}, "stop_loss_bps"),
        ({"trailing_stop_bps": 10_000}, "trailing_stop_bps"),
        ({"min_slippage_bps": 500}, "min_slippage_bps"),
        ({"max_slippage_bps": 10_000}, "max_slippage_bps"),
    ],
)
def test_settings_that_can_never_work_are_refused(settings: dict[str, Any], key: str) -> None:
    bot = BotParams(bot=4, name="x", class_="sniperforge.strategies.sniper:Sniper", settings=SETTINGS | settings)
    context = Context(token=lambda row: Token(row, MINTS[row], 9), balances={}, intents_per_message=8)
    with pytest.raises(StrategyError, match=rf"bots\.x\.settings: {key}: "):
        load(bot, context)


def test_an_unknown_key_says_where_the_keys_are() -> None:
    bot = BotParams(bot=4, name="x", class_="sniperforge.strategies.sniper:Sniper", settings=SETTINGS | {"sizes": 1})
    context = Context(token=lambda row: Token(row, MINTS[row], 9), balances={}, intents_per_message=8)
    with pytest.raises(StrategyError, match=r"bots\.x\.settings: .*`sizes`; see configs/default\.toml"):
        load(bot, context)


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        ("pools.venues=['pump_fun']", "venues"),
        ("bots.sniper.settings.venues=['orca_whirlpool']", "venues"),
        ("safety.gate=false", "venues"),
        ("risk.max_order_lamports=1", "size_lamports"),
        ("safety.amount_lamports=1", "size_lamports"),
        ("risk.collar_bps=49", "max_slippage_bps"),
        ("safety.min_pool_age_s=600", "max_pool_age_s"),
        ("bots.sniper.settings.max_liquidity_lamports=1", "max_liquidity_lamports"),
        (f"bots.sniper.settings.mints=['{USDC}']", "mints"),
        ("bots.sniper.settings.max_positions=0", None),
    ],
)
def test_what_the_rest_of_the_configuration_makes_impossible(setting: str, key: str | None) -> None:
    enabled = "bots.sniper.enabled=true"
    config = load_config((), [enabled])
    settings = config.bots["sniper"].settings  # type: ignore[union-attr]
    assert not list(contradictions(msgspec.convert(settings, SniperConfig)))
    if key is None:
        return
    with pytest.raises(ConfigError, match=rf"bots\.sniper\.settings\.{key}: "):
        load_config((), [enabled, setting])


def test_the_state_of_a_pool_is_its_last_message() -> None:
    desk = Desk()
    desk.verdict()
    assert not desk.show(flags=lib.SF_POOL_DISABLED) and len(desk.show()) == 1
