"""Keeps the value of the wallet split between two tokens at a target weight.

Value is counted in the second token at the price of the deepest pool of the pair. When the first token's share leaves
the band around its target, the difference is swapped, at most `max_trade` at once, on the pool that gives most for it
by the exact integer quote. One order at a time; the next looks at the balances after it.
"""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from ipc._core import lib
from sniperforge.strategies.base import Balance, Context, Denied, Fill, Intent, PoolUpdate, Strategy

_BPS: Final = 10_000
_SIGNATURE_LAMPORTS: Final = 5_000

Bps = Annotated[int, Meta(ge=0, le=_BPS)]


class RebalanceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[bots.<name>.settings]`; what each key does stands in configs/default.toml."""

    mints: tuple[str, str]
    weight_bps: Bps
    band_bps: Annotated[int, Meta(ge=1, le=_BPS)]
    slippage_bps: Annotated[int, Meta(ge=0, lt=_BPS)]
    max_trade: Annotated[int, Meta(ge=1, le=(1 << 63) - 1)]
    cooldown_slots: Annotated[int, Meta(ge=0, le=1_000_000)]
    give_up_slots: Annotated[int, Meta(ge=1, le=1_000_000)]
    cu_limit: Annotated[int, Meta(ge=1, le=1_400_000)]
    cu_price_micro_lamports: Annotated[int, Meta(ge=1, lt=1 << 40)]


class Quote(NamedTuple):
    """A swap on a pool and the exact output it has on the state seen."""

    pool: PoolUpdate
    a_to_b: bool
    amount_in: int
    amount_out: int


class Rebalance(Strategy):
    """See the module."""

    Config = RebalanceConfig
    config: RebalanceConfig

    def __init__(self, config: RebalanceConfig, context: Context) -> None:
        if config.mints[0] == config.mints[1]:
            raise ValueError("mints: the two are the same; name two mints")
        super().__init__(config, context)
        self._pools: dict[int, PoolUpdate] = {}
        self._other_pools: set[int] = set()
        self._rows: tuple[int, int] | None = None
        self._balance_slot: dict[int, int] = {}
        self._fresh_slot = 0
        self._in_flight = 0
        self._submitted_slot = -(1 << 62)

    # -- callbacks --

    def on_pool(self, pool: PoolUpdate) -> None:
        if pool.pool in self._other_pools or not self._of_pair(pool):
            return
        self._pools[pool.pool] = pool
        if self._ready(pool.slot):
            swap = self._swap()
            if swap is not None:
                self._in_flight = self.submit(swap)
                self._submitted_slot = pool.slot

    def on_fill(self, fill: Fill) -> None:
        if fill.recovered or fill.intent != self._in_flight:
            return
        self._in_flight = 0
        if fill.outcome == lib.SF_FILL_LANDED:
            self._fresh_slot = fill.slot

    def on_denied(self, denied: Denied) -> None:
        if denied.intent == self._in_flight:
            self._in_flight = 0

    def on_balance(self, balance: Balance) -> None:
        self._balance_slot[balance.token] = balance.slot

    # -- when --

    def _of_pair(self, pool: PoolUpdate) -> bool:
        """Whether a pool trades the two mints; remembers those that do not, and the mints' row numbers."""
        if pool.pool in self._pools:
            return True
        mint_a, mint_b = (self.context.token(row).mint for row in (pool.token_a, pool.token_b))
        if (mint_a, mint_b) == self.config.mints:
            self._rows = pool.token_a, pool.token_b
        elif (mint_b, mint_a) == self.config.mints:
            self._rows = pool.token_b, pool.token_a
        else:
            self._other_pools.add(pool.pool)
            return False
        return True

    def _ready(self, slot: int) -> bool:
        """Whether no order is under way, it is time again, and the balances are those after the last fill."""
        since = slot - self._submitted_slot
        if self._in_flight and since < self.config.give_up_slots:
            return False
        if since < self.config.cooldown_slots or self._rows is None:
            return False
        return all(self._balance_slot.get(row, -1) >= self._fresh_slot for row in self._rows)

    # -- what --

    def _swap(self) -> Intent | None:
        """The swap that brings the weight back towards its target; None inside the band."""
        assert self._rows is not None
        tradable = [pool for pool in self._pools.values() if pool.tradable and pool.reserve_a and pool.reserve_b]
        if not tradable:
            return None
        first, second = (self.context.balances.get(row, 0) for row in self._rows)
        price_in, price_out = max((self._reserves(pool) for pool in tradable), key=lambda reserves: reserves[1])
        value = first * price_out // price_in
        total = value + second
        excess = value - total * self.config.weight_bps // _BPS
        if abs(excess) * _BPS <= total * self.config.band_bps:
            return None
        most = self.config.max_trade
        if excess > 0:
            amount = min(excess * price_in // price_out, most, first)
        else:
            amount = min(-excess, most * price_out // price_in, second)
        quote = self._best(tradable, sells_first=excess > 0, amount=amount)
        return self._intent(quote) if quote is not None else None

    def _reserves(self, pool: PoolUpdate) -> tuple[int, int]:
        """Reserves in the order of `mints`."""
        assert self._rows is not None
        in_order = pool.token_a == self._rows[0]
        return (pool.reserve_a, pool.reserve_b) if in_order else (pool.reserve_b, pool.reserve_a)

    def _best(self, pools: list[PoolUpdate], *, sells_first: bool, amount: int) -> Quote | None:
        """The pool that gives most for `amount`; the lower number of two that give the same."""
        assert self._rows is not None
        best: Quote | None = None
        for pool in sorted(pools, key=lambda pool: pool.pool):
            a_to_b = (pool.token_a == self._rows[0]) == sells_first
            out = pool.quote_in(a_to_b, amount) if amount else 0
            if out and (best is None or out > best.amount_out):
                best = Quote(pool, a_to_b, amount, out)
        return best

    def _intent(self, quote: Quote) -> Intent | None:
        config = self.config
        least = quote.amount_out * (_BPS - config.slippage_bps) // _BPS
        if not least:
            return None
        pool = quote.pool
        token_in, token_out = (pool.token_a, pool.token_b) if quote.a_to_b else (pool.token_b, pool.token_a)
        priority = -(-config.cu_limit * config.cu_price_micro_lamports // 1_000_000)
        return Intent(
            token_in=token_in,
            token_out=token_out,
            expected_out=quote.amount_out,
            hops=(pool.hop(quote.a_to_b, quote.amount_in, least),),
            cost_lamports=_SIGNATURE_LAMPORTS + priority,
            cu_price_micro_lamports=config.cu_price_micro_lamports,
            cu_limit=config.cu_limit,
        )
