"""`sniperforge monitor`: the instance as it is now, drawn again and again; reads shared memory only.

On a terminal it is a live view, elsewhere one line a period.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sniperforge.journal.records import VENUES
from sniperforge.report import line, nonces_text
from sniperforge.text import amount, short_count, short_ns

Status = dict[str, Any]

#: columns from which tables stand side by side
_TWO_COLUMNS = 230

_STATE_STYLE = {"run": "green", "boot": "yellow", "halt": "yellow", "fail": "bold red", "done": "dim", "new": "dim"}


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)


def _rate(now: Status, before: Status | None, tile: str, key: str) -> str:
    if before is None:
        return "-"
    seconds = (now["time_ns"] - before["time_ns"]) / 1e9
    then = next((item for item in before["tiles"] if item["name"] == tile), None)
    current = next(item for item in now["tiles"] if item["name"] == tile)
    if then is None or seconds <= 0 or current[key] < then[key]:
        return "-"
    return short_count((current[key] - then[key]) / seconds)


def _tiles(now: Status, before: Status | None) -> Table:
    table = _table("tiles")
    for name in ("tile", "group", "core", "state", "beat", "turn p50", "p99", "in/s", "out/s", "back-pr.", "lost"):
        table.add_column(name, justify="left" if name in ("tile", "group", "state") else "right", no_wrap=True)
    for tile in now["tiles"]:
        table.add_row(
            tile["name"],
            tile["group"],
            "-" if tile["core"] is None else str(tile["core"]),
            Text(tile["state"], style=_STATE_STYLE.get(tile["state"], "")),
            short_ns(tile["heartbeat_age_ns"] if tile["state"] == "run" else None),
            short_ns(tile["turn"]["p50_ns"]),
            short_ns(tile["turn"]["p99_ns"]),
            _rate(now, before, tile["name"], "messages_in"),
            _rate(now, before, tile["name"], "messages_out"),
            short_count(tile["backpressure_turns"]),
            short_count(tile["overrun_messages"]),
        )
    return table


def _links(now: Status) -> Table:
    table = _table("links")
    for name in ("link", "producer", "seq", "consumers (lag, lost)"):
        table.add_column(name, justify="right" if name == "seq" else "left", no_wrap=name != "consumers (lag, lost)")
    for link in now["links"]:
        consumers = []
        for consumer in link["consumers"]:
            lost = f", lost {short_count(consumer['lost'])}" if consumer["lost"] else ""
            mark = "" if consumer["reliable"] else "~"
            consumers.append(f"{consumer['tile']}{mark} {short_count(consumer['lag'])}{lost}")
        table.add_row(link["name"], link["producer"], str(link["published"]), ", ".join(consumers))
    return table


def _latency(now: Status) -> Table:
    table = _table("latency by stage")
    for name in ("tile", "own p50", "p90", "p99", "p99.9", "since origin p50", "p99"):
        table.add_column(name, justify="left" if name == "tile" else "right", no_wrap=True)
    for tile in now["tiles"]:
        if tile["stage"]["count"]:
            stage, origin = tile["stage"], tile["origin"]
            table.add_row(
                tile["name"],
                *(short_ns(stage[key]) for key in ("p50_ns", "p90_ns", "p99_ns", "p999_ns")),
                *(short_ns(origin[key] if origin["count"] else None) for key in ("p50_ns", "p99_ns")),
            )
    return table


def _bots(now: Status) -> Table:
    ladder = now["ladder"]
    notes = [f"{ladder['hits']} of {ladder['orders']} orders signed ahead"] if ladder["orders"] else []
    notes += [nonces] if (nonces := nonces_text(now)) else []
    table = _table(f"bots ({'; '.join(notes)})" if notes else "bots")
    for name in (
        "bot",
        "state",
        "intents",
        "orders",
        "denied",
        "landed",
        "profitable",
        "reverted",
        "expired",
        "dropped",
        "SOL",
    ):
        table.add_column(name, justify="left" if name in ("bot", "state") else "right", no_wrap=True)
    for bot in now["bots"]:
        table.add_row(
            bot["name"],
            "running" if bot["running"] else "stopped",
            *(
                short_count(bot[key])
                for key in ("intents", "orders", "denied", "landed", "profitable", "reverted", "expired", "dropped")
            ),
            amount(bot["profit_lamports"], 9),
        )
    return table


def _positions(now: Status) -> Table:
    table = _table("positions")
    for name in ("mint", "balance", "reserved", "booked", "today", "fills"):
        table.add_column(name, justify="left" if name == "mint" else "right", no_wrap=True)
    for row in now["positions"]:
        places = row["decimals"]
        table.add_row(
            row["mint"][:12] + "…",
            *(amount(row[key], places) for key in ("balance", "reserved", "booked", "booked_today")),
            str(row["fills"]),
        )
    return table


def _pools(now: Status, most: int) -> Table:
    table = _table(f"pools ({len(now['pools'])}, latest)")
    for name in ("pool", "reserve a", "reserve b", "venue", "slot", "state"):
        table.add_column(name, justify="left" if name in ("pool", "state") else "right", no_wrap=True)
    latest = sorted(now["pools"], key=lambda pool: (-pool["market_seq"], pool["row"]))[:most]
    for pool in latest:
        table.add_row(
            pool["address"][:12] + "…",
            amount(pool["reserve_a"], pool["decimals_a"]),
            amount(pool["reserve_b"], pool["decimals_b"]),
            VENUES.get(pool["venue"], str(pool["venue"])),
            str(pool["slot"]),
            "stale" if pool["stale"] else "disabled" if pool["disabled"] else "ok",
        )
    return table


def _events(now: Status) -> RenderableType:
    lines = [f"{event['event']}: {event['detail']}" for event in now["events"][-6:]]
    return Text("last events\n" + "\n".join(lines) if lines else "last events: none", style="dim")


def render(now: Status, before: Status | None, width: int) -> RenderableType:
    """The whole view of status `now`, what matters most on top; rates against `before`.

    Args:
        width: columns of the terminal; a wide one gets two columns of tables.
    """
    head = Text(line(now), style="bold")
    left = (_tiles(now, before), _bots(now), _latency(now))
    right = (_links(now), _positions(now), _pools(now, 8))
    if width < _TWO_COLUMNS:
        return Group(head, _events(now), *left, *right)
    both = Table.grid(expand=True, padding=(0, 2))
    both.add_column(ratio=1)
    both.add_column(ratio=1)
    both.add_row(Group(*left), Group(*right))
    return Group(head, _events(now), both)


_LOOK_S = 0.05  #: longest time until Ctrl-C is seen


def watch(read: Callable[[], Status | None], *, period_s: float, count: int | None, as_json: bool) -> int:
    """Draws until Ctrl-C; returns how many views had an instance to show.

    Args:
        read: the status now, or None while the instance is not there.
        period_s: seconds between two views.
        count: stop after so many views; None = until Ctrl-C.
        as_json: one JSON object a line instead of a view.
    """
    stop: list[int] = []  # an exception can be lost where it is raised: within a callback of the interpreter
    former = signal.signal(signal.SIGINT, lambda number, _: stop.append(number))
    drawn = seen = 0
    before: Status | None = None
    console = Console()
    live = console.is_terminal and not as_json
    view = Live(console=console, screen=True, auto_refresh=False) if live else None
    if view is not None:
        view.start()
    try:
        while not stop and (count is None or drawn < count):
            now = read()
            seen += now is not None
            if view is not None:
                content = render(now, before, console.width) if now is not None else Text("waiting for the instance…")
                view.update(content, refresh=True)
            elif now is not None:
                print(json.dumps(now) if as_json else line(now), flush=True)
            else:
                print("waiting for the instance…", file=sys.stderr, flush=True)
            before = now
            drawn += 1
            if count is None or drawn < count:
                until = time.monotonic() + period_s
                while not stop and time.monotonic() < until:
                    time.sleep(min(period_s, _LOOK_S))
    finally:
        signal.signal(signal.SIGINT, former)
        if view is not None:
            view.stop()
    return seen
