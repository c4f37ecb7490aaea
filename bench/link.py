"""bench link: links beside the bare cache-line limit, a pipe, and what Python would take instead, in one run.

    python -m bench.link [--short] [--json]

The C program `bench/c/link.c` measures on two pinned processes; its head says how. It runs several times (each run gets
other physical pages, and those alone move a ratio by a third). Latencies and streams are medians over all chunks of a
regime, as ratios to the bare line right before and after each chunk; a regime (near: both cores share an L3; far) that
the run did not see is not judged. `steady` is open loop: a message's latency begins when it was intended to be
sent. `bench/link_peers.py` is what Python would take instead, half a round trip between two processes each: ZeroMQ over
ipc://, iceoryx2, and the queues of multiprocessing.

Public rings with 64-byte messages on the same kind of machine, ratio near and far, million messages a second near and
far: MengRao SPSCQueueOPT in place 1.14, 1.28, 271, 141; Aeron C spsc ring 1.66, 1.25, 80, 18; rigtorp SPSCQueue 2.13,
1.87, 81, 18; Firedancer mcache + dcache 2.16, 1.78, 101, 61.
"""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence

from bench import link_peers
from bench.harness import cases, program
from bench.harness.floor import Floors
from bench.harness.hdr import Histogram
from bench.harness.program import Record
from bench.harness.result import Case, Floor, Rate, Result, Target, latency, single

TEXT = "one-way latency and streaming of both link kinds beside the bare cache line"
RUNS, CHUNKS, STEADY_S = 30, 1, 0.5
REGIMES = ("near", "far")

RATIOS = {
    ("lossless-64", "near"): [
        Target("p50 at most 1.10 of the bare line", most=1.10, of="ratio"),
        Target("below the best public ring's 1.14", most=1.14, of="ratio"),
    ],
    ("lossless-64", "far"): [
        Target("p50 at most 1.20 of the bare line", most=1.20, of="ratio"),
        Target("below the best public ring's 1.25", most=1.25, of="ratio"),
    ],
    ("lossy-64", "near"): [Target("p50 at most 1.10 of the bare line", most=1.10, of="ratio")],
    ("lossy-64", "far"): [Target("p50 at most 1.10 of the bare line", most=1.10, of="ratio")],
}
STREAMS = {("lossless-64", "near"): [Target("at least 200 M messages/s", least=200e6)]}


def _limit(records: Sequence[Record]) -> float:
    limits: list[float] = [(record["limit_before_ns"] + record["limit_after_ns"]) / 2 for record in records]
    return statistics.median(limits)


def _latencies(by_key: Mapping[tuple[str, str, str], list[Record]]) -> list[Result]:
    found = []
    for (what, case, regime), records in by_key.items():
        if what != "latency":
            continue
        whole = Histogram()
        for record in records:
            whole.add(program.histogram(record))
        result = latency(f"{case} {regime}", [whole], unit="ps", group="latency")
        result.text = "half a round trip; p50 of means of 16, percentiles of single trips"
        result.floor = Floor(f"line {regime}", _limit(records))
        result.value = statistics.median(record["p50_ns"] for record in records)
        result.rounds = [record["ratio_p50"] for record in records]
        result.ratio = statistics.median(result.rounds)
        result.targets = RATIOS.get((case, regime), [])
        found.append(result.judge())
    return found


def _streams(by_key: Mapping[tuple[str, str, str], list[Record]]) -> list[Result]:
    return [
        single(
            f"{case} {regime} stream",
            [1e6 * record["million_per_second"] for record in records],
            unit="per_second",
            group="stream",
            text="messages a second until the reader has the last one; lossy: until the writer is done",
            targets=STREAMS.get((case, regime), ()),
            best=False,
        )
        for (what, case, regime), records in by_key.items()
        if what == "stream"
    ]


def _steady(records: Sequence[Record]) -> list[Result]:
    """Of each rate, the run that held it with the least median; if none held it, a failed one."""
    found = []
    for case in dict.fromkeys(record["case"] for record in records if record["what"] == "steady"):
        tried = [record for record in records if record["what"] == "steady" and record["case"] == case]
        held = [record for record in tried if not record["failed"]] or tried
        best = min(held, key=lambda record: program.histogram(record).percentile(50))
        floor = Floor(f"line {best['regime']}", (best["limit_before_ns"] + best["limit_after_ns"]) / 2)
        result = latency(f"steady {case}", [program.histogram(best)], unit="ps", group="steady", floor=floor)
        result.text = "one way from the intended time, open loop"
        result.rate = Rate(best["rate_asked"], best["rate_held"])
        if best["failed"]:
            result.failed = f"the rate was not held: {best['rate_held']:,.0f} of {best['rate_asked']:,.0f} a second"
        found.append(result)
    return found


def measure(floors: Floors, *, short: bool = False) -> Case:
    """Runs the case."""
    case = Case("link", TEXT, __doc__ or "")
    records: list[Record] = []
    for run in range(1 if short else RUNS):
        seconds = 0.1 if short else STEADY_S if run < 3 else 0
        made = program.run("link", [1 if short else CHUNKS, seconds])
        records += made
        case.clock = program.clock(made)
    by_key: defaultdict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record in records:
        if record["what"] in ("latency", "stream") and record["regime"] in REGIMES:
            by_key[record["what"], record["case"], record["regime"]].append(record)
    ordered = dict(sorted(by_key.items(), key=lambda item: (item[0][2] == "far", item[0][1])))
    case.results = [*_latencies(ordered), *_streams(ordered), *_steady(records)]
    for case_name, regime in RATIOS:
        if ("latency", case_name, regime) not in by_key:
            case.skipped.append(f"{case_name} {regime}: the cores were never {regime} through a whole chunk")
    pipes = [record for record in records if record["what"] == "pipe"]
    beside = case.results[0].floor if case.results else None
    peers, missing = link_peers.measure(short=short)
    case.skipped += missing
    case.results += [
        latency("pipe", [program.histogram(record) for record in pipes], group="scale", peer=True, floor=beside),
        *(latency(name, [trips], group="scale", peer=True, floor=beside) for name, trips in peers.items()),
    ]
    return case


if __name__ == "__main__":
    sys.exit(cases.run_one(measure))
