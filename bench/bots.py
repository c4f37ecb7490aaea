"""bench bots: 50 bots on one market: from an update to the first and to the last bot's intent.

    python -m bench.bots [--short] [--json]

A rig, not a whole engine: the market and what takes the intents are bench tiles, the bots are the product's. As the
shipped layout does on two cores, the C tiles are one group that spins on a core of its own: the market, 20 C bots, a
tile each (one tile listens to 24 links at most), and the sink. 30 bots in Python are hosted by the product's
strategies tile, which parks, on the other cores. Every bot answers every update with an intent on an exact quote; C
bots are `bench_bot` of `bench/c/tiles.c`, Python bots `bench.strategy:Answer`. All links are reliable. Open loop: an
update's time begins when it was intended and ends when an intent that it caused is published.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.harness import cases, program
from bench.harness.floor import Floors
from bench.harness.program import Record
from bench.harness.result import Case, Rate, latency
from bench.strategy import STRIDE
from ipc.tile import run
from ipc.topology import Topology
from ipc.views import Instance, remove
from sniperforge.processes import fork
from sniperforge.tiles.strategies import Strategies

TEXT = "50 bots, 20 in C and 30 in Python: update to the first and the last intent"
C_BOTS, PYTHON_BOTS = 20, 30
RATE, SECONDS, ROUNDS, WARM_UP = 200, 2.0, 5, 40
DEADLINE_S = 20.0
BY = {"C": "the 20 bots in C", "Python": "the 30 bots in Python", "all": "all 50 bots"}


def _topology(state_dir: Path, events: int) -> Topology:
    bots = [
        {"bot": C_BOTS + 1 + each, "name": f"py{each}", "class": "bench.strategy:Answer", "settings": {}}
        for each in range(PYTHON_BOTS)
    ]
    topology = Topology(state_dir=state_dir)
    topology.group("hot", wait="spin")
    topology.group("strategies", wait="park", python=True)
    topology.tile("market", kind="bench_market", group="hot", params={"per_second": RATE, "events": events})
    names = [f"c{number}" for number in range(1, C_BOTS + 1)]
    for number, name in enumerate(names, 1):
        topology.tile(name, kind="bench_bot", group="hot", params={"bot": number})
    counts = {"python_from": C_BOTS + 1, "warm_up": WARM_UP, "events": events, "bots": C_BOTS + PYTHON_BOTS}
    topology.tile("sink", kind="bench_sink", group="hot", params=counts)
    topology.tile("strategies", kind="strategies", group="strategies", params={"bots": json.dumps(bots)}, burst=256)
    topology.link("market", producer="market", depth=1024, slot_bytes=STRIDE)
    for name in (*names, "strategies"):
        topology.edge("market", consumer=name)
        topology.link(f"intent.{name}", producer=name, depth=1024, slot_bytes=320)
        topology.edge(f"intent.{name}", consumer="sink")
    topology.table("tokens", writer="market", layout="sf_token_row_t", rows=64)
    topology.validate()
    return topology


def _strategies(name: str) -> int:
    """The process of the bots in Python."""
    with Instance.open(name) as instance:
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cores - {instance.groups["hot"].core} or cores)
        run([Strategies(instance, "strategies")])
    return 0


def _records(events: int) -> list[Record]:
    """What the C tiles say of one run."""
    name = f"bench{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix="sf-bench-") as directory:
        instance = _topology(Path(directory), events).create(name)
        with instance:
            command = [program.build("tiles"), str(instance.directory), "hot"]
            hot = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            python = fork("sf-strategies", lambda: _strategies(name))
            try:
                _until(instance, hot, lambda: all(instance.cnc(tile).state == "run" for tile in instance.tiles))
                instance.control.set_trading(True)
                wanted = events * (C_BOTS + PYTHON_BOTS)
                _until(instance, hot, lambda: instance.cnc("sink").value("intents_in") >= wanted)
            finally:
                instance.control.halt_tile("strategies")
                os.waitpid(python, 0)
                for tile in instance.tiles:
                    instance.control.halt_tile(tile)
            said, error = hot.communicate(timeout=DEADLINE_S)
        remove(name)
    if hot.returncode:
        raise program.ProgramError(f"bench bots: the C tiles ended with {hot.returncode}: {error}")
    return [json.loads(each) for each in said.splitlines()]


def _until(instance: Instance, hot: subprocess.Popen[str], reached: object) -> None:
    deadline = time.monotonic() + DEADLINE_S
    assert callable(reached)
    while not reached():
        if hot.poll() is not None or time.monotonic() > deadline:
            hot.kill()
            states = {tile: instance.cnc(tile).state for tile in instance.tiles}
            raise program.ProgramError(f"bench bots: {states}")
        time.sleep(0.005)


def measure(floors: Floors, *, short: bool = False) -> Case:
    """Runs the case."""
    if len(os.sched_getaffinity(0)) < 2:
        raise program.SkippedError("bench bots: two cores are needed, there is one")
    case = Case("bots", TEXT, __doc__ or "")
    events = WARM_UP + int(RATE * (0.2 if short else SECONDS))
    rounds = [_records(events) for _ in range(1 if short else ROUNDS)]
    floor = floors.line()
    markets = [record for records in rounds for record in records if record["what"] == "market"]
    for by, whose in BY.items():
        for of in ("first", "last"):
            found = [
                record
                for records in rounds
                for record in records
                if record["what"] == "bots" and (record["by"], record["of"]) == (by, of)
            ]
            histograms = [program.histogram(record) for record in found]
            text = f"update intended until the {of} intent of {whose} is published, {RATE} updates/s"
            result = latency(f"{of} of {by}", histograms, text=text, group=by, floor=floor)
            result.rate = Rate(RATE, max(market["rate_held"] for market in markets))
            if any(market["failed"] for market in markets):
                result.failed = f"the rate was not held: {result.rate.held:,.0f} of {RATE:,} a second"
            elif missing := max(record["missing"] for record in found):
                result.failed = f"{missing} updates were not answered by every bot"
            case.results.append(result)
    return case


if __name__ == "__main__":
    sys.exit(cases.run_one(measure))
