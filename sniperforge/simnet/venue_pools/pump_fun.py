"""pump.fun bonding curves of the market, as far from their beginning as the coin's price says, of the program as it is
now: fees by the coin's worth, a paid creator.

Source of the numbers a curve begins with: ``pump_fun_accounts``.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import sqrt

from solders.account import Account
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from sniperforge.simnet import pump_fun_accounts as first
from sniperforge.simnet import pump_fun_newest_accounts as pump
from sniperforge.simnet.faucet import WRAPPED_SOL, derive_keypair
from sniperforge.simnet.pump_swap_accounts import FEE_PROGRAM_ID, Rates, fee_config_data
from sniperforge.simnet.venue_pools.base import Genesis, Made, Order, Pair, Read, by_quote, data_at

_SOL = 10**9
_RATES = Rates(lp=0, protocol=95, creator=30)
_BUYBACK_BPS = 5_000
_PRODUCT = first.INITIAL_VIRTUAL_SOL * first.INITIAL_VIRTUAL_TOKENS
COIN_DECIMALS = 6
SPARE_TOKENS = first.TOKEN_SUPPLY - first.INITIAL_REAL_TOKENS
"""What the curve keeps for the pool that follows it."""
PAID_IN_SOL = (20.0, 45.0)
"""How much has been paid into a curve of the market; it is complete at about 85."""


def coin_price(paid_in_sol: float) -> float:
    """Price of a whole coin in SOL after so much has been paid into its curve."""
    virtual_sol = first.INITIAL_VIRTUAL_SOL + paid_in_sol * _SOL
    return virtual_sol * virtual_sol / _PRODUCT * 10.0**COIN_DECIMALS / _SOL


def depth_usd(paid_in_sol: float, sol_price_usd: float) -> float:
    """Worth of both virtual reserves."""
    return 2.0 * (first.INITIAL_VIRTUAL_SOL / _SOL + paid_in_sol) * sol_price_usd


def is_coin(genesis: Genesis, pair: Pair) -> bool:
    """Whether the first token has a curve here and the second is wrapped SOL."""
    return pair[1].address == WRAPPED_SOL and first.derive_curve(pair[0].address).curve in genesis


@dataclass(frozen=True)
class Live:
    """A curve of the running chain."""

    keys: pump.CurveKeys

    def reserves(self, read: Read) -> tuple[float, float] | None:
        """The virtual ones; none once the curve is complete."""
        curve = read(self.keys.curve)
        if curve is None or curve.data[48]:
            return None
        return int.from_bytes(curve.data[8:16], "little"), int.from_bytes(curve.data[16:24], "little")

    def swap(self, read: Read, order: Order) -> Instruction:
        """Sells coins, or spends SOL."""
        settings = pump.read_global(data_at(read, first.GLOBAL))
        if order.side == 0:
            return pump.sell_instruction(
                self.keys, settings, user=order.trader, tokens=order.amount, min_quote=order.least
            )
        return pump.buy_exact_quote_in_instruction(
            self.keys, settings, user=order.trader, quote=order.amount, min_tokens=order.least
        )


class PumpFun:
    """See the module's text."""

    takes_token_2022 = False
    only_coins = True

    def make(self, genesis: Genesis, pair: Pair, value_usd: float, dice: random.Random) -> Made | None:
        """The curve of a coin; what it is worth follows from the coin's price."""
        coin, sol = by_quote(pair)
        keys = pump.derive_curve(coin.address, genesis.creator)
        if keys.curve in genesis or sol.address != WRAPPED_SOL or coin.decimals != COIN_DECIMALS:
            return None
        price = sol.units(coin.price_usd) / 10**COIN_DECIMALS
        virtual_sol = round(sqrt(_PRODUCT * price))
        virtual_tokens = _PRODUCT // virtual_sol
        real_sol = virtual_sol - first.INITIAL_VIRTUAL_SOL
        real_tokens = first.INITIAL_REAL_TOKENS - (first.INITIAL_VIRTUAL_TOKENS - virtual_tokens)
        if real_sol < 0 or real_tokens <= 0:
            return None
        data = pump.curve_data(
            keys, virtual_tokens=virtual_tokens, virtual_quote=virtual_sol, real_tokens=real_tokens, real_quote=real_sol
        )
        genesis.put(keys.curve, data, first.PROGRAM_ID, lamports=real_sol)
        genesis.hold(keys.curve_tokens, coin, keys.curve, real_tokens + SPARE_TOKENS)
        _make_program_accounts(genesis)
        genesis.accounts.setdefault(keys.creator_vault, Account(genesis.rent(0), b"", Pubkey.default()))
        rate = (_RATES.protocol + _RATES.creator) * 100
        return Made(keys.curve, (coin.address, sol.address), (keys.curve_tokens, keys.curve), rate, first.GLOBAL)

    def live(self, address: Pubkey, pair: Pair, read: Read) -> Live:
        """Reads the keys."""
        return Live(pump.read_curve(pair[0].address, data_at(read, address)))


def _make_program_accounts(genesis: Genesis) -> None:
    """The program's settings and the accounts it pays into, the same on every chain."""
    if first.GLOBAL in genesis and pump.FEE_CONFIG in genesis:
        return
    recipients = [derive_keypair(0, f"pump_fun {name}").pubkey() for name in ("fees", "reserved", "buyback")]
    for recipient in recipients:
        genesis.accounts[recipient] = Account(_SOL, b"", Pubkey.default())
    settings = pump.Settings(recipients[0], recipients[1], recipients[2], _BUYBACK_BPS)
    genesis.put(first.GLOBAL, pump.global_data(settings), first.PROGRAM_ID)
    genesis.put(pump.FEE_CONFIG, fee_config_data(flat=_RATES, tiers=[(0, _RATES)]), FEE_PROGRAM_ID)
