"""What pump.fun's programs charge: the fee program's config, and fees of an amount.

Written from pump.fun's published documentation and SDKs (`fees.ts`, `buy.ts`, `bondingCurve.ts`), as a second opinion
on `csrc/dex/pump_fee.c`. Rates are basis points; all fees are in the quote token.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

from solders.pubkey import Pubkey
from spl.token.constants import WRAPPED_SOL_MINT

from sniperforge.venues.raydium_cpmm import VenueDataError

PROGRAM = Pubkey.from_string("pfeeUxB6jkeY1Hxd7CsFCAjcbHA9rWtchMGdZ6VojVZ")
CONFIG_DISCRIMINATOR = bytes.fromhex("8f3492bbdb7b4c9b")
USDC = Pubkey.from_string("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")
SOL_MINTS = (
    Pubkey.default(),
    WRAPPED_SOL_MINT,
    Pubkey.from_string("9pan9bMn5HatX4EJdBwg9VgCa7Uz5HL8N1m5D3NdXejP"),
)
"""What stands for SOL: nothing, wrapped SOL, wrapped SOL of Token-2022."""

NOBODY = Pubkey.default()
COIN_SUPPLY = 10**15
"""Base units of every coin that pump.fun makes."""
BPS = 10_000
BPS_MAX = 5_000
"""Rates whose sum is more are wrong bytes."""
TIERS_MAX = 128


class Rates(NamedTuple):
    """Basis points of one trade."""

    lp: int = 0
    protocol: int = 0
    creator: int = 0

    def check(self, what: str) -> Rates:
        """Itself.  Raises VenueDataError if it cannot be right."""
        if sum(self) > BPS_MAX:
            raise VenueDataError(f"{what}: fees of {self.lp}, {self.protocol} and {self.creator} basis points")
        return self


@dataclass(frozen=True)
class Schedule:
    """The rates in force for one trade, and how they are rounded."""

    rates: Rates
    floor: bool = False
    """Rounded down, as the program of January 2025 did."""

    def fees(self, amount: int) -> tuple[int, int, int]:
        """Of `amount`: to liquidity providers, protocol, creator."""
        up = 0 if self.floor else BPS - 1
        lp, protocol, creator = ((amount * rate + up) // BPS for rate in self.rates)
        return lp, protocol, creator

    def net(self, budget: int) -> tuple[int, tuple[int, int, int]]:
        """What of a budget goes into the curve (0 if nothing is left), and the fees."""
        net = budget * BPS // (BPS + sum(self.rates))
        fees = self.fees(net)
        return max(0, net - max(0, net + sum(fees) - budget)), fees

    def gross_floor(self, want: int) -> int:
        """An amount below which `want` cannot remain after fees."""
        spared = 3 if self.floor else 0  # each fee that is rounded down leaves up to one more
        return max(1, -(-(want - spared) * BPS // (BPS - sum(self.rates))))


@dataclass(frozen=True)
class FeeConfig:
    """A decoded fee config. Tiers are (market cap, rates)."""

    flat: Rates
    tiers: tuple[tuple[int, Rates], ...]
    stable: tuple[tuple[int, Rates], ...] = ()
    exotic: Rates = field(default=Rates())

    def rates(self, *, pumps: bool, quote_mint: Pubkey, market_cap: int) -> Rates:
        """What a trade pays; `pumps`: the curve or pool is pump.fun's own.

        Raises:
            VenueDataError: the config has no tier.
        """
        if not pumps:
            return self.flat
        if quote_mint in SOL_MINTS:
            tiers = self.tiers
        elif quote_mint == USDC:
            tiers = self.stable or self.tiers
        else:
            return self.exotic if any(self.exotic) else self.flat
        if not tiers:
            raise VenueDataError("pump fee config: no tiers at offset 65")
        if market_cap < tiers[0][0]:
            return tiers[0][1]
        return next(rates for threshold, rates in reversed(tiers) if market_cap >= threshold)


def decode_config(data: bytes) -> FeeConfig:
    """The fee config in an account's bytes; its length says which parts it has.

    Raises:
        VenueDataError: it is none.
    """
    if len(data) < 2512 or data[:8] != CONFIG_DISCRIMINATOR:
        raise VenueDataError(f"pump fee config: {len(data)} bytes, discriminator {data[:8].hex()} at offset 0")

    def rates(offset: int) -> Rates:
        if offset + 24 > len(data):
            raise VenueDataError(f"pump fee config: {len(data)} bytes end before offset {offset + 24}")
        return Rates(*struct.unpack_from("<3Q", data, offset)).check(f"pump fee config, offset {offset}")

    def tiers(offset: int, room: int) -> tuple[tuple[tuple[int, Rates], ...], int]:
        if offset + 4 > len(data):
            raise VenueDataError(f"pump fee config: {len(data)} bytes end before offset {offset + 4}")
        (count,) = struct.unpack_from("<I", data, offset)
        end = offset + 4 + 40 * count
        if count > room or end > len(data):
            raise VenueDataError(f"pump fee config: {count} tiers at offset {offset} do not fit")
        found = tuple(
            (int.from_bytes(data[at : at + 16], "little"), rates(at + 16)) for at in range(offset + 4, end, 40)
        )
        return found, end

    flat = rates(41)
    sol, end = tiers(65, TIERS_MAX)
    stable: tuple[tuple[int, Rates], ...] = ()
    exotic = Rates()
    if len(data) >= 4073:
        stable, end = tiers(end, TIERS_MAX - len(sol))
    if len(data) >= 4097:
        exotic = rates(end)
    return FeeConfig(flat, sol, stable, exotic)


def fields(data: bytes, ends: tuple[int, ...], what: str) -> bytes:
    """An account's known fields, those that its length lacks as zeros.

    Args:
        ends: where each version of the account ended.

    Raises:
        VenueDataError: it is shorter than all, or there is something behind that is not known.
    """
    if len(data) < ends[0]:
        raise VenueDataError(f"{what}: {len(data)} bytes, fewer than {ends[0]}")
    end = max(end for end in ends if end <= len(data))
    if any(data[end:]):
        raise VenueDataError(f"{what}: {len(data)} bytes, and what is behind offset {end} is not known")
    return data[:end] + bytes(ends[-1] - end)


def boolean(data: bytes, offset: int, what: str) -> bool:
    """The bool at `offset`.  Raises VenueDataError if it is none."""
    if data[offset] > 1:
        raise VenueDataError(f"{what}: {data[offset]} at offset {offset} is not a bool")
    return data[offset] == 1
