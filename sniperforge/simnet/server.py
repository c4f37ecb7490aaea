"""The simnet process: ledger, bank, traders, the two servers, and the clock that drives them."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import logging
import os
import signal
import socket
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from solders.hash import Hash
from solders.pubkey import Pubkey

from sniperforge.simnet import (
    account_methods,
    chain_methods,
    emulation,
    sbf,
    simnet_methods,
    token_methods,
    transaction_methods,
)
from sniperforge.simnet.accounts import load_dumps
from sniperforge.simnet.bank import Bank
from sniperforge.simnet.clone_files import Manifest, with_clone
from sniperforge.simnet.config import ConfigError, SimnetConfig
from sniperforge.simnet.faucet import Faucet, derive_keypair
from sniperforge.simnet.faults import Faults
from sniperforge.simnet.http import HttpConnection
from sniperforge.simnet.launches import Launches
from sniperforge.simnet.ledger import Genesis, Ledger, UnfitLedger
from sniperforge.simnet.market import GenesisBuilder, Market
from sniperforge.simnet.rpc import Dispatcher, Node
from sniperforge.simnet.subscriptions import Subscriptions
from sniperforge.simnet.traders import Traders
from sniperforge.simnet.websocket import WebSocketConnection

_LATE_SECONDS = 1.0
_PORT_TRIES = 100
_LEDGER_FORMAT = 2
#: keys of [simnet.market] that only the making of a chain looks at
_OF_GENESIS = (
    "enabled",
    "venues",
    "weights",
    "mints",
    "pools",
    "transfer_fee_bps",
    "traders",
    "pool_value_usd",
    "sol_price_usd",
)

log = logging.getLogger("simnet")


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """Where a running simnet is and what it serves."""

    rpc_url: str
    websocket_url: str
    genesis_hash: str
    identity: str
    faucet: str
    seed: int
    ledger: str
    slot: int
    block_height: int
    restored: bool
    emulated: dict[str, str]
    loaded: list[str]
    market: Market


def reset(config: SimnetConfig) -> None:
    """Remove the chain in the configured ledger directory.  Raises LedgerError while a simnet uses it."""
    ledger = _ledger(config)
    ledger.open(reset=True)
    ledger.close()


def serve(config: SimnetConfig, *, ready: Callable[[Endpoints], None] | None) -> None:
    """Serve the chain until SIGTERM or SIGINT; `ready` is called once both servers listen.

    Raises ConfigError or LedgerError with a sentence that says what to do.
    """
    simnet = Simnet(config)
    try:
        asyncio.run(simnet.run(ready))
    finally:
        simnet.ledger.close()


def _ledger(config: SimnetConfig) -> Ledger:
    return Ledger(
        directory=Path(config.ledger).expanduser(),
        snapshot_log_bytes=config.snapshot_log_mb << 20,
        history_bytes=config.history_mb << 20,
    )


class Simnet:
    """One chain with its servers.  The constructor opens or creates the ledger and restores the bank."""

    def __init__(self, config: SimnetConfig) -> None:
        config, clone = with_clone(config)
        self.config = config
        self.ledger = _ledger(config)
        self.ledger.open(reset=False)
        self.restored = self.ledger.genesis is not None
        programs, self.emulated = _programs(config)
        genesis = self.ledger.genesis if self.ledger.genesis is not None else self._create(programs, clone)
        self._check_genesis(genesis)
        self.market = msgspec.convert(genesis.market, Market)
        self.loaded = genesis.loaded
        if self.restored:
            self.bank = self._new_bank(genesis, programs)
            self.bank.restore(self.ledger.load(config.blockhash_valid_blocks * 2))
        for program, name in self.emulated.items():
            log.warning("%s (%s) is emulated; --bpf-program %s FILE runs the real one", name, program, program)
        self.node = Node(
            config=config,
            bank=self.bank,
            faults=Faults(config.faults, config.seed),
            market=self.market,
            faucet=Faucet(config.seed),
            identity=str(derive_keypair(config.seed, f"identity {genesis.genesis_hash}").pubkey()),
            counters=defaultdict(int),
        )
        methods = {
            **chain_methods.METHODS,
            **account_methods.METHODS,
            **token_methods.METHODS,
            **transaction_methods.METHODS,
            **simnet_methods.METHODS,
        }
        self.dispatcher = Dispatcher(self.node, methods)
        self.subscriptions = Subscriptions(self.node)
        self.bank.listeners.append(self.subscriptions)
        self.traders = Traders(config, self.market)
        self.launches = Launches(config)
        self._tick = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._failure: BaseException | None = None
        self._stopped: asyncio.Event | None = None

    def _new_bank(self, genesis: Genesis, programs: dict[Pubkey, bytes]) -> Bank:
        genesis_hash = bytes(Hash.from_string(genesis.genesis_hash))
        bank = Bank(self.config, self.ledger, genesis_hash, genesis.unix_time, genesis.first_slot)
        for program, elf in programs.items():
            bank.add_program(program, elf)
        return bank

    def _create(self, programs: dict[Pubkey, bytes], clone: Manifest | None) -> Genesis:
        loaded = load_dumps(self.config.accounts, self.config.account_directories)
        unix_time = clone.unix_time if clone is not None else int(time.time())
        builder = GenesisBuilder(self.config, loaded, unix_time)
        builder.build()
        record = Genesis(
            format=_LEDGER_FORMAT,
            genesis_hash=str(Hash.from_bytes(hashlib.sha256(os.urandom(32)).digest())),
            seed=self.config.seed,
            unix_time=unix_time,
            market=msgspec.to_builtins(builder.market),
            loaded=[str(key) for key in loaded],
            asked=self._asked(),
            first_slot=clone.slot if clone is not None else 0,
        )
        self.bank = self._new_bank(record, programs)
        self.ledger.create(record, self.bank.begin(builder.accounts.items()))
        return record

    def _asked(self) -> dict[str, Any]:
        table = msgspec.to_builtins(self.config.market)
        return {key: table[key] for key in _OF_GENESIS}

    def _check_genesis(self, genesis: Genesis) -> None:
        directory = self.ledger.directory
        if genesis.seed != self.config.seed:
            raise UnfitLedger(
                f"simnet.seed: {self.config.seed} differs from seed {genesis.seed} of the chain in {directory}"
            )
        asked = self._asked()
        for key, made in genesis.asked.items():
            if asked[key] != made:
                raise UnfitLedger(
                    f"simnet.market.{key}: {asked[key]} differs from {made}"
                    f" of the chain in {directory}, which is fixed when a chain is made"
                )
        if not self.restored:
            return
        wanted = load_dumps(self.config.accounts, self.config.account_directories)
        missing = [str(key) for key in wanted if str(key) not in genesis.loaded]
        if missing:
            raise UnfitLedger(
                f"account {missing[0]} is not part of the chain in {directory}: dumps are loaded when a chain is made"
            )

    # running

    async def run(self, ready: Callable[[Endpoints], None] | None) -> None:
        """Serve until a signal stops it."""
        loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopped.set)
        rpc_socket, websocket_socket = _sockets(self.config.listen, self.config.rpc_port)
        transports: set[asyncio.Transport] = set()
        http = await loop.create_server(
            lambda: HttpConnection(
                self.dispatcher.handle,
                self.node.faults,
                self.node.counters,
                self.config.max_request_bytes,
                transports,
            ),
            sock=rpc_socket,
        )
        websocket = await loop.create_server(
            lambda: WebSocketConnection(
                self.subscriptions, self.config.max_request_bytes, self.config.send_buffer_mb << 20
            ),
            sock=websocket_socket,
        )
        self.bank.advance()
        gc.freeze()
        self._due = loop.time()
        self._timer = loop.call_soon(self._step)  # type: ignore[assignment]
        if ready is not None:
            ready(self._endpoints(rpc_socket.getsockname()[1]))
        await self._stopped.wait()
        if self._timer is not None:
            self._timer.cancel()
        http.close()
        websocket.close()
        for connection in list(self.subscriptions.connections):
            connection.close()
        for transport in list(transports):
            transport.close()
        await asyncio.sleep(0)
        if self._failure is not None:
            raise self._failure

    def _step(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            if not self.node.faults.config.stall_slots:
                self.step()
        except BaseException as error:
            self._failure = error
            if self._stopped is not None:
                self._stopped.set()
            return
        now = loop.time()
        self._due += self.config.tick_ms / 1000 / self.config.speed
        if now - self._due > _LATE_SECONDS:
            self.node.counters["late_ticks"] += 1
            self._due = now
        self._timer = loop.call_at(self._due, self._step)

    def step(self) -> None:
        """One tick of the chain; the last one of a slot begins the next block."""
        self.traders.tick(self.bank, self._tick)
        self.launches.tick(self.bank)
        self.bank.tick()
        self._tick += 1
        if self._tick >= self.config.ticks_per_slot:
            self._tick = 0
            self.bank.advance()
            self.ledger.scan_older()

    def _endpoints(self, port: int) -> Endpoints:
        host = f"[{self.config.listen}]" if ":" in self.config.listen else self.config.listen
        return Endpoints(
            rpc_url=f"http://{host}:{port}",
            websocket_url=f"ws://{host}:{port + 1}",
            genesis_hash=str(Hash.from_bytes(self.bank.chain.genesis_hash)),
            identity=self.node.identity,
            faucet=str(self.node.faucet.address),
            seed=self.config.seed,
            ledger=str(self.ledger.directory),
            slot=self.bank.chain.slot,
            block_height=self.bank.chain.height,
            restored=self.restored,
            emulated={str(program): name for program, name in self.emulated.items()},
            loaded=self.loaded,
            market=self.market,
        )


def _programs(config: SimnetConfig) -> tuple[dict[Pubkey, bytes], dict[Pubkey, str]]:
    """ELF files by program id, and which of them are emulations."""
    programs = emulation.load_programs()
    emulated = dict(emulation.EMULATED)
    for given in config.programs:
        try:
            program = Pubkey.from_string(given.id)
            programs[program] = Path(given.file).read_bytes()
        except ValueError as error:
            raise ConfigError(f'simnet.programs: "{given.id}" is not an address ({error})') from error
        except OSError as error:
            raise ConfigError(f"simnet.programs: {given.file}: {error.strerror}; name a readable ELF file") from error
        if sbf.built_from(programs[program]) is None:
            emulated.pop(program, None)
        else:  # the ELF file says itself that it is an emulation
            emulated.setdefault(program, Path(given.file).stem)
    return programs, emulated


def _sockets(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Listening sockets on `port` and the next one up; a free pair for port 0."""
    for _ in range(_PORT_TRIES):
        first = _listen(host, port)
        number = first.getsockname()[1]
        try:
            return first, _listen(host, number + 1)
        except (ConfigError, OverflowError):
            first.close()
            if port:
                raise
    raise ConfigError(f"simnet.rpc_port: no two free neighbouring ports on {host}; name one with --rpc-port")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(256)
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"simnet.rpc_port: cannot listen on {host}:{port} ({error.strerror}); use another, or 0 for a free pair"
        ) from error
    return listening
