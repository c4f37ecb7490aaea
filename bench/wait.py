"""bench wait: how soon a group sees a message, and what waiting for it burns, also with more processes than cores.

    python -m bench.wait [--short] [--json]

The C program `bench/c/wait.c` measures; its head says how. A publisher at 1,000 messages a second, open loop, and
groups that wait for them, on two cores, pinned in turn: with 2 processes each has one, with 4 two share each. `wake`
is from the publishing of a message until a group has it, `intended` from the time it was intended to be published.
`cores` is the processor time of all processes over the time that passed (1 x: one core). What cores burn in the
kernel's idle loop while `/dev/cpu_dma_latency` is held at 0 is not in it: on a virtual machine that is all of them.
"""

from __future__ import annotations

import sys

from bench.harness import cases, program
from bench.harness.floor import Floors
from bench.harness.program import Record
from bench.harness.result import Case, Rate, latency, single

TEXT = "spin, yield, park: wake-up and processor time, 2 and 4 processes on 2 cores"
ROUNDS, SECONDS = 5, 0.5
OF = {"wake": "published until a group has it", "intended": "intended time until a group has it"}


def measure(floors: Floors, *, short: bool = False) -> Case:
    """Runs the case."""
    case = Case("wait", TEXT, __doc__ or "")
    records: list[Record] = []
    for _ in range(1 if short else ROUNDS):
        made = program.run("wait", [0.05 if short else SECONDS])
        case.clock = program.clock(made)
        records += made
    floor = floors.line()
    for record in records:
        if record["what"] == "refused":
            case.skipped.append(f"park awake: {record['text']}")
            break
    found: dict[tuple[int, str, str], list[Record]] = {}
    for record in records:
        if record["what"] == "wait":
            found.setdefault((record["processes"], record["case"], record["of"]), []).append(record)
    for (processes, way, of), tried in found.items():
        group = f"{processes} processes"
        held = [record for record in tried if not record["failed"]] or tried
        histograms = [program.histogram(record) for record in held]
        result = latency(f"{group} {way} {of}", histograms, text=OF[of], group=group, floor=floor)
        result.rate = Rate(held[0]["rate_asked"], max(record["rate_held"] for record in held))
        if held[0]["failed"]:
            result.failed = f"the rate was not held: {result.rate.held:,.0f} of {result.rate.asked:,.0f} a second"
        case.results.append(result)
        if of == "intended":
            cores = [record["cores"] for record in tried]
            text = "processor time of all processes, in cores"
            case.results.append(single(f"{group} {way} cores", cores, unit="x", text=text, group=group, best=False))
    return case


if __name__ == "__main__":
    sys.exit(cases.run_one(measure))
