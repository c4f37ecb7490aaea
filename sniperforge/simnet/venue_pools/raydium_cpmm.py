"""Raydium CPMM pools of the market, and those among loaded accounts."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt

from solders.account import Account
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from sniperforge.simnet import cpmm_accounts as cpmm
from sniperforge.simnet.faucet import mint_data
from sniperforge.simnet.transactions import TOKEN_PROGRAM
from sniperforge.simnet.venue_pools.base import Genesis, Made, Order, Pair, Read, by_address, data_at, held, opening

_FIRST_CONFIG = 100
_FEE_RATES = (100, 300, 500, 1000, 2500, 5000)
_PROTOCOL_SHARE = 120_000
_FUND_SHARE = 40_000


@dataclass(frozen=True)
class Live:
    """A pool of the running chain."""

    keys: cpmm.PoolKeys

    def reserves(self, read: Read) -> tuple[float, float] | None:
        """What it may swap."""
        pool = read(self.keys.pool)
        if pool is None:
            return None
        first, second = pool_reserves(pool.data, *(held(read, vault) for vault in self.keys.vaults))
        return (first, second) if min(first, second) > 0 else None

    def swap(self, read: Read, order: Order) -> Instruction:
        """Exact in."""
        return cpmm.swap_base_input_instruction(
            self.keys,
            payer=order.trader,
            input_mint=self.keys.mints[order.side],
            input_account=order.accounts[order.side],
            output_account=order.accounts[1 - order.side],
            amount_in=order.amount,
            minimum_amount_out=order.least,
        )


class RaydiumCpmm:
    """See the module's text."""

    takes_token_2022 = True
    only_coins = False

    def make(self, genesis: Genesis, pair: Pair, value_usd: float, dice: random.Random) -> Made | None:
        """A pool on one of the market's configs."""
        pair = by_address(pair)
        free = [number for number in range(len(_FEE_RATES)) if _keys(pair, number).pool not in genesis]
        if not free:
            return None
        number = dice.choice(free)
        keys, rate = _keys(pair, number), _FEE_RATES[number]
        amounts = opening(pair, value_usd, rate, dice).reserves
        if keys.config not in genesis:
            config = cpmm.config_data(
                index=_FIRST_CONFIG + number,
                trade_fee_rate=rate,
                protocol_fee_rate=_PROTOCOL_SHARE,
                fund_fee_rate=_FUND_SHARE,
                creator_fee_rate=0,
            )
            genesis.put(keys.config, config, cpmm.PROGRAM_ID)
        for vault, token, amount in zip(keys.vaults, pair, amounts, strict=True):
            genesis.hold(vault, token, cpmm.AUTHORITY, amount)
        supply = isqrt(amounts[0] * amounts[1])
        data = cpmm.pool_data(
            keys,
            decimals=(pair[0].decimals, pair[1].decimals),
            lp_supply=supply,
            creator=genesis.creator,
            open_time=genesis.unix_time,
        )
        genesis.put(keys.pool, data, cpmm.PROGRAM_ID)
        genesis.put(keys.observation, cpmm.observation_data(keys), cpmm.PROGRAM_ID)
        genesis.put(keys.lp_mint, mint_data(decimals=9, supply=supply, authority=cpmm.AUTHORITY), TOKEN_PROGRAM)
        return Made(keys.pool, keys.mints, keys.vaults, rate, keys.config)

    def live(self, address: Pubkey, pair: Pair, read: Read) -> Live:
        """Reads the keys."""
        return Live(cpmm.read_pool(address, data_at(read, address)))


def _keys(pair: Pair, number: int) -> cpmm.PoolKeys:
    return cpmm.derive_pool(
        config=cpmm.config_address(_FIRST_CONFIG + number),
        mints=(pair[0].address, pair[1].address),
        token_programs=(pair[0].program, pair[1].program),
    )


def pool_reserves(pool: bytes, first: int, second: int) -> tuple[int, int]:
    """What of the two vault balances the pool may swap: without protocol, fund and creator fees owed.

    Source: raydium-cp-swap states/pool.rs, PoolState::vault_amount_without_fee.
    """
    owed = [int.from_bytes(pool[at : at + 8], "little") for at in (341, 349, 357, 365, 397, 405)]
    return first - owed[0] - owed[2] - owed[4], second - owed[1] - owed[3] - owed[5]


def adoptable(accounts: Mapping[Pubkey, Account]) -> list[tuple[Made, tuple[float, float] | None]]:
    """Pools among loaded accounts that have all a swap needs, on mints of the older token program; with reserves."""
    found = []
    for address, account in accounts.items():
        if account.owner != cpmm.PROGRAM_ID or len(account.data) != cpmm.POOL_SIZE:
            continue
        keys = cpmm.read_pool(address, account.data)
        needed = (keys.config, keys.observation, *keys.vaults, *keys.mints)
        tokens = all(program == TOKEN_PROGRAM for program in keys.token_programs)
        if tokens and all(key in accounts for key in needed):
            rate = int.from_bytes(accounts[keys.config].data[12:20], "little")
            made = Made(keys.pool, keys.mints, keys.vaults, rate, keys.config)
            found.append((made, Live(keys).reserves(accounts.get)))
    return found
