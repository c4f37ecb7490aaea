"""bench udp: datagrams in by recv, recvmmsg, GRO, epoll and io_uring multishot, from one and from 48 sockets.

    python -m bench.udp [--short] [--json]

The C program `bench/c/udp.c` measures over loopback with 1,232-byte datagrams, a spinning receiver on one core and the
sender on another; its head says between which points. `steady` is open loop at 20,000 datagrams a second, each to a
socket drawn at random; its floor is the sender's own call in the same run, within which the kernel puts the datagram
into the receiver's queue. `drain` is what a datagram costs when 2,000 wait; its floor is one copy of bytes that the
other core wrote. An engine that the kernel refuses is left out with the kernel's reason.
"""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict

from bench.harness import cases, program
from bench.harness.floor import Floors
from bench.harness.program import Record
from bench.harness.result import Case, Floor, Rate, Target, latency, single

TEXT = "datagrams in, by every engine of the kernel, from one and from 48 sockets"
ROUNDS, SECONDS, DRAINS = 5, 0.5, 12


def _targets(name: str, case: Case) -> list[Target]:
    if name == "recv 1":
        return [Target("one socket, within 1.5 of the sender's call", most=1.5, of="ratio")]
    asked = [result for result in case.results if result.name == "recv 48" and not result.failed]
    if name == "uring 48" and asked:
        return [Target("from 48 sockets io_uring sooner than recv", most=asked[0].value)]
    return []


def _steady(case: Case, by_name: dict[str, list[Record]]) -> None:
    for name, records in by_name.items():
        if reason := records[0]["replaced"]:
            case.skipped.append(f"{name}: {reason}")
            continue
        held = [record for record in records if not record["failed"] and not record["lost"]] or records
        made = [program.histogram(record) for record in held]
        best = min(range(len(held)), key=lambda i: made[i].percentile(50))
        floor = Floor("send", held[best]["send_ns"])
        result = latency(name, made, group="steady", floor=floor, targets=_targets(name, case))
        result.text = "from the intended time until the poll gives it out"
        result.rate = Rate(held[best]["rate_asked"], held[best]["rate_held"])
        if held[best]["lost"]:
            result.failed = f"{held[best]['lost']} datagrams were lost"
        elif held[best]["failed"]:
            result.failed = f"the rate was not held: {result.rate.held:,.0f} of {result.rate.asked:,.0f} a second"
        if result.failed:
            result.targets = [Target(each.text, each.most, each.least, each.of) for each in result.targets]
        case.results.append(result)


def _drains(case: Case, by_name: dict[str, list[Record]]) -> None:
    copy = statistics.median(record["copy_ns"] for records in by_name.values() for record in records)
    best = {name: min(record["ns"] for record in records) for name, records in by_name.items()}
    for name, records in by_name.items():
        targets = []
        if name == "gro" and "recv" in best:
            targets = [Target("GRO at least four times as quick as recv", most=best["recv"] / 4)]
        case.results.append(
            single(
                f"drain {name}",
                [record["ns"] for record in records],
                unit="ns",
                group="drain",
                text="a datagram of 2,000 that wait, sent in trains of 40",
                floor=Floor("copy", copy),
                targets=targets,
            )
        )


def measure(floors: Floors, *, short: bool = False) -> Case:
    """Runs the case."""
    case = Case("udp", TEXT, __doc__ or "")
    steady: defaultdict[str, list[Record]] = defaultdict(list)
    drains: defaultdict[str, list[Record]] = defaultdict(list)
    for _ in range(1 if short else ROUNDS):
        records = program.run("udp", [0.04, 3] if short else [SECONDS, DRAINS])
        case.clock = program.clock(records)
        for record in records:
            if record["what"] in ("steady", "drain"):
                (steady if record["what"] == "steady" else drains)[record["case"]].append(record)
    _steady(case, dict(sorted(steady.items(), key=lambda item: item[0].endswith(" 48"))))
    refused = {text.split()[0] for text in case.skipped}
    _drains(case, {name: records for name, records in drains.items() if name not in refused})
    return case


if __name__ == "__main__":
    sys.exit(cases.run_one(measure))
