"""Meteora DLMM pairs of the market: as much in each bin, on both sides of the price."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass
from math import log
from typing import NamedTuple

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from sniperforge.simnet import meteora_dlmm_accounts as dlmm
from sniperforge.simnet.venue_pools.base import Genesis, Made, Order, Pair, Read, by_quote, data_at, opening

_SWAP_ARRAYS = 3
_REACH = 0.25
"""How far the outermost bins are from the price, as a logarithm."""
_FIRST_BIN, _BIN_BYTES = 56, 144


class Preset(NamedTuple):
    """Bin step and base factor: one pair of each for two tokens; the base fee is their product over 10^8."""

    step: int
    base_factor: int

    @property
    def fee_rate(self) -> int:
        """In parts per million."""
        return self.step * self.base_factor // 100


_PRESETS = (Preset(20, 10_000), Preset(25, 10_000), Preset(10, 10_000))


@dataclass(frozen=True)
class Live:
    """A pair of the running chain."""

    keys: dlmm.PairKeys

    def reserves(self, read: Read) -> tuple[float, float] | None:
        """From the active bin's price and what the bins of its array hold on average: a constant product with the
        reserve R of y moves over as many bins for as much, if a bin is worth R times half the step."""
        pair = read(self.keys.pair)
        if pair is None:
            return None
        (active,) = struct.unpack_from("<i", pair.data, 76)
        array = read(self.keys.array(dlmm.array_of(active)))
        if array is None:
            return None
        price = dlmm.price_of(active, self.keys.step) / 2.0**64
        bins = [struct.unpack_from("<QQ", array.data, at) for at in range(_FIRST_BIN, len(array.data), _BIN_BYTES)]
        worth = [x * price + y for x, y in bins if x or y]
        if not worth:
            return None
        reserve = sum(worth) / len(worth) * 2.0 / log(1.0 + self.keys.step / 10_000)
        return reserve / price, reserve

    def swap(self, read: Read, order: Order) -> Instruction:
        """Exact in, on the next arrays with liquidity."""
        pair = data_at(read, self.keys.pair)
        return dlmm.swap_instruction(
            self.keys,
            user=order.trader,
            user_accounts=order.accounts,
            x_to_y=order.side == 0,
            arrays=dlmm.next_arrays(pair, None, x_to_y=order.side == 0, count=_SWAP_ARRAYS),
            amount_in=order.amount,
            minimum_amount_out=order.least,
        )


class MeteoraDlmm:
    """See the module's text."""

    takes_token_2022 = True
    only_coins = False

    def make(self, genesis: Genesis, pair: Pair, value_usd: float, dice: random.Random) -> Made | None:
        """A pair of one of the presets."""
        pair = by_quote(pair)
        free = [preset for preset in _PRESETS if _keys(pair, preset).pair not in genesis]
        if not free:
            return None
        preset = dice.choice(free)
        keys, begun = _keys(pair, preset), opening(pair, value_usd, preset.fee_rate, dice)
        bin_step = log(1.0 + preset.step / 10_000)
        width = round(_REACH / bin_step)
        x, y = (round(reserve * width * bin_step / 2.0) for reserve in begun.reserves)
        active = dlmm.bin_at(begun.price, preset.step)
        bins = dlmm.spot_bins(active, preset.step, x=x, y=y, width=width)
        for address, data in dlmm.accounts(keys, active, bins).items():
            genesis.put(address, data, dlmm.PROGRAM_ID)
        for vault, token, amount in zip(keys.reserves, pair, dlmm.totals(bins), strict=True):
            genesis.hold(vault, token, keys.pair, amount)
        return Made(keys.pair, keys.mints, keys.reserves, preset.fee_rate)

    def live(self, address: Pubkey, pair: Pair, read: Read) -> Live:
        """Reads the keys."""
        return Live(dlmm.read_pair(address, data_at(read, address), (pair[0].program, pair[1].program)))


def _keys(pair: Pair, preset: Preset) -> dlmm.PairKeys:
    return dlmm.derive_pair(
        mints=(pair[0].address, pair[1].address),
        step=preset.step,
        base_factor=preset.base_factor,
        token_programs=(pair[0].program, pair[1].program),
    )
