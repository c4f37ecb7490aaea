"""Discovery while the engine runs: a pool that comes into being is traded, a price that runs away is still priced."""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from solders.account import Account
from solders.compute_budget import set_compute_unit_limit
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ipc._core import ffi, lib
from ipc.layout import dtype
from sniperforge import exits
from sniperforge.discovery.anatomy import associated
from sniperforge.discovery.reader import Reader as AccountReader
from sniperforge.journal import Reader
from sniperforge.journal.records import decode
from sniperforge.rpc import RpcClient, RpcError
from sniperforge.simnet.faucet import derive_keypair
from sniperforge.simnet.market import Market
from sniperforge.simnet.venue_pools import VENUES
from sniperforge.simnet.venue_pools.base import Order
from tests.engine import Engine, running, until
from tests.integration import confirm_desk

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
            number = until(f"a price of {address}", partial(_number, engine, address), 30.0) - 1
            until(f"a trade on {address}", partial(_landed_on, engine, run, number), 30.0, 0.2)
        assert engine.end() == exits.OK, engine.said()
    assert engine.summary()["books_equal_chain"] and engine.summary()["reverted"]["unexplained"] == 0


def test_rows_of_pools_that_left_are_had_again(instance_name: str, tmp_path: Path) -> None:
    """Cold pools leave, but their rows stay taken: when a new one finds none, the engine begins anew without them."""
    crowded = ["pools.limit=8", "topology.tables.pools.rows=10", "pools.cold_s=1"]
    engine = Engine(instance_name, tmp_path / "state", ["simnet.market.pools=8", "simnet.market.mints=4", *crowded])
    with running(engine):
        run, announced = engine.run_number(), engine.announced()
        assert announced is not None
        with RpcClient(announced.rpc_url, timeout_ms=10_000) as rpc:
            made = ""
            for venue in VENUES:
                with contextlib.suppress(RpcError):  # it has every pool of these mints that it can have
                    made = rpc.call("simnetAddPool", venue, [WSOL, USDC], 2_000_000, 0)["value"]
                with contextlib.suppress(AssertionError):
                    until("another run", lambda: engine.run_number() > run, 1.0, 0.05)
                    break
        until("another run", lambda: engine.run_number() > run, 30.0, 0.05)
        engine.await_trading(after=run)
        until(f"a price of {made}", partial(_number, engine, made), 30.0)
        assert engine.end() == exits.OK, engine.said()
    assert "rows hold pools that are no longer followed" in engine.said()
    assert engine.summary()["books_equal_chain"]


def _payload(engine: Engine, address: str) -> bytes:
    """What the engine's row says of a pool; empty while it may not be traded, or its arrays are on their way."""

    def found(instance: Any) -> bytes:
        for row in instance.table("pools").read_all():
            if (
                bytes(row["pool"]) == bytes(Pubkey.from_string(address))
                and not row["stale"]
                and row["update"]["limit"].all()
            ):
                first = row.dtype.fields["update"][1]
                head = row.dtype["update"].itemsize + int(row["update"]["state_bytes"])
                return bytes(row.tobytes()[first : first + head])
        return b""

    return bytes(engine.read(found) or b"")


def _quote(payload: bytes, a_to_b: int, amount: int, unix_s: int) -> int:
    """What an update's state gives at a time; -1 if the swap is refused or goes further than the state."""
    update = ffi.new("uint8_t[]", payload)
    ffi.cast("sf_pool_update_t *", update).unix_s = unix_s
    got: Any = ffi.new("sf_quote_t *")
    assert lib.ipc_pool_quote(update, len(payload), a_to_b, 1, amount, got) == 0
    return int(got.amount_out) if got.status == lib.SF_QUOTE_OK else -1


class Trader(confirm_desk.Trader):
    """One of the market's own."""

    def __init__(self, rpc_url: str, keypair: Keypair) -> None:
        super().__init__(rpc_url)
        self.keypair = keypair
        self._reader = AccountReader(self.rpc.call, commitment="processed")

    def account(self, key: Pubkey) -> Account | None:
        found = self._reader.accounts([key]).get(key)
        return Account(found.lamports, found.data, found.owner) if found else None

    def amount(self, key: Pubkey) -> int:
        account = self.account(key)
        return int.from_bytes(account.data[64:72], "little") if account else 0


@pytest.mark.parametrize(
    ("venue", "share", "turns"), [("meteora_dlmm", 0.01, 12), ("orca_whirlpool", 0.015, 6), ("raydium_clmm", 0.03, 8)]
)
def test_a_price_that_leaves_its_array_is_priced_on_the_way(
    instance_name: str, tmp_path: Path, venue: str, share: float, turns: int
) -> None:
    settings = [
        f'simnet.market.venues=["{venue}"]',
        "simnet.market.pools=4",
        "simnet.market.mints=3",
        "simnet.market.trades_per_second=0",
        "simnet.market.transfer_fee_bps=0",
        "bots.arb.min_profit_lamports=1000000000000000",  # it only looks
        "bots.rebalance.enabled=false",
    ]
    engine = Engine(instance_name, tmp_path / "state", settings)
    with running(engine):
        announced = engine.announced()
        assert announced is not None
        trader = Trader(announced.rpc_url, derive_keypair(1, "trader 0"))
        market = msgspec.convert(trader.rpc.call("simnetMarket"), Market)
        pool = market.pools[0]
        pair = (market.mints[pool.mints[0]].token, market.mints[pool.mints[1]].token)
        user = trader.keypair.pubkey()
        users = (associated(user, pair[0].address, pair[0].program), associated(user, pair[1].address, pair[1].program))
        arrays: set[int] = set()
        for turn in range(turns):
            side = 0
            payload = until("a price", partial(_payload, engine, pool.address), 30.0)
            head = np.frombuffer(payload, dtype("sf_pool_update_t"), count=1)[0]
            arrays.add(int(head["array"][side][0]))
            live = VENUES[venue].live(Pubkey.from_string(pool.address), pair, trader.account)
            reserves = live.reserves(trader.account)
            assert reserves is not None
            amount = int(reserves[side] * share)
            before = trader.amount(users[1])
            order = Order(user, users, side, amount, 1, 1.0)
            signed, _ = trader.sign([set_compute_unit_limit(1_000_000), live.swap(trader.account, order)], 1 + turn)
            trader.send(signed)
            until("the swap", lambda: trader.amount(users[1]) != before, 30.0, 0.02)  # noqa: B023
            options = {"encoding": "json", "commitment": "confirmed", "maxSupportedTransactionVersion": 0}
            ask = partial(trader.rpc.call, "getTransaction", str(signed.signatures[0]), options)
            found = until("the block", ask, 30.0, 0.02)
            quoted = _quote(payload, 1 - side, amount, found["blockTime"])
            assert (trader.amount(users[1]) - before, turn) == (quoted, turn)
            state = payload[head.itemsize :]
            until("the new price", lambda: _payload(engine, pool.address)[head.itemsize :] not in (b"", state), 30.0)  # noqa: B023
        assert len(arrays) > 1, arrays
        assert engine.end() == exits.OK, engine.said()
