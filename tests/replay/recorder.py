"""Records a run in this thread: a made-up market goes through the real book, bots and journal, and something that
answers their intents with fills and denials at random moments.

Turns are given to the tiles in random order and number, so that the order in which a bot sees its in-links, and how
many messages of `market` overrun it, is never twice the same.
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
from ipc.link import Consumer, Producer
from ipc.tile import Tile
from ipc.topology import Topology
from ipc.views import Instance, now_ns
from sniperforge.config import Config, load, to_builtins
from sniperforge.groups import tile_class
from sniperforge.params import tile_params
from sniperforge.simnet import cpmm_accounts as cpmm
from sniperforge.state import StateDirectory

WSOL = Pubkey.from_string("So11111111111111111111111111111111111111112")
USDC = Pubkey.from_string("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")
TOKEN = cpmm.TOKEN_PROGRAM_ID


def raw_account(pubkey: Pubkey, owner: Pubkey, data: bytes, slot: int, flags: int) -> bytes:
    """The payload of SF_MSG_ACCOUNT."""
    fields = {
        "pubkey": bytes(pubkey),
        "owner": bytes(owner),
        "slot": slot,
        "lamports": 1,
        "data_len": len(data),
        "flags": flags,
    }
    return bytes(ffi.buffer(ffi.new("sf_raw_account_t *", fields))) + data


def token_account(mint: Pubkey, owner: Pubkey, amount: int) -> bytes:
    return (bytes(mint) + bytes(owner) + struct.pack("<Q", amount)).ljust(108, b"\0") + b"\1".ljust(57, b"\0")


def mint_account(decimals: int) -> bytes:
    return bytes(44) + bytes([decimals, 1]) + bytes(36)


class Market:
    """Constant-product pools over a few mints, whose reserves wander."""

    def __init__(self, rng: random.Random, pools: int, mints: int) -> None:
        self._rng = rng
        self.slot = 100
        self.open_time = [0] * pools
        """Unix seconds from which on the program takes swaps on a pool."""
        self._config = cpmm.config_address(0)
        self.mints = [WSOL, USDC, *(Pubkey.from_bytes(bytes([7]) + rng.randbytes(31)) for _ in range(mints - 2))]
        pairs = [(a, b) for a in range(mints) for b in range(a)]
        self.keys = []
        for number in range(pools):
            a, b = pairs[number % len(pairs)]
            config = cpmm.config_address(number // len(pairs))
            self.keys.append(cpmm.derive_pool(config=config, mints=(self.mints[a], self.mints[b])))
        self.reserves = [[rng.randrange(10**12, 2 * 10**12) for _ in range(2)] for _ in range(pools)]

    def snapshot(self) -> list[bytes]:
        """All accounts, in the order of a consistent read."""
        flags = lib.SF_RAW_SNAPSHOT | lib.SF_RAW_SIMULATED
        found = [self._state(pool, flags) for pool in range(len(self.keys))]
        found += self.configs(2500, flags)
        for pool in range(len(self.keys)):
            found += [self._vault(pool, side, flags) for side in range(2)]
        found += [raw_account(mint, TOKEN, mint_account(9), self.slot, flags) for mint in self.mints]
        return found

    def configs(self, trade_fee_rate: int, flags: int = 0) -> list[bytes]:
        """The configs, with this trade fee."""
        data = cpmm.config_data(
            index=0, trade_fee_rate=trade_fee_rate, protocol_fee_rate=0, fund_fee_rate=0, creator_fee_rate=0
        )
        flags |= lib.SF_RAW_SIMULATED
        configs = sorted({keys.config for keys in self.keys}, key=bytes)
        return [raw_account(config, cpmm.PROGRAM_ID, data, self.slot, flags) for config in configs]

    def trade(self) -> list[bytes]:
        """One pool's accounts after a trade."""
        pool = self._rng.randrange(len(self.keys))
        side = self._rng.randrange(2)
        reserves = self.reserves[pool]
        amount = reserves[side] * self._rng.randrange(1, 200) // 10_000
        out = reserves[1 - side] * amount // (reserves[side] + amount)
        reserves[side] += amount
        reserves[1 - side] -= out
        accounts = [self._state(pool, 0), self._vault(pool, 0, 0), self._vault(pool, 1, 0)]
        self._rng.shuffle(accounts)
        return accounts

    def _state(self, pool: int, flags: int) -> bytes:
        data = cpmm.pool_data(self.keys[pool], decimals=(9, 9), lp_supply=10**9, open_time=self.open_time[pool])
        return raw_account(self.keys[pool].pool, cpmm.PROGRAM_ID, data, self.slot, flags | lib.SF_RAW_SIMULATED)

    def _vault(self, pool: int, side: int, flags: int) -> bytes:
        keys = self.keys[pool]
        data = token_account(keys.mints[side], cpmm.AUTHORITY, self.reserves[pool][side])
        return raw_account(keys.vaults[side], TOKEN, data, self.slot, flags | lib.SF_RAW_SIMULATED)


