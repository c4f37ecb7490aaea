"""The confirm tile: it books what the chain says, exactly once per order.

In-links order, refused, wire, sent; out-link fill; writes table chain. The node is asked by a thread of its own, so
the tile's hooks never wait for it: heartbeats go on, and `chain.unhealthy` says when the node does not.

Every signed transaction is asked for from the moment it is seen on `wire`, whether or not it was sent. How an order
ends: `sniperforge.tiles.chain`; what a fill says: `sniperforge.tiles.orders`.

Balances of every token of the tokens table, and lamports (token 0xffffffff), follow the start, each new row of that
table, and each fill of a transaction that executed.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Annotated, Final

import msgspec
import numpy as np
from msgspec import Meta

from ipc._core import lib
from ipc.layout import dtype
from ipc.tile import Batch, Tile
from ipc.views import now_ns
from sniperforge.rpc import RpcBusy, RpcClient, RpcError, RpcUnavailable
from sniperforge.tiles.chain import (
    ChainReader,
    ChainState,
    Commitment,
    Holdings,
    News,
    Reconciled,
)
from sniperforge.tiles.orders import Fill, Orders, Tokens, Watch, balance, read_open_orders

LAMPORTS: Final = 0xFFFFFFFF
_LONGEST_BACKOFF_ROUNDS = 64


class ConfirmParams(msgspec.Struct, frozen=True, kw_only=True):
    """The tile's parameters, from [chain]; `state` and others it does not need are left out."""

    rpc_url: str
    wallet: str
    poll_ms: Annotated[int, Meta(ge=1, le=60_000)]
    timeout_ms: Annotated[int, Meta(ge=10, le=600_000)]
    commitment: Commitment
    ca_path: str
    simulated: bool
    open_orders_path: str


class Worker:
    """The thread that asks the node, round after round.

    Args:
        client: the connection, which it closes at the end.
        params: `poll_ms` is the time between two rounds; longer while the node says that it is asked too often.
    """

    def __init__(self, client: RpcClient, params: ConfirmParams) -> None:
        self.news: deque[tuple[News, int]] = deque()
        """What the chain said and when (engine clock ns), in order; the tile takes from the left."""
        self.rounds = 0
        self.failures = 0
        self.last_failure = ""
        self._client = client
        self._poll = params.poll_ms / 1000
        self._reader = ChainReader(
            client,
            wallet=params.wallet,
            commitment=params.commitment,
            tell=lambda news: self.news.append((news, now_ns())),
            now_ns=now_ns,
        )
        self._asked: SimpleQueue[Watch | int | None] = SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="confirm-rpc", daemon=True)

    def start(self) -> None:
        """Begins with the first round."""
        self._thread.start()

    def watch(self, watch: Watch) -> None:
        """From the next round on, asks for a signature."""
        self._asked.put(watch)

    def forget(self, order: int) -> None:
        """Asks no more for an order."""
        self._asked.put(order)

    def want_holdings(self) -> None:
        """Has the next round read all balances."""
        self._asked.put(None)

    def stop(self) -> None:
        """Ends the thread, also while it waits for the node."""
        self._stop.set()
        self._client.cancel()
        if self._thread.is_alive():
            self._thread.join(timeout=1.0)

    def _run(self) -> None:
        wait, busy = 0.0, 0
        while not self._stop.wait(wait):
            self._take_asked()
            started = time.monotonic()
            try:
                self._reader.round()
                self.rounds += 1
                busy = 0
            except RpcBusy as error:
                busy = min(2 * busy + 1, _LONGEST_BACKOFF_ROUNDS)
                self._failed(error)
            except (RpcUnavailable, RpcError, ValueError) as error:
                self._failed(error)
            wait = max(0.0, started + self._poll * (1 + busy) - time.monotonic())
        self._client.close()

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        self.last_failure = str(error)

    def _take_asked(self) -> None:
        while True:
            try:
                asked = self._asked.get_nowait()
            except Empty:
                return
            if asked is None:
                self._reader.want_holdings()
            elif isinstance(asked, Watch):
                self._reader.watch(asked.order, asked.signature, asked.last_valid_block_height)
            else:
                self._reader.forget(asked)


