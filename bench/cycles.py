"""bench cycles: the arbitrage search over a market of 10,000 pools and 3,000 tokens with cycles of three hops.

    python -m bench.cycles [--short] [--json]

The C program `bench/c/cycles.c` measures in one pinned thread; its head says what each case is. It runs several times,
because whatever else is on the core throws the caches out: the figures are those of the quietest round of each,
beside which the report keeps the median of every round.
"""

from __future__ import annotations

import sys

from bench.harness import cases, program
from bench.harness.floor import Floors
from bench.harness.result import Case, Target, latency
from bench.tick import histograms

TEXT = "the arbitrage search over 10,000 pools: build, quiet and busy updates, gaps"
ROUNDS, UPDATES = 5, 50_000

SEARCHES = {
    "quiet": "a random pool changes, no gap",
    "busy": "as pools trade: hubs most",
    "hub": "a WSOL/USDC pool changes",
    "gap": "a gap of 2 %, with the exact route",
}
WORK = {
    "build": "10,000 pools taken, lists made, all searched",
    "list": "lists alone, after a new pool",
    "all": "every profitable cycle, exact, each",
}
TARGETS = {
    "build": [Target("full graph built in under 1 s", most=1e9)],
    "busy": [
        Target("update searched in under 2 us p50", most=2_000),
        Target("update searched in under 20 us p99", most=20_000, of="p99"),
    ],
    "gap": [Target("also where there is a gap, under 20 us p99", most=20_000, of="p99")],
}


def measure(floors: Floors, *, short: bool = False) -> Case:
    """Runs the case."""
    rounds = [program.run("cycles", [4000 if short else UPDATES]) for _ in range(1 if short else ROUNDS)]
    found, floor = histograms(rounds), floors.latest("division")
    case = Case("cycles", TEXT, __doc__ or "", clock=program.clock(rounds[-1]))
    for group, texts in (("update", SEARCHES), ("work", WORK)):
        for name, text in texts.items():
            targets = TARGETS.get(name, ())
            case.results.append(latency(name, found[name], text=text, group=group, floor=floor, targets=targets))
    return case


if __name__ == "__main__":
    sys.exit(cases.run_one(measure))
