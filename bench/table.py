"""bench table: reading rows of tables, with and without the writer at work.

    python -m bench.table [--short] [--json]

The C program `bench/c/table.c` measures on two pinned processes; its head says how. 1,024 pools and as many
positions, read in random order. `busy`: the writer writes 50,000 rows a second, open loop, of all; `one`: all of them
into the one row that is read, the worst there is. `met`: what the reads took that found the writer in the row and
tried again, measured one by one; its text says how many there were. The floor is a memcpy of the same bytes without a
lock.
"""

from __future__ import annotations

import sys

from bench.harness import cases, program
from bench.harness.floor import Floors
from bench.harness.hdr import Histogram
from bench.harness.program import Record
from bench.harness.result import Case, Floor, latency

TEXT = "rows of pools and positions, quiet and while their writer writes"
ROUNDS, SECONDS = 5, 0.2
KINDS = {
    "pool": "as risk reads a pool: the head of its row, and what of the state a quote reads",
    "pool all": "the whole row of a pool, 4,096 bytes",
    "position": "a row of 128 bytes",
}
MODES = {
    "quiet": "nobody writes",
    "busy": "50,000 rows a second are written, of all",
    "one": "50,000 writes a second into the row that is read",
}


def measure(floors: Floors, *, short: bool = False) -> Case:
    """Runs the case."""
    case = Case("table", TEXT, __doc__ or "")
    found: dict[tuple[str, str], list[Record]] = {}
    for _ in range(1 if short else ROUNDS):
        records = program.run("table", [0.02 if short else SECONDS])
        for record in records:
            if "case" in record:
                found.setdefault((record["what"], record["case"]), []).append(record)
        case.clock = program.clock(records)
    for kind, about in KINDS.items():
        copies = [program.histogram(record) for record in found["copy", kind]]
        copy = latency(f"{kind} copy", copies, unit="ps", text="memcpy, no lock", group=kind, peer=True)
        case.results.append(copy)
        for mode, doing in MODES.items():
            tried = found["read", f"{kind} {mode}"]
            result = latency(
                f"{kind} {mode}",
                [program.histogram(record) for record in tried],
                unit="ps",
                text=f"{about}; {doing}; means of 16",
                group=kind,
                floor=Floor("copy", copy.value),
            )
            if mode != "quiet":
                reads, met = sum(each["reads"] for each in tried), sum(each["met"] for each in tried)
                result.text += f"; {met:,} of {reads:,} reads met the writer"
                writes = min(each["writes_per_second"] for each in tried)
                if writes < 0.95 * 50e3 and not short:
                    result.failed = f"the writer wrote {writes:,.0f} of 50,000 a second"
            case.results.append(result)
        whole = Histogram()
        for record in found["met", f"{kind} one"]:
            whole.add(program.histogram(record))
        if whole.count:
            text = f"{whole.count:,} reads that found the writer in the row and tried again, one by one"
            case.results.append(latency(f"{kind} met", [whole], unit="ps", text=text, group=kind))
    return case


if __name__ == "__main__":
    sys.exit(cases.run_one(measure))
