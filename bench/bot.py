"""bench bot: an account's change to a signed transaction, ours beside the Python bot that a user would write.

    python -m bench.bot [--short] [--json]

Ours, in C in the same run: `notification`, from the text of a 653-byte accountNotification in memory to the account's
bytes, as the feed takes it (`bench/c/notification.c`), and `tick_to_signed`, from there through book, arbitrage search
over 1,000 pools, risk gate, build and sign to the signed transaction (`bench/c/tick.c`). Theirs, from the same text to
a signed v0 transaction of one swap, without search and without risk (`bench/bot_plain.py`): `plain` as one would write
it with orjson, solders and websockets, `tuned` with a message that is patched, its bytes signed and the garbage
collector off; in memory, and through a loopback WebSocket from the time a notification was intended for, 2,000 a
second, open loop. A row of theirs is a ratio to ours, which is the sum of the two p50s.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from importlib.util import find_spec

from bench.harness import cases, program
from bench.harness.floor import Floors
from bench.harness.program import Record
from bench.harness.result import Case, Floor, Rate, Target, latency, single
from bench.websocket_node import Node

TEXT = "account bytes to signed transaction, beside a plain Python bot"
NEEDED = ("orjson", "solders", "uvloop", "websockets")
BOTS = ("plain", "tuned")
ACCOUNT_BYTES, PER_SECOND = 267, 2000
ROUNDS, TICKS, COUNT, SECONDS = 2, 2000, 4000, 1.0
TICKS_SHORT, COUNT_SHORT, SECONDS_SHORT = 200, 200, 0.1
GAIN = {"tick_to_signed": ("signed on the spot", Target("signing on the spot at least 4 x the plain bot", least=4))}
"""By row of the tick case, what its gain over the plain bot is called, and has to be."""


def _ours(case: Case, floors: Floors, *, short: bool) -> dict[str, Floor]:
    """Measures ours; by row of the tick case, p50 from the text on."""
    from bench.bot_plain import notification

    rounds = range(1 if short else ROUNDS)
    texts = [program.run("notification", [notification(), 500 if short else 20_000]) for _ in rounds]
    ticks = [program.run("tick", [TICKS_SHORT if short else TICKS, 0]) for _ in rounds]
    case.clock = program.clock(ticks[-1])
    division = floors.latest("division")
    decoded = latency(
        "notification",
        [program.histogram(records[0]) for records in texts],
        unit="ps",
        text="the text of an accountNotification to the account's bytes",
        group="ours",
        floor=division,
    )
    case.results.append(decoded)
    found = {}
    for row in GAIN:
        made = [program.histogram(record) for records in ticks for record in records if record.get("case") == row]
        text = "account bytes to signed transaction, through the whole engine"
        case.results.append(latency(row, made, text=text, group="ours", floor=division))
        found[row] = Floor("ours", decoded.value + case.results[-1].value)
    return found


def _theirs(case: Case, ours: Floor, *, short: bool) -> float:
    """Measures theirs; p50 of the plain bot in memory, in nanoseconds."""
    command = [sys.executable, "-m", "bench.bot_plain"]
    node = Node(program.build("websocket"), ACCOUNT_BYTES, PER_SECOND, SECONDS_SHORT if short else SECONDS)
    memory: defaultdict[str, list[Record]] = defaultdict(list)
    through: defaultdict[str, list[list[Record]]] = defaultdict(list)
    for _ in range(1 if short else ROUNDS):
        for bot in BOTS[:1] if short else BOTS:
            memory[bot] += program.records("bot", [*command, bot, "memory", str(COUNT_SHORT if short else COUNT)])
        for bot in BOTS[1:] if short else BOTS:
            through[bot].append(node.received([*command, bot, "websocket"]))
    for bot, records in memory.items():
        made = [program.histogram(record) for record in records]
        text = "the text in memory to the transaction's bytes"
        case.results.append(latency(f"{bot} bot", made, text=text, group="in memory", floor=ours, peer=True))
    for bot, rounds in through.items():
        made = [program.histogram(records[0]) for records in rounds]
        result = latency(f"{bot} bot, websockets", made, group="through a WebSocket", floor=ours, peer=True)
        result.text = "from the time the notification was intended for"
        result.rate = Rate(PER_SECOND, max(records[1]["rate_held"] for records in rounds))
        if all(records[1]["failed"] for records in rounds):
            result.failed = f"the rate was not held: {result.rate.held:,.0f} of {PER_SECOND:,} a second"
        case.results.append(result)
    return min(program.histogram(record).percentile(50) for record in memory["plain"])


def measure(floors: Floors, *, short: bool = False) -> Case:
    """Runs the case."""
    case = Case("bot", TEXT, __doc__ or "")
    lacking = [name for name in NEEDED if not find_spec(name)]
    if lacking:
        raise program.SkippedError(f"{' and '.join(lacking)} not installed (make deps-dev)")
    ours = _ours(case, floors, short=short)
    plain = _theirs(case, next(iter(ours.values())), short=short)
    for row, (name, target) in GAIN.items():
        text = "p50 of the plain bot in memory over ours"
        gain = [plain / ours[row].value]
        case.results.append(single(name, gain, unit="x", group="gain", text=text, targets=[target]))
    return case


if __name__ == "__main__":
    sys.exit(cases.run_one(measure))
