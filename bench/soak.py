"""bench soak: hours of trading with 50 bots: memory, heartbeats, messages, and whether the stages become slower.

    python -m bench soak --minutes 60              an hour (three minutes unless told; --short: seconds)

A live engine on its embedded Solana at a steady rate of trades, with ten searchers in C and forty strategies in Python,
each of which swaps to and fro between WSOL and USDC. Every `SAMPLE_S` seconds it is looked at through shared memory and
/proc; nothing is asked of it. The hot group spins on a core of its own, which everything else of the engine keeps off;
on a machine with one core it parks.

memory      proportional bytes of each process, workspaces left out, after the first five minutes (or the first third,
            if that is less): Theil and Sen's slope over the time since must come to no more than 1 % or 1 MiB. The
            embedded Solana is not judged: it keeps a chain's history, up to simnet.history_mb
heartbeats  a tile missed one if it was older than supervisor.heartbeat_timeout_ms; beside it, the oldest seen
lost        messages that a reliable edge was overrun by
drift       of each stage the p50 in windows of `WINDOW_S`: the median of the last third against that of the first. A
            machine, a virtual one above all, has slower minutes; so every `CONTROL_S` a fresh process does the same
            fixed ticks (`bench/c/tick --control`) beside the engine, on a core that is not the hot group's: what an
            engine of no age takes on this machine at this time. A stage drifts if it became slower both absolutely and
            as a ratio to that control. A p50 is interpolated within its bucket. Not judged if the hot group was ready
            to run but kept off its core for more than `KEPT_OFF` of the time: it is then that of other programs
books       what the journal booked is what the chain says, and no restart happened
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench.harness import cases, program
from bench.harness.floor import Floors
from bench.harness.program import ProgramError
from bench.harness.result import Case, Result, Target, single
from ipc._core import lib
from ipc.histogram import Histogram
from ipc.views import Instance, now_ns
from sniperforge.performance import kernel
from sniperforge.processes import proportional_bytes
from sniperforge.strategies.base import Context, Denied, Fill, Intent, PoolUpdate, Strategy
from tests.engine import Engine, running

TEXT = "an engine with 50 bots over a long time: memory, heartbeats, messages, drift"
SHORT_S = 2.0
minutes = 3.0
"""How long a run that is not short goes on."""
C_BOTS, PYTHON_BOTS = 10, 40
SAMPLE_S, CONTROL_S, WINDOW_S, SAY_S = 2.0, 5.0, 20.0, 60.0
END_S = 60.0
"""Longest end: an engine's stop does not depend on how long it ran."""
WARM_UP_S, WARM_UP_SHARE = 300.0, 1 / 3
GROWTH_SHARE, GROWTH_BYTES = 0.01, 1 << 20
DRIFT = 0.05
CONTROL_TICKS = 500
KEPT_OFF = 0.05
STAGES = ("book", "arb", "risk", "build", "sign")
LEAST_COUNT = 30
"""Messages of a window below which its median says nothing."""
ENOUGH_CORES = 2
MINTS = ("So11111111111111111111111111111111111111112", "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")


class PulseConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    amount: int
    """Lamports of a swap."""
    period_slots: int


