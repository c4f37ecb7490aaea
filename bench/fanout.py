"""bench fanout: one producer, 1 to 8 lossy consumers of the same link.

    python -m bench.fanout [--short] [--json]

The C program `bench/c/fanout.c` measures; its head says how. `on one core`: one process polls all consumers in turn,
as a group does. `on N cores`: a process each, as far as there are cores beside the producer's. At 100,000 messages a
second, open loop: from the intended time until the first and until the last consumer has its copy. `publish`:
messages a second that the producer gets rid of meanwhile, flat out: lossy readers cannot hold it back, but they take
its lines.
"""

from __future__ import annotations

import os
import sys

from bench.harness import cases, program
from bench.harness.floor import Floors
from bench.harness.program import Record
from bench.harness.result import Case, Floor, Rate, Result, latency, single

TEXT = "one lossy producer to many consumers, on one core and on their own"
ROUNDS, SECONDS = 5, 0.3
OF = {"first": "until the first consumer has it", "last": "until the last one has it"}


def steady(name: str, of: str, tried: list[Record], floor: Floor | None) -> Result:
    """The quietest run that held the rate, or one that failed."""
    held = [record for record in tried if not record["failed"]] or tried
    result = latency(
        f"{name}: {of}",
        [program.histogram(record) for record in held],
        text=f"100,000 messages/s, intended time {OF[of]}",
        group="steady",
        floor=floor,
    )
    result.rate = Rate(held[0]["rate_asked"], max(record["rate_held"] for record in held))
    if held[0]["failed"]:
        result.failed = f"the rate was not held: {result.rate.held:,.0f} of {result.rate.asked:,.0f} a second"
    elif lost := min(record["lost"] for record in held):
        result.text += f"; {lost} lost"
    return result


def measure(floors: Floors, *, short: bool = False) -> Case:
    """Runs the case."""
    case = Case("fanout", TEXT, __doc__ or "")
    records: list[Record] = []
    for _ in range(1 if short else ROUNDS):
        made = program.run("fanout", [0.05 if short else SECONDS])
        case.clock = program.clock(made)
        records += made
    floor = floors.line()
    names = list(dict.fromkeys(record["case"] for record in records if record["what"] == "steady"))
    for name in names:
        for of in OF:
            tried = [each for each in records if each["what"] == "steady" and (each["case"], each["of"]) == (name, of)]
            case.results.append(steady(name, of, tried, floor))
    for name in names:
        rates = [record["per_second"] for record in records if record["what"] == "publish" and record["case"] == name]
        text = "messages a second that the producer is rid of"
        case.results.append(
            single(f"publish to {name}", rates, unit="per_second", text=text, group="publish", best=False)
        )
    cores = len(os.sched_getaffinity(0))
    if cores < 3:
        case.skipped.append(f"consumers on their own cores: {cores} cores; three are needed")
    return case


if __name__ == "__main__":
    sys.exit(cases.run_one(measure))
