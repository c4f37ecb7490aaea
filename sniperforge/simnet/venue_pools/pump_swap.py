"""PumpSwap pools of the market: pump.fun's own of its coins, whose fee goes by their worth, and others."""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import isqrt

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from sniperforge.simnet import pump_swap_accounts as amm
from sniperforge.simnet.faucet import derive_keypair, mint_data
from sniperforge.simnet.pump_swap_accounts import Rates
from sniperforge.simnet.transactions import TOKEN_PROGRAM
from sniperforge.simnet.venue_pools import pump_fun
from sniperforge.simnet.venue_pools.base import (
    Genesis,
    Made,
    Order,
    Pair,
    Read,
    Token,
    by_quote,
    data_at,
    held,
    opening,
)

_POOLS_PER_PAIR = 4
_FLAT = Rates(25, 5, 0)
_SOL = 10**9
_TIERS = (
    (0, Rates(2, 93, 30)),
    (420 * _SOL, Rates(20, 5, 95)),
    (1_470 * _SOL, Rates(20, 5, 90)),
    (4_420 * _SOL, Rates(20, 5, 80)),
    (9_820 * _SOL, Rates(20, 5, 70)),
    (19_650 * _SOL, Rates(20, 5, 50)),
    (39_300 * _SOL, Rates(20, 5, 30)),
    (98_240 * _SOL, Rates(20, 5, 5)),
)
_COIN_FEE_RATE = 12_500
"""Of the lower tiers, which the traders reckon with."""


@dataclass(frozen=True)
class Live:
    """A pool of the running chain."""

    keys: amm.PoolKeys

    def reserves(self, read: Read) -> tuple[float, float] | None:
        """What is in the vaults."""
        base, quote = (held(read, vault) for vault in self.keys.vaults)
        return (base, quote) if min(base, quote) > 0 else None

    def swap(self, read: Read, order: Order) -> Instruction:
        """Sells the base, or spends the quote."""
        settings = amm.read_global(data_at(read, amm.GLOBAL_CONFIG))
        if order.side == 0:
            return amm.sell_instruction(
                self.keys,
                settings,
                user=order.trader,
                user_accounts=order.accounts,
                base=order.amount,
                min_quote=order.least,
            )
        return amm.buy_exact_quote_in_instruction(
            self.keys,
            settings,
            user=order.trader,
            user_accounts=order.accounts,
            quote=order.amount,
            min_base=order.least,
        )


class PumpSwap:
    """See the module's text."""

    takes_token_2022 = False  # with a fee of transfers: no pool of the venue is known to have such a mint
    only_coins = False

    def make(self, genesis: Genesis, pair: Pair, value_usd: float, dice: random.Random) -> Made | None:
        """A pool, and the accounts of the program and of those it pays, as far as they are not there yet."""
        pair = by_quote(pair)
        coin = pump_fun.is_coin(genesis, pair)
        every = (_keys(genesis, pair, coin, number) for number in range(1 if coin else _POOLS_PER_PAIR))
        keys = next((keys for keys in every if keys.pool not in genesis), None)
        if keys is None:
            return None
        rate = _COIN_FEE_RATE if coin else sum(_FLAT) * 100
        amounts = opening(pair, value_usd, rate, dice).reserves
        for vault, token, amount in zip(keys.vaults, pair, amounts, strict=True):
            genesis.hold(vault, token, keys.pool, amount)
        supply = isqrt(amounts[0] * amounts[1])
        genesis.put(keys.pool, amm.pool_data(keys, lp_supply=supply), amm.PROGRAM_ID)
        genesis.put(keys.lp_mint, mint_data(decimals=9, supply=supply, authority=keys.pool), TOKEN_PROGRAM)
        _make_program_accounts(genesis)
        _pay_into(genesis, keys.recipient_tokens(_recipient()), pair[1], _recipient())
        if coin:
            _pay_into(genesis, keys.creator_tokens, pair[1], keys.creator_vault)
        return Made(keys.pool, keys.mints, keys.vaults, rate, amm.GLOBAL_CONFIG)

    def live(self, address: Pubkey, pair: Pair, read: Read) -> Live:
        """Reads the keys."""
        return Live(amm.read_pool(address, data_at(read, address), (pair[0].program, pair[1].program)))


def _recipient() -> Pubkey:
    """Who is paid the protocol's fee, on every chain."""
    return derive_keypair(0, "pump_swap recipient").pubkey()


def _keys(genesis: Genesis, pair: Pair, coin: bool, number: int) -> amm.PoolKeys:
    return amm.derive_pool(
        mints=(pair[0].address, pair[1].address),
        creator=None if coin else genesis.creator,
        coin_creator=genesis.creator if coin else amm.NOBODY,
        index=number,
        token_programs=(pair[0].program, pair[1].program),
    )


def _make_program_accounts(genesis: Genesis) -> None:
    if amm.GLOBAL_CONFIG in genesis and amm.FEE_CONFIG in genesis:
        return
    settings = amm.global_data(recipients=[_recipient()] * amm.RECIPIENTS, reserved_recipient=_recipient())
    genesis.put(amm.GLOBAL_CONFIG, settings, amm.PROGRAM_ID)
    genesis.put(amm.FEE_CONFIG, amm.fee_config_data(flat=_FLAT, tiers=_TIERS), amm.FEE_PROGRAM_ID)


def _pay_into(genesis: Genesis, address: Pubkey, token: Token, owner: Pubkey) -> None:
    if address not in genesis:
        genesis.hold(address, token, owner, 0)
