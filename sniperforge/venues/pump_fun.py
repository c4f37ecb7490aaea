"""pump.fun's bonding curve: its accounts as plain numbers, and what its trades give.

Written from pump.fun's published documentation and SDK (`bondingCurve.ts`), as a second opinion on
`csrc/dex/pump_fun.c`. Token a is the coin, token b what it is quoted in; amounts are base units.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import count

from solders.pubkey import Pubkey

from sniperforge.venues import pump_fees
from sniperforge.venues.pump_fees import FeeConfig, Rates, Schedule
from sniperforge.venues.quote import Quote
from sniperforge.venues.raydium_cpmm import VenueDataError

PROGRAM = Pubkey.from_string("6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P")
CURVE_DISCRIMINATOR = bytes.fromhex("17b7f83760d8ac60")
GLOBAL_DISCRIMINATOR = bytes.fromhex("a7e8e8b1c86c727f")
CURVE_ENDS = (49, 81, 82, 83, 115, 123, 124, 125, 133, 141, 142, 150, 158, 166)
"""Where each version of the curve account ended."""
GLOBAL_BYTES_2025 = 113
U64 = 1 << 64

COMPLETE, BUY_ZERO, NO_TOKENS, SELL_ZERO, OVERFLOW = 6005, 6020, 6021, 6022, 6024


@dataclass(frozen=True)
class Curve:
    """A decoded curve account."""

    virtual: tuple[int, int]
    """Tokens and quote that price it."""
    real: tuple[int, int]
    """Tokens and quote that it can pay out."""
    supply: int
    complete: bool
    creator: Pubkey
    mayhem: bool
    cashback: bool
    quote_mint: Pubkey
    """All zero is SOL."""
    creator_bps: int


def decode_curve(data: bytes) -> Curve:
    """The curve in an account's bytes, of any version.

    Raises:
        VenueDataError: it is none.
    """
    what = "pump.fun curve"
    full = pump_fees.fields(data, CURVE_ENDS, what)
    if full[:8] != CURVE_DISCRIMINATOR:
        raise VenueDataError(f"{what}: discriminator {full[:8].hex()} at offset 0")
    virtual_token, virtual_quote, real_token, real_quote, supply = struct.unpack_from("<5Q", full, 8)
    for unused in (123, 124):
        pump_fees.boolean(full, unused, what)
    curve = Curve(
        virtual=(virtual_token, virtual_quote),
        real=(real_token, real_quote),
        supply=supply,
        complete=pump_fees.boolean(full, 48, what),
        creator=Pubkey.from_bytes(full[49:81]),
        mayhem=pump_fees.boolean(full, 81, what),
        cashback=pump_fees.boolean(full, 82, what),
        quote_mint=Pubkey.from_bytes(full[83:115]),
        creator_bps=struct.unpack_from("<Q", full, 115)[0],
    )
    Rates(creator=curve.creator_bps).check(what)
    if real_token and real_token >= virtual_token:
        raise VenueDataError(f"{what}: {real_token} real of {virtual_token} virtual tokens at offset 8")
    return curve


@dataclass(frozen=True)
class Global:
    """What matters of the program's global account."""

    schedule: Schedule
    creator_rates: bool
    """A coin's own creator fee counts."""


def decode_global(data: bytes) -> Global:
    """The global account, of any version: the shortest is that of the program which rounded its fee down.

    Raises:
        VenueDataError: it is none.
    """
    what = "pump.fun global"
    if len(data) < GLOBAL_BYTES_2025 or data[:8] != GLOBAL_DISCRIMINATOR:
        raise VenueDataError(f"{what}: {len(data)} bytes, discriminator {data[:8].hex()} at offset 0")
    (protocol,) = struct.unpack_from("<Q", data, 105)
    creator = struct.unpack_from("<Q", data, 154)[0] if len(data) >= 162 else 0
    rates = Rates(0, protocol, creator).check(what)
    return Global(
        Schedule(rates, floor=len(data) == GLOBAL_BYTES_2025),
        len(data) > 1045 and pump_fees.boolean(data, 1045, what),
    )


