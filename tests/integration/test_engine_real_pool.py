"""The engine on a chain that has the dump of a real pool loaded: it trades on that pool."""

from __future__ import annotations

from pathlib import Path

from solders.pubkey import Pubkey

from ipc._core import lib
from sniperforge import exits
from tests.books import read_journal
from tests.data import data_dir
from tests.engine import Engine, running, until

POOL = Pubkey.from_string("7JuwJuNU88gurFnyWeiyGKbFmExMWcmRZntn9imEzdny")  # Raydium CPMM, SOL/USDC


def test_trades_on_a_real_pool(instance_name: str, tmp_path: Path) -> None:
    dumps = data_dir("accounts/raydium_cpmm/sol_usdc")
    engine = Engine(
        instance_name,
        tmp_path / "state",
        ["simnet.market.trades_per_second=30"],
        ["--account-dir", str(dumps)],
    )
    with running(engine):
        rows = engine.read(lambda instance: instance.table("pools").read_all())
        row = next(number for number, each in enumerate(rows) if each["pool"].tobytes() == bytes(POOL))

        def landed() -> list[int]:
            books = read_journal(engine.state_dir / "journal")
            done = {fill.order for fill in books.fills if fill.outcome == lib.SF_FILL_LANDED}
            return [order for order, pools in books.pools.items() if row in pools and order in done]

        found = until(f"a landed order through pool {POOL}", landed, 80.0, 0.5)
        assert engine.end() == exits.OK, engine.said()
    print(f"{len(found)} orders through {POOL} landed")
    assert engine.summary()["books_equal_chain"]
    assert not engine.left_behind()
