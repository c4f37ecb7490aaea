"""Figures the engine has to meet: memory of the hot path, time to the first trade, and what a recovery takes."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from sniperforge import exits
from tests.engine import Engine, running, until

MOST_HOT_BYTES = 35_000_000
MOST_READY_MS = 2_000
MOST_START_S = 2.0
"""From the start of the command: an interpreter, imports, a chain from its ledger, the engine."""


def _created_to_trading_ms(engine: Engine) -> int:
    """What the last run said about itself when it began to trade."""
    line = re.compile(rf"run {engine.run_number()} is trading \((\d+) ms after its creation\)")
    found = until("the line that says so", lambda: line.findall(engine.said()), 20.0)
    return int(found[-1])


def test_memory_and_start(instance_name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = Engine(instance_name, tmp_path / "state", ["simnet.market.trades_per_second=50"])
    lines = []
    with running(engine):
        first_ms = _created_to_trading_ms(engine)
        until("some orders", lambda: engine.orders() >= 5, 30.0)
        memory = json.loads(engine.command("status", "--json").stdout)["memory"]
        processes = [entry for entry in memory["processes"] if entry["hot"]]
        lines.append(f"hot path: {memory['hot_path_bytes'] / 1e6:.1f} MB proportional in {len(processes)} processes")
        assert {name for entry in processes for name in entry["tiles"]} >= {"feed", "book", "arb", "risk", "build"}
        assert {name for entry in processes for name in entry["tiles"]} >= {"sign", "send", "journal"}
        assert all(entry["bytes"] > 0 for entry in memory["processes"])
        assert 0 < memory["hot_path_bytes"] < MOST_HOT_BYTES
        assert engine.end() == exits.OK, engine.said()
        engine.kill()
        starts = []
        for _ in range(3):
            run = engine.run_number()
            begun = time.monotonic()
            engine.start()
            engine.await_trading(after=run)
            starts.append((time.monotonic() - begun, _created_to_trading_ms(engine)))
            assert engine.end() == exits.OK, engine.said()
            engine.kill()
    lines.append(f"first start: {first_ms} ms from the creation of the instance to trading")
    lines += [
        f"start of an existing state directory: {seconds:.2f} s from the command, {ready_ms} ms from the creation"
        for seconds, ready_ms in starts
    ]
    with capsys.disabled():
        print("\n" + "\n".join(lines))
    assert min(ready_ms for _, ready_ms in starts) < MOST_READY_MS
    assert min(seconds for seconds, _ in starts) < MOST_START_S
    assert not engine.left_behind()
