"""bench journal: the journal tile beside what the disk does without it, in one run.

    python -m bench.journal [--short] [--json]

The C program `bench/c/journal.c` measures in the checkout's own file system; its head says how. Medians over the
rounds; ratios are to the limit of the same run: 64 KiB and 4 KiB writes without a journal.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections import defaultdict

from bench.harness import cases, program
from bench.harness.floor import Floors
from bench.harness.hdr import Histogram
from bench.harness.result import ROOT, Case, Floor, Target, latency, single

TEXT = "durable records a second and the time of a group commit"
RATES = {
    "limit pwrite 64 KiB": "the disk: 64 KiB O_DIRECT|O_DSYNC writes, one at a time",
    "stream uring": "256-byte records until all are durable, io_uring",
    "stream pwrite": "the same by pwrite",
    "naive write and fdatasync": "write and fdatasync of each record",
}
LATENCIES = {
    "limit pwrite 4 KiB": "the disk: one 4 KiB O_DIRECT|O_DSYNC write",
    "commit uring": "one signed transaction published until it is durable, io_uring",
    "commit pwrite": "the same by pwrite",
}
TARGETS = {"stream uring": [Target("over 1 M durable records/s", least=1e6)]}


def measure(floors: Floors, *, short: bool = False) -> Case:
    """Runs the case."""
    case = Case("journal", TEXT, __doc__ or "")
    with tempfile.TemporaryDirectory(prefix="sf-bench-journal-", dir=ROOT) as scratch:
        records = program.run("journal", [scratch, 1 if short else 5, 0.1 if short else 1])
    case.clock = program.clock(records)
    rates: defaultdict[str, list[float]] = defaultdict(list)
    latencies: defaultdict[str, list[Histogram]] = defaultdict(list)
    for record in records:
        if record["what"] == "rate":
            rates[record["case"]].append(record["per_second"])
        elif record["what"] == "latency":
            latencies[record["case"]].append(program.histogram(record))
    disk = Floor("64 KiB write", statistics.median(rates["limit pwrite 64 KiB"]))
    for name, text in RATES.items():
        case.results.append(
            single(
                name,
                rates[name],
                unit="per_second",
                text=text,
                group="stream",
                floor=disk,
                targets=TARGETS.get(name, ()),
                peer=not name.startswith("stream"),
                best=False,
            )
        )
    write = Floor("4 KiB write", latency("", latencies["limit pwrite 4 KiB"], quietest=False).value)
    for name, text in LATENCIES.items():
        peer = not name.startswith("commit")
        found = latency(name, latencies[name], text=text, group="commit", floor=write, peer=peer, quietest=False)
        case.results.append(found)
    return case


if __name__ == "__main__":
    sys.exit(cases.run_one(measure))