def slot_message(slot: int) -> bytes:
    return bytes(ffi.buffer(ffi.new("sf_raw_slot_t *", {"slot": slot, "parent": slot - 1})))


def configuration(state_dir: Path, market_depth: int) -> Config:
    settings = [
        f"instance.state_dir={state_dir}",
        f"topology.links.market.depth={market_depth}",
        "topology.huge_pages=false",
        "topology.lock_memory=false",
        "journal.segment_bytes=4194304",
        "bots.arb.min_profit_lamports=1",
    ]
    return load([], settings)


class Recorder:
    """One recording.  `run` makes it; the journal is then in `journal`.

    Args:
        python_share: how often the Python bots get a turn; the smaller, the more of `market` they lose.
    """

    def __init__(
        self,
        state_dir: Path,
        name: str,
        *,
        seed: int,
        pools: int = 12,
        mints: int = 5,
        market_depth: int = 4096,
        python_share: float = 0.6,
    ) -> None:
        self._rng = random.Random(seed)
        self.state = StateDirectory(state_dir)
        self.journal = self.state.journal_path
        self.config = configuration(state_dir, market_depth)
        self._name = name
        self._market = Market(self._rng, pools, mints=mints)
        endpoints: Any = _Endpoints()
        self._params = tile_params(self.config, endpoints, str(Pubkey.default()), self.state, passphrase_fd=-1)
        self._python_share = python_share
        self._intents = 0
        self.orders = 0

    def opens_at(self, pool: int, unix_seconds: int) -> None:
        """Lets a pool of the market open only then."""
        self._market.open_time[pool] = unix_seconds

    def run(self, trades: int, *, resets: bool = False, fees: bool = False) -> None:
        """Records so many trades; with `resets` the feed loses its connection now and then, with `fees` they change."""
        record = {
            "run": 1,
            "time_ns": 0,
            "config": to_builtins(self.config),
            "tiles": {tile: {key: str(value) for key, value in v.items()} for tile, v in self._params.items()},
        }
        instance = self._topology().create(self._name)
        (self.journal).mkdir(exist_ok=True)
        (self.journal / "1.config.json").write_bytes(msgspec.json.encode(record))
        try:
            with ExitStack() as stack:
                self._record(instance, stack, trades, resets, fees)
        finally:
            instance.remove()

    def _topology(self) -> Topology:
        section = self.config.topology
        topology = Topology(state_dir=self.state.path)
        for group in ("book", "arb", "journal"):
            topology.group(group, wait="yield")
        topology.group("python", wait="yield", python=True)
        topology.tile("feed", kind="feed", group=None)
        for name in ("book", "arb", "strategies", "journal"):
            group = "python" if name == "strategies" else name
            burst = section.tiles[name].burst
            topology.tile(name, kind=name, group=group, params=self._params.get(name), burst=burst)
        topology.tile("chain", kind="chain", group=None)
        producers = {"raw": "feed", "market": "book", "fill": "chain", "denied": "chain"}
        producers |= {"intent.arb": "arb", "intent.strategies": "strategies"}
        for link, producer in producers.items():
            shape = section.links[link]
            topology.link(link, producer=producer, depth=shape.depth, slot_bytes=shape.slot_bytes)
        topology.edge("raw", consumer="book")
        for name in ("arb", "strategies", "journal"):
            for port in section.tiles[name].in_:
                link = port.removesuffix("~")
                if link in producers:
                    topology.edge(link, consumer=name, reliable=not port.endswith("~"))
        for link in ("intent.arb", "intent.strategies"):
            topology.edge(link, consumer="chain")
        for table, writer in (("tokens", "book"), ("pools", "book"), ("durable", "journal")):
            shape_of = section.tables[table]
            topology.table(table, writer=writer, layout=shape_of.row, rows=shape_of.rows)
        return topology

    def _record(self, instance: Instance, stack: ExitStack, trades: int, resets: bool, fees: bool) -> None:
        for tile in instance.tiles:
            instance.map_writable(tile)
        instance.control.start_run(1, supervisor_pid=os.getpid())
        raw = stack.enter_context(instance.link("raw").produce())
        fill = stack.enter_context(instance.link("fill").produce())
        denied = stack.enter_context(instance.link("denied").produce())
        wanted = [stack.enter_context(instance.link(f"intent.{bot}").consume("chain")) for bot in ("arb", "strategies")]
        groups = {name: _open_group(instance, name, stack) for name in ("book", "arb", "journal")}
        strategies = tile_class("strategies")(instance, "strategies")
        stack.callback(strategies.close)
        strategies.boot()
        for account in self._market.snapshot():
            self._send(raw, lib.SF_MSG_ACCOUNT, account, groups, strategies)
        self._balances(fill)
        for number in range(trades):
            if self._rng.random() < 0.2:
                self._market.slot += 1
                self._send(raw, lib.SF_MSG_SLOT, slot_message(self._market.slot), groups, strategies)
            if resets and number % 97 == 50:
                self._market.slot += 1
                self._send(raw, lib.SF_MSG_RESET, slot_message(self._market.slot), groups, strategies)
                for account in self._market.snapshot():
                    self._send(raw, lib.SF_MSG_ACCOUNT, account, groups, strategies)
            if fees and number % 10 == 5:
                for account in self._market.configs(2500 + number):
                    self._send(raw, lib.SF_MSG_ACCOUNT, account, groups, strategies)
            for account in self._market.trade():
                self._send(raw, lib.SF_MSG_ACCOUNT, account, groups, strategies)
            self._jitter(groups, strategies)
            self._answer(wanted, fill, denied)
        for group in ("book", "arb"):
            while check(lib.ipc_group_steps(groups[group], 100)):
                check(lib.ipc_group_steps(groups["journal"], 100))
                strategies.turn(0)
        while strategies.turn(0) > 0:
            check(lib.ipc_group_steps(groups["journal"], 100))
        self._answer(wanted, fill, denied)
        lib.sf_group_finish(groups["journal"])

    def _send(self, raw: Producer, kind: int, payload: bytes, groups: dict[str, Any], strategies: Tile) -> None:
        while not raw.credit:
            self._jitter(groups, strategies)
        raw.send(kind, payload, t_origin=now_ns())

    def _jitter(self, groups: dict[str, Any], strategies: Tile) -> None:
        """Turns for some of the tiles."""
        names = [*groups, "strategies"]
        self._rng.shuffle(names)
        for name in names:
            if self._rng.random() > (self._python_share if name == "strategies" else 0.6):
                continue
            if name == "strategies":
                strategies.turn(0)
            else:
                check(lib.ipc_group_steps(groups[name], self._rng.randrange(1, 4)))

    def _balances(self, fill: Producer) -> None:
        for token, mint in enumerate(self._market.mints):
            fields = {"token": token, "amount": 10**12, "mint": bytes(mint)}
            fill.send(lib.SF_MSG_BALANCE, bytes(ffi.buffer(ffi.new("sf_balance_t *", fields))))

    def _answer(self, wanted: list[Consumer], fill: Producer, denied: Producer) -> None:
        """Fills or denies some of what the bots want."""
        for consumer in wanted:
            for message in consumer.receive():
                if message.kind != lib.SF_MSG_INTENT:
                    continue
                intent = ffi.from_buffer("sf_intent_t *", message.payload)
                self._intents += 1
                if self._rng.random() < 0.3:
                    fields: dict[str, Any] = {"intent": intent.intent, "bot": intent.bot, "reason": 5}
                    denied.send(lib.SF_MSG_DENIED, bytes(ffi.buffer(ffi.new("sf_denied_t *", fields))), tag=intent.bot)
                elif self._rng.random() < 0.8:
                    self.orders += 1
                    fields = {
                        "order": 1 << 32 | self.orders,
                        "intent": intent.intent,
                        "bot": intent.bot,
                        "outcome": self._rng.choice((1, 1, 1, 2, 3)),
                        "kind": intent.kind,
                        "token_in": intent.token_in,
                        "token_out": intent.token_out,
                        "delta_in": self._rng.randrange(-1000, 5000),
                        "delta_lamports": -5000,
                        "fee_lamports": 5000,
                        "latency_us": self._rng.randrange(100_000, 900_000),
                        "slot": self._market.slot,
                        "flags": lib.SF_FILL_SIMULATED,
                    }
                    fill.send(lib.SF_MSG_FILL, bytes(ffi.buffer(ffi.new("sf_fill_t *", fields))), tag=intent.bot)

    @property
    def intents(self) -> int:
        return self._intents


class _Endpoints:
    websocket_url = "ws://127.0.0.1:1"
    rpc_url = "http://127.0.0.1:1"
    simulated = True


def _open_group(instance: Instance, name: str, stack: ExitStack) -> Any:
    box = ffi.new("sf_group_t **")
    check(lib.sf_group_open(box, instance.pointer, instance.groups[name].index))
    stack.callback(lib.sf_group_close, box[0])
    check(lib.sf_group_boot(box[0]))
    return box[0]
