"""A whole engine that signs ahead: orders that are rungs land like any, each once, and the books are the chain's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sniperforge.strategies import Denied, Fill, Intent, PoolUpdate, Strategy
from tests.engine import REPO, Engine, running, until

WSOL = "So11111111111111111111111111111111111111112"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"


class Regular(Strategy):
    """Sells the same amount of WSOL for the same least amount of USDC again and again, until the price has moved."""

    under_way = 0
    terms: tuple[int, bool, int] | None = None

    def on_pool(self, pool: PoolUpdate) -> None:
        mints = [self.context.token(row).mint for row in (pool.token_a, pool.token_b)]
        if self.under_way or not pool.tradable or sorted(mints) != sorted((WSOL, USDC)):
            return
        if self.terms is None:
            a_to_b = mints[0] == WSOL
            self.terms = pool.pool, a_to_b, pool.quote_in(a_to_b, 10_000_000) * 9_970 // 10_000
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


def test_orders_signed_ahead_land_and_the_books_hold(
    instance_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPO))
    settings = [
        "sign.ladder=true",
        "bots.rebalance.class=tests.integration.test_engine_ladder:Regular",
        "bots.rebalance.settings={}",
        "bots.arb.enabled=false",
        "simnet.speed=4",
        "simnet.market.trades_per_second=40",
    ]
    engine = Engine(instance_name, tmp_path / "state", settings)
    with running(engine):
        engine.await_trading()

        def used() -> int:
            return int(engine.read(lambda instance: instance.cnc("sign").values()["ahead_used"]) or 0)

        until("orders that were signed ahead", lambda: used() >= 3, 60)
        assert engine.end(timeout_s=90) == 0
    summary = engine.summary()
    assert summary["books_equal_chain"], json.dumps(summary)
