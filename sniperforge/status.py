"""The state of an instance as plain data: what `status`, `monitor` and the telemetry show.

Everything comes from shared memory and `/proc`; nothing is asked of anybody.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt
from solders.pubkey import Pubkey

from ipc._core import lib
from ipc.histogram import Histogram
from ipc.views import Instance, now_ns
from sniperforge.commands import LIMITS
from sniperforge.journal.records import DENY_NAMES
from sniperforge.processes import alive, proportional_bytes

#: tiles whose processes are the hot path, for the memory figure
HOT_KINDS = frozenset({"feed", "book", "arb", "risk", "build", "sign", "send", "journal"})

Rows = npt.NDArray[np.void]


def _histogram(histogram: Histogram) -> dict[str, int]:
    return {
        "count": histogram.count,
        "p50_ns": histogram.quantile(0.5),
        "p90_ns": histogram.quantile(0.9),
        "p99_ns": histogram.quantile(0.99),
        "p999_ns": histogram.quantile(0.999),
        "max_ns": histogram.max,
    }


def _tiles(instance: Instance, now: int) -> list[dict[str, Any]]:
    tiles = []
    for name, tile in instance.tiles.items():
        if tile.runs == "external":
            continue
        cnc = instance.cnc(name)
        values = cnc.values()
        own = dict(list(values.items())[7:])
        tiles.append(
            {
                "name": name,
                "kind": tile.kind,
                "group": tile.group,
                "wait": instance.groups[tile.group].wait,
                "core": cnc.core,
                "pid": cnc.pid,
                "state": cnc.state,
                "error": cnc.error,
                "heartbeat_age_ns": max(now - cnc.heartbeat_ns, 0),
                "turn": _histogram(cnc.histogram("turn")),
                "stage": _histogram(cnc.histogram("stage")),
                "origin": _histogram(cnc.histogram("origin")),
                **{
                    key: values.get(key, 0)
                    for key in ("messages_in", "messages_out", "overrun_messages", "backpressure_turns", "turns")
                },
                "counters": own,
            }
        )
    return tiles


def _ladder(tiles: list[dict[str, Any]]) -> dict[str, int]:
    """Orders since the start that could have been signed ahead, and those that were (docs/signing.md)."""
    counters = [tile["counters"] for tile in tiles if tile["kind"] == "build"]
    return {key: sum(each.get(f"ladder_{key}", 0) for each in counters) for key in ("orders", "hits")}


def _nonces(tiles: list[dict[str, Any]]) -> dict[str, int]:
    """The pool of nonces (docs/signing.md): its size (0: off), how many are ready, how many were dropped because the
    machine may have been resumed, and signatures that found one ready (hits) or were made without (misses)."""
    counters = [tile["counters"] for tile in tiles if tile["kind"] == "sign"]
    keys = {
        "slots": "nonce_slots",
        "ready": "nonces_ready",
        "dropped": "nonces_dropped",
        "hits": "nonce_hits",
        "misses": "nonce_misses",
    }
    return {name: sum(each.get(key, 0) for each in counters) for name, key in keys.items()}


def _links(instance: Instance) -> list[dict[str, Any]]:
    links = []
    for name in instance.link_names:
        link = instance.link(name)
        links.append(
            {
                "name": name,
                "producer": link.producer,
                "published": link.published,
                "depth": link.depth,
                "backpressure_turns": link.backpressure_turns,
                "consumers": [
                    {"tile": edge.consumer, "reliable": edge.reliable, "lag": edge.lag, "lost": edge.lost}
                    for edge in link.edges()
                ],
            }
        )
    return links


def _rows(instance: Instance, table: str) -> Rows:
    if table not in instance.table_names:
        return np.zeros(0, np.void)
    return instance.table(table).read_all()


def _address(raw: Any) -> str:
    return str(Pubkey.from_bytes(bytes(raw)))


def _pools(rows: Rows, tokens: Rows) -> list[dict[str, Any]]:
    def decimals(token: int) -> int:
        return int(tokens[token]["decimals"]) if token < len(tokens) else 0

    return [
        {
            "row": number,
            "address": _address(row["pool"]),
            "venue": int(row["update"]["venue"]),
            "slot": int(row["update"]["slot"]),
            "reserve_a": int(row["update"]["reserve"][0]),
            "reserve_b": int(row["update"]["reserve"][1]),
            "mint_a": _address(row["mint_a"]),
            "mint_b": _address(row["mint_b"]),
            "decimals_a": decimals(int(row["update"]["token_a"])),
            "decimals_b": decimals(int(row["update"]["token_b"])),
            "disabled": bool(row["update"]["flags"] & lib.SF_POOL_DISABLED),
            "stale": bool(row["stale"]),
            "market_seq": int(row["market_seq"]),
        }
        for number, row in enumerate(rows)
        if row["update"]["venue"]
    ]


def _positions(rows: Rows, tokens: Rows) -> list[dict[str, Any]]:
    return [
        {
            "token": number,
            "mint": _address(row["mint"]),
            "decimals": int(tokens[number]["decimals"]) if number < len(tokens) else 0,
            "balance": int(row["balance"]),
            "reserved": int(row["reserved"]),
            "booked": int(row["booked"]),
            "booked_today": int(row["booked_today"]),
            "fills": int(row["fills"]),
            "reverted": int(row["reverted"]),
        }
        for number, row in enumerate(rows)
        if row["lock"] and (row["balance"] or row["fills"] or row["reserved"])
    ]


_BOT_KEYS = (
    "intents",
    "orders",
    "denied",
    "landed",
    "reverted",
    "expired",
    "dropped",
    "profitable",
    "profit_lamports",
    "fee_lamports",
)
_LIMIT_KEYS = (*LIMITS, "open_lamports", "open_orders", "today_lamports", "today_fee_lamports")


def _bots(rows: Rows) -> list[dict[str, Any]]:
    return [
        {"number": number, "name": row["name"].decode(), "running": bool(row["running"])}
        | {key: int(row[key]) for key in _BOT_KEYS}
        | {"last_reason": DENY_NAMES.get(int(row["last_reason"]), "")}
        for number, row in enumerate(rows)
        if row["name"]
    ]


def _chain(rows: Rows) -> dict[str, Any]:
    if not len(rows):
        return {"slot": 0, "block_height": 0, "wallet_lamports": 0, "unhealthy": False}
    row = rows[0]
    return {
        "slot": int(row["slot"]),
        "block_height": int(row["block_height"]),
        "last_valid_block_height": int(row["last_valid_block_height"]),
        "wallet_lamports": int(row["wallet_lamports"]),
        "unhealthy": bool(row["unhealthy"]),
    }


def _events(rows: Rows) -> list[dict[str, Any]]:
    written = [row for row in rows if row["lock"]]
    written.sort(key=lambda row: int(row["number"]))
    events = []
    for row in written:
        event, _, detail = row["text"].decode(errors="replace").partition(": ")
        events.append({"number": int(row["number"]), "time_ns": int(row["time_ns"]), "event": event, "detail": detail})
    return events


def _memory(instance: Instance) -> dict[str, Any]:
    """Proportional set sizes by process, shared workspaces left out, and what the workspaces take."""
    processes: dict[int, list[str]] = {}
    hot: set[int] = set()
    for name, tile in instance.tiles.items():
        if tile.runs == "external":
            continue
        pid = instance.cnc(name).pid
        processes.setdefault(pid, []).append(name)
        if tile.kind in HOT_KINDS:
            hot.add(pid)
    shared = str(instance.directory)
    sizes = {pid: proportional_bytes(pid, without=shared) for pid in processes if pid}
    workspaces = sum(path.stat().st_size for path in instance.directory.iterdir() if path.is_file())
    return {
        "hot_path_bytes": sum(size for pid, size in sizes.items() if pid in hot),
        "workspace_bytes": workspaces,
        "processes": [
            {"pid": pid, "tiles": names, "hot": pid in hot, "bytes": sizes.get(pid, 0)}
            for pid, names in processes.items()
        ],
    }


def collect(instance: Instance, *, memory: bool) -> dict[str, Any]:
    """The status of `instance`; `memory` adds the memory figures, which cost some milliseconds.

    Amounts are base units, durations nanoseconds, `time_ns` CLOCK_REALTIME.
    """
    now = now_ns()
    control = instance.control
    tokens = _rows(instance, "tokens")
    limits = _rows(instance, "limits")
    return {
        "instance": instance.name,
        "time_ns": time.time_ns(),
        "run": control.run,
        "state_dir": str(instance.state_dir),
        "supervisor": {
            "pid": control.supervisor_pid,
            "alive": alive(control.supervisor_pid),
            "heartbeat_age_ns": max(now - control.heartbeat_ns, 0),
        },
        "uptime_s": (time.time_ns() - control.created_ns) / 1e9,
        "kill": {"level": control.kill, "by": control.kill_by},
        "trading": control.trading and control.kill == "run",
        "tiles": (tiles := _tiles(instance, now)),
        "ladder": _ladder(tiles),
        "nonces": _nonces(tiles),
        "groups": [
            {"name": name, "wait": group.wait, "wait_asked": group.wait_asked, "core": group.core}
            for name, group in instance.groups.items()
        ],
        "links": _links(instance),
        "chain": _chain(_rows(instance, "chain")),
        "pools": _pools(_rows(instance, "pools"), tokens),
        "bots": _bots(_rows(instance, "bots")),
        "positions": _positions(_rows(instance, "positions"), tokens),
        "limits": {key: int(limits[0][key]) for key in _LIMIT_KEYS} if len(limits) else {},
        "events": _events(_rows(instance, "events")),
    } | ({"memory": _memory(instance)} if memory else {})


def healthy(status: dict[str, Any]) -> bool:
    """Whether the supervisor lives and every tile runs."""
    return bool(status["supervisor"]["alive"]) and all(tile["state"] == "run" for tile in status["tiles"])
