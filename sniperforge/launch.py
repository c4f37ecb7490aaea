"""From a configuration to an instance that may trade: chain, wallet, pools, journal, graph; and the books at the end.

Start and recovery are one path. What earlier runs left open goes to `confirm`, what they booked goes to `risk`, and
only when the chain has been asked does trading begin. An order whose outcome is still unknown then keeps its exposure
reserved and is never sent again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from solders.pubkey import Pubkey

from ipc.errors import CoreError
from ipc.topology import Topology
from ipc.views import Instance
from sniperforge import chain, exits, lookup_tables, recovery
from sniperforge.commands import Commands
from sniperforge.config import Config, ConfigError, to_builtins
from sniperforge.discovery import NoPoolError, Pool, accounts_file, discover, mints
from sniperforge.funding import FundingError, fund
from sniperforge.groups import PASSPHRASE_FD
from sniperforge.params import Params, tile_params
from sniperforge.report import Books, books_notes, compare_books, summary, summary_text
from sniperforge.revert_watch import RevertWatch
from sniperforge.reverts import UNKNOWN, Causes
from sniperforge.rpc import RpcClient, RpcError, RpcUnavailable
from sniperforge.state import StateDirectory
from sniperforge.text import count
from sniperforge.topology import build
from sniperforge.wallet import keyfile

Say = Callable[[str], None]

_FUNDING_TIMEOUT_S = 20.0
_DAY_NS = 86_400 * 10**9


class LaunchError(Exception):
    """The instance cannot be started. `passing`: trying again may help (the chain is away, nothing is wrong here)."""

    def __init__(self, sentence: str, *, passing: bool) -> None:
        super().__init__(sentence)
        self.passing = passing


@dataclass
class Launch:
    """A run that is about to begin.

    Attributes:
        run: its number.
        may_trade: the chain is a simnet, or armed.
    """

    config: Config
    state: StateDirectory
    say: Say
    run: int
    may_trade: bool
    rpc: RpcClient
    wallet: Pubkey
    recovered: recovery.State
    pools: list[Pool]
    ends: chain.Endpoints
    topology: Topology
    notes: list[str] = field(default_factory=list)

    def create(self) -> Instance:
        """Creates the instance in shared memory.

        Raises:
            ipc.errors.CoreError: it cannot be made; the sentence says why.
        """
        for note in self.notes:
            self.say(note)
        return self.topology.create(self.config.instance.name)

    def waiting_for(self, instance: Instance) -> str:
        """What is still missing before trading can begin; empty if nothing is."""
        for name, tile in instance.tiles.items():
            if tile.runs != "external" and instance.cnc(name).state != "run":
                return f"tile {name} to run"
        if instance.table("pools").used < len(self.pools):
            return f"the market ({instance.table('pools').used} of {len(self.pools)} pools read)"
        if not instance.cnc("confirm").value("reconciled"):
            return f"reconciliation with the chain ({len(self.recovered.open_orders)} orders of earlier runs open)"
        return ""

    def send_recovery(self, instance: Instance, commands: Commands) -> None:
        """Tells risk what earlier runs booked, and what of theirs is still unknown."""
        tokens = instance.table("tokens").read_all()
        rows = {str(Pubkey.from_bytes(bytes(row["mint"]))): number for number, row in enumerate(tokens)}
        for mint, position in self.recovered.positions.items():
            if mint in rows and position.booked:
                commands.position(rows[mint], position.booked)
        for mint, lot in self.recovered.lots.items():
            if mint in rows and lot.amount:
                commands.lot(rows[mint], lot.amount, lot.cost_lamports)
        for bot, by_mint in self.recovered.held.items():
            for mint, held in by_mint.items():
                if mint in rows and held.bought > held.sold:
                    commands.held(rows[mint], held, bot=bot)
        if self.recovered.day == time.time_ns() // _DAY_NS:
            commands.day(self.recovered.day_lamports, self.recovered.day_fee_lamports)
        for order in self.recovered.open_orders:
            if order.mint_in in rows:
                commands.open_order(order.order, bot=order.bot, token=rows[order.mint_in], amount_in=order.amount_in)
        if self.recovered.open_orders:
            commands.event("recovery", f"{len(self.recovered.open_orders)} orders of earlier runs were open")

    def revert_watch(self) -> RevertWatch:
        """What gathers why orders of this run revert."""
        rpc = RpcClient(self.ends.rpc_url, timeout_ms=self.config.chain.timeout_ms, ca_path=self.config.chain.ca_path)
        return RevertWatch(rpc, self.state.journal_path, self.run)

    def finish(self, final: dict[str, Any], clean: bool, reverts: RevertWatch) -> int:
        """Compares the books with the chain, prints the summary, and returns the exit code of the run."""
        try:
            with recovery.locked(self.state.journal_path):
                after = recovery.recover(self.state.journal_path)
            held = chain.balances(self.rpc, self.wallet, commitment="confirmed")
            timeout_s = self.config.supervisor.stop_timeout_ms / 1000
            reverted = reverts.end(self.rpc, timeout_s) if self.ends.simulated else self._unknown_reverts(after)
        except (recovery.RecoveryError, CoreError, OSError, RpcError, RpcUnavailable) as error:
            self.say(f"the books could not be compared with the chain: {error}")
            return exits.FAILED
        books = Books(baseline=chain.saved_balances(self.state), held=held, journal=after)
        differences = compare_books(books)
        self.say(summary_text(final, books, differences, reverted))
        told = summary(final, books, differences, reverted)
        self.state.write(self.state.path / "summary.json", json.dumps(told))
        if not clean:
            self.say("not every tile stopped by itself in time")
            return exits.FAILED
        return exits.DIFFERENT if differences else exits.OK

    def _unknown_reverts(self, after: recovery.State) -> Causes:
        """The reverts of this run, on a chain that does not tell what they found."""
        before, now = (sum(bot.reverted for bot in state.bots.values()) for state in (self.recovered, after))
        causes = Causes()
        causes.counts[UNKNOWN] = now - before
        return causes


def prepare(config: Config, state: StateDirectory, say: Say) -> Launch:
    """Everything up to the creation of the instance.

    Raises:
        LaunchError: says what is wrong and whether trying again may help.
    """
    try:
        return _prepare(config, state, say)
    except (RpcUnavailable, RpcError, chain.ChainUnavailable, recovery.JournalBusy) as error:
        raise LaunchError(str(error), passing=True) from None
    except (
        chain.ChainError,
        ConfigError,
        keyfile.KeyFileError,
        FundingError,
        lookup_tables.TableError,
        recovery.RecoveryError,
    ) as error:
        raise LaunchError(str(error), passing=False) from None
    except CoreError as error:
        raise LaunchError(error.sentence, passing=False) from None


def _prepare(config: Config, state: StateDirectory, say: Say) -> Launch:
    wallet = chain.wallet_address(config, state, say)
    ends = chain.endpoints(config)
    rpc = RpcClient(ends.rpc_url, timeout_ms=config.chain.timeout_ms, ca_path=config.chain.ca_path)
    chain.await_healthy(rpc, timeout_s=config.supervisor.start_timeout_ms / 1000)
    pools = pools_of(config, rpc)
    state.write(state.accounts_path, accounts_file(pools))
    if config.chain.embedded and not state.baseline_path.exists():
        payer = fund(
            rpc,
            wallet,
            mints(pools),
            sol=config.wallet.fund_sol,
            wrapped_sol=config.wallet.wrap_sol,
            usdc=config.wallet.fund_usdc,
            timeout_s=_FUNDING_TIMEOUT_S,
            say=say,
        )
        tables = lookup_tables.contents(rpc, pools, wallet)
        made = lookup_tables.create(rpc, payer, tables, timeout_s=_FUNDING_TIMEOUT_S)
        state.add_lookup_tables(map(str, made))
        accounts = count(sum(map(len, tables)), "account")
        say(f"made {count(len(made), 'lookup table')} with {accounts} of {count(len(pools), 'pool')}")
    first = chain.baseline(config, rpc, wallet, state, rpc.call("getGenesisHash"))
    with recovery.locked(state.journal_path):
        recovered = recovery.recover(state.journal_path)
        recovery.prune(state.journal_path, recovered, config.journal.keep_gb << 30)
    state.write(state.open_orders_path, msgspec.json.encode(recovered.open_orders).decode())
    for tile, configured in (("build", config.build.lookup_tables), ("sign", config.sign.lookup_tables)):
        known = list(dict.fromkeys([*configured, *state.own_lookup_tables()]))
        if known:
            state.write(state.lookup_tables_path(tile), json.dumps(chain.lookup_tables(rpc, known)))
    run = max(state.next_run(), recovered.last_run + 1)
    encrypted = keyfile.is_encrypted(config.wallet_path)
    params = tile_params(config, ends, str(wallet), state, passphrase_fd=PASSPHRASE_FD if encrypted else -1)
    topology, notes = build(config, params)
    if not first and not recovered.open_orders:  # what became of those is not booked yet
        held = chain.balances(rpc, wallet, commitment="confirmed")
        notes += books_notes(compare_books(Books(chain.saved_balances(state), held, recovered)))
    _record(config, state, run, params)
    return Launch(
        config=config,
        state=state,
        say=say,
        run=run,
        may_trade=ends.simulated or config.chain.armed,
        rpc=rpc,
        wallet=wallet,
        recovered=recovered,
        pools=pools,
        ends=ends,
        topology=topology,
        notes=notes,
    )


def _record(config: Config, state: StateDirectory, run: int, params: Params) -> None:
    """Writes what a replay of this run needs: the configuration and the parameters of each tile."""
    record = {
        "run": run,
        "time_ns": time.time_ns(),
        "config": to_builtins(config),
        "tiles": {tile: {key: str(value) for key, value in values.items()} for tile, values in params.items()},
    }
    state.write(state.journal_path / f"{run}.config.json", msgspec.json.encode(record).decode())


def pools_of(config: Config, rpc: RpcClient) -> list[Pool]:
    """The pools to trade on: those of `pools.path`, else the most useful the chain lists, `pools.limit` at most."""
    wanted: list[str] | None = None
    if config.pools.path:
        try:
            lines = Path(config.pools.path).read_text().splitlines()
        except OSError as error:
            raise ConfigError(f"pools.path: {config.pools.path}: {error.strerror}; name a file that exists") from None
        wanted = [line.partition("#")[0].strip() for line in lines if line.partition("#")[0].strip()]
    try:
        found = discover(rpc.call, only=wanted, limit=config.pools.limit, venues=config.pools.venues)
    except NoPoolError as error:
        raise ConfigError(f"pools.path: {config.pools.path}: {error}; one address a line") from None
    if not found:
        raise ConfigError(f"pools: {rpc.url} lists no pool of a known venue; set pools.path, or another chain.url")
    return found
