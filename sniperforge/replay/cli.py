"""`sniperforge replay`: a recorded run once more through the same bots, as fast as the machine can."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from ipc.errors import CoreError
from ipc.link import Message
from sniperforge import config, exits, options
from sniperforge.journal import Record
from sniperforge.journal.cli import add_directory, find_directory
from sniperforge.journal.records import KIND_NAMES, decode
from sniperforge.replay.recording import NoSuchBot, Recording, ReplayError
from sniperforge.replay.runner import Difference, Result, replay
from sniperforge.replay.summary import Summary, summarize
from sniperforge.tiles.strategies import StrategyError

_BAR = 30


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sniperforge replay",
        description=__doc__,
        epilog="Exit code 0: the bots wanted the same, byte for byte; 5: they did not.",
    )
    add_directory(parser)
    parser.add_argument("--run", metavar="N", type=options.run_number, help="this run (default: the last)")
    parser.add_argument("--bot", metavar="NAME", action="append", help="only this bot; may be repeated")
    parser.add_argument(
        "--from",
        dest="source",
        choices=("raw", "market"),
        default="raw",
        help="what to begin with: the chain's bytes, or the recorded market, which is many times faster (default: raw)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


class ProgressBar:
    """One line on a terminal, drawn at most every `refresh_ms`; nothing elsewhere."""

    def __init__(self, recorded_seconds: float, refresh_ms: int) -> None:
        self._seconds = recorded_seconds
        self._period = refresh_ms / 1000
        self._begin = self._drawn = time.monotonic()
        self._on = sys.stderr.isatty()

    def __call__(self, share: float) -> None:
        now = time.monotonic()
        if not self._on or (now - self._drawn < self._period and share < 1):
            return
        self._drawn = now
        full = int(share * _BAR)
        speed = share * self._seconds / max(now - self._begin, 1e-9)
        sys.stderr.write(f"\rreplay [{'#' * full}{'.' * (_BAR - full)}] {share:4.0%}  {speed:8.1f}x real time ")
        sys.stderr.flush()

    def close(self) -> None:
        """Takes the line away."""
        if self._on:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


def _plain(message: Record | Message) -> dict[str, Any]:
    head = {"kind": KIND_NAMES.get(message.kind, message.kind), "seq": message.seq, "tag": message.tag}
    return {**head, "t_origin": message.t_origin, "payload": decode(message.kind, message.payload)}


def as_dict(result: Result, summary: Summary) -> dict[str, Any]:
    """The whole outcome as plain data."""
    difference = None
    if result.difference is not None:
        at: Difference = result.difference
        sides = {"recorded": _plain(at.recorded), "replayed": _plain(at.replayed)}
        difference = {"link": at.link, "seq": at.seq, **sides}
    return {
        "run": result.run,
        "identical": result.identical,
        "difference": difference,
        "bots": msgspec.to_builtins(result.bots),
        "raw_messages": result.raw,
        "market_messages": result.market,
        "intents": result.intents,
        "recorded_seconds": round(result.recorded_seconds, 6),
        "seconds": round(result.seconds, 6),
        "load_seconds": round(result.load_seconds, 6),
        "speed": round(result.speed, 2),
        "events_per_second": round(result.events_per_second),
        "journal_end": result.end,
        "fills": summary.as_dict(),
    }


def _sol(lamports: int) -> str:
    sign = "-" if lamports < 0 else ""
    return f"{sign}{abs(lamports) // 10**9}.{abs(lamports) % 10**9:09} SOL"


def as_text(result: Result, summary: Summary) -> str:
    """The outcome for a person."""
    lines = []
    if result.difference is not None:
        at = result.difference
        lines += [f"DIFFERENT at {at.link}[{at.seq}]", f"  recorded {_plain(at.recorded)}"]
        lines += [f"  replayed {_plain(at.replayed)}"]
    for bot in result.bots:
        notes = f", {bot.missing} NOT MADE AGAIN" if bot.missing else ""
        notes += f", {bot.beyond} intents beyond the end of the recording" if bot.beyond else ""
        notes += f", {bot.lost_input} without their input in the journal" if bot.lost_input else ""
        lines.append(f"{bot.link}: {bot.matched} of {bot.recorded} messages the same, {bot.intents} intents{notes}")
    if result.end:
        lines.append(f"the readable journal ends: {result.end}")
    mark = " (simulated)" if summary.simulated else ""
    latency = ", ".join(f"{name} {value / 1000:.1f} ms" for name, value in summary.latency_us.items()) or "-"
    rows = [
        ("run", f"{result.run}, {result.recorded_seconds:.1f} s recorded"),
        ("intents", f"{result.intents}, {'identical' if result.identical else 'DIFFERENT'}"),
        (
            "fills",
            f"{summary.fills}: {summary.landed} landed, {summary.reverted} reverted, {summary.expired} expired, "
            f"{summary.dropped} dropped{mark}",
        ),
        ("result", f"{_sol(summary.profit_lamports)} after fees and tips"),
        ("fees", f"{_sol(summary.fee_lamports)}, tips {_sol(summary.tip_lamports)}"),
        ("hit rate", f"{summary.hit_rate:.1%} ({summary.profitable} profitable)"),
        ("drawdown", _sol(summary.drawdown_lamports)),
        ("latency", f"{latency} (account bytes to confirmation)"),
        (
            "speed",
            f"{result.speed:.1f}x real time, {result.events_per_second:,.0f} events/s "
            f"({result.events} in {result.seconds:.3f} s, {result.load_seconds:.3f} s to load them)",
        ),
    ]
    return "\n".join([*lines, *(f"  {name:<9} {value}" for name, value in rows)])


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        recording = Recording.open(find_directory(arguments), arguments.run, arguments.bot)
        bar = ProgressBar(recording.seconds, recording.config.replay.refresh_ms)
        try:
            result = replay(recording, progress=bar, source=arguments.source)
        finally:
            bar.close()
        summary = summarize(recording)
    except (config.ConfigError, NoSuchBot, StrategyError) as error:
        print(error, file=sys.stderr)
        return exits.USAGE
    except (ReplayError, CoreError) as error:
        print(error, file=sys.stderr)
        return exits.FAILED
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    print(msgspec.json.encode(as_dict(result, summary)).decode() if arguments.json else as_text(result, summary))
    return exits.OK if result.identical else exits.DIFFERENT
