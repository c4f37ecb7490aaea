"""bench bot: an account's change to a signed transaction, ours beside the Python bot that a user would write.

    python -m bench.bot [--short] [--json]

Ours, in C in the same run: `notification`, from the text of a 653-byte accountNotification in memory to the account's
bytes, as the feed takes it (`bench/c/notification.c`), and from there through book, arbitrage search over 1,000 pools,
risk gate, build and sign to the transaction (`bench/c/tick.c`): `tick_to_signed` on the spot, `tick_to_signed_ladder`
where it was signed ahead. Theirs, from the same text to a signed v0 transaction of one swap, without search and without
risk (`bench/bot_plain.py`): `plain` as one would write it with orjson, solders and websockets, `tuned` with a message
that is patched, its bytes signed and the garbage collector off; in memory, and through a loopback WebSocket from the
time a notification was intended for, 2,000 a second, open loop. A gain is the plain bot's p50 in memory over the sum of
our p50s; a row of theirs is a ratio to our sum on the spot.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from importlib.util import find_spec
from typing import Literal

from bench.harness import cases, program
from bench.harness.floor import Floors
from bench.harness.program import Record
from bench.harness.result import Case, Floor, Rate, Target, latency, single
from bench.websocket_node import Node

TEXT = "account bytes to signed transaction, beside a plain Python bot"
NEEDED = ("orjson", "solders", "uvloop", "websockets")
BOTS = ("plain", "tuned")
ACCOUNT_BYTES, PER_SECOND = 267, 2000
ROUNDS, TICKS, COUNT, SECONDS = 5, 2000, 4000, 1.0
TICKS_SHORT, COUNT_SHORT, SECONDS_SHORT = 200, 200, 0.1
ROWS = {
    "notification": "the text of an accountNotification to the account's bytes",
    "tick_to_signed": "account bytes to the transaction, signed on the spot",
    "tick_to_signed_ladder": "account bytes to the transaction that was signed ahead",
}
"""Of `bench/c/notification.c` and `bench/c/tick.c`."""
GAIN = {
    "signed on the spot": ("tick_to_signed", Target("at least 4 x the plain bot", least=4)),
    "signed ahead": ("tick_to_signed_ladder", Target("at least 20 x the plain bot", least=20)),
}
"""What stands behind the notification, and what the plain bot's time over ours has to be."""


def _ours(case: Case, floors: Floors, *, short: bool) -> dict[str, Floor]:
    """Measures ours; by gain, p50 from the text on."""
    from bench.bot_plain import notification

    rounds: list[list[Record]] = []
    for _ in range(1 if short else ROUNDS):
        records = program.run("notification", [notification(), 500 if short else 20_000])
        rounds.append(records + program.run("tick", [TICKS_SHORT if short else TICKS, 0]))
    case.clock = program.clock(rounds[-1])
    for row, text in ROWS.items():
        found = [record for records in rounds for record in records if record.get("case") == row]
        made = [program.histogram(record) for record in found]
        unit: Literal["ns", "ps"] = found[0]["unit"]
        case.results.append(latency(row, made, unit=unit, text=text, group="ours", floor=floors.latest("division")))
    return {
        gain: Floor(f"ours, {gain}", case.find("notification").value + case.find(row).value)
        for gain, (row, _) in GAIN.items()
    }


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
    plain = _theirs(case, ours["signed on the spot"], short=short)
    for gain, (_, target) in GAIN.items():
        text = "p50 of the plain bot in memory over the sum of ours"
        made = single(gain, [plain / ours[gain].value], unit="x", group="gain", text=text, targets=[target])
        case.results.append(made)
    return case


if __name__ == "__main__":
    sys.exit(cases.run_one(measure))
