"""Raydium CPMM: what its accounts say, and what its swaps give.

Arithmetic is the program's own integers (raydium-io/raydium-cp-swap: `curve/`, `states/`, `instructions/swap_base_*`);
the C core (`csrc/dex/raydium_cpmm.c`) is tested against it. Amounts are base units, rates are per million.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from solders.pubkey import Pubkey

from sniperforge.venues.quote import Quote
from sniperforge.venues.transfer_fee import NO_FEE, TransferFee

PROGRAM = Pubkey.from_string("CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C")
AUTHORITY = Pubkey.from_string("GpMZbSM2GgvTKHJirzeGfMFoaZ8UR2X7F4v8vHTvxFbL")
"""Owner of every vault."""

POOL_BYTES = 637
CONFIG_BYTES = 236
POOL_DISCRIMINATOR = bytes.fromhex("f7ede3f5d7c3de46")
CONFIG_DISCRIMINATOR = bytes.fromhex("daf42168cbcb2b6f")
SWAP_DISABLED = 4
"""Bit of a pool's status."""

NOT_GREATER, NOT_APPROVED, ZERO_TRADING_TOKENS, TRANSFER_FEE_MISMATCH = 2505, 6000, 6006, 6010
"""Errors of the program."""

PPM = 1_000_000
U64 = 1 << 64


class VenueDataError(ValueError):
    """Account bytes are not what they should be; the text has the offset."""


@dataclass(frozen=True)
class Pool:
    """A decoded pool account. Pairs are (token 0, token 1), also called a and b."""

    address: Pubkey
    config: Pubkey
    vaults: tuple[Pubkey, Pubkey]
    mints: tuple[Pubkey, Pubkey]
    token_programs: tuple[Pubkey, Pubkey]
    observation: Pubkey
    decimals: tuple[int, int]
    owed: tuple[int, int]
    """Protocol, fund and creator fees that lie in the vaults but are no reserve."""
    status: int
    open_time: int
    creator_fee_on: int
    """Which input token pays the creator's fee: 0 both, 1 only token 0, 2 only token 1; else the output pays it."""
    creator_fee_enabled: bool


@dataclass(frozen=True)
class Rates:
    """A decoded config account; protocol and fund are shares of the trade fee."""

    trade: int
    creator: int
    protocol: int = 0
    fund: int = 0


@dataclass(frozen=True)
class State:
    """All that prices a pool."""

    reserves: tuple[int, int]
    rates: Rates
    creator_rate: int = 0
    """0 if the pool has no creator's fee enabled."""
    creator_fee_on: int = 0
    owed: tuple[int, int] = (0, 0)
    """What lies in the vaults besides the reserves."""
    transfer_fees: tuple[TransferFee, TransferFee] = (NO_FEE, NO_FEE)
    open_time: int = 0
    swap_disabled: bool = False

    @classmethod
    def of(cls, pool: Pool, rates: Rates, vaults: tuple[int, int]) -> State:
        """The state of a pool with these amounts in its vaults.

        Raises:
            VenueDataError: a vault holds less than it owes.
        """
        reserves = (vaults[0] - pool.owed[0], vaults[1] - pool.owed[1])
        if min(reserves) < 0:
            raise VenueDataError(f"raydium cpmm pool: vaults of {vaults} owe {pool.owed} in fees")
        return cls(
            reserves,
            rates,
            rates.creator if pool.creator_fee_enabled else 0,
            pool.creator_fee_on,
            pool.owed,
            open_time=pool.open_time,
            swap_disabled=bool(pool.status & SWAP_DISABLED),
        )

    def quote_in(self, a_to_b: bool, amount: int, now: int = 0) -> Quote:
        """What `swap_base_input` pays for `amount`."""
        if self._closed(now):
            return Quote(0, 0, "refused", NOT_APPROVED)
        x, y, rate_in, rate_out = self._terms(a_to_b)
        given = amount - self.transfer_fees[not a_to_b].of(amount)
        if not given:
            return Quote(0, 0, "refused", NOT_GREATER)
        if not x or not y:
            return Quote(0, 0, "refused")  # division by zero
        if self._on_input(a_to_b) and not rate_in:
            return Quote(0, 0, "refused", ZERO_TRADING_TOKENS)  # it splits the input fee by its rate
        fee = _ceil_div(given * rate_in, PPM)
        out = (given - fee) * y // (x + given - fee)
        creator_out = _ceil_div(out * rate_out, PPM)
        sent = out - creator_out
        got = sent - self.transfer_fees[a_to_b].of(sent)
        if not got:
            return Quote(0, 0, "refused", NOT_GREATER)
        return self._done(a_to_b, (amount, got), given, fee, out, creator_out)

    def quote_out(self, a_to_b: bool, amount: int, now: int = 0) -> Quote:
        """What `swap_base_output` takes for `amount`."""
        if not amount:
            return Quote(0, 0, "refused", NOT_GREATER)
        if self._closed(now):
            return Quote(0, 0, "refused", NOT_APPROVED)
        sent = self.transfer_fees[a_to_b].before(amount)
        if sent is None:
            return Quote(0, 0, "refused", TRANSFER_FEE_MISMATCH)
        x, y, rate_in, rate_out = self._terms(a_to_b)
        out = _before_fee(sent, rate_out)
        if not x or not y or out >= y:
            return Quote(0, 0, "refused")
        quotient, rest = divmod(x * out, y - out)
        # the program rounds up, but a quotient below one to the nearest
        through = quotient + (rest > 0 if quotient else 2 * rest >= y - out)
        given = _before_fee(through, rate_in)
        if through >= U64 or given >= U64:
            return Quote(0, 0, "refused")
        if self._on_input(a_to_b) and not rate_in:
            return Quote(0, 0, "refused", ZERO_TRADING_TOKENS)
        if not given:
            return Quote(0, 0, "refused", NOT_GREATER)
        paid = self.transfer_fees[not a_to_b].before(given)
        if paid is None:
            return Quote(0, 0, "refused", TRANSFER_FEE_MISMATCH)
        return self._done(a_to_b, (paid, amount), given, given - through, out, out - sent)

    def _closed(self, now: int) -> bool:
        return self.swap_disabled or now < self.open_time

    def _on_input(self, a_to_b: bool) -> bool:
        return self.creator_fee_on in (0, 1 if a_to_b else 2)

    def _terms(self, a_to_b: bool) -> tuple[int, int, int, int]:
        on_input = self._on_input(a_to_b)
        rate_in = self.rates.trade + (self.creator_rate if on_input else 0)
        x, y = self.reserves if a_to_b else self.reserves[::-1]
        return x, y, rate_in, 0 if on_input else self.creator_rate

    def _done(self, a_to_b: bool, amounts: tuple[int, int], given: int, fee: int, out: int, creator_out: int) -> Quote:
        """`given` came into the vault, `fee` of it was taken, and `out` left the curve."""
        side = int(not a_to_b)
        if self.reserves[side] + self.owed[side] + given >= U64:
            return Quote(0, 0, "refused")  # the vault overflows
        on_input = self._on_input(a_to_b)
        creator_in = fee * self.creator_rate // (self.rates.trade + self.creator_rate) if on_input else 0
        trade = fee - creator_in
        shares = trade * self.rates.protocol // PPM + trade * self.rates.fund // PPM
        after = list(self.reserves)
        after[side] += given - shares - creator_in
        after[1 - side] -= out
        return Quote(
            *amounts,
            fee=fee,
            protocol_fee=shares,
            creator_fee=creator_in + creator_out,
            reserve_a=after[0],
            reserve_b=after[1],
        )


