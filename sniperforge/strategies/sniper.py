"""Buys new tokens that pass the checks, and manages the exit of each.

A token's verdict (docs/token-safety.md) names the pool it was judged in. When it passes and the filters let it, the
token is bought there: with SOL, or over USDC where the pool is against that. From then on the sale of all that is left,
by the exact quote, is held against what was paid: take profit, stop, trailing stop, time limit; and a verdict that says
so forces the sale at once. A sale that fails is tried again with twice the slippage, up to the ceiling.

What was bought and sold comes back after a restart from the journal (`on_held`); how far take profit had come follows
from that, the peak of the trailing stop begins anew. docs/sniper.md is the manual.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta
from spl.token.constants import WRAPPED_SOL_MINT

from ipc._core import ffi, lib
from sniperforge import base58
from sniperforge.router.slippage import SlippageTerms, Volatility, slippage, volatility
from sniperforge.strategies.base import (
    Balance,
    Context,
    Denied,
    Fill,
    Held,
    Hop,
    Intent,
    PoolUpdate,
    Strategy,
    Verdict,
)

WSOL: Final = str(WRAPPED_SOL_MINT)
USDC: Final = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
VENUES: Final = {
    "raydium_cpmm": lib.SF_VENUE_RAYDIUM_CPMM,
    "raydium_amm_v4": lib.SF_VENUE_RAYDIUM_AMM_V4,
    "raydium_clmm": lib.SF_VENUE_RAYDIUM_CLMM,
    "orca_whirlpool": lib.SF_VENUE_ORCA_WHIRLPOOL,
    "meteora_dlmm": lib.SF_VENUE_METEORA_DLMM,
    "meteora_damm_v2": lib.SF_VENUE_METEORA_DAMM_V2,
    "pump_swap": lib.SF_VENUE_PUMP_SWAP,
    "pump_fun": lib.SF_VENUE_PUMP_FUN,
}

_BPS: Final = 10_000
_SIGNATURE_LAMPORTS: Final = 5_000
_USUAL_CU: Final = 150_000
"""Compute units of a swap, where the builder chooses the limit."""
_PROBE: Final = 1_000
"""An impact compares a swap with one of this part of it."""
_ROWS_MAX: Final = 1 << 31
"""Above are the numbers of no token: lamports, and tokens of an earlier run that this one does not know."""
_SAMPLES: Final = 64
_MINUTE_S: Final = 60
_CURVE_TOKENS: Final = 1_073_000_000_000_000
_CURVE_LAMPORTS: Final = 30_000_000_000
"""Virtual reserves a pump.fun curve begins with (pump-fun/pump-public-docs, the program's Global account)."""
_CURVE_FULL_LAMPORTS: Final = 85_005_359_057
"""What it has taken in when all its tokens are sold."""
_TOO_LARGE: Final = (lib.SF_DENY_ORDER_SIZE, lib.SF_DENY_MINT_SIZE, lib.SF_DENY_EXPOSURE)
_SOON_OVER: Final = (lib.SF_DENY_STALE, lib.SF_DENY_RATE, lib.SF_DENY_COLLAR, lib.SF_DENY_QUOTE, lib.SF_DENY_CREDIT)
"""Denials after which a buy is tried again with the next price."""
_UPDATE_BYTES: Final = int(ffi.sizeof("sf_pool_update_t"))

Bps = Annotated[int, Meta(ge=0, le=_BPS)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Lamports = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Gain = Annotated[int, Meta(ge=1, le=100_000_000)]
Name = Literal[
    "raydium_cpmm",
    "raydium_amm_v4",
    "raydium_clmm",
    "orca_whirlpool",
    "meteora_dlmm",
    "meteora_damm_v2",
    "pump_swap",
    "pump_fun",
]


class SniperConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[bots.<name>.settings]`; what each key does stands in configs/default.toml."""

    size_lamports: Annotated[int, Meta(ge=1, le=(1 << 62))]
    venues: Annotated[list[Name], Meta(min_length=1)]
    max_pool_age_s: Annotated[int, Meta(ge=0, le=1 << 31)]
    min_liquidity_lamports: Lamports
    max_liquidity_lamports: Lamports
    min_market_cap_lamports: Lamports
    max_market_cap_lamports: Lamports
    min_progress_bps: Bps
    max_progress_bps: Bps
    max_entry_impact_bps: Bps
    max_exit_impact_bps: Bps
    mints: list[str]
    denied_mints: list[str]
    denied_creators: list[str]
    max_positions: Count
    max_buys_per_pool: Count
    max_buys_per_minute: Count
    take_profit: list[tuple[Gain, Annotated[int, Meta(ge=1, le=_BPS)]]]
    stop_loss_bps: Bps
    trailing_stop_bps: Bps
    max_hold_s: Annotated[int, Meta(ge=0, le=1 << 31)]
    min_slippage_bps: Bps
    max_slippage_bps: Bps
    retry_slots: Count
    give_up_slots: Count
    cu_limit: Annotated[int, Meta(ge=0, le=1_400_000)]
    cu_price_micro_lamports: Annotated[int, Meta(ge=1, lt=1 << 40)]

    @property
    def fee_lamports(self) -> int:
        """Fee of one transaction."""
        return _SIGNATURE_LAMPORTS - (-(self.cu_limit or _USUAL_CU) * self.cu_price_micro_lamports // 1_000_000)


def contradictions(config: SniperConfig) -> Iterator[str]:
    """Why these settings can never buy, or would never sell: sentences that begin with a key. None = they can work."""
    for name, least, most in (
        ("liquidity_lamports", config.min_liquidity_lamports, config.max_liquidity_lamports),
        ("market_cap_lamports", config.min_market_cap_lamports, config.max_market_cap_lamports),
    ):
        if most and least > most:
            yield f"min_{name}: {least} is above max_{name} = {most}, so no pool can match; lower it or raise the other"
    if config.min_progress_bps > config.max_progress_bps:
        yield "min_progress_bps: is above max_progress_bps, so no curve can match; lower it or raise the other"
    for key, addresses in (
        ("mints", config.mints),
        ("denied_mints", config.denied_mints),
        ("denied_creators", config.denied_creators),
    ):
        for number, address in enumerate(addresses):
            if not _is_address(address):
                yield f"{key}[{number}]: {address!r} is no address; use 32 bytes in base58"
    if {*config.venues} == {"pump_fun"} and config.min_liquidity_lamports > _CURVE_FULL_LAMPORTS:
        yield (
            f"min_liquidity_lamports: {config.min_liquidity_lamports} is above the {_CURVE_FULL_LAMPORTS} that a curve "
            "of pump_fun, the only one of venues, ever takes in; lower it or add a venue"
        )
    if config.mints and set(config.mints) <= set(config.denied_mints):
        yield "denied_mints: holds every one of mints, so nothing may be bought; take one out"
    most = config.max_liquidity_lamports
    if most:
        depth = most + (_CURVE_LAMPORTS if "pump_fun" in config.venues else 0)
        impact = config.size_lamports * _BPS // (config.size_lamports + depth)
        if impact > config.max_entry_impact_bps:
            yield (
                f"size_lamports: {config.size_lamports} moves the deepest pool that max_liquidity_lamports allows by "
                f"{impact} bps, above max_entry_impact_bps = {config.max_entry_impact_bps}; lower it"
            )
    yield from _never_sold(config)


def _is_address(text: str) -> bool:
    try:
        base58.decode(text, 32)
    except ValueError:
        return False
    return True


def _never_sold(config: SniperConfig) -> Iterator[str]:
    gains = [gain for gain, _ in config.take_profit]
    shares = sum(share for _, share in config.take_profit)
    if gains != sorted(set(gains)):
        yield "take_profit: gains must rise from level to level"
    if shares > _BPS:
        yield f"take_profit: the shares add up to {shares} bps of what was bought; use at most {_BPS}"
    if shares < _BPS and not (config.stop_loss_bps or config.trailing_stop_bps or config.max_hold_s):
        yield "take_profit: leaves something that nothing sells; add a level, a stop or max_hold_s"
    costs = 2 * config.fee_lamports
    for gain, share in config.take_profit[:1]:
        profit = config.size_lamports * gain // _BPS * share // _BPS
        if profit <= costs:
            yield (
                f"take_profit: the first level earns {profit} lamports, not more than the {costs} that the "
                "transactions cost; raise its gain or size_lamports"
            )
    if config.stop_loss_bps == _BPS:
        yield f"stop_loss_bps: {_BPS} is reached when nothing is left; use less, or 0 for no stop"
    if config.trailing_stop_bps == _BPS:
        yield f"trailing_stop_bps: {_BPS} is reached when nothing is left; use less, or 0 for none"
    if config.min_slippage_bps > config.max_slippage_bps:
        yield "min_slippage_bps: is above max_slippage_bps; lower it or raise the other"
    if config.max_slippage_bps == _BPS:
        yield f"max_slippage_bps: {_BPS} would accept nothing at all for a sale; use less"


class Leg(NamedTuple):
    """A swap in one pool."""

    pool: PoolUpdate
    a_to_b: bool


class Priced(NamedTuple):
    """A route with its least outputs, and what it gives exactly: `exact` with nothing lost to slippage between hops."""

    hops: list[Hop]
    expected_out: int


@dataclass
class Position:
    """What is held of a token.

    Attributes:
        bought, sold: base units. `cost_lamports`: what was put in.
        peak_bps: the highest that the rest was worth since the start, against its cost.
        leaving: why all of it is to be sold; empty = it is not.
        parts: a sale that is too large for risk is cut into so many.
        order: number of the intent under way, 0 = none.
    """

    token: int
    pool: int | None = None
    bought: int = 0
    cost_lamports: int = 0
    sold: int = 0
    proceeds_lamports: int = 0
    since_s: int = 0
    peak_bps: int = _BPS
    leaving: str = ""
    failures: int = 0
    parts: int = 1
    order: int = 0
    order_slot: int = 0
    retry_slot: int = 0
    fill_slot: int = 0

    @property
    def left(self) -> int:
        """Base units that are still to be sold."""
        return self.bought - self.sold


@dataclass
class _Samples:
    """Recent prices of a pool, for its volatility."""

    prices: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_SAMPLES))

    def add(self, pool: PoolUpdate) -> None:
        if pool.reserve_a and pool.reserve_b:
            self.prices.append((pool.now_ns / 1e9, pool.reserve_b / pool.reserve_a))


class Sniper(Strategy):
    """See the module."""

    Config = SniperConfig
    config: SniperConfig

    def __init__(self, config: SniperConfig, context: Context) -> None:
        for sentence in contradictions(config):
            raise ValueError(sentence)
        super().__init__(config, context)
        self._venues = {VENUES[name] for name in config.venues}
        self._pools: dict[int, PoolUpdate] = {}
        self._bridges: set[int] = set()
        self._samples: dict[int, _Samples] = {}
        self._candidates: dict[int, Verdict] = {}
        self._exits: set[int] = set()
        self._orders: dict[int, tuple[int, bool]] = {}
        self._retry: dict[int, int] = {}
        self._buys: dict[int, int] = {}
        self._minute: deque[int] = deque()
        self._balance_slot: dict[int, int] = {}
        self.positions: dict[int, Position] = {}
        self._slot = 0
        self._unix_s = 0

    # -- callbacks --

    def on_pool(self, pool: PoolUpdate) -> None:
        known = pool.pool in self._pools
        self._pools[pool.pool] = pool
        self._slot = max(self._slot, pool.slot)
        self._unix_s = max(self._unix_s, pool.unix_s)
        if not known and {self._mint(pool.token_a), self._mint(pool.token_b)} == {WSOL, USDC}:
            self._bridges.add(pool.pool)
        samples = self._samples.get(pool.pool)
        if samples is not None:
            samples.add(pool)
        for position in list(self.positions.values()):
            self._manage(position, moved=pool.pool)
        for token, verdict in list(self._candidates.items()):
            if verdict.pool == pool.pool or self._retry.get(token, self._slot + 1) <= self._slot:
                self._consider(token)

    def on_verdict(self, verdict: Verdict) -> None:
        token = verdict.token
        if verdict.outcome != lib.SF_VERDICT_PASSES:
            self._candidates.pop(token, None)
        if verdict.outcome == lib.SF_VERDICT_EXIT:
            self._exits.add(token)
            position = self.positions.get(token)
            if position is not None:
                position.leaving = position.leaving or "verdict"
                position.retry_slot = 0
                self._manage(position, moved=position.pool)
        elif verdict.outcome == lib.SF_VERDICT_PASSES:
            self._exits.discard(token)
            self._candidates[token] = verdict
            self._samples.setdefault(verdict.pool, _Samples())
            self._consider(token)

    def on_held(self, held: Held) -> None:
        position = self.positions.setdefault(held.token, Position(held.token, since_s=held.since_s))
        position.bought += held.bought
        position.cost_lamports += held.cost_lamports
        position.sold += held.sold
        position.proceeds_lamports += held.proceeds_lamports
        position.since_s = min(position.since_s, held.since_s)
        if held.token in self._exits:
            position.leaving = position.leaving or "verdict"
        self._close_if_sold(position)

    def on_fill(self, fill: Fill) -> None:
        if fill.recovered:
            self._recovered(fill)
            return
        token, buys = self._orders.pop(fill.intent, (None, False))
        position = self.positions.get(token) if token is not None else None
        if position is None:
            return
        position.order = 0
        if fill.outcome == lib.SF_FILL_LANDED:
            position.failures = 0
            self._book(position, fill, buys)
        else:
            position.failures += fill.outcome == lib.SF_FILL_REVERTED
            self._failed(position, buys)

    def on_denied(self, denied: Denied) -> None:
        token, buys = self._orders.pop(denied.intent, (None, False))
        position = self.positions.get(token) if token is not None else None
        if position is None:
            return
        position.order = 0
        if denied.reason in _TOO_LARGE and not buys:
            position.parts = min(2 * position.parts, 1 << 20)
        if buys and denied.reason not in _SOON_OVER:
            self._candidates.pop(position.token, None)  # until its next verdict
        self._failed(position, buys)

    def on_balance(self, balance: Balance) -> None:
        self._balance_slot[balance.token] = balance.slot
        position = self.positions.get(balance.token)
        if position is not None and not position.order and balance.slot >= position.fill_slot and position.bought:
            position.sold = max(position.sold, position.bought - balance.amount)  # what left by another way
            self._close_if_sold(position)

    # -- the books of a position --

    def _book(self, position: Position, fill: Fill, buys: bool) -> None:
        position.fill_slot = fill.slot
        if buys:
            if not position.bought:
                position.since_s = self._unix_s
            position.bought += max(fill.delta_out, 0)
            position.cost_lamports += fill.amount_in
            if position.token in self._exits:
                position.leaving = position.leaving or "verdict"
        else:
            position.sold += max(-fill.delta_in, 0)
            position.proceeds_lamports += max(fill.delta_out, 0)
        self._close_if_sold(position)

    def _recovered(self, fill: Fill) -> None:
        """An order that an earlier run left open: it may come before what that run had booked."""
        known = max(fill.token_in, fill.token_out) < _ROWS_MAX
        if fill.outcome != lib.SF_FILL_LANDED or fill.kind != lib.SF_INTENT_SWAP or not known:
            return
        buys = self._is(fill.token_in, WSOL)
        token = fill.token_out if buys else fill.token_in
        if not buys and not self._is(fill.token_out, WSOL):
            return
        position = self.positions.setdefault(token, Position(token, since_s=self._unix_s))
        self._book(position, fill, buys)

    def _failed(self, position: Position, buys: bool) -> None:
        position.retry_slot = self._slot + self.config.retry_slots
        if buys and not position.bought:
            self._retry[position.token] = position.retry_slot
            if position.pool is not None:
                self._buys[position.pool] -= 1
            del self.positions[position.token]

    def _close_if_sold(self, position: Position) -> None:
        if position.bought and position.left <= 0 and not position.order:
            self.positions.pop(position.token, None)

    # -- entry --

    def _consider(self, token: int) -> None:
        """Buys a token whose verdict passes, if the filters let it."""
        verdict = self._candidates[token]
        pool = self._pools.get(verdict.pool)
        if pool is None or not pool.tradable or self._cause is None:
            return
        if self._never(verdict, pool):
            del self._candidates[token]
            return
        if token in self.positions or self._slot < self._retry.get(token, 0):
            return
        self._retry.pop(token, None)
        if not self._room(pool):
            return
        size = self.config.size_lamports
        legs = self._route(pool, token, size, buys=True)
        if legs is None or not self._worth(verdict, pool, legs):
            return
        priced = self._price(legs, size, self._slippage_bps(legs, size, 0))
        if priced is None or priced.hops[-1].amount_in > verdict.amount:
            return
        position = self.positions[token] = Position(token, pool.pool)
        self._submit(position, legs, priced, buys=True)
        self._buys[pool.pool] = self._buys.get(pool.pool, 0) + 1
        self._minute.append(self._unix_s)

    def _never(self, verdict: Verdict, pool: PoolUpdate) -> bool:
        """Whether a filter refuses this token for good."""
        config = self.config
        if config.mints and verdict.mint not in config.mints:
            return True
        if verdict.mint in config.denied_mints or any(key in config.denied_creators for key in verdict.creators):
            return True
        if pool.venue not in self._venues or self._mint(verdict.quote) not in (WSOL, USDC):
            return True
        if config.max_pool_age_s:
            return not verdict.opened or pool_age(verdict, self._unix_s) > config.max_pool_age_s
        return False

    def _room(self, pool: PoolUpdate) -> bool:
        """Whether the counts allow another buy."""
        config = self.config
        while self._minute and self._minute[0] <= self._unix_s - _MINUTE_S:
            self._minute.popleft()
        return (
            len(self.positions) < config.max_positions
            and self._buys.get(pool.pool, 0) < config.max_buys_per_pool
            and len(self._minute) < config.max_buys_per_minute
        )

    def _worth(self, verdict: Verdict, pool: PoolUpdate, legs: Sequence[Leg]) -> bool:
        """Whether what the pool is like now lets it be bought."""
        config = self.config
        tokens, quote = sides(pool, verdict.token)
        lamports = self._lamports(quote, verdict.quote)
        cap = self._lamports(verdict.supply * quote // tokens, verdict.quote) if tokens else None
        if lamports is None or cap is None:
            return False
        if pool.venue == lib.SF_VENUE_PUMP_FUN:
            lamports, progress = curve(pool)
            if not config.min_progress_bps <= progress <= config.max_progress_bps:
                return False
        if lamports < config.min_liquidity_lamports or cap < config.min_market_cap_lamports:
            return False
        if config.max_liquidity_lamports and lamports > config.max_liquidity_lamports:
            return False
        if config.max_market_cap_lamports and cap > config.max_market_cap_lamports:
            return False
        enters = self._impact_bps(legs, config.size_lamports)
        exits = None
        out = self._exact(legs, config.size_lamports)
        if out:
            exits = self._impact_bps([Leg(leg.pool, not leg.a_to_b) for leg in reversed(legs)], out)
        if enters is None or exits is None:
            return False
        return enters <= config.max_entry_impact_bps and exits <= config.max_exit_impact_bps

    # -- exit --

    def _manage(self, position: Position, *, moved: int | None) -> None:
        """Sells what is to be sold of a position now. `moved`: the pool with news."""
        config = self.config
        if position.order:
            if self._slot - position.order_slot < config.give_up_slots:
                return
            self._orders.pop(position.order, None)
            position.order = 0
            if not position.bought:
                self._failed(position, buys=True)
        if not position.bought or self._slot < position.retry_slot or self._cause is None:
            return
        late = bool(config.max_hold_s) and self._unix_s - position.since_s >= config.max_hold_s
        if late:
            position.leaving = position.leaving or "time"
        if not (position.leaving or position.pool is None or moved == position.pool):
            return
        legs = self._exit_legs(position)
        if legs is None:
            return
        worth = self._worth_bps(position, legs)
        amount = self._to_sell(position, worth)
        if not amount:
            return
        amount = max(amount // position.parts, 1)
        priced = self._price(legs, amount, self._slippage_bps(legs, amount, position.failures))
        if priced is not None:
            self._submit(position, legs, priced, buys=False)

    def _exit_legs(self, position: Position) -> list[Leg] | None:
        """The way back to SOL: in the pool it was bought in, else in the one that pays most."""
        pool = self._pools.get(position.pool) if position.pool is not None else None
        if pool is not None and pool.tradable:
            return self._route(pool, position.token, position.left, buys=False)
        best: tuple[int, int, list[Leg]] | None = None
        for number in sorted(self._pools):
            other = self._pools[number]
            if position.token not in (other.token_a, other.token_b) or not other.tradable:
                continue
            legs = self._route(other, position.token, position.left, buys=False)
            out = self._exact(legs, position.left) if legs is not None else 0
            if legs is not None and out and (best is None or out > best[0]):
                best = out, number, legs
        if best is None:
            return None
        if position.pool is None:
            position.pool = best[1]
            self._samples.setdefault(best[1], _Samples())
        return best[2]

    def _worth_bps(self, position: Position, legs: Sequence[Leg]) -> int | None:
        """What the rest would give against what it cost, per unit; None if that cannot be told."""
        out = self._exact(legs, position.left)
        if not out or not position.cost_lamports:
            return None
        return out * position.bought * _BPS // (position.cost_lamports * position.left)

    def _to_sell(self, position: Position, worth: int | None) -> int:
        """Base units to sell now, by the rules of the exit."""
        config = self.config
        if worth is not None:
            position.peak_bps = max(position.peak_bps, worth)
            if config.stop_loss_bps and worth <= _BPS - config.stop_loss_bps:
                position.leaving = position.leaving or "stop"
            trail = position.peak_bps * (_BPS - config.trailing_stop_bps) // _BPS
            if config.trailing_stop_bps and worth <= trail:
                position.leaving = position.leaving or "trailing stop"
        if position.leaving:
            return position.left
        if worth is None:
            return 0
        shares = sum(share for gain, share in config.take_profit if worth >= _BPS + gain)
        return max(position.bought * shares // _BPS - position.sold, 0)

    # -- routes and quotes --

    def _route(self, pool: PoolUpdate, token: int, amount: int, *, buys: bool) -> list[Leg] | None:
        """The swaps between SOL and a token of `pool`: one, or two over USDC. None if there is no way."""
        token_is_a = pool.token_a == token
        leg = Leg(pool, token_is_a != buys)
        quote = pool.token_b if token_is_a else pool.token_a
        if self._is(quote, WSOL):
            return [leg]
        if not self._is(quote, USDC):
            return None
        found: tuple[int, Leg] | None = None
        before = amount if buys else leg.pool.quote_in(leg.a_to_b, amount)
        for number in sorted(self._bridges):
            bridge = self._pools[number]
            if number == pool.pool or not bridge.tradable or not before:
                continue
            other = Leg(bridge, self._is(bridge.token_a, WSOL) == buys)
            out = bridge.quote_in(other.a_to_b, before)
            if out and (found is None or out > found[0]):
                found = out, other
        if found is None:
            return None
        return [found[1], leg] if buys else [leg, found[1]]

    def _exact(self, legs: Sequence[Leg], amount: int) -> int:
        """What comes out when all of each output goes into the next pool; 0 if a pool refuses."""
        for pool, a_to_b in legs:
            amount = pool.quote_in(a_to_b, amount) if amount else 0
        return amount

    def _impact_bps(self, legs: Sequence[Leg], amount: int) -> int | None:
        """How much worse the price of `amount` is than that of a small part of it; None if it has none."""
        probe = max(amount // _PROBE, 1)
        out, small = self._exact(legs, amount), self._exact(legs, probe)
        if not out or not small:
            return None
        return max(_BPS - out * probe * _BPS // (small * amount), 0)

    def _slippage_bps(self, legs: Sequence[Leg], amount: int, failures: int) -> int:
        """What a swap may give less than quoted: by depth and volatility, twice as much after each failure."""
        config = self.config
        terms = SlippageTerms(floor_bps=config.min_slippage_bps, ceiling_bps=config.max_slippage_bps)
        samples = self._samples.get(legs[-1].pool.pool) or self._samples.get(legs[0].pool.pool)
        seen = volatility(samples.prices) if samples is not None else Volatility()
        impact = self._impact_bps(legs, amount) or 0
        wanted = max(slippage(terms, [seen], impact).bps, 1.0) * (1 << min(failures, 14))
        return min(int(wanted), config.max_slippage_bps)

    def _price(self, legs: Sequence[Leg], amount: int, slippage_bps: int) -> Priced | None:
        """The hops, each selling what the one before is sure to give; None if a pool refuses."""
        hops: list[Hop] = []
        out = 0
        for pool, a_to_b in legs:
            out = pool.quote_in(a_to_b, amount)
            if not out:
                return None
            least = max(out - out * slippage_bps // _BPS, 1)
            hops.append(pool.hop(a_to_b, amount, least))
            amount = least
        return Priced(hops, out)

    def _submit(self, position: Position, legs: Sequence[Leg], priced: Priced, *, buys: bool) -> None:
        config = self.config
        sol = legs[0] if buys else legs[-1]
        base = sol.pool.token_a if sol.a_to_b == buys else sol.pool.token_b
        intent = Intent(
            token_in=base if buys else position.token,
            token_out=position.token if buys else base,
            expected_out=priced.expected_out,
            hops=priced.hops,
            cost_lamports=config.fee_lamports,
            cu_limit=config.cu_limit,
            cu_price_micro_lamports=config.cu_price_micro_lamports,
            reduce=not buys,
            create=buys,
        )
        position.order = self.submit(intent)
        position.order_slot = self._slot
        self._orders[position.order] = position.token, buys

    def _lamports(self, amount: int, quote: int) -> int | None:
        """An amount of SOL or USDC in lamports, at the price of the deepest pool between the two."""
        if self._is(quote, WSOL):
            return amount
        best = (0, 0)
        for number in sorted(self._bridges):
            pool = self._pools[number]
            reserves = (pool.reserve_a, pool.reserve_b)
            best = max(best, reserves if self._is(pool.token_a, WSOL) else reserves[::-1])
        return amount * best[0] // best[1] if best[1] else None

    def _mint(self, token: int) -> str:
        return self.context.token(token).mint

    def _is(self, token: int, mint: str) -> bool:
        return self._mint(token) == mint


def pool_age(verdict: Verdict, now_s: int) -> int:
    """Seconds since the pool is known to be there."""
    return max(now_s - verdict.opened, 0)


def sides(pool: PoolUpdate, token: int) -> tuple[int, int]:
    """The pool's reserves: of `token`, and of the other."""
    return (pool.reserve_a, pool.reserve_b) if pool.token_a == token else (pool.reserve_b, pool.reserve_a)


def curve(pool: PoolUpdate) -> tuple[int, int]:
    """Lamports paid into a bonding curve, and how far it is to its end in basis points."""
    memory = ffi.from_buffer(pool.payload)
    state = ffi.cast("sf_pump_fun_state_t *", memory + _UPDATE_BYTES)
    sold = max(_CURVE_TOKENS - int(state.virtual_token), 0)
    whole = sold + int(state.real_token)
    return int(state.real_quote), sold * _BPS // whole if whole else _BPS
