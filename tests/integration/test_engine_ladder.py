"""A whole engine that signs ahead, the rest with nonces made ahead (forced): orders that are rungs land like any, each
once, and the books are the chain's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.engine import REPO, Engine, running, until


def test_orders_signed_ahead_land_and_the_books_hold(
    instance_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPO))
    settings = [
        "sign.ladder=true",
        "sign.nonce_pool=64",
        "sign.nonce_pool_force=true",
        'bots.regular={kind="strategy", enabled=true, bot=4, class="tests.regular_bot:Regular", settings={}}',
        "bots.rebalance.enabled=false",
        "bots.arb.enabled=false",
        "risk.collar_bps=2000",
        "simnet.speed=4",
        "simnet.market.trades_per_second=20",
    ]
    engine = Engine(instance_name, tmp_path / "state", settings)
    with running(engine):
        engine.await_trading()

        def used() -> int:
            return int(engine.read(lambda instance: instance.cnc("sign").values()["ahead_used"]) or 0)

        until("orders that were signed ahead", lambda: used() >= 3, 60)

        def hits() -> int:
            return int(engine.read(lambda instance: instance.cnc("sign").values()["nonce_hits"]) or 0)

        until("orders signed with a nonce that was ready", lambda: hits() >= 1, 60)
        assert "nonce pool ON: " in engine.command("status").stdout
        assert engine.end(timeout_s=90) == 0
    summary = engine.summary()
    assert summary["books_equal_chain"], json.dumps(summary)
