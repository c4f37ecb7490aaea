"""bench burst: tick to order and to signed transaction while swaps arrive in the bursts of a recorded day.

    python -m bench.burst [--short] [--json]

The market and the tiles of bench tick (`bench/c/tick.c`), open loop: a latency begins when the swap's last account was
intended to stand in the slot. Swaps arrive when they did on a recorded day: every Whirlpool swap of 2022-04-06
(`SNIPERFORGE_DATA`), by its slot and its place among the slot's transactions. The day is compressed in time so that the
mean rate is 50,000 a second; what came in one slot then comes within about a microsecond. One swap in ten opens a gap.
"""

from __future__ import annotations

import csv
import gzip
import struct
import sys
import tempfile
from collections import Counter
from pathlib import Path

from bench.harness import cases, program
from bench.harness.floor import Floors
from bench.harness.result import Case, Rate, latency
from bench.quote_pools import data_directory

TEXT = "tick to order and to signed transaction in the bursts of a recorded day"
DAY = "prices/whirlpool_swaps_20220406.csv.gz"
RATE, DAYS, ROUNDS = 50_000, 5, 5
PLACES = 5000
"""More transactions than a slot had."""


def arrivals() -> list[float]:
    """When each swap of the recorded day came, in slots since the first.

    Raises:
        SkippedError: the day is not there.
    """
    path = data_directory() / DAY
    if not path.exists():
        raise program.SkippedError(f"no recorded day at {path}; set SNIPERFORGE_DATA")
    with gzip.open(path, "rt") as file:
        places = sorted((int(row["slot"]), int(row["tx_index"])) for row in csv.DictReader(file))
    return [slot - places[0][0] + place / PLACES for slot, place in places]


def times(slots: list[float], days: int) -> list[int]:
    """Nanoseconds of so many such days one after the other, at the mean rate."""
    day_ns = len(slots) * 1e9 / RATE
    scale = day_ns / (slots[-1] + 1)
    return [round(day * day_ns + at * scale) for day in range(days) for at in slots]


def measure(floors: Floors, *, short: bool = False) -> Case:
    """Runs the case."""
    case = Case("burst", TEXT, __doc__ or "")
    due = times(arrivals(), 1 if short else DAYS)
    millisecond = max(Counter(at // 1_000_000 for at in due).values())
    microseconds = max(Counter(at // 10_000 for at in due).values())
    said = f"mean {RATE:,} swaps/s, up to {millisecond} in a millisecond and {microseconds} in ten microseconds"
    with tempfile.TemporaryDirectory(prefix="sf-bench-") as scratch:
        path = Path(scratch) / "times"
        path.write_bytes(struct.pack(f"<{len(due)}Q", *due))
        rounds = [program.run("tick", [200, 0, path]) for _ in range(1 if short else ROUNDS)]
    case.clock = program.clock(rounds[-1])
    for name, end in (("burst_to_order", "order"), ("burst_to_signed", "signed transaction")):
        tried = [record for records in rounds for record in records if record.get("case") == name]
        held = [record for record in tried if not record["failed"]] or tried
        made = [program.histogram(record) for record in held]
        text = f"bytes intended in the slot to the {end}; {said}"
        result = latency(name, made, text=text, group="burst", floor=floors.latest("division"))
        result.rate = Rate(held[0]["rate_asked"], max(record["rate_held"] for record in held))
        if held[0]["failed"]:
            result.failed = f"the rate was not held: {result.rate.held:,.0f} of {result.rate.asked:,.0f} a second"
        case.results.append(result)
    return case


if __name__ == "__main__":
    sys.exit(cases.run_one(measure))
