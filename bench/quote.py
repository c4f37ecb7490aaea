"""bench quote: what a quote costs in each venue, beside the official SDK and the Python reference, in one run.

    python -m bench.quote [--short] [--json]

Pools are recorded ones (where none is recorded, one of the emulated market), loaded through the engine's own store; the
state is the one that travels in market messages. The C program `bench/c/quote.c` calls the quote through the venue's
row, in batches of 256 different amounts, so that the clock's cost is spread; its head says how. Amounts are random, of
every order of magnitude the pool can pay, thousands in a group, so that a branch predictor cannot have learnt them.

`one range`  no tick or bin is crossed. `further`: the slope over swaps that cross 0 to 8 initialised ticks or bins.
`mixed`      random direction, mode and amount up to 8 crossings: the asks the SDK and the Python reference get, too.
`spread`     the mixed asks over 1,024 copies of the state in random order, so that it is not in the first-level cache.

An SDK that answers otherwise does so for exact outputs: Raydium AMM v4's and PumpSwap's round the input down, which
pays a unit less than was asked for.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.harness import cases, program
from bench.harness.floor import Floors
from bench.harness.hdr import Histogram
from bench.harness.result import Case, Floor, Result, Target, latency, single
from bench.quote_pools import NOW, RECORDED, Ask, Group, Pool, crossing_limits, drawn, load, write

TEXT = "a quote in each venue, beside the official SDK and Python"
CONSTANT_PRODUCT = ("raydium_cpmm", "raydium_amm_v4", "pump_swap", "pump_fun")
SDKS = ("raydium_cpmm", "raydium_amm_v4", "pump_swap", "orca_whirlpool", "raydium_clmm", "meteora_dlmm")
ASKS, ASKS_CROSSING, PEER_ASKS = 8192, 2048, 256
SPREAD_COPIES = 1024
SDK_ROUNDS = 4
WAYS = [(a_to_b, exact_in) for exact_in in (True, False) for a_to_b in (True, False)]


def way(a_to_b: bool, exact_in: bool) -> str:
    """`exact in a to b`, ..."""
    return f"exact {'in' if exact_in else 'out'} {'a to b' if a_to_b else 'b to a'}"


def groups(pool: Pool, chosen: random.Random, *, short: bool) -> list[Group]:
    """What is asked of a pool."""
    made: list[Group] = []
    mixed: list[Ask] = []
    asks = ASKS // (8 if short else 1)
    for a_to_b, exact_in in WAYS:
        limits = crossing_limits(pool, a_to_b)
        if not exact_in:
            limits = [int(pool.quote(Ask(a_to_b, True, limit)).amount_out) for limit in limits]
        kind, low = Ask(a_to_b, exact_in, 0), limits[0] >> 20
        made.append(Group(way(a_to_b, exact_in), drawn(pool, chosen, kind, asks, (low, limits[0]), 0)))
        for crossed in range(1, len(limits)):
            span = (limits[crossed - 1] + 1, limits[crossed])
            found = drawn(pool, chosen, kind, ASKS_CROSSING, span, crossed)
            if len(found) < ASKS_CROSSING:
                break  # here the program refuses most amounts
            made.append(Group(f"{way(a_to_b, exact_in)} +{crossed}", found))
        mixed += drawn(pool, chosen, kind, asks // 4, (low, limits[-1]), -1)
    chosen.shuffle(mixed)
    return [*made, Group("mixed", mixed), Group("spread", mixed, SPREAD_COPIES)]


def slope(points: Sequence[tuple[int, float]]) -> float:
    """Nanoseconds a further crossing: least squares."""
    return statistics.linear_regression([x for x, _ in points], [y for _, y in points]).slope


def python_times(pool: Pool, asks: Sequence[Ask], rounds: int) -> list[Histogram]:
    """Of the Python reference, a quote each, in ns."""
    found = []
    for _ in range(rounds):
        times = []
        for ask in asks:
            quote = pool.priced.python[0 if ask.exact_in else 1]
            begin = time.perf_counter_ns()
            quote(ask.a_to_b, ask.amount, NOW)
            times.append(time.perf_counter_ns() - begin)
        found.append(Histogram.of(times))
    return found


def _same(pool: Pool, ask: Ask, amount_in: int, amount_out: int) -> bool:
    """Whether an SDK's answer is ours."""
    ours = pool.quote(ask)
    return bool(ours.amount_out == amount_out if ask.exact_in else ours.amount_in == amount_in)


