"""bench tick: from account bytes to an order and to a signed transaction, per stage, on a market of 1,000 pools.

    python -m bench.tick [--rounds N] [--ticks N] [--json]

The C program `bench/c/tick.c` measures in one pinned thread; its head says between which points. It runs
several times, because whatever else is on the core throws the caches out: the figures are those of the
quietest round (least p50 from tick to order), beside the range over all rounds. Exit 0: every target is
met; 1: one is not.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "build" / "release" / "bench" / "c" / "tick"

STAGES = ("book", "arb", "risk", "tick_to_order", "build", "sign", "tick_to_signed", "quiet_turn")
ALONE = ("quiet_search", "risk_gate", "quote")


@dataclass(frozen=True)
class Target:
    """What a figure has to reach."""

    case: str
    figure: str
    text: str
    most: float | None = None
    least: float | None = None

    def met(self, value: float) -> bool:
        return (self.most is None or value <= self.most) and (self.least is None or value >= self.least)


TARGETS = (
    Target("tick_to_order", "p50_ns", "tick to order p50 under 1 us", most=1_000),
    Target("tick_to_order", "p99_ns", "tick to order p99 under 5 us", most=5_000),
    Target("tick_to_signed", "p50_ns", "tick to signed p50 under 20 us", most=20_000),
    Target("risk_gate", "per_second", "risk alone over 10 M orders/s", least=10e6),
    Target("quiet_search", "mean_ns", "search of a quiet change under 100 ns", most=100),
    Target("quote", "mean_ns", "exact quote under 5 ns", most=5),
)

Figures = dict[str, dict[str, float]]


def build() -> None:
    """Compiles the C program if it is not up to date."""
    subprocess.run(["make", "-s", "-C", str(ROOT / "csrc"), str(PROGRAM)], check=True)


def run(rounds: int, ticks: int) -> list[Figures]:
    """Case -> figure -> value of each round, the quietest first."""
    found: list[Figures] = []
    for _ in range(rounds):
        done = subprocess.run([str(PROGRAM), str(ticks)], check=False, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(done.returncode)
        records: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
        found.append({record.pop("case"): record for record in records})
    return sorted(found, key=lambda figures: figures["tick_to_order"]["p50_ns"])


def text(rounds: list[Figures]) -> str:
    """The figures as a table, targets below."""
    quietest = rounds[0]
    lines = [f"quietest of {len(rounds)} rounds, one pinned thread, 1,000 pools, 300 tokens", ""]
    lines.append(f"{'stage, ns':<16}{'p50':>10}{'p99':>10}{'p99.9':>12}   p50 over all rounds")
    for case in STAGES:
        one, all_p50 = quietest[case], [figures[case]["p50_ns"] for figures in rounds]
        lines.append(
            f"{case:<16}{one['p50_ns']:>10,.0f}{one['p99_ns']:>10,.0f}{one['p999_ns']:>12,.0f}"
            f"   {min(all_p50):,.0f} to {max(all_p50):,.0f}"
        )
    lines += ["", f"{'alone':<16}{'ns':>10}{'M/s':>10}"]
    for case in ALONE:
        one = quietest[case]
        lines.append(f"{case:<16}{one['mean_ns']:>10.1f}{one['per_second'] / 1e6:>10.1f}")
    lines.append("")
    for target in TARGETS:
        value = quietest[target.case][target.figure]
        lines.append(f"{'met ' if target.met(value) else 'MISSED'}  {target.text}: {value:,.1f}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="From account bytes to an order and to a signed transaction.")
    parser.add_argument("--rounds", type=int, default=5, help="times the program runs")
    parser.add_argument("--ticks", type=int, default=5000, help="changes that become orders, each round")
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    arguments = parser.parse_args()
    build()
    rounds = run(arguments.rounds, arguments.ticks)
    print(json.dumps(rounds, indent=2) if arguments.json else text(rounds))
    return int(not all(target.met(rounds[0][target.case][target.figure]) for target in TARGETS))


if __name__ == "__main__":
    sys.exit(main())
