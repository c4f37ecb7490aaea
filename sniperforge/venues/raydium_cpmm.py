"""Raydium CPMM: what its accounts say, and what its swaps give.

Arithmetic is the program's own integers (raydium-io/raydium-cp-swap: `curve/`, `states/`, `instructions/swap_base_*`);
the C core (`csrc/dex/raydium_cpmm.c`) is tested against it. Amounts are base units, rates are per million.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from solders.pubkey import Pubkey

PROGRAM = Pubkey.from_string("CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C")
AUTHORITY = Pubkey.from_string("GpMZbSM2GgvTKHJirzeGfMFoaZ8UR2X7F4v8vHTvxFbL")
"""Owner of every vault."""

POOL_BYTES = 637
CONFIG_BYTES = 236
POOL_DISCRIMINATOR = bytes.fromhex("f7ede3f5d7c3de46")
CONFIG_DISCRIMINATOR = bytes.fromhex("daf42168cbcb2b6f")
SWAP_DISABLED = 4
"""Bit of a pool's status."""

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
    """A decoded config account."""

    trade: int
    creator: int


@dataclass(frozen=True)
class Market:
    """All that prices a pool: reserves and the rates in force."""

    reserves: tuple[int, int]
    trade_rate: int
    creator_rate: int = 0
    creator_fee_on: int = 0

    def quote_in(self, side: int, amount: int) -> int:
        """What comes out when `amount` of token `side` goes in; 0 if the program would fail."""
        x, y, rate_in, rate_out = self._terms(side)
        if not x or not y or self._refused(side):
            return 0
        given = amount - _ceil_div(amount * rate_in, PPM)
        out = given * y // (x + given)
        return out - _ceil_div(out * rate_out, PPM)

    def quote_out(self, side: int, amount: int) -> int:
        """The least input of token `side` that gives `amount` of the other; 0 if the program would fail."""
        x, y, rate_in, rate_out = self._terms(side)
        if not x or not y or not amount or self._refused(side):
            return 0
        taken = _before_fee(amount, rate_out)
        if taken >= y:
            return 0
        quotient, rest = divmod(x * taken, y - taken)
        # the program rounds up, but a quotient below one to the nearest
        given = quotient + (rest > 0 if quotient else 2 * rest >= y - taken)
        paid = _before_fee(given, rate_in)
        return paid if given < U64 and paid < U64 else 0

    def _on_input(self, side: int) -> bool:
        return self.creator_fee_on in (0, 1 + side)

    def _terms(self, side: int) -> tuple[int, int, int, int]:
        on_input = self._on_input(side)
        rate_in = self.trade_rate + (self.creator_rate if on_input else 0)
        return self.reserves[side], self.reserves[1 - side], rate_in, 0 if on_input else self.creator_rate

    def _refused(self, side: int) -> bool:
        # the program splits the input fee by its rate, and fails if that is zero
        return self._on_input(side) and not self.trade_rate + self.creator_rate


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
    rates = Rates(trade=struct.unpack_from("<Q", data, 12)[0], creator=struct.unpack_from("<Q", data, 108)[0])
    if rates.trade + rates.creator >= PPM:
        raise VenueDataError(f"raydium cpmm config: rates {rates.trade} at offset 12 and {rates.creator} at offset 108")
    return rates


def market(pool: Pool, rates: Rates, vaults: tuple[int, int]) -> Market:
    """What the program prices with, given the amounts in the vaults.

    Raises:
        VenueDataError: a vault holds less than it owes.
    """
    reserves = (vaults[0] - pool.owed[0], vaults[1] - pool.owed[1])
    if min(reserves) < 0:
        raise VenueDataError(f"raydium cpmm pool: vaults of {vaults} owe {pool.owed} in fees")
    creator = rates.creator if pool.creator_fee_enabled else 0
    return Market(reserves, rates.trade, creator, pool.creator_fee_on)
