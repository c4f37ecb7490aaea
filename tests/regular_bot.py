"""A bot that repeats itself: the same order again and again, so that it is signed ahead."""

from __future__ import annotations

import msgspec

from sniperforge.strategies import Denied, Fill, Intent, PoolUpdate, Strategy

WSOL = "So11111111111111111111111111111111111111112"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"


class NoSettings(msgspec.Struct, forbid_unknown_fields=True):
    """There are none."""


class Regular(Strategy):
    """Sells the same amount of WSOL for the same least amount of USDC again and again, until the price has moved."""

    Config = NoSettings
    under_way = 0
    terms: tuple[int, bool, int] | None = None

    def on_pool(self, pool: PoolUpdate) -> None:
        mints = [self.context.token(row).mint for row in (pool.token_a, pool.token_b)]
        if self.under_way or not pool.tradable or sorted(mints) != sorted((WSOL, USDC)):
            return
        if self.terms is None:
            a_to_b = mints[0] == WSOL
            least = pool.quote_in(a_to_b, 10_000_000) * 9_000 // 10_000
            if not least:
                return
            self.terms = pool.pool, a_to_b, least
        row, a_to_b, least = self.terms
        if row != pool.pool:
            return
        tokens = (pool.token_a, pool.token_b) if a_to_b else (pool.token_b, pool.token_a)
        self.under_way = self.submit(
            Intent(
                token_in=tokens[0],
                token_out=tokens[1],
                expected_out=pool.quote_in(a_to_b, 10_000_000),
                hops=(pool.hop(a_to_b, 10_000_000, least),),
                cost_lamports=6_000,
                cu_price_micro_lamports=1_000,
                cu_limit=120_000,
            )
        )

    def on_fill(self, fill: Fill) -> None:
        self.under_way = 0

    def on_denied(self, denied: Denied) -> None:
        self.under_way = 0
        self.terms = None
