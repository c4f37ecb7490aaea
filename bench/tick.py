"""bench tick: from account bytes to an order and to a signed transaction, per stage, on a market of 1,000 pools.

    python -m bench.tick [--short] [--json]

The C programs `bench/c/tick.c` and `bench/c/risk.c` (batches of orders) measure in one pinned thread; their heads say
between which points. They run several times, because whatever else is on the core throws the caches out: the figures
are those of the quietest round of each, beside which the report keeps the median of every round. `steady` is open loop
at 50,000 swaps a second, one in ten of which opens a gap: a latency begins when the swap's last account was intended to
stand in the slot. `steady_floor` is the same schedule with nothing to do, in the same seconds of the same round: the
hiccups of the machine, above which the p99 of steady_to_order has to stay within 2 us (of the round with the fewest of
them; where even that has a p99 above 2 us nothing is judged).
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence

from bench.harness import cases, program
from bench.harness.floor import Floors
from bench.harness.hdr import Histogram
from bench.harness.program import Record
from bench.harness.result import PER_NS, Case, Floor, Rate, Result, Target, latency, single

TEXT = "account bytes to order and to signed transaction, stage by stage"
ROUNDS, TICKS, STEADY_S = 9, 5000, 2.0

STAGES = {
    "book": "bytes in the slot to the market message",
    "arb": "to the intent",
    "risk": "to the order",
    "tick_to_order": "bytes in the slot to the order",
    "build": "order to the message to sign",
    "sign": "to the signed transaction",
    "tick_to_signed": "bytes in the slot to the signed transaction",
    "ladder_build": "order to the message that names a rung signed ahead",
    "ladder_sign": "to the signed transaction",
    "tick_to_signed_ladder": "bytes in the slot to the transaction that was signed ahead",
    "quiet_turn": "a turn of book, arb and risk over a change without a gap",
}
ALONE = {
    "quiet_search": "arb's update and search alone, a change without a gap",
    "risk_gate": "the gate alone, each order released again",
    "quote": "an exact quote of a random pool",
}
BATCHES = {
    "risk_batch": "a thousand intents through the risk tile, an order",
    "risk_release": "their fills, a fill",
    "order_path": "a thousand intents through risk and build, an order",
}
STEADY = {
    "steady_to_order": "bytes intended in the slot to the order, 50,000 swaps/s",
    "steady_to_signed": "bytes intended in the slot to the signed transaction, 50,000 swaps/s",
}
FLOOR_TEXT = "the schedule alone: intended to seen by a thread that only reads the clock"
HICCUPS_MOST_NS = 2_000
"""Beyond this p99 of the schedule alone the machine tells of others, and nothing is judged above it."""
OVER_FLOOR = Target("p99 at most 2 us above the hiccups' p99 (steady_floor)", most=2_000, of="p99")
TARGETS = {
    "tick_to_order": [
        Target("p50 under 1 us", most=1_000),
        Target("p99 under 5 us", most=5_000, of="p99"),
    ],
    "tick_to_signed": [Target("p50 at most 16 us", most=16_000)],
    "tick_to_signed_ladder": [Target("p50 at most 2 us", most=2_000)],
    "steady_to_order": [Target("p50 at most 500 ns", most=500)],
    "steady_to_signed": [Target("p50 at most 16 us, signing on the spot", most=16_000)],
    "risk_batch": [Target("over 2 M orders/s in a batch of 1,000", most=500)],
    "order_path": [Target("over 2 M orders/s through risk and build", most=500)],
    "risk_gate": [Target("over 10 M orders/s", most=100)],
    "quiet_search": [Target("under 100 ns", most=100)],
    "quote": [Target("under 5 ns", most=5)],
}


def histograms(rounds: Sequence[Sequence[Record]]) -> dict[str, list[Histogram]]:
    """By case, a histogram of each round."""
    found: defaultdict[str, list[Histogram]] = defaultdict(list)
    for records in rounds:
        for record in records:
            if record["what"] == "latency":
                found[record["case"]].append(program.histogram(record))
    return found


def steady_results(rounds: Sequence[Sequence[Record]], floor: Floor) -> list[Result]:
    """Fixed-rate runs: of each the quietest that held its rate, or one that failed; and the schedule alone."""
    alone = histograms(rounds)["steady_floor"]
    found = [latency("steady_floor", alone, text=FLOOR_TEXT, group="steady", floor=floor)]
    for name, text in STEADY.items():
        tried = [
            (record, alone[n]) for n, records in enumerate(rounds) for record in records if record.get("case") == name
        ]
        held = [each for each in tried if not each[0]["failed"]] or tried
        if not held:
            continue
        made = [program.histogram(record) for record, _ in held]
        result = latency(name, made, text=text, group="steady", floor=floor, targets=TARGETS.get(name, ()))
        result.rate = Rate(held[0][0]["rate_asked"], max(record["rate_held"] for record, _ in held))
        if held[0][0]["failed"]:
            result.failed = f"the rate was not held: {result.rate.held:,.0f} of {result.rate.asked:,.0f} a second"
            result.targets = [Target(each.text, each.most, each.least, each.of) for each in result.targets]
        elif name == "steady_to_order":
            idle, whole = min(
                (idle.percentile(99), each.percentile(99)) for each, (_, idle) in zip(made, held, strict=True)
            )
            result.targets.append(OVER_FLOOR.judged(whole - idle if idle <= HICCUPS_MOST_NS else None))
        found.append(result)
    return found


def measure(floors: Floors, *, short: bool = False) -> Case:
    """Runs the case."""
    arguments = [400, 0.2] if short else [TICKS, STEADY_S]
    batches = [10] if short else [200]
    rounds = [
        list(program.run("tick", arguments)) + list(program.run("risk", batches)) for _ in range(1 if short else ROUNDS)
    ]
    found, floor = histograms(rounds), floors.latest("division")
    case = Case("tick", TEXT, __doc__ or "", clock=program.clock(rounds[-1]))
    for name, text in STAGES.items():
        targets = TARGETS.get(name, ())
        case.results.append(latency(name, found[name], text=text, group="ticks", floor=floor, targets=targets))
    for name, text in (ALONE | BATCHES).items():
        targets = TARGETS.get(name, ())
        made = latency(name, found[name], unit="ps", text=text, group="alone", floor=floor, targets=targets)
        case.results.append(made)
    gate = [1e9 * PER_NS["ps"] / histogram.percentile(50) for histogram in found["risk_gate"]]
    case.results.append(single("risk orders", gate, unit="per_second", text="orders through the gate", group="alone"))
    case.results += steady_results(rounds, floor)
    return case


if __name__ == "__main__":
    sys.exit(cases.run_one(measure))
