"""Guards: they watch what was bought and say when to get out.

    with Guards(url, config.safety, timeout_ms=2000) as guards:
        guards.watch(verdict)                         # the verdict the buy was made on
        for event in guards.events(): ...             # Exit: sell event.mint now, because event.sentence
        guards.unwatch(mint)                          # after the sale

A thread reads the mint, the pool's vaults and the creators' token accounts every `safety.guard_poll_ms`. What is
compared with is the state the verdict saw, so that a change between check and buy is found too; what creators hold is
first read when the watch begins. Each reason is told once.
"""

from __future__ import annotations

import queue
import threading
from types import TracebackType
from typing import Literal, NamedTuple

import msgspec
from solders.pubkey import Pubkey
from solders.token.associated import get_associated_token_address

from sniperforge.discovery import NoPoolError
from sniperforge.rpc import RpcClient, RpcError, RpcUnavailable
from sniperforge.safety import pools
from sniperforge.safety.mint import NotAMintError, decode, holding
from sniperforge.safety.pools import Pool
from sniperforge.safety.reader import Account, Reader
from sniperforge.safety.verdict import Verdict
from sniperforge.tile_config import SafetyConfig
from sniperforge.venues import pump_fun
from sniperforge.venues.raydium_cpmm import VenueDataError

Reason = Literal[
    "mint-authority", "freeze-authority", "extension", "supply", "frozen", "liquidity", "creator-sell", "unknown"
]

_BPS = 10_000


class Exit(msgspec.Struct, frozen=True):
    """Sell `mint` now: why, and the slot at which it was seen."""

    mint: str
    pool: str
    reason: Reason
    sentence: str
    slot: int


class Watch:
    """One guarded mint: which accounts to look at, and what has changed. Does no input or output.

    Args:
        pool: the pool it would be sold in, as the watch begins.
        holdings: the creators' token accounts of the mint.
    """

    def __init__(self, verdict: Verdict, pool: Pool, holdings: list[Pubkey], config: SafetyConfig) -> None:
        self._verdict, self._pool, self._config = verdict, pool, config
        self._mint = decode(pool.programs[0], verdict.mint_account)
        self._best = verdict.depth
        self._held: int | None = None
        self._told: set[Reason] = set()
        self.keys = [pool.mint, *pool.vaults, *holdings]

    def look(self, slot: int, accounts: list[Account | None]) -> list[Exit]:
        """What the accounts of `keys`, in their order, give reason for that was not told yet."""
        mint, vault, other, *holdings = accounts
        found = [*self._of_mint(mint), *self._of_pool(vault, other), *self._of_creators(holdings)]
        events = []
        for reason, sentence in found:
            if reason not in self._told:
                self._told.add(reason)
                events.append(Exit(self._verdict.mint, self._verdict.pool, reason, sentence, slot))
        return events

    def _of_mint(self, account: Account | None) -> list[tuple[Reason, str]]:
        try:
            if account is None:
                raise NotAMintError("it is gone")
            now = decode(account.owner, account.data)
        except NotAMintError as error:
            return [("unknown", f"the mint cannot be read any more: {error}")]
        found: list[tuple[Reason, str]] = []
        was = self._mint
        if now.authority != was.authority and now.authority is not None:
            found.append(("mint-authority", f"the mint authority went from {was.authority} to {now.authority}"))
        if now.freeze_authority != was.freeze_authority and now.freeze_authority is not None:
            found.append(
                ("freeze-authority", f"the freeze authority went from {was.freeze_authority} to {now.freeze_authority}")
            )
        if now.extensions != was.extensions:
            kinds = sorted({each.kind for each in set(now.extensions) ^ set(was.extensions)})
            found.append(("extension", f"Token-2022 extensions {kinds} of the mint have changed"))
        if now.supply > was.supply:
            found.append(("supply", f"the supply grew from {was.supply} to {now.supply}"))
        return found

    def _of_pool(self, vault: Account | None, other: Account | None) -> list[tuple[Reason, str]]:
        held = holding(vault.owner, vault.data) if vault is not None else None
        depth, frozen = self._depth(other)
        if held is None or depth is None:
            return [("liquidity", "a vault of the pool is gone, or its curve is complete")]
        found: list[tuple[Reason, str]] = []
        if held.frozen or frozen:
            found.append(("frozen", "a vault of the pool is frozen"))
        self._best = max(self._best, depth)
        if (self._best - depth) * _BPS > self._best * self._config.max_liquidity_drop_bps:
            found.append(("liquidity", f"the pool's other side fell from {self._best} to {depth}"))
        return found

    def _depth(self, account: Account | None) -> tuple[int | None, bool]:
        if account is None:
            return None, False
        if account.owner == pump_fun.PROGRAM:
            try:
                curve = pump_fun.decode_curve(account.data)
            except VenueDataError:
                return None, False
            return None if curve.complete else curve.real[1], False
        held = holding(account.owner, account.data)
        return (held.amount, held.frozen) if held is not None else (None, False)

    def _of_creators(self, accounts: list[Account | None]) -> list[tuple[Reason, str]]:
        held = [holding(account.owner, account.data) for account in accounts if account is not None]
        total = sum(each.amount for each in held if each is not None)
        if self._held is None or total > self._held:
            self._held = total
        if (self._held - total) * _BPS > self._held * self._config.max_creator_sell_bps:
            return [("creator-sell", f"creators held {self._held}, now {total}")]
        return []


