"""What a venue's reference says about one swap: the same fields as `sf_quote_t` (csrc/dex/quote.h)."""

from __future__ import annotations

from typing import NamedTuple


class Quote(NamedTuple):
    """Amounts in base units; `status` is `ok`, `refused` (the program fails) or `exhausted` (loaded state ends)."""

    amount_in: int
    amount_out: int
    status: str = "ok"
    error: int = 0
    fee: int = 0
    protocol_fee: int = 0
    creator_fee: int = 0
    fee_in_input: bool = True
    reserve_a: int = 0
    reserve_b: int = 0
    sqrt_price: int = 0
    liquidity: int = 0
    tick: int = 0
    crossed: int = 0
