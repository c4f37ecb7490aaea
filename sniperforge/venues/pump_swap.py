"""PumpSwap: its accounts as plain numbers, and what its trades give.

Written from pump.fun's published documentation and SDK (`buy.ts`, `sell.ts`, `fees.ts`), as a second opinion on
`csrc/dex/pump_swap.c`. Token a is the base (the coin), token b the quote; amounts are base units.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import count

from solders.pubkey import Pubkey

from sniperforge.venues import pump_fees
from sniperforge.venues.pump_fees import FeeConfig, Rates, Schedule
from sniperforge.venues.pump_fun import PROGRAM as PUMP_FUN
from sniperforge.venues.quote import Quote
from sniperforge.venues.raydium_cpmm import VenueDataError

PROGRAM = Pubkey.from_string("pAMMBay6oceH9fJKBRHGP5D4bD4sWpmSwMn52FMfXEA")
GLOBAL_CONFIG = Pubkey.from_string("ADyA8hdefvWN2dbGGWFotbzWxrAvLW83WG6QCVXvJKqw")
FEE_CONFIG = Pubkey.from_string("5PHirr8joyTMp9JMm6nW7hNDVyEYdkzDqazxPD7RaTjx")
POOL_DISCRIMINATOR = bytes.fromhex("f19a6d0411b16dbc")
GLOBAL_DISCRIMINATOR = bytes.fromhex("95089ccaa0fcb0d9")
POOL_ENDS = (211, 243, 244, 245, 261, 269, 270, 271, 279, 287)
"""Where each version of the pool account ended."""
U64 = 1 << 64

ZERO_BASE, MORE_THAN_ALL, NO_BUYS, NO_SALES, OVERFLOW, BUDGET, REAL_QUOTE = 6001, 6016, 6020, 6021, 6023, 6039, 6063


@dataclass(frozen=True)
class Pool:
    """A decoded pool account; pairs are (base, quote)."""

    creator: Pubkey
    mints: tuple[Pubkey, Pubkey]
    vaults: tuple[Pubkey, Pubkey]
    coin_creator: Pubkey
    mayhem: bool
    cashback: bool
    virtual_quote: int
    """Signed."""
    creator_bps: int
    kept: int
    """Fees that wait in the quote vault."""

    @property
    def pumps(self) -> bool:
        """Made by pump.fun out of a bonding curve, not by anybody."""
        authority, _ = Pubkey.find_program_address([b"pool-authority", bytes(self.mints[0])], PUMP_FUN)
        return self.creator == authority


def decode_pool(data: bytes) -> Pool:
    """The pool in an account's bytes, of any version.

    Raises:
        VenueDataError: it is none.
    """
    what = "pump swap pool"
    full = pump_fees.fields(data, POOL_ENDS, what)
    if full[:8] != POOL_DISCRIMINATOR:
        raise VenueDataError(f"{what}: discriminator {full[:8].hex()} at offset 0")

    def key(offset: int) -> Pubkey:
        return Pubkey.from_bytes(full[offset : offset + 32])

    for unused in (269, 270):
        pump_fees.boolean(full, unused, what)
    creator_bps, _, _, protocol_fees, creator_fees = struct.unpack_from("<QBBQQ", full, 261)
    pool = Pool(
        creator=key(11),
        mints=(key(43), key(75)),
        vaults=(key(139), key(171)),
        coin_creator=key(211),
        mayhem=pump_fees.boolean(full, 243, what),
        cashback=pump_fees.boolean(full, 244, what),
        virtual_quote=int.from_bytes(full[245:261], "little", signed=True),
        creator_bps=creator_bps,
        kept=protocol_fees + creator_fees,
    )
    Rates(creator=creator_bps).check(what)
    if len(set(pool.mints)) < 2 or len(set(pool.vaults)) < 2:
        raise VenueDataError(f"{what}: both sides are the same at offset 43")
    if pool.kept >= U64:
        raise VenueDataError(f"{what}: kept fees at offset 271 overflow")
    return pool


@dataclass(frozen=True)
class Global:
    """What matters of the program's global config."""

    rates: Rates
    no_buys: bool
    no_sales: bool
    creator_rates: bool
    """A pool's own creator fee counts."""


def decode_global(data: bytes) -> Global:
    """The global config, of any version.

    Raises:
        VenueDataError: it is none.
    """
    what = "pump swap config"
    if len(data) < 313 or data[:8] != GLOBAL_DISCRIMINATOR:
        raise VenueDataError(f"{what}: {len(data)} bytes, discriminator {data[:8].hex()} at offset 0")
    lp, protocol, disabled = struct.unpack_from("<QQB", data, 40)
    creator = struct.unpack_from("<Q", data, 313)[0] if len(data) >= 321 else 0
    return Global(
        Rates(lp, protocol, creator).check(what),
        bool(disabled & 8),
        bool(disabled & 16),
        len(data) > 940 and pump_fees.boolean(data, 940, what),
    )


