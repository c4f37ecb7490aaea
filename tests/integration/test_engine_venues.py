"""The engine on all eight venues: every one is traded, books equal the chain, and no order of ours fails for
a reason that our quote should have known.

In short a minute or so; SNIPERFORGE_MINUTES (`make stress`: five) sets how long it goes on at least.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path

import pytest

from ipc._core import lib
from sniperforge import exits
from sniperforge.journal import Reader
from sniperforge.journal.records import VENUES, decode
from tests.engine import Engine, running, until

SHORT_MINUTES = 0.5
MARKET = [
    "simnet.market.trades_per_second=30",
    "simnet.market.weights={pump_fun=5, raydium_cpmm=5}",
    "risk.max_daily_loss_lamports=1000000000000",
]


def _landed(engine: Engine, run: int) -> Counter[str]:
    """How often each venue was swapped on, by the journal."""
    hops: dict[int, list[str]] = {}
    found: Counter[str] = Counter()
    with Reader(engine.state_dir / "journal", run) as reader:
        for record in reader.records((lib.SF_MSG_ORDER, lib.SF_MSG_FILL)):
            fields = decode(record.kind, record.payload)
            if record.kind == lib.SF_MSG_ORDER:
                hops[fields["order"]] = [VENUES[hop["venue"]] for hop in fields["intent"]["hop"]]
            elif fields["outcome"] == "landed":
                found.update(hops[fields["order"]])
    return found


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_all_venues_are_traded_and_no_revert_is_ours(
    instance_name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    minutes = float(os.environ.get("SNIPERFORGE_MINUTES", SHORT_MINUTES))
    engine = Engine(instance_name, tmp_path / "state", MARKET)
    with running(engine):
        run = engine.run_number()
        begun = time.monotonic()
        until("every venue to be traded", lambda: len(_landed(engine, run)) == len(VENUES), 120.0, 1.0)
        until("the time", lambda: time.monotonic() - begun >= minutes * 60 or engine.run_number() != run, 3600.0, 0.5)
        assert engine.run_number() == run, engine.said()
        why = engine.command("journal", "why", "--json", timeout_s=120.0)
        assert why.returncode == exits.OK, why.stdout + why.stderr
        assert engine.end() == exits.OK, engine.said()
        summary = engine.summary()
    assert summary["books_equal_chain"] and not summary["open_orders"]
    assert summary["reverted"]["unexplained"] == summary["reverted"]["unknown"] == 0
    assert len(why.stdout.splitlines()) <= summary["reverted"]["moved"]
    with Reader(engine.state_dir / "journal", run) as reader:
        refused = [decode(record.kind, record.payload)["reason"] for record in reader.records((lib.SF_MSG_REFUSED,))]
    assert "size" not in refused
    with capsys.disabled():
        print(f"\nlanded {json.dumps(dict(_landed(engine, run)))}, reverted {summary['reverted']}, refused {refused}")
