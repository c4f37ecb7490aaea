"""Discovery while the engine runs: a pool that comes into being is traded, a price that runs away is still priced."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from solders.pubkey import Pubkey

from ipc._core import lib
from sniperforge import exits
from sniperforge.journal import Reader
from sniperforge.journal.records import decode
from sniperforge.rpc import RpcClient
from tests.engine import Engine, running, until

WSOL = "So11111111111111111111111111111111111111112"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"


def _number(engine: Engine, address: str) -> int:
    """The pool's number and 1; 0 as long as it has no price."""

    def found(instance: Any) -> int:
        for number, row in enumerate(instance.table("pools").read_all()):
            if bytes(row["pool"]) == bytes(Pubkey.from_string(address)) and not row["stale"]:
                return number + 1
        return 0

    return int(engine.read(found) or 0)


def _landed_on(engine: Engine, run: int, pool: int) -> int:
    orders: dict[int, list[int]] = {}
    found = 0
    with Reader(engine.state_dir / "journal", run) as reader:
        for record in reader.records((lib.SF_MSG_ORDER, lib.SF_MSG_FILL)):
            fields = decode(record.kind, record.payload)
            if record.kind == lib.SF_MSG_ORDER:
                orders[fields["order"]] = [hop["pool"] for hop in fields["intent"]["hop"]]
            elif fields["outcome"] == "landed":
                found += pool in orders[fields["order"]]
    return found


def test_a_pool_made_while_the_engine_runs_is_traded(instance_name: str, tmp_path: Path) -> None:
    engine = Engine(instance_name, tmp_path / "state", ["simnet.market.pools=12", "simnet.market.mints=4"])
    with running(engine):
        run, announced = engine.run_number(), engine.announced()
        assert announced is not None
        with RpcClient(announced.rpc_url, timeout_ms=10_000) as rpc:
            made = [
                rpc.call("simnetAddPool", venue, [WSOL, USDC], 2_000_000, premium)["value"]
                for venue, premium in (("raydium_cpmm", 500), ("orca_whirlpool", 300))
            ]
        for address in made:
            number = until(f"a price of {address}", partial(_number, engine, address), 20.0) - 1
            until(f"a trade on {address}", partial(_landed_on, engine, run, number), 20.0, 0.2)
        assert engine.end() == exits.OK, engine.said()
    assert engine.summary()["books_equal_chain"] and engine.summary()["reverted"]["unexplained"] == 0
