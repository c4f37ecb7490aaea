"""Raydium AMM v4 pools of the market."""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import isqrt

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from sniperforge.simnet import amm_v4_accounts as amm
from sniperforge.simnet.faucet import mint_data
from sniperforge.simnet.transactions import TOKEN_PROGRAM
from sniperforge.simnet.venue_pools.base import Genesis, Made, Order, Pair, Read, by_quote, data_at, held, opening

_MARKET_PROGRAM = Pubkey.from_string("srmqPvymJeFKQ4zGQed1GFppgkRHL9kaELCbyksJtPX")
_FEE_RATE = 2_500
_POOLS_PER_PAIR = 4


@dataclass(frozen=True)
class Live:
    """A pool of the running chain."""

    keys: amm.PoolKeys

    def reserves(self, read: Read) -> tuple[float, float] | None:
        """What it may swap: the vaults without what they owe."""
        pool = read(self.keys.pool)
        if pool is None:
            return None
        owed = (int.from_bytes(pool.data[at : at + 8], "little") for at in (192, 200))
        first, second = (held(read, vault) - due for vault, due in zip(self.keys.vaults, owed, strict=True))
        return (first, second) if min(first, second) > 0 else None

    def swap(self, read: Read, order: Order) -> Instruction:
        """Exact in."""
        return amm.swap_base_in_instruction(
            self.keys,
            owner=order.trader,
            input_account=order.accounts[order.side],
            output_account=order.accounts[1 - order.side],
            amount_in=order.amount,
            minimum_amount_out=order.least,
        )


class RaydiumAmmV4:
    """See the module's text."""

    takes_token_2022 = False
    only_coins = False

    def make(self, genesis: Genesis, pair: Pair, value_usd: float, dice: random.Random) -> Made | None:
        """A pool beside a market of the order-book program that has no orders."""
        pair = by_quote(pair)
        every = (_keys(pair, number) for number in range(_POOLS_PER_PAIR))
        keys = next((keys for keys in every if keys.pool not in genesis), None)
        if keys is None:
            return None
        amounts = opening(pair, value_usd, _FEE_RATE, dice).reserves
        for vault, token, amount in zip(keys.vaults, pair, amounts, strict=True):
            genesis.hold(vault, token, amm.AUTHORITY, amount)
        supply = isqrt(amounts[0] * amounts[1])
        data = amm.pool_data(
            keys, decimals=(pair[0].decimals, pair[1].decimals), lp_amount=supply, open_time=genesis.unix_time
        )
        genesis.put(keys.pool, data, amm.PROGRAM_ID)
        genesis.put(keys.lp_mint, mint_data(decimals=9, supply=supply, authority=amm.AUTHORITY), TOKEN_PROGRAM)
        return Made(keys.pool, keys.mints, keys.vaults, _FEE_RATE)

    def live(self, address: Pubkey, pair: Pair, read: Read) -> Live:
        """Reads the keys."""
        return Live(amm.read_pool(address, data_at(read, address)))


def _keys(pair: Pair, number: int) -> amm.PoolKeys:
    seeds = [b"market", bytes(pair[0].address), bytes(pair[1].address), bytes((number,))]
    market = Pubkey.find_program_address(seeds, _MARKET_PROGRAM)[0]
    mints = (pair[0].address, pair[1].address)
    return amm.derive_pool(market=market, market_program=_MARKET_PROGRAM, mints=mints)