def begin(reader: Reader, verdict: Verdict, config: SafetyConfig) -> Watch:
    """The watch of what `verdict` let pass.

    Raises:
        NoPoolError: its pool cannot be read any more.
        NotAMintError: the verdict is of a listed mint, or of none.
    """
    mint = Pubkey.from_string(verdict.mint)
    (account,) = reader.accounts([mint]).accounts
    if account is None or not verdict.mint_account:
        raise NotAMintError(f"{verdict.mint} was not checked, so there is nothing to compare it with")
    pool = pools.load(reader, Pubkey.from_string(verdict.pool), mint, account.owner)
    creators = {Pubkey.from_string(key) for key in verdict.creators}
    keys = [get_associated_token_address(creator, mint, account.owner) for creator in sorted(creators, key=str)]
    if creators:
        largest = [key for key, _ in reader.largest(mint).accounts]
        for key, holder in zip(largest, reader.accounts(largest).accounts, strict=True):
            held = holding(holder.owner, holder.data) if holder is not None else None
            if held is not None and held.owner in creators:
                keys.append(key)
    return Watch(verdict, pool, [key for key in dict.fromkeys(keys) if key not in pool.vaults], config)


class _Order(NamedTuple):
    """What the thread is to do: watch a verdict, or no more a mint."""

    verdict: Verdict | None
    mint: str


class Guards:
    """Watches mints in a thread of its own. Every method may be called from any thread and none waits.

    Args:
        url, timeout_ms, ca_path: as those of `Gate`.
    """

    def __init__(self, url: str, config: SafetyConfig, *, timeout_ms: int, ca_path: str = "") -> None:
        self._config = config
        self._rpc = RpcClient(url, timeout_ms=timeout_ms, ca_path=ca_path)
        self._orders: queue.SimpleQueue[_Order] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[Exit] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._slot = 0
        self._thread = threading.Thread(target=self._run, name="guards", daemon=True)
        self._thread.start()

    def watch(self, verdict: Verdict) -> None:
        """Begins to watch what was bought on `verdict`; a mint watched already is compared with the newer one."""
        self._orders.put(_Order(verdict, verdict.mint))

    def unwatch(self, mint: str) -> None:
        """Ends the watch of `mint`."""
        self._orders.put(_Order(None, mint))

    def events(self) -> list[Exit]:
        """What has happened since the last call."""
        found = []
        while True:
            try:
                found.append(self._events.get_nowait())
            except queue.Empty:
                return found

    @property
    def slot(self) -> int:
        """The newest slot the guards looked at; when it stands still they are blind: the node does not answer."""
        return self._slot

    def _run(self) -> None:
        reader = Reader(self._rpc)
        watches: dict[str, Watch] = {}
        waiting: dict[str, Verdict] = {}
        while not self._stop.wait(self._config.guard_poll_ms / 1000):
            while not self._orders.empty():
                order = self._orders.get()
                watches.pop(order.mint, None)
                waiting.pop(order.mint, None)
                if order.verdict is not None:
                    waiting[order.mint] = order.verdict
            try:
                self._begin(reader, waiting, watches)
                self._look(reader, watches)
            except (RpcUnavailable, RpcError):
                continue  # `slot` stands still

    def _begin(self, reader: Reader, waiting: dict[str, Verdict], watches: dict[str, Watch]) -> None:
        for mint, verdict in list(waiting.items()):
            try:
                watches[mint] = begin(reader, verdict, self._config)
            except (NoPoolError, NotAMintError, ValueError) as error:
                self._events.put(Exit(mint, verdict.pool, "unknown", f"it cannot be watched: {error}", self._slot))
            del waiting[mint]

    def _look(self, reader: Reader, watches: dict[str, Watch]) -> None:
        if not watches:
            return
        read = reader.accounts([key for watch in watches.values() for key in watch.keys])
        at = 0
        for watch in watches.values():
            accounts = read.accounts[at : at + len(watch.keys)]
            at += len(watch.keys)
            for event in watch.look(read.slot, accounts):
                self._events.put(event)
        self._slot = read.slot

    def close(self) -> None:
        """Ends the thread and the connection."""
        self._stop.set()
        self._rpc.cancel()
        self._thread.join()
        self._rpc.close()

    def __enter__(self) -> Guards:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
