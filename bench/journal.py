"""bench journal: the journal tile beside what the disk does without it, in one run.

    python -m bench.journal [--chunks N] [--dir DIR] [--json]

The C program `bench/c/journal.c` measures; its head says how. Medians over the chunks; ratios are to the limit of the
same run: 64 KiB and 4 KiB writes without a journal. Exit 0: over a million records a second became durable; 1: fewer.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "build" / "release" / "bench" / "c" / "journal"
TARGET = 1_000_000
"""256-byte records a second, durable."""


def measure(directory: Path, chunks: int) -> dict[str, float]:
    """Medians over the chunks by `what how figure`, e.g. `commit uring p50_us`."""
    subprocess.run(["make", "-s", "-C", str(ROOT / "csrc"), "bench"], check=True)
    with tempfile.TemporaryDirectory(prefix="sf-bench-journal-", dir=directory) as scratch:
        done = subprocess.run([str(PROGRAM), scratch, str(chunks)], check=True, stdout=subprocess.PIPE, text=True)
    found: defaultdict[str, list[float]] = defaultdict(list)
    for line in done.stdout.splitlines():
        record: dict[str, Any] = json.loads(line)
        name = f"{record.pop('what')} {record.pop('how')}"
        for figure, value in record.items():
            found[f"{name} {figure}"].append(value)
    return {name: statistics.median(values) for name, values in found.items()}


def _text(medians: dict[str, float]) -> str:
    rate_limit = medians["limit pwrite 64 KiB records_per_second"]
    late_limit = medians["limit pwrite 4 KiB p50_us"]
    lines = ["256-byte records a second, durable            ratio to the limit"]
    rows = [("limit: 64 KiB pwrite, one at a time", "limit pwrite 64 KiB"), ("journal, io_uring", "stream uring")]
    rows += [("journal, pwrite", "stream pwrite"), ("write and fdatasync of each", "naive write and fdatasync")]
    for label, name in rows:
        rate = medians[f"{name} records_per_second"]
        lines.append(f"  {label:<37} {rate:>12,.0f} {rate / rate_limit:>8.3f}")
    lines.append("one signed transaction until it is durable   p50 us    p99 us   ratio p50")
    rows = [("limit: 4 KiB pwrite", "limit pwrite 4 KiB"), ("journal, io_uring", "commit uring")]
    for label, name in [*rows, ("journal, pwrite", "commit pwrite")]:
        p50, p99 = medians[f"{name} p50_us"], medians[f"{name} p99_us"]
        lines.append(f"  {label:<40} {p50:>8.1f} {p99:>9.1f} {p50 / late_limit:>8.2f}")
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    """Runs the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(prog="bench journal", description=__doc__)
    parser.add_argument("--chunks", type=int, default=3, help="how often everything is measured")
    parser.add_argument("--dir", type=Path, default=ROOT, help="on the disk to measure (default: the checkout)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args(argv)
    medians = measure(arguments.dir, arguments.chunks)
    met = medians["stream uring records_per_second"] > TARGET
    if arguments.json:
        print(json.dumps({"medians": medians, "target_records_per_second": TARGET, "met": met}))
    else:
        print(_text(medians))
        print(f"target: more than {TARGET:,} a second: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
