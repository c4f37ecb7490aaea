"""Raydium AMM v4: its pools as plain numbers, and what its swaps give.

Written from the program's published source (raydium-io/raydium-amm: `processor.rs`, `math.rs`, `state.rs`), as a
second opinion on `csrc/dex/raydium_amm_v4.c`. Token a is coin, token b is pc; amounts are base units.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from solders.pubkey import Pubkey

from sniperforge.venues.quote import Quote
from sniperforge.venues.raydium_cpmm import VenueDataError

PROGRAM = Pubkey.from_string("675kPX9MHTjS2zt1qfr1NYHuzeLXfQM9H24wFSUt1Mp8")
POOL_BYTES = 752
U64 = 1 << 64

SWAP_ONLY, WAITING_TRADE = 6, 7
"""Values of a pool's status in which it swaps; in the second from `open_time` on."""

INVALID_STATUS, INVALID_INPUT, INSUFFICIENT_FUNDS = 22, 29, 40


@dataclass(frozen=True)
class Pool:
    """A decoded pool account; pairs are (coin, pc)."""

    status: int
    nonce: int
    decimals: tuple[int, int]
    fee: tuple[int, int]
    """Numerator and denominator."""
    owed: tuple[int, int]
    """Profit in the vaults that is still to be taken and is no reserve."""
    open_time: int
    vaults: tuple[Pubkey, Pubkey]
    mints: tuple[Pubkey, Pubkey]


def decode_pool(data: bytes) -> Pool:
    """The pool in an account's bytes.

    Raises:
        VenueDataError: it is none.
    """
    if len(data) != POOL_BYTES:
        raise VenueDataError(f"raydium amm v4 pool: {len(data)} bytes, not {POOL_BYTES}")

    def numbers(offset: int, count: int) -> tuple[int, ...]:
        return struct.unpack_from(f"<{count}Q", data, offset)

    def keys(offset: int) -> tuple[Pubkey, Pubkey]:
        return Pubkey.from_bytes(data[offset : offset + 32]), Pubkey.from_bytes(data[offset + 32 : offset + 64])

    status, nonce = numbers(0, 2)
    coin_decimals, pc_decimals = numbers(32, 2)
    numerator, denominator, coin_owed, pc_owed = numbers(176, 4)
    (open_time,) = numbers(224, 1)
    pool = Pool(
        status=status,
        nonce=nonce,
        decimals=(coin_decimals, pc_decimals),
        fee=(numerator, denominator),
        owed=(coin_owed, pc_owed),
        open_time=open_time,
        vaults=keys(336),
        mints=keys(400),
    )
    if not 1 <= status <= WAITING_TRADE:
        raise VenueDataError(f"raydium amm v4 pool: status {status} at offset 0")
    if nonce > 255:
        raise VenueDataError(f"raydium amm v4 pool: nonce {nonce} at offset 8")
    if numerator >= denominator:
        raise VenueDataError(f"raydium amm v4 pool: fee of {numerator}/{denominator} at offset 176")
    if len(set(pool.mints)) < 2 or len(set(pool.vaults)) < 2:
        raise VenueDataError("raydium amm v4 pool: both sides are the same at offset 336")
    return pool


@dataclass(frozen=True)
class State:
    """All that prices a pool."""

    vaults: tuple[int, int]
    owed: tuple[int, int] = (0, 0)
    fee: tuple[int, int] = (25, 10_000)
    status: int = SWAP_ONLY
    open_time: int = 0

    @classmethod
    def of(cls, pool: Pool, coin: int, pc: int) -> State:
        """The state of a pool with these amounts in its vaults.

        Raises:
            VenueDataError: a vault holds less than it owes.
        """
        if coin < pool.owed[0] or pc < pool.owed[1]:
            raise VenueDataError(f"raydium amm v4 pool: vaults of {coin} and {pc} owe {pool.owed}")
        return cls((coin, pc), pool.owed, pool.fee, pool.status, pool.open_time)

    def _closed(self, now: int) -> bool:
        return not (self.status == SWAP_ONLY or (self.status == WAITING_TRADE and now >= self.open_time))

    def _done(self, a_to_b: bool, paid: int, given: int, got: int) -> Quote:
        """`given` of `paid` went through the curve; the token program has the last word on the vault."""
        source = 0 if a_to_b else 1
        if self.vaults[source] + paid >= U64:
            return Quote(0, 0, "refused")
        after = [vault - owed for vault, owed in zip(self.vaults, self.owed, strict=True)]
        after[source] += paid
        after[1 - source] -= got
        return Quote(paid, got, fee=paid - given, reserve_a=after[0], reserve_b=after[1])

    def _sides(self, a_to_b: bool) -> tuple[int, int]:
        coin, pc = (vault - owed for vault, owed in zip(self.vaults, self.owed, strict=True))
        return (coin, pc) if a_to_b else (pc, coin)

    def quote_in(self, a_to_b: bool, amount: int, now: int = 0) -> Quote:
        """What `swap_base_in` pays for `amount`."""
        if self._closed(now):
            return Quote(0, 0, "refused", INVALID_STATUS)
        x, y = self._sides(a_to_b)
        numerator, denominator = self.fee
        given = amount + (-amount * numerator) // denominator
        if x + given == 0:
            return Quote(0, 0, "refused")
        # the product must not fall: y' is the least that keeps it
        got = y + (-x * y) // (x + given)
        if got == 0:
            return Quote(0, 0, "refused", INVALID_INPUT)
        if got >= y:
            return Quote(0, 0, "refused", INSUFFICIENT_FUNDS)
        return self._done(a_to_b, amount, given, got)

    def quote_out(self, a_to_b: bool, amount: int, now: int = 0) -> Quote:
        """What `swap_base_out` takes for `amount`."""
        if self._closed(now):
            return Quote(0, 0, "refused", INVALID_STATUS)
        x, y = self._sides(a_to_b)
        if amount >= y:
            return Quote(0, 0, "refused")  # the program divides by zero, or subtracts below it
        given = -(-x * y // (y - amount)) - x
        numerator, denominator = self.fee
        paid = -(-given * denominator // (denominator - numerator))
        if paid >= U64:
            return Quote(0, 0, "refused")
        if paid == 0 or amount == 0:
            return Quote(0, 0, "refused", INVALID_INPUT)
        return self._done(a_to_b, paid, given, amount)
