"""pump.fun bonding curves of the market, as far from their beginning as the coin's price says.

Source of the numbers a curve begins with: ``pump_fun_accounts``.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import sqrt

from solders.account import Account
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from sniperforge.simnet import pump_fun_accounts as pump
from sniperforge.simnet.faucet import WRAPPED_SOL, derive_keypair
from sniperforge.simnet.venue_pools.base import Genesis, Made, Order, Pair, Read, by_quote, data_at

_FEE_BPS = 100
_SOL = 10**9
_PRODUCT = pump.INITIAL_VIRTUAL_SOL * pump.INITIAL_VIRTUAL_TOKENS
COIN_DECIMALS = 6
SPARE_TOKENS = pump.TOKEN_SUPPLY - pump.INITIAL_REAL_TOKENS
"""What the curve keeps for the pool that follows it."""
PAID_IN_SOL = (20.0, 45.0)
"""How much has been paid into a curve of the market; it is complete at about 85."""


def coin_price(paid_in_sol: float) -> float:
    """Price of a whole coin in SOL after so much has been paid into its curve."""
    virtual_sol = pump.INITIAL_VIRTUAL_SOL + paid_in_sol * _SOL
    return virtual_sol * virtual_sol / _PRODUCT * 10.0**COIN_DECIMALS / _SOL


def depth_usd(paid_in_sol: float, sol_price_usd: float) -> float:
    """Worth of both virtual reserves."""
    return 2.0 * (pump.INITIAL_VIRTUAL_SOL / _SOL + paid_in_sol) * sol_price_usd


def is_coin(genesis: Genesis, pair: Pair) -> bool:
    """Whether the first token has a curve here and the second is wrapped SOL."""
    return pair[1].address == WRAPPED_SOL and pump.derive_curve(pair[0].address).curve in genesis


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
        """Sells coins, or buys as many as should come out."""
        recipient = Pubkey.from_bytes(data_at(read, pump.GLOBAL)[41:73])
        if order.side == 0:
            return pump.sell_instruction(
                self.keys,
                user=order.trader,
                user_tokens=order.accounts[0],
                fee_recipient=recipient,
                tokens=order.amount,
                min_sol=order.least,
            )
        return pump.buy_instruction(
            self.keys,
            user=order.trader,
            user_tokens=order.accounts[0],
            fee_recipient=recipient,
            tokens=order.expected,
            max_sol=order.most,
        )


class PumpFun:
    """See the module's text."""

    takes_token_2022 = False
    only_coins = True

    def make(self, genesis: Genesis, pair: Pair, value_usd: float, dice: random.Random) -> Made | None:
        """The curve of a coin; what it is worth follows from the coin's price."""
        coin, sol = by_quote(pair)
        keys = pump.derive_curve(coin.address)
        if keys.curve in genesis or sol.address != WRAPPED_SOL or coin.decimals != COIN_DECIMALS:
            return None
        price = sol.units(coin.price_usd) / 10**COIN_DECIMALS
        virtual_sol = round(sqrt(_PRODUCT * price))
        virtual_tokens = _PRODUCT // virtual_sol
        real_sol = virtual_sol - pump.INITIAL_VIRTUAL_SOL
        real_tokens = pump.INITIAL_REAL_TOKENS - (pump.INITIAL_VIRTUAL_TOKENS - virtual_tokens)
        if real_sol < 0 or real_tokens <= 0:
            return None
        data = pump.curve_data(
            virtual_tokens=virtual_tokens, virtual_sol=virtual_sol, real_tokens=real_tokens, real_sol=real_sol
        )
        genesis.put(keys.curve, data, pump.PROGRAM_ID, lamports=real_sol)
        genesis.hold(keys.curve_tokens, coin, keys.curve, real_tokens + SPARE_TOKENS)
        if pump.GLOBAL not in genesis:
            recipient = derive_keypair(0, "pump_fun recipient").pubkey()
            settings = pump.global_data(authority=genesis.creator, fee_recipient=recipient, fee_basis_points=_FEE_BPS)
            genesis.put(pump.GLOBAL, settings, pump.PROGRAM_ID)
            genesis.accounts[recipient] = Account(_SOL, b"", Pubkey.default())
        return Made(keys.curve, (coin.address, sol.address), (keys.curve_tokens, keys.curve), _FEE_BPS * 100)

    def live(self, address: Pubkey, pair: Pair, read: Read) -> Live:
        """Derives the keys from the coin."""
        return Live(pump.derive_curve(pair[0].address))
