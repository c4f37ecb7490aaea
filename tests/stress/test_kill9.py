"""kill -9 of every process of an engine that trades, at random moments: it comes back, and its books stay right.

`make stress` runs 100 kills; without SNIPERFORGE_KILLS a short form runs that kills each tile's process, the
supervisor and the simnet at least once.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.books import read_chain, wrong
from tests.engine import Engine, running, settle, until

SHORT = 8
TILES = ("feed", "book", "arb", "risk", "build", "send", "sign", "journal", "confirm", "strategies")

#: Ten times the market of the default, short slots, and blockhashes that expire within the test.
LOAD = (
    "simnet.market.trades_per_second=100",
    "simnet.slot_ms=200",
    "simnet.blockhash_valid_blocks=60",
    "risk.max_daily_loss_lamports=1000000000000",
)
MEDIAN_S = 1.0
P90_OWN_S = 3.0  # without the waits for a core; what a machine with other work adds once in a while is only told
DEADLINE_S = 60.0


@dataclass(frozen=True)
class Recovery:
    """Seconds from a kill to a run that trades, and to the first order (of a run; for simnet: that a node took).

    `waited_s` of them one process of the engine was ready to run and other work of the machine had its core.
    """

    victims: str
    trading_s: float
    order_s: float
    waited_s: float


def _waited_s(pid: int) -> float:
    """Seconds that the threads of a process have spent ready to run without a core (/proc/PID/task/TID/schedstat)."""
    waited = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):
            waited = max(waited, int(path.read_text().split()[1]))
    return waited / 1e9


def _accepted(engine: Engine) -> int:
    return int(engine.read(lambda instance: instance.cnc("send").value("accepted")) or 0)


def _kill(engine: Engine, name: str) -> tuple[int, int]:
    """Kills the process of a tile, the supervisor or the simnet; returns its pid (0: it is not there) and its run."""
    run = engine.run_number()
    pid = engine.pids().get(name, 0)
    if not pid or engine.run_number() != run:
        return 0, run
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return pid, run


def _round(engine: Engine, rng: random.Random, first: str, second: str | None) -> Recovery:
    """Kills one process, or a second one with it or during the restart, and waits for trading."""
    engine.await_trading()
    time.sleep(rng.uniform(0.05, 2.0))  # the moment is what is random here
    guardian_s = _waited_s(engine.guardian)
    pid, run = until(f"process {first}", lambda: _found(_kill(engine, first)), DEADLINE_S)
    killed = time.monotonic()
    victims, dead = first, {first: (pid, run)}
    if second is not None:
        delay = rng.choice((0.0, rng.uniform(0.0, 0.3)))
        time.sleep(delay)
        pid, run = _kill(engine, second)
        if pid:
            killed = time.monotonic()
            victims += f" and {second} {delay * 1000:.0f} ms later"
            dead[second] = pid, run
    restarts = [run for name, (_, run) in dead.items() if name != "simnet"]
    if restarts:
        engine.await_trading(DEADLINE_S, after=max(restarts))
    if "simnet" in dead:
        until("a new simnet", lambda: engine.simnet() not in (0, dead["simnet"][0]), DEADLINE_S)
    trading_s = time.monotonic() - killed
    waited = [_waited_s(pid) for name, pid in engine.pids().items() if name != "simnet"] if restarts else []
    waited.append(_waited_s(engine.guardian) - guardian_s)
    before = (engine.run_number(), _accepted(engine)) if "simnet" in dead else (0, 0)

    def ordered() -> bool:
        if "simnet" not in dead:
            return engine.orders() > 0
        return _accepted(engine) > (before[1] if engine.run_number() == before[0] else 0)

    until(f"an order after {victims}", ordered, DEADLINE_S)
    return Recovery(victims, trading_s, time.monotonic() - killed, min(max(waited), trading_s))


def _found(killed: tuple[int, int]) -> tuple[int, int] | None:
    return killed if killed[0] else None


def _plan(rng: random.Random, rounds: int) -> list[tuple[str, str | None]]:
    """Who is killed, and who else. Every process comes once before any comes twice."""
    processes = ["feed", "sign", "journal", "confirm", "strategies", "supervisor", "simnet"]
    if rounds <= SHORT:
        plan: list[tuple[str, str | None]] = [(name, None) for name in processes]
        return [*plan, ("risk", "supervisor")]
    victims = [*TILES, "supervisor", "simnet"]
    plan = []
    while len(plan) < rounds:
        rng.shuffle(victims)
        for name in victims:
            second = rng.choice([other for other in victims if other != name]) if rng.random() < 0.2 else None
            plan.append((name, second))
    return plan[:rounds]


def _report(recoveries: list[Recovery]) -> str:
    lines = [f"{'killed':<44}{'trading':>10}{'order':>10}{'waited':>10}"]
    lines += [
        f"{each.victims:<44}{each.trading_s * 1000:>7.0f} ms{each.order_s * 1000:>7.0f} ms"
        f"{each.waited_s * 1000:>7.0f} ms"
        for each in recoveries
    ]
    for title, values in (
        ("kill to trading", [each.trading_s for each in recoveries]),
        ("kill to trading, less the wait for a core", [each.trading_s - each.waited_s for each in recoveries]),
        ("kill to first order", [each.order_s for each in recoveries]),
    ):
        ordered = sorted(values)
        p90 = ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))]
        lines.append(
            f"{title}: {len(ordered)} kills, min {ordered[0]:.3f} s, p50 {statistics.median(ordered):.3f} s, "
            f"p90 {p90:.3f} s, max {ordered[-1]:.3f} s"
        )
    return "\n".join(lines)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_at_random_moments(instance_name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rounds = int(os.environ.get("SNIPERFORGE_KILLS", SHORT))
    seed = int(os.environ.get("SNIPERFORGE_SEED", random.SystemRandom().randrange(2**32)))
    rng = random.Random(seed)
    recoveries: list[Recovery] = []
    engine = Engine(instance_name, tmp_path / "state", LOAD)
    try:
        with running(engine):
            for first, second in _plan(rng, rounds):
                recoveries.append(_round(engine, rng, first, second))
            engine.await_trading()
            settle(engine)
            announced = engine.announced()
            wallet = (engine.state_dir / "baseline.json").read_text().partition('"wallet":"')[2].partition('"')[0]
            assert announced is not None
            said = read_chain(announced.rpc_url, wallet)
            code = engine.end()
        differences = wrong(engine.state_dir, said)
        with capsys.disabled():
            print(f"\nseed {seed}\n{_report(recoveries)}\n{len(said.executed)} transactions on the chain")
        assert not differences, "\n".join(differences)
        assert code == 0, engine.said()
        assert engine.summary()["books_equal_chain"]
        assert engine.summary()["open_orders"] == 0
        assert len(said.executed) > rounds
        own = sorted(each.trading_s - each.waited_s for each in recoveries)
        if "SNIPERFORGE_KILLS" in os.environ:  # a suite that runs beside others proves the books, not the time
            assert statistics.median(each.trading_s for each in recoveries) < MEDIAN_S
            assert own[int(0.9 * (len(own) - 1))] < P90_OWN_S
        assert own[len(own) // 2] < P90_OWN_S  # of few kills the machine may have stood still in more than a tenth
        assert not engine.left_behind()
    except BaseException:
        with capsys.disabled():
            print(f"\nSNIPERFORGE_SEED={seed} SNIPERFORGE_KILLS={rounds}")
            if recoveries:
                print(_report(recoveries))
        raise