class Confirm(Tile):
    """Counters: orders by outcome, `unexpected_messages`, `rpc_rounds`, `rpc_failures`.
    Gauges: `open_orders`, `reconciled` (1 after the first full pass), `unhealthy`."""

    wait_ns = 2_000_000

    def init(self) -> None:
        params = msgspec.convert(self.params, ConfirmParams, strict=False)
        self._timeout_ns = params.timeout_ms * 1_000_000
        self._fill = self.output("fill")
        self._order = self.input("order")
        self._table = self.table("tokens")
        self._chain = self.table("chain")
        self._tokens = Tokens()
        self._orders = Orders(tokens=self._tokens, simulated=params.simulated)
        self._outgoing: deque[Fill | tuple[int, bytes]] = deque()
        self._row = np.zeros(1, dtype("sf_chain_row_t"))
        self._reconciled_ns = 0
        self._tokens_ns = 0
        self._answered_ns = now_ns()
        self._unhealthy = -1
        self._counted = [0, 0, 0]
        self._outcomes = {
            int(lib.SF_FILL_LANDED): self.counter("landed"),
            int(lib.SF_FILL_REVERTED): self.counter("reverted"),
            int(lib.SF_FILL_EXPIRED): self.counter("expired"),
            int(lib.SF_FILL_DROPPED): self.counter("dropped"),
        }
        self._counters = [self.counter(name) for name in ("unexpected_messages", "rpc_rounds", "rpc_failures")]
        self._open_orders = self.gauge("open_orders")
        self._reconciled = self.gauge("reconciled")
        self._unhealthy_gauge = self.gauge("unhealthy")
        client = RpcClient(params.rpc_url, timeout_ms=params.timeout_ms, ca_path=params.ca_path)
        self._worker = Worker(client, params)
        self._read_tokens()
        self._take(self._orders.recover(read_open_orders(Path(params.open_orders_path))))
        self._worker.start()

    def messages(self, source: int, batch: Batch) -> None:
        if source == self._order:
            self._read_tokens()
            for message in batch:
                self._take(self._orders.order(message.payload, message.t_origin))
            return
        for message in batch:
            found = self._orders.message(message.kind, message.payload)
            if found is not None:
                self._take([found])

    def poll(self) -> int:
        self._read_tokens()
        work = 0
        news = self._worker.news
        while news:
            self._hear(*news.popleft())
            work += 1
        return work + self._publish()

    def house(self, now_ns: int) -> None:
        if self._orders.held and self._reconciled_ns:
            late = bool(self._tokens_ns) and now_ns - max(self._reconciled_ns, self._tokens_ns) > self._timeout_ns
            self._outgoing.extend(self._orders.release(all_of_them=late))
        unhealthy = int(now_ns - self._answered_ns > self._timeout_ns)
        if unhealthy != self._unhealthy:
            self._unhealthy = unhealthy
            self._row["unhealthy"] = unhealthy
            self._chain.write(0, self._row)
            self._unhealthy_gauge.set(unhealthy)
        self._open_orders.set(len(self._orders))
        values = (self._orders.unexpected, self._worker.rounds, self._worker.failures)
        for index, value in enumerate(values):
            self._counters[index].add(value - self._counted[index])
            self._counted[index] = value

    def fini(self) -> None:
        self._worker.stop()

    def _take(self, found: list[Watch | Fill]) -> None:
        for each in found:
            if isinstance(each, Watch):
                self._worker.watch(each)
            else:
                self._worker.forget(each.order)
                self._outgoing.append(each)

    def _read_tokens(self) -> None:
        """Takes in new rows of the tokens table; their balances are told as soon as they are known."""
        known = len(self._tokens)
        used = self._table.used
        if used > known:
            rows = self._table.read_all(known, used - known)
            written = int(np.argmin(rows["lock"] != 0)) if (rows["lock"] == 0).any() else len(rows)
            self._tokens.extend(bytes(mint) for mint in rows["mint"][:written])
            if written:
                self._tokens_ns = now_ns()
                self._worker.want_holdings()

    def _hear(self, news: News, heard_ns: int) -> None:
        if isinstance(news, ChainState):
            self._answered_ns = heard_ns
            self._write_chain(news)
        elif isinstance(news, Holdings):
            self._tell_holdings(news)
        elif isinstance(news, Reconciled):
            self._reconciled_ns = heard_ns
        else:
            fill = self._orders.outcome(news, heard_ns)
            if fill is not None:
                self._outgoing.append(fill)

    def _write_chain(self, state: ChainState) -> None:
        row = self._row
        row["slot"] = state.slot
        row["block_height"] = state.block_height
        row["last_valid_block_height"] = state.last_valid_block_height
        row["blockhash_slot"] = state.blockhash_slot
        row["blockhash_ns"] = state.blockhash_ns
        row["blockhash"] = np.frombuffer(state.blockhash, np.uint8)
        row["lamports_per_signature"] = state.lamports_per_signature
        row["wallet_lamports"] = state.wallet_lamports
        self._chain.write(0, row)

    def _tell_holdings(self, holdings: Holdings) -> None:
        amounts = holdings.tokens
        for row, mint in enumerate(self._tokens.mints):
            if holdings.complete or mint in amounts:
                payload = balance(row, self._tokens.keys[row], amounts.get(mint, 0), holdings.slot)
                self._outgoing.append((row, payload))
        payload = balance(LAMPORTS, bytes(32), holdings.lamports, holdings.slot)
        self._outgoing.append((LAMPORTS, payload))

    def _publish(self) -> int:
        """Publishes what waits, as far as there is credit; fills and balances in the order they were heard."""
        count = min(len(self._outgoing), self.credit(self._fill))
        for _ in range(count):
            each = self._outgoing.popleft()
            if isinstance(each, Fill):
                self.publish(self._fill, lib.SF_MSG_FILL, each.payload, tag=each.bot, t_origin=each.t_origin)
                self._outcomes[each.outcome].add()
            else:
                token, payload = each
                self.publish(self._fill, lib.SF_MSG_BALANCE, payload, tag=token)
        if self._reconciled_ns and not self._outgoing and not self._orders.held:
            self._reconciled.set(1)
        return count
