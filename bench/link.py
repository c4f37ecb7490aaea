"""bench link: links beside the bare cache-line limit, a pipe and ZeroMQ ipc, in one run.

    python -m bench.link [--runs N] [--chunks N] [--json]

The C program `bench/c/link.c` measures on two pinned processes; its head says how. This page
runs it several times (each run gets other physical pages, and those alone move a ratio by a
third), adds ZeroMQ over ipc:// (half a round trip between two processes), and holds the medians over
all chunks of a regime against the targets and against public rings, as ratios to the limit of
the same run. A regime that the run did not see is not judged. Exit 0: every target that
was seen is met; 1: one is not; 77: fewer than two cores.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "build" / "release" / "bench" / "c" / "link"
ZMQ_TRIPS = 2000
SKIPPED = 77


@dataclass(frozen=True)
class Target:
    """What a case has to reach in a regime: p50 over the limit, or million messages a second."""

    what: str
    case: str
    regime: str
    most: float | None = None
    least: float | None = None

    def met(self, value: float) -> bool:
        return (self.most is None or value <= self.most) and (self.least is None or value >= self.least)

    def text(self) -> str:
        return f"<= {self.most:.2f}" if self.most is not None else f">= {self.least:.0f}"


TARGETS = (
    Target("latency", "lossless-64", "near", most=1.10),
    Target("latency", "lossless-64", "far", most=1.20),
    Target("latency", "lossy-64", "near", most=1.10),
    Target("latency", "lossy-64", "far", most=1.10),
    Target("stream", "lossless-64", "near", least=200.0),
)

# Public rings, 64-byte messages, measured on the same kind of machine beside the same limit:
# ratio near, ratio far, million messages a second near, far.
PUBLIC = {
    "MengRao SPSCQueueOPT, in place": (1.14, 1.28, 271.0, 141.0),
    "Aeron C spsc ring": (1.66, 1.25, 80.0, 18.0),
    "rigtorp SPSCQueue": (2.13, 1.87, 81.0, 18.0),
    "Firedancer mcache + dcache": (2.16, 1.78, 101.0, 61.0),
}


def build() -> None:
    subprocess.run(["make", "-s", "-C", str(ROOT / "csrc"), "bench"], check=True)


def run(chunks: int) -> list[dict[str, Any]]:
    """Returns the records of one run of the C program."""
    done = subprocess.run([str(PROGRAM), str(chunks)], check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"bench link: {PROGRAM} ended with {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def _zmq_answer(address: str) -> None:
    with zmq.Context() as context, context.socket(zmq.PAIR) as socket:
        socket.connect(address)
        for _ in range(ZMQ_TRIPS):
            socket.send(socket.recv())


def zmq_latency() -> dict[str, Any]:
    """Half the round trip of 64 bytes between two processes over ipc://, called from Python."""
    with tempfile.TemporaryDirectory() as directory:
        address = f"ipc://{directory}/link"
        with zmq.Context() as context, context.socket(zmq.PAIR) as socket:
            socket.bind(address)
            other = multiprocessing.get_context("spawn").Process(target=_zmq_answer, args=(address,), daemon=True)
            other.start()
            halves = []
            for _ in range(ZMQ_TRIPS):
                begin = time.perf_counter_ns()
                socket.send(bytes(64))
                socket.recv()
                halves.append((time.perf_counter_ns() - begin) / 2)
            other.join(timeout=10)
    halves = sorted(halves[ZMQ_TRIPS // 10 :])
    return {
        "what": "scale",
        "case": "zeromq-ipc",
        "p50_ns": statistics.median(halves),
        "p99_ns": halves[int(0.99 * (len(halves) - 1))],
    }


def medians(records: list[dict[str, Any]]) -> dict[tuple[str, str, str], tuple[float, int, float]]:
    """Returns per (what, case, regime): median ratio or rate, number of chunks, median p99 in ns (0 for streams)."""
    values: dict[tuple[str, str, str], list[tuple[float, float]]] = defaultdict(list)
    for record in records:
        if record["what"] == "latency":
            value = (record["ratio_p50"], record["p99_ns"])
        elif record["what"] == "stream":
            value = (record["million_per_second"], 0.0)
        else:
            continue
        if record["regime"] in ("near", "far"):
            values[record["what"], record["case"], record["regime"]].append(value)
    return {
        key: (statistics.median(v for v, _ in pairs), len(pairs), statistics.median(p for _, p in pairs))
        for key, pairs in values.items()
    }


def limits(records: list[dict[str, Any]]) -> dict[str, float]:
    seen: dict[str, list[float]] = defaultdict(list)
    for record in records:
        if record.get("regime") in ("near", "far"):
            seen[record["regime"]].append((record["limit_before_ns"] + record["limit_after_ns"]) / 2)
    return {regime: statistics.median(values) for regime, values in seen.items()}


def judge(found: dict[tuple[str, str, str], tuple[float, int, float]]) -> list[dict[str, Any]]:
    """Returns one verdict per target: met is None where the run did not see the regime."""
    verdicts = []
    for target in TARGETS:
        value = found.get((target.what, target.case, target.regime))
        verdicts.append(
            {
                "what": "target",
                "case": f"{target.what} {target.case} {target.regime}",
                "target": target.text(),
                "value": value[0] if value else None,
                "met": target.met(value[0]) if value else None,
            }
        )
    for name, (near, far, stream_near, stream_far) in PUBLIC.items():
        for regime, ratio, rate in (("near", near, stream_near), ("far", far, stream_far)):
            latency = found.get(("latency", "lossless-64", regime))
            stream = found.get(("stream", "lossless-64", regime))
            verdicts.append(
                {
                    "what": "public",
                    "case": f"{name} {regime}",
                    "target": f"< {ratio:.2f}, > {rate:.0f}",
                    "value": latency[0] if latency else None,
                    "rate": stream[0] if stream else None,
                    "met": latency[0] < ratio and stream[0] > rate if latency and stream else None,
                }
            )
    return verdicts


def first(records: list[dict[str, Any]], case: str) -> dict[str, Any]:
    return next(record for record in records if record.get("case") == case)


def show(records: list[dict[str, Any]], verdicts: list[dict[str, Any]]) -> None:
    hosts = [record for record in records if record["what"] == "host"]
    found = medians(records)
    load = hosts[0]["load_average"]
    print(
        f"links on cores {hosts[0]['cores']}, {len(hosts)} runs of {hosts[0]['chunks']} chunks, load average {load:.1f}"
    )
    if load > 1.0:
        print("other programs were running on these cores: medians stand, p99 does not")
    for regime, value in sorted(limits(records).items(), reverse=True):
        print(f"\n{regime}: the bare line takes {value:.1f} ns one way (median)")
        print(f"  {'case':<14}{'p50/limit':>10}{'p99 ns':>9}{'chunks':>8}{'M msg/s':>10}{'chunks':>8}")
        for case in sorted({key[1] for key in found if key[2] == regime}):
            ratio, chunks, p99 = found.get(("latency", case, regime), (float("nan"), 0, float("nan")))
            rate, bursts, _ = found.get(("stream", case, regime), (float("nan"), 0, 0.0))
            print(f"  {case:<14}{ratio:>10.2f}{p99:>9.0f}{chunks:>8}{rate:>10.0f}{bursts:>8}")
    print("\nfor scale, one way:")
    for record in records:
        if record["what"] == "scale" and record is first(records, record["case"]):
            print(f"  {record['case']:<14}p50 {record['p50_ns'] / 1000:.1f} us, p99 {record['p99_ns'] / 1000:.1f} us")
    print("\ntargets and public rings (ratio to the limit, million messages a second):")
    for verdict in verdicts:
        word = {True: "pass", False: "FAIL", None: "not seen"}[verdict["met"]]
        have = "" if verdict["value"] is None else f"{verdict['value']:.2f}"
        if verdict.get("rate") is not None:
            have += f", {verdict['rate']:.0f}"
        print(f"  {word:<9}{verdict['case']:<44}{verdict['target']:<16}{have}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.link", description="Links beside the bare cache-line limit.")
    parser.add_argument("--runs", type=int, default=7, help="how often the program is started")
    parser.add_argument("--chunks", type=int, default=4, help="how often a run measures all cases")
    parser.add_argument("--json", action="store_true", help="records as JSON lines instead of the table")
    args = parser.parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        print("bench link: two cores are needed, there is one", file=sys.stderr)
        return SKIPPED
    build()
    records = [record for _ in range(args.runs) for record in run(args.chunks)]
    records.append(zmq_latency())
    verdicts = judge(medians(records))
    if args.json:
        for record in records + verdicts:
            print(json.dumps(record))
    else:
        show(records, verdicts)
    return int(any(v["what"] == "target" and v["met"] is False for v in verdicts))


if __name__ == "__main__":
    raise SystemExit(main())
