"""A recording to replay: book and the journal, as they run in the engine, over a made market of two pools of one pair.

Each swap is three account messages (Raydium CPMM: the pool and its vaults) of which book makes one market message of
656 bytes. Every hundredth opens a gap between the pools that is worth an order; it is closed by the next swap.
"""

from __future__ import annotations

import os
import random
import struct
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
from solders.pubkey import Pubkey

from ipc._core import ffi, lib
from ipc.errors import check
from ipc.topology import Topology
from sniperforge.config import Config, load, to_builtins
from sniperforge.params import tile_params
from sniperforge.state import StateDirectory
from tests.replay.recorder import Market

GAP_EVERY = 100
_SLOT_AT = ffi.offsetof("sf_raw_account_t", "slot")
_AMOUNT_AT = ffi.sizeof("sf_raw_account_t") + 64  # of a token account
_STEPS = 100


class _Endpoints:
    websocket_url = "ws://127.0.0.1:1"
    rpc_url = "http://127.0.0.1:1"
    simulated = True


class _Pool:
    """The accounts of a pool, with slot and amounts to be filled in."""

    def __init__(self, market: Market, number: int) -> None:
        self.reserves = market.reserves[number]
        keys = market.keys[number]
        vaults = [bytes(vault) for vault in keys.vaults]
        found = {payload[:32]: bytearray(payload) for payload in market.snapshot()}
        self._pool, self._vaults = found[bytes(keys.pool)], [found[vault] for vault in vaults]
        for payload in (self._pool, *self._vaults):
            struct.pack_into("<I", payload, ffi.offsetof("sf_raw_account_t", "flags"), lib.SF_RAW_SIMULATED)

    def swapped(self, slot: int, factor: float) -> list[bytearray]:
        """Its accounts in this slot with its price `factor` squared times what it was at first."""
        amounts = int(self.reserves[0] * factor), int(self.reserves[1] / factor)
        struct.pack_into("<Q", self._pool, _SLOT_AT, slot)
        for vault, amount in zip(self._vaults, amounts, strict=True):
            struct.pack_into("<Q", vault, _SLOT_AT, slot)
            struct.pack_into("<Q", vault, _AMOUNT_AT, amount)
        return [self._pool, *self._vaults]


def _topology(config: Config, params: Any, state: StateDirectory) -> Topology:
    links, tables = config.topology.links, config.topology.tables
    topology = Topology(state_dir=state.path)
    topology.group("all", wait="yield")
    topology.tile("feed", kind="feed", group=None)
    for name in ("book", "journal"):
        topology.tile(name, kind=name, group="all", params=params[name], burst=config.topology.tiles[name].burst)
    for link, producer in (("raw", "feed"), ("market", "book")):
        topology.link(link, producer=producer, depth=links[link].depth, slot_bytes=links[link].slot_bytes)
        topology.edge(link, consumer="journal")
    topology.edge("raw", consumer="book")
    for table, writer in (("tokens", "book"), ("pools", "book"), ("durable", "journal")):
        topology.table(table, writer=writer, layout=tables[table].row, rows=tables[table].rows)
    return topology


def record(state_dir: Path, name: str, swaps: int) -> Path:
    """Records so many swaps in an instance of this name, and returns the journal's directory."""
    settings = [
        f"instance.state_dir={state_dir}",
        "topology.huge_pages=false",
        "topology.lock_memory=false",
        "bots.arb.min_profit_lamports=1",
        "bots.arb.cooldown_slots=0",
    ]
    config = load([], settings)
    state = StateDirectory(state_dir)
    endpoints: Any = _Endpoints()
    params = tile_params(config, endpoints, str(Pubkey.default()), state, passphrase_fd=-1)
    state.journal_path.mkdir(exist_ok=True)
    tiles = {tile: {key: str(value) for key, value in each.items()} for tile, each in params.items()}
    about = {"run": 1, "time_ns": 0, "config": to_builtins(config), "tiles": tiles}
    (state.journal_path / "1.config.json").write_bytes(msgspec.json.encode(about))
    with ExitStack() as stack:
        instance = _topology(config, params, state).create(name)
        stack.callback(instance.remove)
        for tile in instance.tiles:
            instance.map_writable(tile)
        instance.control.start_run(1, supervisor_pid=os.getpid())
        raw = stack.enter_context(instance.link("raw").produce())
        box = ffi.new("sf_group_t **")
        check(lib.sf_group_open(box, instance.pointer, instance.groups["all"].index))
        stack.callback(lib.sf_group_close, box[0])
        check(lib.sf_group_boot(box[0]))

        def send(payloads: list[Any]) -> None:
            for payload in payloads:
                raw.send(lib.SF_MSG_ACCOUNT, payload, t_origin=1)
            if raw.credit < 2 * len(payloads) + 64:
                check(lib.ipc_group_steps(box[0], _STEPS))

        chosen = random.Random(1)
        market = Market(chosen, 2, mints=2)
        market.reserves[:] = [[10**13, 10**13], [2 * 10**13, 2 * 10**13]]
        send(market.snapshot())
        pools = [_Pool(market, number) for number in range(2)]
        for number in range(swaps):
            factor = 1.015 if number % GAP_EVERY == GAP_EVERY - 1 else 1 + chosen.random() / 10_000
            send(pools[number // 2 % 2 if number % GAP_EVERY else (number - 1) // 2 % 2].swapped(200 + number, factor))
        check(lib.ipc_group_steps(box[0], 10 * _STEPS))
        lib.sf_group_finish(box[0])
    return state.journal_path
