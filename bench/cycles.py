"""bench cycles: the arbitrage search over a market of 10,000 pools and 3,000 tokens with cycles of three hops.

    python -m bench.cycles [--rounds N] [--updates N] [--json]

The C program `bench/c/cycles.c` measures in one pinned thread; its head says what each case is. It runs several times,
because whatever else is on the core throws the caches out: the figures are those of the quietest round (least p50 of
a quiet update), beside the range over all rounds. Exit 0: every target is met; 1: one is not.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.tick import Figures, Target

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "build" / "release" / "bench" / "c" / "cycles"

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
TARGETS = (
    Target("build", "p50_ns", "full graph built in under 1 s", most=1e9),
    Target("busy", "p50_ns", "update searched in under 2 us p50", most=2_000),
    Target("busy", "p99_ns", "update searched in under 20 us p99", most=20_000),
    Target("gap", "p99_ns", "also where there is a gap, under 20 us p99", most=20_000),
)


def run(rounds: int, updates: int) -> list[Figures]:
    """Case -> figure -> value of each round, the quietest first."""
    subprocess.run(["make", "-s", "-C", str(ROOT / "csrc"), str(PROGRAM)], check=True)
    found: list[Figures] = []
    for _ in range(rounds):
        done = subprocess.run([str(PROGRAM), str(updates)], check=False, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(done.returncode)
        records: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
        found.append({record.pop("case"): record for record in records})
    return sorted(found, key=lambda figures: figures["quiet"]["p50_ns"])


def text(rounds: list[Figures]) -> str:
    """The figures as a table, targets below."""
    quietest = rounds[0]
    lines = [f"quietest of {len(rounds)} rounds, one pinned thread, 10,000 pools, 3,000 tokens, 3 hops", ""]
    lines.append(f"{'update, ns':<12}{'p50':>9}{'p99':>9}{'p99.9':>9}   {'p50 over all rounds':<24}")
    for case, what in SEARCHES.items():
        one, all_p50 = quietest[case], [figures[case]["p50_ns"] for figures in rounds]
        lines.append(
            f"{case:<12}{one['p50_ns']:>9,.0f}{one['p99_ns']:>9,.0f}{one['p999_ns']:>9,.0f}"
            f"   {f'{min(all_p50):,.0f} to {max(all_p50):,.0f}':<24}{what}"
        )
    lines += ["", f"{'work, us':<12}{'mean':>9}"]
    for case, what in WORK.items():
        lines.append(f"{case:<12}{quietest[case]['mean_ns'] / 1e3:>9,.0f}   {what}")
    lines += ["", f"{quietest['cut']['count']:,.0f} searches were cut at the most cycles weighed, of all above", ""]
    for target in TARGETS:
        value = quietest[target.case][target.figure]
        lines.append(f"{'met ' if target.met(value) else 'MISSED'}  {target.text}: {value:,.0f} ns")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="The arbitrage search over 10,000 pools.")
    parser.add_argument("--rounds", type=int, default=3, help="times the program runs")
    parser.add_argument("--updates", type=int, default=50_000, help="updates searched, each round")
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    arguments = parser.parse_args()
    rounds = run(arguments.rounds, arguments.updates)
    print(json.dumps(rounds, indent=2) if arguments.json else text(rounds))
    return int(not all(target.met(rounds[0][target.case][target.figure]) for target in TARGETS))


if __name__ == "__main__":
    sys.exit(main())