def _ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def _before_fee(amount: int, rate: int) -> int:
    return _ceil_div(amount * PPM, PPM - rate) if rate else amount


def _key(data: bytes, offset: int) -> Pubkey:
    return Pubkey.from_bytes(data[offset : offset + 32])


def _check(data: bytes, length: int, discriminator: bytes, what: str) -> None:
    if len(data) != length:
        raise VenueDataError(f"{what}: {len(data)} bytes, not {length}")
    if data[:8] != discriminator:
        raise VenueDataError(f"{what}: discriminator {data[:8].hex()} at offset 0")


def decode_pool(address: Pubkey, data: bytes) -> Pool:
    """The pool in the bytes of the account at `address`.

    Raises:
        VenueDataError: it is none.
    """
    _check(data, POOL_BYTES, POOL_DISCRIMINATOR, "raydium cpmm pool")
    protocol, fund, creator = (struct.unpack_from("<QQ", data, at) for at in (341, 357, 397))
    pool = Pool(
        address=address,
        config=_key(data, 8),
        vaults=(_key(data, 72), _key(data, 104)),
        mints=(_key(data, 168), _key(data, 200)),
        token_programs=(_key(data, 232), _key(data, 264)),
        observation=_key(data, 296),
        decimals=(data[331], data[332]),
        owed=(protocol[0] + fund[0] + creator[0], protocol[1] + fund[1] + creator[1]),
        status=data[329],
        open_time=struct.unpack_from("<Q", data, 373)[0],
        creator_fee_on=data[389],
        creator_fee_enabled=data[390] == 1,
    )
    if pool.creator_fee_on > 2:
        raise VenueDataError(f"raydium cpmm pool: creator fee on {pool.creator_fee_on} at offset 389")
    if data[390] > 1:
        raise VenueDataError(f"raydium cpmm pool: {data[390]} at offset 390 is not a bool")
    if max(pool.owed) >= U64:
        raise VenueDataError("raydium cpmm pool: fees owed at offset 341 overflow")
    return pool


def decode_config(data: bytes) -> Rates:
    """The rates in a config account's bytes.

    Raises:
        VenueDataError: it is none, or its rates leave nothing.
    """
    _check(data, CONFIG_BYTES, CONFIG_DISCRIMINATOR, "raydium cpmm config")
    trade, protocol, fund = struct.unpack_from("<3Q", data, 12)
    rates = Rates(trade, struct.unpack_from("<Q", data, 108)[0], protocol, fund)
    if rates.trade + rates.creator >= PPM:
        raise VenueDataError(f"raydium cpmm config: rates {rates.trade} at offset 12 and {rates.creator} at offset 108")
    if rates.protocol + rates.fund > PPM:
        raise VenueDataError(f"raydium cpmm config: shares {rates.protocol} and {rates.fund} at offset 20")
    return rates