@dataclass(frozen=True)
class State:
    """All that prices a pool."""

    vaults: tuple[int, int]
    schedule: Schedule
    virtual_quote: int = 0
    kept: int = 0
    no_buys: bool = False
    no_sales: bool = False

    @classmethod
    def of(cls, pool: Pool, vaults: tuple[int, int], supply: int, settings: Global, config: FeeConfig | None) -> State:
        """The state of a pool with these amounts in its vaults; without `config` as before there was a fee program.

        Raises:
            VenueDataError: they do not fit together.
        """
        effective = vaults[1] + pool.virtual_quote
        if not 0 <= effective < U64:
            raise VenueDataError(f"pump swap pool: virtual reserves of {pool.virtual_quote} do not fit {vaults[1]}")
        if vaults[1] < pool.kept:
            raise VenueDataError(f"pump swap pool: vault of {vaults[1]} keeps fees of {pool.kept}")
        rates = settings.rates
        if config is not None:
            basis = pump_fees.COIN_SUPPLY if pool.mayhem else supply
            cap = effective * basis // vaults[0] if vaults[0] else 0
            rates = config.rates(pumps=pool.pumps, quote_mint=pool.mints[1], market_cap=cap)
            if settings.creator_rates and pool.creator_bps:
                rates = rates._replace(creator=pool.creator_bps)
        if pool.coin_creator == pump_fees.NOBODY:
            rates = rates._replace(creator=0)
        schedule = Schedule(rates.check("pump swap pool"))
        return cls(vaults, schedule, pool.virtual_quote, pool.kept, settings.no_buys, settings.no_sales)

    @property
    def quote(self) -> int:
        """The quote side of the price."""
        return self.vaults[1] + self.virtual_quote

    def quote_in(self, a_to_b: bool, amount: int, now: int = 0) -> Quote:
        """A sale of `amount` of the base, or a buy that spends `amount`."""
        if a_to_b:
            return Quote(0, 0, "refused", NO_SALES) if self.no_sales else self._sell(amount)
        return Quote(0, 0, "refused", NO_BUYS) if self.no_buys else self._spend(amount)

    def quote_out(self, a_to_b: bool, amount: int, now: int = 0) -> Quote:
        """The least sale that pays `amount`, or a buy of `amount` of the base."""
        if self.no_sales if a_to_b else self.no_buys:
            return Quote(0, 0, "refused", NO_SALES if a_to_b else NO_BUYS)
        if amount == 0:
            return Quote(0, 0, "refused", ZERO_BASE)
        return self._sell_for(amount) if a_to_b else self._buy(amount)

    def _buy(self, base: int) -> Quote:
        left = self.vaults[0] - base
        if left <= 0:
            return Quote(0, 0, "refused", MORE_THAN_ALL)
        # the least quote that keeps the product
        quote = -(-self.quote * self.vaults[0] // left) - self.quote
        fees = self.schedule.fees(quote)
        return self._bought(base, quote + sum(fees), fees)

    def _bought(self, base: int, paid: int, fees: tuple[int, int, int]) -> Quote:
        _, protocol, creator = fees
        stays = paid - protocol - creator
        if paid >= U64 or self.quote + stays >= U64 or self.vaults[1] + stays >= U64:
            return Quote(0, 0, "refused", OVERFLOW)
        return Quote(
            paid,
            base,
            fee=sum(fees),
            protocol_fee=protocol,
            creator_fee=creator,
            reserve_a=self.vaults[0] - base,
            reserve_b=self.quote + stays,
        )

    def _spend(self, budget: int) -> Quote:
        net, fees = self.schedule.net(budget)
        if net < 2:
            return Quote(0, 0, "refused", BUDGET)
        base = self.vaults[0] * (net - 1) // (self.quote + net - 1)
        bought = self._bought(base, budget, fees)
        if bought.status != "ok":
            return bought
        if base == 0:
            return Quote(0, 0, "refused", ZERO_BASE)
        return bought if base < self.vaults[0] else Quote(0, 0, "refused", MORE_THAN_ALL)

    def _sell(self, base: int) -> Quote:
        if base == 0:
            return Quote(0, 0, "refused", ZERO_BASE)
        after = self.vaults[0] + base
        if after >= U64:
            return Quote(0, 0, "refused", OVERFLOW)
        quote = self.quote * base // after
        lp, protocol, creator = self.schedule.fees(quote)
        paid = quote - lp - protocol - creator
        if paid < 0:
            return Quote(0, 0, "refused", OVERFLOW)
        if quote - lp > self.vaults[1] - self.kept:
            return Quote(0, 0, "refused", REAL_QUOTE)
        return Quote(
            base,
            paid,
            fee=lp + protocol + creator,
            protocol_fee=protocol,
            creator_fee=creator,
            fee_in_input=False,
            reserve_a=after,
            reserve_b=self.quote - quote + lp,
        )

    def _sell_for(self, want: int) -> Quote:
        for gross in count(self.schedule.gross_floor(want)):
            if gross >= self.quote:
                return Quote(0, 0, "refused", REAL_QUOTE)
            base = -(-gross * self.vaults[0] // (self.quote - gross))
            if self.vaults[0] + base >= U64:
                return Quote(0, 0, "refused", OVERFLOW)
            sale = self._sell(base)
            if sale.error in (ZERO_BASE, REAL_QUOTE) or (sale.status == "ok" and sale.amount_out >= want):
                return sale
        raise AssertionError("unreachable")