class Pulse(Strategy):
    """Buys USDC for a little SOL, sells it again, and so on, one order at a time."""

    Config = PulseConfig
    config: PulseConfig

    def __init__(self, config: PulseConfig, context: Context) -> None:
        super().__init__(config, context)
        self._in_flight = 0
        self._next_slot = 0
        self._bought = 0

    def on_pool(self, pool: PoolUpdate) -> None:
        if pool.slot < self._next_slot or not pool.tradable:
            return
        mints = tuple(self.context.token(row).mint for row in (pool.token_a, pool.token_b))
        if sorted(mints) != sorted(MINTS):
            return
        sol_is_a = mints[0] == MINTS[0]
        a_to_b = sol_is_a != bool(self._bought)
        amount = self._bought or self.config.amount
        out = pool.quote_in(a_to_b, amount)
        if not out:
            return
        rows = (pool.token_a, pool.token_b) if a_to_b else (pool.token_b, pool.token_a)
        self._in_flight = self.submit(
            Intent(
                token_in=rows[0],
                token_out=rows[1],
                expected_out=out,
                hops=(pool.hop(a_to_b, amount, out * 997 // 1000),),
                cost_lamports=5080,
                cu_price_micro_lamports=1000,
                cu_limit=80_000,
            )
        )
        self._next_slot = pool.slot + self.config.period_slots

    def on_fill(self, fill: Fill) -> None:
        if fill.intent == self._in_flight and not fill.recovered and fill.outcome == lib.SF_FILL_LANDED:
            self._bought = 0 if self._bought else fill.delta_out

    def on_denied(self, denied: Denied) -> None:
        if denied.intent == self._in_flight:
            self._in_flight = 0


def configuration(*, parks: bool) -> str:
    """The TOML that is laid over the defaults: the bots, their tiles and links, a steady market."""
    searchers = ["arb", *(f"arb{number}" for number in range(2, C_BOTS + 1))]
    intents = [f"intent.{name}" for name in (*searchers, "strategies")]
    journal = ["raw", "market", *intents, "order", "denied", "message", "refused", "wire", "sent", "fill", "verdict"]
    lines = [
        "[topology.groups.bots]",
        'wait = "park"',
        'core = "any"',
        "[topology.tiles.risk]",
        f"in = {json.dumps(['command', 'fill', 'verdict', *intents])}",
        "[topology.tiles.journal]",
        f"in = {json.dumps([*journal, 'command'])}",
        "[bots.rebalance]",
        "enabled = false",
        "[simnet]",
        "rpc_port = 0",
        "[simnet.market]",
        "burst_factor = 1.0",
        "trades_per_second = 10.0",
        "[risk]",
        "max_orders_per_second = 20",
        "max_daily_loss_lamports = 1000000000000",
        "max_daily_fee_lamports = 1000000000000",
    ]
    if parks:
        lines += ["[topology.groups.hot]", 'wait = "park"', 'core = "any"']
    for number, name in enumerate(searchers[1:], start=3):
        lines += [
            f"[topology.tiles.{name}]",
            'kind = "arb"\ngroup = "bots"\nin = ["market", "fill~", "denied~"]',
            f'out = ["intent.{name}"]\ntables = []\nburst = 4',
            f'[topology.links."intent.{name}"]',
            "slot_bytes = 320\ndepth = 1024",
            f"[bots.{name}]",
            f'kind = "arb"\nbot = {number}\nbase_mint = "{MINTS[0]}"',
            f"min_profit_lamports = {20_000 * number}\nmax_amount_lamports = 1000000000",
            "max_hops = 3\ntip_bps = 0\ncu_limit_per_hop = 0\ncu_price_micro_lamports = 1000",
            "slippage_bps = 2\nladder_loss_bps = 0\ncooldown_slots = 8",
        ]
    for number in range(PYTHON_BOTS):
        lines += [
            f"[bots.pulse{number}]",
            f'kind = "strategy"\nbot = {C_BOTS + 10 + number}\nclass = "bench.soak:Pulse"',
            f"[bots.pulse{number}.settings]",
            f"amount = {1_000_000 + 10_000 * number}\nperiod_slots = {20 + number}",
        ]
    return "\n".join(lines) + "\n"


@dataclass
class Seen:
    """What was seen of an engine over time."""

    at_s: list[float] = field(default_factory=list)
    sizes: dict[str, list[int]] = field(default_factory=dict)
    """Proportional bytes of a process, by the tiles in it."""
    windows: dict[str, list[float]] = field(default_factory=dict)
    """The p50 of a stage in ns, a window after the other."""
    controls: dict[str, list[float]] = field(default_factory=dict)
    """The control's p50 in ns in each of these windows."""
    oldest_beat_ns: int = 0
    missed: int = 0
    lost: int = 0
    """On reliable edges."""
    orders: int = 0
    kept_off: float = 0.0
    """Share of the time that the hot group was ready to run, but not on a core."""


def median_of(histogram: Histogram) -> float:
    """The p50 in ns, interpolated within its bucket, as far as half of the values lie in it."""
    counts = histogram.buckets.astype(np.int64)
    below = np.cumsum(counts)
    wanted = below[-1] / 2
    bucket = int(np.searchsorted(below, wanted))
    low = int(lib.sf_hist_bucket_top(bucket - 1)) + 1 if bucket else 0
    high = int(lib.sf_hist_bucket_top(bucket)) + 1
    share = (wanted - (below[bucket] - counts[bucket])) / counts[bucket]
    return float(low + (high - low) * share)


def growth(at_s: Sequence[float], sizes: Sequence[float]) -> float:
    """How many bytes a size gained from the first to the last sample by Theil and Sen's slope: the median of the slopes
    of all pairs, which no single sample moves."""
    slopes = [
        (sizes[j] - sizes[i]) / (at_s[j] - at_s[i])
        for i in range(len(sizes))
        for j in range(i + 1, len(sizes))
        if at_s[j] > at_s[i]
    ]
    return statistics.median(slopes) * (at_s[-1] - at_s[0]) if slopes else 0.0


def drift(windows: Sequence[float], controls: Sequence[float]) -> tuple[float, float] | None:
    """How much slower the median of the last third is than that of the first, as a share: absolutely, and as a ratio
    to the control. None if there are fewer than three."""
    third = len(windows) // 3
    if not third:
        return None
    ratios = [window / control for window, control in zip(windows, controls, strict=True)]
    return (
        statistics.median(windows[-third:]) / statistics.median(windows[:third]) - 1,
        statistics.median(ratios[-third:]) / statistics.median(ratios[:third]) - 1,
    )


def control(core: int) -> float:
    """Tick to order in a fresh process on this core: the p50 in ns.

    Raises:
        ProgramError: the program failed.
    """
    records = program.run("tick", [CONTROL_TICKS, "--control", core])
    return program.histogram(next(each for each in records if each.get("case") == "tick_to_order")).percentile(50)


class _Watch:
    """Looks at an engine again and again."""

    def __init__(self, engine: Engine, instance: Instance, heartbeat_timeout_ns: int) -> None:
        self._engine = engine
        self._instance = instance
        self._timeout_ns = heartbeat_timeout_ns
        hot = instance.cnc("book")
        self._hot = (hot.pid, hot.tid)
        self._thread, self._began_ns = kernel.thread(*self._hot), now_ns()
        self._before = {stage: self._histogram(stage) for stage in STAGES}
        cores = os.sched_getaffinity(0)
        beside = cores - os.sched_getaffinity(hot.tid) or cores
        os.sched_setaffinity(0, beside)
        self._core = min(beside)
        self._controls: list[float] = []
        self.seen = Seen()

    def _histogram(self, stage: str) -> Histogram:
        return self._instance.cnc(stage).histogram("stage")

    def look(self) -> None:
        """Heartbeats, losses and orders."""
        now, seen = now_ns(), self.seen
        for name, tile in self._instance.tiles.items():
            if tile.runs != "external":
                age = now - self._instance.cnc(name).heartbeat_ns
                seen.oldest_beat_ns = max(seen.oldest_beat_ns, age)
                seen.missed += age > self._timeout_ns
        links = [self._instance.link(name) for name in self._instance.link_names]
        seen.lost = sum(edge.lost for link in links for edge in link.edges() if edge.reliable)
        seen.orders = self._instance.link("order").published
        delayed = kernel.thread(*self._hot).since(self._thread).run_delay_ns
        seen.kept_off = delayed / max(now - self._began_ns, 1)

    def weigh(self, at_s: float) -> None:
        """The sizes of all processes."""
        processes: dict[int, str] = {self._engine.guardian: "guardian"}
        for name, pid in self._engine.pids().items():
            processes[pid] = f"{processes[pid]}, {name}" if pid in processes else name
        self.seen.at_s.append(at_s)
        for pid, names in processes.items():
            self.seen.sizes.setdefault(names, []).append(proportional_bytes(pid, without="/dev/shm/"))

    def control(self) -> None:
        """What a fresh process takes now."""
        self._controls.append(control(self._core))

    def end_window(self) -> None:
        """The stages since the window before."""
        if not self._controls:
            self.control()
        beside = statistics.median(self._controls)
        self._controls.clear()
        for stage in STAGES:
            now = self._histogram(stage)
            window = now.since(self._before[stage])
            if window.count >= LEAST_COUNT:
                self.seen.windows.setdefault(stage, []).append(median_of(window))
                self.seen.controls.setdefault(stage, []).append(beside)
                self._before[stage] = now


def watch(engine: Engine, seconds: float, heartbeat_ms: int, say: Callable[[str], None]) -> Seen:
    """Watches a trading engine for so long.

    Raises:
        ProgramError: it did not go on trading.
    """
    run = engine.run_number()
    with Instance.open(engine.name) as instance:
        watching = _Watch(engine, instance, heartbeat_ms * 1_000_000)
        begun = time.monotonic()
        window = min(WINDOW_S, seconds / 3)
        next_control, next_window, next_said = 0.0, window, SAY_S
        while (at := time.monotonic() - begun) < seconds:
            time.sleep(min(SAMPLE_S, seconds / 10))
            watching.look()
            at = time.monotonic() - begun
            if engine.trading() != run:
                raise ProgramError(f"bench soak: run {run} no longer trades after {at:.0f} s:\n{engine.said()[-2000:]}")
            if at >= next_control:
                next_control += CONTROL_S
                watching.control()
            if at >= next_window:
                next_window += window
                watching.end_window()
                watching.weigh(at)
            if at >= next_said:
                next_said += SAY_S
                total = sum(sizes[-1] for sizes in watching.seen.sizes.values())
                medians = ", ".join(f"{s} {w[-1]:,.0f}" for s, w in watching.seen.windows.items())
                say(
                    f"{at / 60:.0f} min: {watching.seen.orders} orders, {total / 1e6:.1f} MB in all, "
                    f"lost {watching.seen.lost}, p50 ns: {medians}"
                )
        return watching.seen


def results(seen: Seen, summary: dict[str, Any]) -> list[Result]:
    """What was seen, against what has to hold."""
    made = []
    settled = min(WARM_UP_S, seen.at_s[-1] * WARM_UP_SHARE)
    after = [number for number, at in enumerate(seen.at_s) if at >= settled]
    for names, sizes in sorted(seen.sizes.items()):
        kept = [float(sizes[number]) for number in after if number < len(sizes)]
        grew = growth([seen.at_s[number] for number in after][: len(kept)], kept)
        most = max(GROWTH_BYTES, GROWTH_SHARE * kept[0])
        simnet = names == "simnet"
        target = Target(f"grows by at most {most / 2**20:.1f} MiB", most=most, of="growth").judged(grew)
        made.append(
            Result(
                name=names,
                text=f"proportional bytes at the end, {grew / 2**20:+.2f} MiB since minute {settled / 60:.1f}"
                + ("; it keeps its chain's history" if simnet else ""),
                group="memory",
                unit="bytes",
                value=kept[-1],
                rounds=kept,
                targets=[] if simnet else [target],
            )
        )

    def count(name: str, value: float, text: str, *targets: Target) -> None:
        made.append(single(name, [value], unit="count", text=text, group="whole", targets=targets))

    none = Target("none", most=0)
    count("missed heartbeats", seen.missed, "tiles seen with one older than supervisor.heartbeat_timeout_ms", none)
    oldest = float(seen.oldest_beat_ns)
    made.append(single("oldest heartbeat", [oldest], unit="ns", text="seen of any tile", group="whole"))
    count("lost messages", seen.lost, "that a reliable edge was overrun by", none)
    text = "share of the time that the hot group was ready but kept off its core"
    made.append(single("kept off", [seen.kept_off], unit="x", text=text, group="whole"))
    count("orders", seen.orders, "that risk passed")
    wrong = float(not summary["books_equal_chain"]) + summary["reverted"]["unexplained"]
    count("books", wrong, "balances that the journal does not explain, and reverts that we cannot", none)
    for stage, windows in seen.windows.items():
        moved = drift(windows, seen.controls[stage])
        target = Target(f"drifts by less than {DRIFT:.0%}", most=DRIFT, of="drift")
        judged = target.judged(min(moved) if moved else None) if seen.kept_off <= KEPT_OFF else target
        text = "p50 of the quietest window"
        if moved:
            text += f"; from the first third to the last {moved[0]:+.1%}, to the control {moved[1]:+.1%}"
        one = single(stage, windows, unit="ns", text=text, group="stages")
        one.percentiles = {"p50": one.value, "max": max(windows)}
        one.targets = [judged]
        made.append(one)
    beside = max(seen.controls.values(), key=len, default=[])
    if beside:
        text = f"tick to order of a fresh process beside it, every {CONTROL_S:.0f} s"
        made.append(single("control", beside, unit="ns", text=text, group="stages"))
    return made


def soak(seconds: float, say: Callable[[str], None], *, short: bool = False) -> Case:
    """Runs an engine for so long and watches it.

    Raises:
        ProgramError: it did not start, did not go on trading, or did not end in order.
    """
    cores = os.sched_getaffinity(0)
    parks = len(cores) < ENOUGH_CORES
    scratch = Path(tempfile.mkdtemp(prefix="sf-bench-soak-"))
    config = scratch / "soak.toml"
    config.write_text(configuration(parks=parks))
    heartbeat_ms, risk_ms = (20_000, 20_000) if short else (5_000, 2_000)  # the latter are the product's own
    timeouts = [f"supervisor.heartbeat_timeout_ms={heartbeat_ms}", f"risk.supervisor_timeout_ms={risk_ms}"]
    spins = [] if parks else ['topology.groups.hot.wait="spin"', 'topology.groups.hot.core="hot"']
    engine = Engine(f"soak{os.getpid()}", scratch / "state", [*timeouts, *spins], ["--config", str(config)])
    case = Case("soak", TEXT, __doc__ or "")
    try:
        with running(engine):
            seen = watch(engine, seconds, heartbeat_ms, say)
            say("ends")
            code = engine.end(timeout_s=END_S)
        if code:
            raise ProgramError(f"bench soak: the engine ended with {code}:\n{engine.said()[-2000:]}")
        case.results = results(seen, engine.summary())
    except (AssertionError, subprocess.TimeoutExpired) as error:
        raise ProgramError(f"bench soak: {error}") from None
    finally:
        os.sched_setaffinity(0, cores)
        shutil.rmtree(scratch, ignore_errors=True)
    return case


def measure(floors: Floors, *, short: bool = False) -> Case:
    """Runs the case."""
    say: Callable[[str], None] = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    return soak(SHORT_S if short else minutes * 60, say, short=short)


if __name__ == "__main__":
    sys.exit(cases.run_one(measure))
