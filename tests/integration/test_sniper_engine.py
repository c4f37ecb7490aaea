"""A sniper on a chain where new tokens appear, half of them traps: what passes is bought and sold; the books agree."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair

from ipc._core import lib
from sniperforge import base58
from sniperforge.journal import Reader
from sniperforge.journal.records import decode
from sniperforge.replay.recording import Recording
from sniperforge.replay.runner import replay
from sniperforge.simnet.faucet import derive_keypair
from sniperforge.simnet.launches import TRAPS
from tests.engine import Engine, running, settle, until
from tests.integration.simnet_process import SimnetProcess, simnet, wait_until
from tests.token_traps import SOL, fund

WSOL = "So11111111111111111111111111111111111111112"
SETTINGS = (
    "bots.arb.enabled=false",
    "bots.rebalance.enabled=false",
    "bots.sniper.enabled=true",
    "bots.sniper.settings.take_profit=[[200, 5000], [600, 5000]]",
    "bots.sniper.settings.stop_loss_bps=1500",
    "bots.sniper.settings.trailing_stop_bps=1000",
    "bots.sniper.settings.max_hold_s=20",
    "bots.sniper.settings.max_slippage_bps=500",
    "bots.sniper.settings.max_positions=20",
    "bots.sniper.settings.max_buys_per_minute=100",
    "risk.collar_bps=500",
    "safety.min_pool_age_s=2",
    "safety.check_ms=100",
    "safety.recheck_ms=500",
    "risk.max_data_age_ms=2000",
)
REFUSED = set(TRAPS) - {"dumper"}


@contextmanager
def launching(directory: Path, seed: int) -> Iterator[SimnetProcess]:
    """A simnet that has launched a dozen or more tokens."""
    flags = ("--set", "market.launches_per_minute=150", "--seed", str(seed), "--pools", "8", "--mints", "4")
    flags += ("--speed", "3")
    with simnet(directory, *flags) as chain:
        wait_until(lambda: chain.call("getSlot", {"commitment": "confirmed"}) >= 45, 60, "slot 45")
        yield chain


def wallet(directory: Path, chain: SimnetProcess) -> Path:
    """A key file whose owner has SOL, half of it wrapped."""
    key = Keypair()
    path = directory / "key.json"
    path.write_text(json.dumps(list(bytes(key))))
    path.chmod(0o600)
    fund(chain, key.pubkey(), 100 * SOL)
    account = chain.call("simnetMintTo", WSOL, str(key.pubkey()), 50 * SOL)["value"]["account"]
    options = {"commitment": "confirmed", "encoding": "base64"}
    wait_until(lambda: chain.call("getAccountInfo", account, options)["value"], 20, "wrapped SOL is confirmed")
    return path


def kinds(seed: int, slots: int = 1000) -> dict[str, str]:
    """Kind of each token that may have been launched, by its mint."""
    found = {}
    for slot in range(slots):
        for number in range(2):
            for kind in ("clean", *TRAPS):
                found[str(derive_keypair(seed, f"launch {slot} {number} {kind} mint").pubkey())] = kind
    return found


def journal(engine: Engine, *wanted: int, run: int = 1) -> list[dict[str, Any]]:
    """The messages of these kinds, oldest first."""
    with Reader(engine.state_dir / "journal", run) as reader:
        return [decode(record.kind, record.payload) for record in reader.records(list(wanted))]


@pytest.mark.timeout(240)
def test_clean_tokens_are_bought_and_sold_and_traps_are_not(instance_name: str, tmp_path: Path) -> None:
    with launching(tmp_path, 7) as chain:
        key = wallet(tmp_path, chain)
        settings = [*SETTINGS, f'chain.url="{chain.rpc_url}"', f'wallet.path="{key}"']
        engine = Engine(instance_name, tmp_path / "state", settings)
        with running(engine):

            def sold() -> bool:
                row = engine.read(lambda instance: instance.table("bots").read_all()[4])
                return row is not None and int(row["landed"]) >= 6

            until("buys and sales landed", sold, 90, 0.1)
            settle(engine)
            assert engine.end(signal.SIGTERM, 60) == 0, engine.said()
        assert engine.summary()["books_equal_chain"], engine.said()
        _check(engine, kinds(7))


@pytest.mark.timeout(240)
def test_exits_go_on_after_everything_was_killed(instance_name: str, tmp_path: Path) -> None:
    with launching(tmp_path, 8) as chain:
        key = wallet(tmp_path, chain)
        waits = [
            f"bots.sniper.settings.{name}" for name in ("take_profit=[]", "stop_loss_bps=0", "trailing_stop_bps=0")
        ]
        settings = [*SETTINGS, *waits, f'chain.url="{chain.rpc_url}"', f'wallet.path="{key}"']
        engine = Engine(instance_name, tmp_path / "state", settings)
        engine.start()
        try:
            engine.await_trading()

            def held() -> int:
                bot = engine.read(lambda instance: instance.table("bots").read_all()[4])
                return int(bot["landed"]) if bot is not None else 0

            until("tokens are bought", lambda: held() >= 3, 60, 0.02)
            engine.kill()
            rows = {each["token"]: each["mint"] for each in journal(engine, lib.SF_MSG_BALANCE, run=1)}
            bought = {rows[each["token_out"]] for each in _landed(engine, 1)} - {WSOL}
            assert bought
            engine.settings.append(f'bots.sniper.settings.mints=["{Keypair().pubkey()}"]')  # nothing more is bought
            engine.start()
            engine.await_trading(after=1)

            def sold() -> bool:
                found = engine.read(lambda instance: instance.table("positions").read_all())
                left = (
                    {base58.encode(bytes(row["mint"])): int(row["booked"]) for row in found}
                    if found is not None
                    else {}
                )
                return all(left.get(mint) == 0 for mint in bought)

            until("they are sold", sold, 90, 0.1)
            settle(engine)
            assert engine.end(signal.SIGTERM, 60) == 0, engine.said()
        finally:
            engine.kill()
        assert engine.summary()["books_equal_chain"], engine.said()
        result = replay(Recording.open(engine.state_dir / "journal"))
        assert result.identical and result.intents > 0, result


def _landed(engine: Engine, run: int) -> list[dict[str, Any]]:
    return [each for each in journal(engine, lib.SF_MSG_FILL, run=run) if each["outcome"] == "landed"]


def _check(engine: Engine, kind_of: dict[str, str]) -> None:
    verdicts = journal(engine, lib.SF_MSG_VERDICT)
    mint = {each["token"]: each["mint"] for each in verdicts}
    judged = {kind_of.get(each["mint"], "market") for each in verdicts if each["outcome"] == "passes"}
    assert "clean" in judged and not judged & (REFUSED | {"market"})
    orders = [each["intent"] for each in journal(engine, lib.SF_MSG_ORDER)]
    fills = [each for each in journal(engine, lib.SF_MSG_FILL) if each["outcome"] == "landed"]
    bought = {kind_of[mint[each["token_out"]]] for each in fills if each["token_out"] in mint}
    assert bought and bought <= {"clean", "dumper"}
    assert any(each["token_in"] in mint for each in fills), "nothing was sold"
    assert all(hop["min_out"] > 0 for order in orders for hop in order["hop"])
    result = replay(Recording.open(engine.state_dir / "journal"))
    assert result.identical and result.intents > 0, result


@pytest.mark.timeout(240)
def test_a_creator_who_sells_forces_the_exit(instance_name: str, tmp_path: Path) -> None:
    dumpers = [mint for mint, kind in kinds(9, slots=70).items() if kind == "dumper"]
    keeps = (
        "take_profit=[]",
        "stop_loss_bps=0",
        "trailing_stop_bps=0",
        "max_hold_s=600",
        f"mints={json.dumps(dumpers)}",
    )
    with launching(tmp_path, 9) as chain:
        key = wallet(tmp_path, chain)
        settings = [*SETTINGS, f'chain.url="{chain.rpc_url}"', f'wallet.path="{key}"']
        engine = Engine(
            instance_name, tmp_path / "state", settings + [f"bots.sniper.settings.{each}" for each in keeps]
        )
        with running(engine):

            def landed() -> int:
                bot = engine.read(lambda instance: instance.table("bots").read_all()[4])
                return int(bot["landed"]) if bot is not None else 0

            until("dumpers are bought", landed, 60, 0.02)
            until("a guard", lambda: engine.read(lambda instance: instance.cnc("safety").value("exits")), 120, 0.02)
            before = landed()
            until("one is sold", lambda: landed() > before, 30, 0.1)
            settle(engine)
            assert engine.end(signal.SIGTERM, 60) == 0, engine.said()
        assert engine.summary()["books_equal_chain"], engine.said()
        exits = [each for each in journal(engine, lib.SF_MSG_VERDICT) if each["outcome"] == "exit"]
        assert exits and "creator" in {reason for each in exits for reason in each["reasons"]}
        sold = {each["token_in"] for each in _landed(engine, 1)}
        assert sold & {each["token"] for each in exits}
