"""Raydium CLMM pools of the market: plain ones and ones with a dynamic fee."""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import isqrt
from typing import NamedTuple

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from sniperforge.simnet import raydium_clmm_accounts as clmm
from sniperforge.simnet.transactions import TOKEN_PROGRAM
from sniperforge.simnet.venue_pools import ticks
from sniperforge.simnet.venue_pools.base import Genesis, Made, Order, Pair, Read, by_address, data_at, opening
from sniperforge.venues.ticks import raydium_sqrt_price, tick_at


class Config(NamedTuple):
    """One of the program's configs: one pool of each for a pair."""

    number: int
    tick_spacing: int
    fee_rate: int
    dynamic: clmm.DynamicFee | None = None


_CONFIGS = (Config(1, 60, 2_500), Config(2, 10, 500), Config(5, 20, 1_000, clmm.DynamicFee()))


@dataclass(frozen=True)
class Live:
    """A pool of the running chain."""

    keys: clmm.PoolKeys

    def reserves(self, read: Read) -> tuple[float, float] | None:
        """From liquidity and price."""
        pool = read(self.keys.pool)
        if pool is None:
            return None
        liquidity, sqrt_price = (int.from_bytes(pool.data[at : at + 16], "little") for at in (237, 253))
        return ticks.reserves(liquidity, sqrt_price)

    def swap(self, read: Read, order: Order) -> Instruction:
        """Exact in, on the next arrays with an initialized tick."""
        pool, extension = data_at(read, self.keys.pool), data_at(read, self.keys.extension)
        return clmm.swap_instruction(
            self.keys,
            arrays=clmm.swap_arrays(pool, extension, order.side == 0),
            payer=order.trader,
            user_accounts=order.accounts,
            zero_for_one=order.side == 0,
            exact_in=True,
            amount=order.amount,
            threshold=order.least,
            v2=any(program != TOKEN_PROGRAM for program in self.keys.token_programs),
        )


class RaydiumClmm:
    """See the module's text."""

    takes_token_2022 = True
    only_coins = False

    def make(self, genesis: Genesis, pair: Pair, value_usd: float, dice: random.Random) -> Made | None:
        """A pool on one of the configs."""
        pair = by_address(pair)
        free = [config for config in _CONFIGS if _keys(pair, config).pool not in genesis]
        if not free:
            return None
        config = dice.choice(free)
        keys, begun = _keys(pair, config), opening(pair, value_usd, config.fee_rate, dice)
        sqrt_price = isqrt(int(begun.price * 2.0**128))
        tick = tick_at(sqrt_price, raydium_sqrt_price)
        positions = ticks.positions(tick, config.tick_spacing, isqrt(begun.reserves[0] * begun.reserves[1]))
        made = clmm.make_pool(
            keys,
            sqrt_price=sqrt_price,
            positions=positions,
            config_index=config.number,
            trade_fee_rate=config.fee_rate,
            dynamic=config.dynamic,
            open_time=genesis.unix_time - 1,  # it swaps from the next second on
        )
        genesis.accounts.update(made)
        for vault, token, amount in zip(keys.vaults, pair, clmm.reserves(positions, {}, sqrt_price), strict=True):
            genesis.hold(vault, token, keys.pool, amount)
        return Made(keys.pool, keys.mints, keys.vaults, config.fee_rate, keys.config)

    def live(self, address: Pubkey, pair: Pair, read: Read) -> Live:
        """Reads the keys."""
        return Live(clmm.read_pool(address, data_at(read, address), (pair[0].program, pair[1].program)))


def _keys(pair: Pair, config: Config) -> clmm.PoolKeys:
    return clmm.derive_pool(
        config=clmm.config_address(config.number),
        mints=(pair[0].address, pair[1].address),
        tick_spacing=config.tick_spacing,
        token_programs=(pair[0].program, pair[1].program),
    )
