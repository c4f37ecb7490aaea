"""Meteora DAMM v2 pools of the market: with a base fee alone, with a dynamic fee too, within a range of prices."""

from __future__ import annotations

import random
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from sniperforge.simnet import meteora_damm_v2_accounts as damm
from sniperforge.simnet.venue_pools import ticks
from sniperforge.simnet.venue_pools.base import Genesis, Made, Order, Pair, Read, by_quote, data_at, opening


class Kind(NamedTuple):
    """What a pool may be like; `reach` is how many times its price may become higher or lower."""

    fee_rate: int
    dynamic: damm.DynamicFee | None = None
    reach: int | None = None
    collect: int = damm.BOTH


_KINDS = (
    Kind(2_500),
    Kind(4_000, dynamic=damm.DynamicFee()),
    Kind(1_000, reach=4),
    Kind(3_000, collect=damm.ONLY_B),
)


@dataclass(frozen=True)
class Live:
    """A pool of the running chain."""

    keys: damm.PoolKeys

    def reserves(self, read: Read) -> tuple[float, float] | None:
        """From liquidity, which here has 64 bits behind the point, and price."""
        pool = read(self.keys.pool)
        if pool is None:
            return None
        liquidity = int.from_bytes(pool.data[360:376], "little") >> 64
        return ticks.reserves(liquidity, int.from_bytes(pool.data[456:472], "little"))

    def swap(self, read: Read, order: Order) -> Instruction:
        """Exact in."""
        return damm.swap_instruction(
            self.keys,
            payer=order.trader,
            input_account=order.accounts[order.side],
            output_account=order.accounts[1 - order.side],
            amount_in=order.amount,
            minimum_amount_out=order.least,
        )


class MeteoraDammV2:
    """See the module's text."""

    takes_token_2022 = True
    only_coins = False

    def make(self, genesis: Genesis, pair: Pair, value_usd: float, dice: random.Random) -> Made | None:
        """The one customizable pool of two tokens."""
        pair = by_quote(pair)
        mints = pair[0].address, pair[1].address
        keys = damm.derive_pool(mints=mints, token_programs=(pair[0].program, pair[1].program))
        if keys.pool in genesis:
            return None
        kind = dice.choice(_KINDS)
        begun = opening(pair, value_usd, kind.fee_rate, dice)
        price, least, most = damm.sqrt_price(begun.price), damm.SQRT_PRICE_MIN, damm.SQRT_PRICE_MAX
        if kind.reach is not None:
            least, most = (damm.sqrt_price(Fraction(begun.price) * f) for f in (Fraction(1, kind.reach), kind.reach))
        liquidity = (begun.reserves[1] << 128) // price
        data = damm.pool_data(
            keys,
            price=price,
            liquidity=liquidity,
            price_min=least,
            price_max=most,
            base=damm.BaseFee(cliff=kind.fee_rate * (damm.RATE_ONE // 1_000_000)),
            dynamic=kind.dynamic,
            collect=kind.collect,
            activation_point=genesis.unix_time,
            creator=genesis.creator,
        )
        genesis.put(keys.pool, data, damm.PROGRAM_ID)
        for vault, token, amount in zip(keys.vaults, pair, damm.amounts_of(liquidity, price, least, most), strict=True):
            genesis.hold(vault, token, damm.AUTHORITY, amount)
        return Made(keys.pool, keys.mints, keys.vaults, kind.fee_rate)

    def live(self, address: Pubkey, pair: Pair, read: Read) -> Live:
        """Reads the keys."""
        return Live(damm.read_pool(address, data_at(read, address), (pair[0].program, pair[1].program)))