def sdk_results(asked: Sequence[tuple[Pool, Sequence[Ask]]], scratch: Path) -> tuple[dict[str, tuple[float, str]], str]:
    """By venue: ns a quote of its SDK, and how often it agrees; and why there are none."""
    try:
        from tests import sdk_quotes
    except ImportError as error:
        return {}, f"official SDKs: {error}; `make deps-dev` installs what they need"
    requests = [
        sdk_quotes.Request(
            pool.venue, pool.address, NOW, list(pool.dumps), [sdk_quotes.Ask(*ask) for ask in asks], SDK_ROUNDS
        )
        for pool, asks in asked
    ]
    try:
        found = sdk_quotes.quotes(requests, scratch)
    except (sdk_quotes.SdkMissing, RuntimeError) as error:
        return {}, f"official SDKs: {error}"
    results = {}
    for (pool, asks), (answers, ns) in zip(asked, found, strict=True):
        same = sum(_same(pool, ask, each[0], each[1]) for ask, each in zip(asks, answers, strict=True))
        results[pool.venue] = ns, f"the same answer to {same} of {len(asks)}"
    return results, ""


def _venue_results(pool: Pool, by_name: dict[str, list[Histogram]], floor: Floor) -> list[Result]:
    """Our own results of a venue."""
    flat = pool.venue in CONSTANT_PRODUCT
    text = "constant product under 5 ns" if flat else "concentrated, one range, under 25 ns"
    target = Target(text, most=5.0 if flat else 25.0)
    name, found = pool.venue, []
    for each in WAYS:
        histograms = by_name[way(*each)]
        about = f"{way(*each)}, {pool.where} pool"
        found.append(
            latency(
                f"{name} {way(*each)}",
                histograms,
                unit="ps",
                text=about,
                group=name,
                floor=floor,
                targets=[target],
            )
        )
    for each in WAYS:
        slopes = _slopes(by_name, way(*each))
        if slopes:
            further = Target("each further initialised tick or bin under 10 ns", most=10.0)
            about = f"{way(*each)}: each further tick or bin"
            found.append(
                single(
                    f"{name} further {way(*each)}",
                    slopes,
                    unit="ns",
                    text=about,
                    group=name,
                    floor=floor,
                    targets=[further],
                    best=False,  # noise makes a slope less as often as more
                )
            )
    for kind, about in (("mixed", "all ways and amounts"), ("spread", "the same, the state not in the first cache")):
        found.append(latency(f"{name} {kind}", by_name[kind], unit="ps", text=about, group=name, floor=floor))
    return found


def _slopes(by_name: dict[str, list[Histogram]], name: str) -> list[float]:
    """Of each round, ns a further crossing; empty if nothing is crossed."""
    steps = [by_name[name]]
    while f"{name} +{len(steps)}" in by_name:
        steps.append(by_name[f"{name} +{len(steps)}"])
    if len(steps) < 3:
        return []
    rounds = range(len(steps[0]))
    return [slope([(k, step[r].percentile(50) / 1000) for k, step in enumerate(steps)]) for r in rounds]


def measure(floors: Floors, *, short: bool = False) -> Case:
    """Runs the case."""
    chosen = random.Random(1)
    case = Case("quote", TEXT, __doc__ or "")
    loaded: list[tuple[Pool, list[Group]]] = []
    for venue in RECORDED:
        pool, why = load(venue)
        if why:
            case.skipped.append(f"{venue}: {why}" + ("; a pool of the emulated market instead" if pool else ""))
        if pool:
            loaded.append((pool, groups(pool, chosen, short=short)))
    found: list[dict[str, list[Histogram]]] = [{} for _ in loaded]
    with tempfile.TemporaryDirectory(prefix="sf-bench-quote-") as scratch:
        path = Path(scratch) / "asks"
        write(path, loaded)
        for _ in range(1 if short else 5):
            records = program.run("quote", [path, 4 if short else 8])
            for record in records:
                if record["what"] == "quote":
                    found[record["pool"]].setdefault(record["case"], []).append(program.histogram(record))
            case.clock = program.clock(records)
        asked = [(pool, each[-1].asks[:PEER_ASKS]) for pool, each in loaded if pool.venue in SDKS]
        sdk: dict[str, tuple[float, str]] = {}
        why = "official SDKs: left out of the short form"
        if not short:
            sdk, why = sdk_results(asked, Path(scratch))
        if why:
            case.skipped.append(why)
    floor = floors.latest("division")
    for (pool, each), by_name in zip(loaded, found, strict=True):
        case.results += _venue_results(pool, by_name, floor)
        ours = case.find(f"{pool.venue} mixed").value
        python = latency(
            f"{pool.venue} python",
            python_times(pool, each[-1].asks[: PEER_ASKS // (8 if short else 1)], 1 if short else 3),
            text="the exact reference in Python integers, as a Python bot would quote",
            group=pool.venue,
            floor=Floor("our mixed", ours),
            peer=True,
        )
        case.results.append(python)
        if pool.venue in sdk:
            ns, agreeing = sdk[pool.venue]
            about = f"the official JavaScript SDK; {agreeing}"
            beside = Floor("our mixed", ours)
            case.results.append(
                single(f"{pool.venue} sdk", [ns], unit="ns", text=about, group=pool.venue, floor=beside, peer=True)
            )
        elif pool.venue not in SDKS:
            case.skipped.append(f"{pool.venue}: no official SDK quotes it without a network")
    return case


if __name__ == "__main__":
    sys.exit(cases.run_one(measure))
