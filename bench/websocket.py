"""bench websocket: accountNotifications in through our C client and through Python's, with and without TLS.

    python -m bench.websocket [--short] [--json]

The C program `bench/c/websocket.c` is the node: 5,000 notifications of 1,285 bytes a second over loopback, open loop,
and then as many as the client takes, to one client on another core. Every client does the same work: WebSocket, JSON,
and the account's bytes out of base64. A latency is from the time a notification was intended for until the account's
bytes are there. Ours is the client of the feed (`recv`, and `uring`: multishot receive), spinning as a tile does; the
floor is a receive call that looks at nothing. Peers, each on uvloop, without compression, pings, limits of size or the
garbage collector, asked for bytes rather than text, JSON by orjson (`bench/websocket_peers.py`): picows, websockets,
aiohttp. They wait in epoll, because none of them can spin.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from bench.harness import cases, program
from bench.harness.floor import Floors
from bench.harness.program import Record, SkippedError
from bench.harness.result import Case, Floor, Rate, Result, Target, latency, single
from bench.websocket_node import Node, certificate

TEXT = "accountNotifications in, beside WebSocket clients of Python"
OURS, PEERS = ("recv", "uring"), ("picows", "websockets", "aiohttp")
BYTES, RATE = 739, 5000
"""Of the account: the notification has 1,285 then."""
ROUNDS, SECONDS = 5, 0.3
STREAM = {"ours": 200_000, "peers": 40_000}
TARGETS = {"recv": [Target("p50 at most 8 us", most=8_000)]}


def _of(records: Sequence[Record], what: str) -> Record:
    return next(record for record in records if record["what"] == what)


def _results(name: str, rounds: Sequence[list[Record]], floor: Floor | None, *, peer: bool) -> list[Result]:
    """Latency, of the rounds that held the rate if any did, and the stream."""
    held = [records for records in rounds if not _of(records, "sent")["failed"]] or list(rounds)
    made = [program.histogram(_of(records, "latency")) for records in held]
    targets = TARGETS.get(name, ())
    found = latency(name, made, group="latency", floor=floor, peer=peer)
    found.text = "intended time to account bytes, p50"
    sent = _of(held[0], "sent")
    found.rate = Rate(sent["rate_asked"], max(_of(records, "sent")["rate_held"] for records in held))
    if sent["failed"]:
        found.failed = f"the rate was not held: {found.rate.held:,.0f} of {found.rate.asked:,.0f} a second"
    else:
        found.targets = list(targets)
        found.judge()
    rates = [_of(records, "stream")["per_second"] for records in rounds]
    text = "notifications a second, as fast as the client takes them"
    return [found, single(f"{name} stream", rates, unit="per_second", group="stream", text=text, peer=peer)]


def measure(floors: Floors, *, short: bool = False) -> Case:
    """Runs the case."""
    case = Case("websocket", TEXT, __doc__ or "")
    by_name: defaultdict[str, list[list[Record]]] = defaultdict(list)
    peers = [peer for peer in PEERS if find_spec(peer)]
    case.skipped += [f"{peer} is not installed (make deps-dev)" for peer in PEERS if peer not in peers]
    if lacking := [name for name in ("orjson", "uvloop") if not find_spec(name)]:
        case.skipped.append(f"peers: {' and '.join(lacking)} not installed (make deps-dev)")
        peers = []
    seconds, times = (0.05, 0.02) if short else (SECONDS, 1)
    built = program.build("websocket")
    ours, python = [built, "client"], [sys.executable, "-m", "bench.websocket_peers"]
    with tempfile.TemporaryDirectory() as directory:
        secured = [("", "")]
        try:
            secured.append(certificate(Path(directory)))
        except SkippedError as error:
            case.skipped.append(str(error))
        for certificates in secured * (1 if short else ROUNDS):
            tls = " TLS" if certificates[0] else ""
            node = Node(built, BYTES, RATE, seconds, int(times * STREAM["ours"]), certificates)
            for engine in ("bare", *OURS) if not tls else OURS:
                try:
                    records = node.received([*ours, engine])
                except SkippedError as error:
                    case.skipped.append(f"{engine}{tls}: {error}")
                else:
                    by_name[f"{engine}{tls}"].append(records)
            node = Node(built, BYTES, RATE, seconds, int(times * STREAM["peers"]), certificates)
            for peer in peers if not (tls and short) else ():
                by_name[f"{peer}{tls}"].append(node.received([*python, peer]))
    case.skipped = list(dict.fromkeys(case.skipped))
    case.clock = program.clock(by_name["recv"][0])
    bare = program.histogram(_of(min(by_name.pop("bare"), key=_p50), "latency")).percentile(50)
    made = [
        each
        for name, rounds in sorted(by_name.items(), key=lambda item: item[0].split()[0] not in OURS)
        for each in _results(name, rounds, Floor("receive", bare), peer=name.split()[0] not in OURS)
    ]
    case.results = sorted(made, key=lambda result: result.group)
    return case


def _p50(records: Sequence[Record]) -> int:
    return program.histogram(_of(records, "latency")).percentile(50)


if __name__ == "__main__":
    sys.exit(cases.run_one(measure))
