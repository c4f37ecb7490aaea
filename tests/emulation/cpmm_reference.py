"""What a Raydium CPMM swap does, in plain big integers, written from the program's source
(raydium-io/raydium-cp-swap ``curve/``, ``instructions/swap_base_*.rs``, ``utils/{token,math}.rs``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

NOT_APPROVED, EXCEEDED_SLIPPAGE, ZERO_TRADING_TOKENS, INVALID_VAULT = 6000, 6005, 6006, 6008
REQUIRE_GT = 2505
PANIC = -1
INSUFFICIENT_FUNDS = 1
USER_BALANCE = 1 << 63
U64 = 1 << 64
NOW = 1_760_000_000


class Refused(Exception):
    """The program refuses the swap with this code; PANIC when it stops without one."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


@dataclass(frozen=True)
class TransferFee:
    """Token-2022's TransferFeeConfig as it stands in one epoch."""

    basis_points: int
    maximum: int

    def of(self, amount: int) -> int:
        return min(ceil_div(amount * self.basis_points, 10_000), self.maximum)

    def on_top(self, amount: int) -> int:
        if self.basis_points == 10_000:
            return self.maximum
        before = ceil_div(amount * 10_000, 10_000 - self.basis_points) if self.basis_points else amount
        if before - amount >= self.maximum:
            before = amount + self.maximum
        if before >= U64:
            raise Refused(PANIC)
        fee = self.of(before)
        if self.of(amount + fee) != fee:
            raise Refused(6010)
        return fee


@dataclass(frozen=True)
class Terms:
    """Everything that prices a swap, in the program's order of tokens."""

    vaults: tuple[int, int] = (10**12, 10**11)
    trade_rate: int = 2500
    protocol_rate: int = 120_000
    fund_rate: int = 40_000
    creator_rate: int = 0
    creator_fee_on: int = 0
    enable_creator_fee: bool = False
    protocol_fees: tuple[int, int] = (0, 0)
    fund_fees: tuple[int, int] = (0, 0)
    creator_fees: tuple[int, int] = (0, 0)
    transfer_fees: tuple[TransferFee | None, TransferFee | None] = (None, None)
    status: int = 0
    open_time: int = 0

    def reserves(self, side: int) -> tuple[int, int]:
        """What the pool prices with: of the token that comes in, of the one that goes out."""
        owed = [self.protocol_fees[i] + self.fund_fees[i] + self.creator_fees[i] for i in (0, 1)]
        return self.vaults[side] - owed[side], self.vaults[1 - side] - owed[1 - side]


@dataclass(frozen=True)
class Swapped:
    """What a swap does."""

    paid: int
    received: int
    fees: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]  # protocol, fund, creator afterwards
    event: tuple[Any, ...]


def swap(terms: Terms, side: int, exact_in: bool, amount: int, limit: int) -> Swapped:
    """The program's result for `amount` in (or out), with `limit` as least out (or most in)."""
    if not exact_in and not amount:
        raise Refused(REQUIRE_GT)
    if terms.status & 4 or terms.open_time > NOW:
        raise Refused(NOT_APPROVED)
    fee_in, fee_out = terms.transfer_fees[side], terms.transfer_fees[1 - side]
    x, y = terms.reserves(side)
    creator_rate = terms.creator_rate if terms.enable_creator_fee else 0
    on_input = terms.creator_fee_on == 0 or terms.creator_fee_on == 1 + side
    rate = terms.trade_rate + (creator_rate if on_input else 0)
    creator = 0

    if exact_in:
        transfer_in = fee_in.of(amount) if fee_in else 0
        given = amount - transfer_in
        if not given:
            raise Refused(REQUIRE_GT)
        total = ceil_div(given * rate, 10**6)
        if on_input:
            if not rate:
                raise Refused(ZERO_TRADING_TOKENS)
            creator = total * creator_rate // rate
        trade = total - creator
        out = (given - total) * y // (x + given - total)
        if not on_input:
            creator = ceil_div(out * creator_rate, 10**6)
            out -= creator
        transfer_out = fee_out.of(out) if fee_out else 0
        if out - transfer_out <= 0:
            raise Refused(REQUIRE_GT)
        if out - transfer_out < limit:
            raise Refused(EXCEEDED_SLIPPAGE)
        paid = amount
    else:
        transfer_out = fee_out.on_top(amount) if fee_out else 0
        out = amount + transfer_out
        taken = out
        if not on_input:
            taken = ceil_div(out * 10**6, 10**6 - creator_rate)
            creator = taken - out
        if taken >= y or out >= U64:
            raise Refused(PANIC)
        quotient, rest = divmod(x * taken, y - taken)
        swapped = quotient + (rest > 0 if quotient else 2 * rest >= y - taken)
        if on_input and not rate:
            raise Refused(PANIC if swapped >= U64 else ZERO_TRADING_TOKENS)
        given = ceil_div(swapped * 10**6, 10**6 - rate)
        if given >= U64:
            raise Refused(PANIC)
        total = given - swapped
        if on_input:
            creator = total * creator_rate // rate
        trade = total - creator if on_input else total
        if not given:
            raise Refused(REQUIRE_GT)
        transfer_in = fee_in.on_top(given) if fee_in else 0
        paid = given + transfer_in
        if paid >= U64:
            raise Refused(PANIC)
        if paid > limit:
            raise Refused(EXCEEDED_SLIPPAGE)

    if paid > USER_BALANCE:
        raise Refused(INSUFFICIENT_FUNDS)
    creator_side = side if on_input else 1 - side

    def accrued(fees: tuple[int, int], at: int, more: int) -> tuple[int, int]:
        return (fees[0] + more, fees[1]) if at == 0 else (fees[0], fees[1] + more)

    return Swapped(
        paid=paid,
        received=out - transfer_out,
        fees=(
            accrued(terms.protocol_fees, side, trade * terms.protocol_rate // 10**6),
            accrued(terms.fund_fees, side, trade * terms.fund_rate // 10**6),
            accrued(terms.creator_fees, creator_side, creator),
        ),
        event=(x, y, given, out, transfer_in, transfer_out, exact_in, trade, creator, on_input),
    )