@dataclass(frozen=True)
class State:
    """All that prices a curve."""

    virtual: tuple[int, int]
    real: tuple[int, int]
    schedule: Schedule
    complete: bool = False

    @classmethod
    def of(cls, curve: Curve, settings: Global, config: FeeConfig | None) -> State:
        """The state of a curve; without `config` as before there was a fee program.

        Raises:
            VenueDataError: they do not fit together.
        """
        schedule = settings.schedule
        if config is not None:
            tokens, quote = curve.virtual
            supply = curve.supply if curve.mayhem else pump_fees.COIN_SUPPLY
            cap = quote * supply // tokens if tokens else 0
            rates = config.rates(pumps=True, quote_mint=curve.quote_mint, market_cap=cap)._replace(lp=0)
            if settings.creator_rates and curve.creator_bps:
                rates = rates._replace(creator=curve.creator_bps)
            schedule = Schedule(rates)
        if curve.creator == pump_fees.NOBODY:
            schedule = Schedule(schedule.rates._replace(creator=0), schedule.floor)
        schedule.rates.check("pump.fun curve")
        return cls(curve.virtual, curve.real, schedule, curve.complete)

    @property
    def _over(self) -> bool:
        """A curve whose liquidity has gone into a pool has no virtual tokens."""
        return self.complete or not self.virtual[0]

    def quote_in(self, a_to_b: bool, amount: int, now: int = 0) -> Quote:
        """A sale of `amount` tokens, or a buy that spends `amount`."""
        if self._over:
            return Quote(0, 0, "refused", COMPLETE)
        return self._sell(amount) if a_to_b else self._spend(amount)

    def quote_out(self, a_to_b: bool, amount: int, now: int = 0) -> Quote:
        """The least sale that pays `amount`, or a buy of `amount` tokens."""
        if self._over:
            return Quote(0, 0, "refused", COMPLETE)
        return self._sell_for(amount) if a_to_b else self._buy(amount)

    def _buy(self, tokens: int) -> Quote:
        left = self.virtual[0] - tokens
        if tokens == 0:
            return Quote(0, 0, "refused", BUY_ZERO)
        if tokens > self.real[0] or left <= 0:
            return Quote(0, 0, "refused", NO_TOKENS)
        quote = tokens * self.virtual[1] // left + 1
        return self._bought(tokens, quote, self.schedule.fees(quote))

    def _bought(self, tokens: int, quote: int, fees: tuple[int, int, int]) -> Quote:
        _, protocol, creator = fees
        after = (self.virtual[0] - tokens, self.virtual[1] + quote)
        paid = quote + protocol + creator
        if after[1] >= U64 or paid >= U64:
            return Quote(0, 0, "refused", OVERFLOW)
        return Quote(
            paid,
            tokens,
            fee=protocol + creator,
            protocol_fee=protocol,
            creator_fee=creator,
            reserve_a=after[0],
            reserve_b=after[1],
        )

    def _spend(self, budget: int) -> Quote:
        net, fees = self.schedule.net(budget)
        if net < 2:
            return Quote(0, 0, "refused", BUY_ZERO)
        if self.virtual[1] + net >= U64:
            return Quote(0, 0, "refused", OVERFLOW)
        tokens = self.virtual[0] * (net - 1) // (self.virtual[1] + net - 1)
        if self.schedule.floor:
            return self._buy(tokens)  # that program has no other buy
        if tokens == 0:
            return Quote(0, 0, "refused", BUY_ZERO)
        if tokens > self.real[0]:
            return Quote(0, 0, "refused", NO_TOKENS)
        return self._bought(tokens, net, fees)

    def _sell(self, tokens: int) -> Quote:
        if tokens == 0:
            return Quote(0, 0, "refused", SELL_ZERO)
        after_tokens = self.virtual[0] + tokens
        if after_tokens >= U64:
            return Quote(0, 0, "refused", OVERFLOW)
        quote = tokens * self.virtual[1] // after_tokens
        _, protocol, creator = self.schedule.fees(quote)
        if quote > self.real[1] or protocol + creator > quote:
            return Quote(0, 0, "refused", OVERFLOW)
        return Quote(
            tokens,
            quote - protocol - creator,
            fee=protocol + creator,
            protocol_fee=protocol,
            creator_fee=creator,
            fee_in_input=False,
            reserve_a=after_tokens,
            reserve_b=self.virtual[1] - quote,
        )

    def _sell_for(self, want: int) -> Quote:
        if want == 0:
            return Quote(0, 0, "refused", SELL_ZERO)
        for gross in count(self.schedule.gross_floor(want)):
            if gross >= min(self.virtual[1], self.real[1] + 1):
                return Quote(0, 0, "refused", OVERFLOW)
            tokens = -(-gross * self.virtual[0] // (self.virtual[1] - gross))
            after_tokens = self.virtual[0] + tokens
            if after_tokens >= U64 or tokens * self.virtual[1] // after_tokens > self.real[1]:
                return Quote(0, 0, "refused", OVERFLOW)
            sale = self._sell(tokens)
            if sale.error == SELL_ZERO or (sale.status == "ok" and sale.amount_out >= want):
                return sale
        raise AssertionError("unreachable")
