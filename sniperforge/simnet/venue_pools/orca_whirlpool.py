"""Orca Whirlpools of the market: plain ones, ones with dynamic tick arrays, ones with an adaptive fee."""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import isqrt
from typing import NamedTuple

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from sniperforge.simnet import orca_whirlpool_accounts as orca
from sniperforge.simnet.transactions import TOKEN_PROGRAM
from sniperforge.simnet.venue_pools import ticks
from sniperforge.simnet.venue_pools.base import Genesis, Made, Order, Pair, Read, by_address, data_at, opening
from sniperforge.venues.orca_whirlpool import ARRAY_TICKS
from sniperforge.venues.ticks import orca_sqrt_price, tick_at


class Tier(NamedTuple):
    """A kind of pool: one of each for a pair."""

    tick_spacing: int
    fee_rate: int
    number: int
    dynamic_arrays: bool = False
    adaptive: orca.AdaptiveFee | None = None


_TIERS = (
    Tier(8, 500, 8, dynamic_arrays=True),
    Tier(64, 3_000, 64),
    Tier(16, 1_600, 1_040, adaptive=orca.AdaptiveFee(tick_group_size=16, major_swap_threshold_ticks=16)),
)
_ARRAYS = 4
"""On each side of the price these exist, with ticks in them or not."""


@dataclass(frozen=True)
class Live:
    """A pool of the running chain."""

    keys: orca.PoolKeys

    def reserves(self, read: Read) -> tuple[float, float] | None:
        """From liquidity and price."""
        pool = read(self.keys.pool)
        if pool is None:
            return None
        liquidity, sqrt_price = (int.from_bytes(pool.data[at : at + 16], "little") for at in (49, 65))
        return ticks.reserves(liquidity, sqrt_price)

    def swap(self, read: Read, order: Order) -> Instruction:
        """Exact in, on the three arrays ahead."""
        return orca.swap_instruction(
            self.keys,
            tick=orca.current_tick(data_at(read, self.keys.pool)),
            authority=order.trader,
            user_accounts=order.accounts,
            a_to_b=order.side == 0,
            exact_in=True,
            amount=order.amount,
            threshold=order.least,
            v2=any(program != TOKEN_PROGRAM for program in self.keys.token_programs),
        )


class OrcaWhirlpool:
    """See the module's text."""

    takes_token_2022 = True
    only_coins = False

    def make(self, genesis: Genesis, pair: Pair, value_usd: float, dice: random.Random) -> Made | None:
        """A pool whose tick arrays around the price are all there."""
        pair = by_address(pair)
        free = [tier for tier in _TIERS if _keys(pair, tier).pool not in genesis]
        if not free:
            return None
        tier = dice.choice(free)
        keys, begun = _keys(pair, tier), opening(pair, value_usd, tier.fee_rate, dice)
        sqrt_price = isqrt(int(begun.price * 2.0**128))
        tick = tick_at(sqrt_price, orca_sqrt_price)
        positions = ticks.positions(tick, tier.tick_spacing, isqrt(begun.reserves[0] * begun.reserves[1]))
        made = orca.make_pool(
            keys,
            sqrt_price=sqrt_price,
            positions=positions,
            fee_rate=tier.fee_rate,
            adaptive=tier.adaptive,
            dynamic_arrays=tier.dynamic_arrays,
        )
        span = ARRAY_TICKS * tier.tick_spacing
        for start in (number * span for number in range(tick // span - _ARRAYS, tick // span + _ARRAYS + 1)):
            data = orca.tick_array_data(keys.pool, start, tier.tick_spacing, {}, dynamic=tier.dynamic_arrays)
            made.setdefault(orca.tick_array_address(keys.pool, start), orca.owned(data))
        genesis.accounts.update(made)
        for vault, token, amount in zip(keys.vaults, pair, orca.reserves(positions, sqrt_price), strict=True):
            genesis.hold(vault, token, keys.pool, amount)
        return Made(keys.pool, keys.mints, keys.vaults, tier.fee_rate, keys.config)

    def live(self, address: Pubkey, pair: Pair, read: Read) -> Live:
        """Reads the keys."""
        return Live(orca.read_pool(address, data_at(read, address), (pair[0].program, pair[1].program)))


def _keys(pair: Pair, tier: Tier) -> orca.PoolKeys:
    return orca.derive_pool(
        mints=(pair[0].address, pair[1].address),
        tick_spacing=tier.tick_spacing,
        fee_tier_index=tier.number,
        token_programs=(pair[0].program, pair[1].program),
    )
