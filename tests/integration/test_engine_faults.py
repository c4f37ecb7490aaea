"""An engine on a chain that misbehaves: it keeps running, trades again afterwards, and books stay equal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from sniperforge import exits
from sniperforge.rpc import RpcClient
from tests.books import read_chain, wrong
from tests.engine import Engine, running, settle, until

CLEAR = {
    "latency_ms": 0,
    "drop_notifications": 0.0,
    "duplicate_notifications": 0.0,
    "close_sockets": 0.0,
    "too_many_requests": 0.0,
    "drop_transactions": 0.0,
    "stall_slots": False,
}
#: name -> switches, and the seconds they stay on
FAULTS: dict[str, tuple[dict[str, Any], float]] = {
    "drop notifications": ({"drop_notifications": 0.3}, 3.0),
    "duplicate notifications": ({"duplicate_notifications": 0.5}, 2.0),
    "close sockets": ({"close_sockets": 0.5}, 3.0),
    "too many requests": ({"too_many_requests": 0.6}, 3.0),
    "latency": ({"latency_ms": 300}, 3.0),
    "drop transactions": ({"drop_transactions": 0.5}, 3.0),
    "stalled slots": ({"stall_slots": True}, 3.0),
    "everything": (
        {
            "latency_ms": 50,
            "drop_notifications": 0.2,
            "duplicate_notifications": 0.2,
            "close_sockets": 0.2,
            "too_many_requests": 0.3,
            "drop_transactions": 0.3,
        },
        5.0,
    ),
}


def set_faults(engine: Engine, switches: dict[str, Any]) -> None:
    """Sets the switches; asks until one request is not answered with 429."""
    announced = engine.announced()
    assert announced is not None
    url = announced.rpc_url

    def done() -> bool:
        with RpcClient(url, timeout_ms=20_000) as rpc:
            try:
                rpc.call("simnetSetFaults", switches)
            except Exception:
                return False
        return True

    until("the switches to be set", done, 20.0, 0.01)


def _landed(engine: Engine) -> int:
    return int(engine.read(lambda instance: instance.cnc("confirm").value("landed")) or 0)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_faults_come_and_go(instance_name: str, tmp_path: Path) -> None:
    engine = Engine(
        instance_name,
        tmp_path / "state",
        [
            "simnet.market.trades_per_second=50",
            "simnet.slot_ms=200",
            "simnet.blockhash_valid_blocks=60",
            "risk.max_daily_loss_lamports=1000000000000",
        ],
    )
    with running(engine):
        run = engine.run_number()
        for name, (switches, seconds) in FAULTS.items():
            set_faults(engine, switches)
            _pass_time(engine, seconds, name)
            set_faults(engine, CLEAR)
            before = _landed(engine)
            until(f"orders that land after: {name}", lambda b=before: _landed(engine) > b, 40.0)
            assert engine.run_number() == run, f"{name}: the engine was restarted\n{engine.said()}"
        settle(engine)
        announced = engine.announced()
        assert announced is not None
        wallet = msgspec.json.decode((engine.state_dir / "baseline.json").read_bytes())["wallet"]
        said = read_chain(announced.rpc_url, wallet)
        assert engine.end() == exits.OK, engine.said()
    differences = wrong(engine.state_dir, said)
    assert not differences, "\n".join(differences)
    assert engine.summary()["books_equal_chain"]
    assert not engine.left_behind()


def _pass_time(engine: Engine, seconds: float, name: str) -> None:
    """Watches the engine for a while: every tile runs all the time."""
    begun = _uptime_ns(engine)
    while _uptime_ns(engine) - begun < seconds * 1e9:
        states = engine.read(
            lambda instance: {
                instance.cnc(tile).state for tile, info in instance.tiles.items() if info.runs != "external"
            }
        )
        assert states == {"run"}, f"{name}: {states}\n{engine.said()}"


def _uptime_ns(engine: Engine) -> int:
    return int(engine.read(lambda instance: instance.control.heartbeat_ns))
