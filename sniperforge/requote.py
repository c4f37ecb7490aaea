"""Why orders reverted: each is quoted again on the very state it executed on.

    reverted order ──▶ its transaction ──▶ the hop that failed ──▶ accounts it found ──▶ quote ──▶ cause

A hop that found a state which gives less than it asked for has lost a race: the market moved between quote and
execution. Anything else our quote should have known, and is a fault of ours. Which state a failed transaction found
only a simnet tells (`simnetFailure`), of what it still remembers.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from solders.pubkey import Pubkey
from solders.signature import Signature

from ipc._core import ffi, lib
from ipc.errors import CoreError, check
from ipc.layout import dtype
from sniperforge.discovery import BY_PROGRAM, NoPoolError, dissect
from sniperforge.discovery.pools import accounts, complete, find
from sniperforge.discovery.reader import Account, Call, Reader
from sniperforge.journal import Reader as JournalReader
from sniperforge.journal import history
from sniperforge.journal.history import History
from sniperforge.journal.records import VENUES
from sniperforge.recovery import REMEMBERED
from sniperforge.reverts import MOVED, UNEXPLAINED, Revert
from sniperforge.rpc import RpcClient, RpcError
from sniperforge.venues.core import STATUS
from sniperforge.venues.store import PoolStore

_HEAD = dtype("sf_pool_update_t")
_MOST = 10_000
"""Reverts that wait to be asked about: a chain that is further behind does not know the oldest any more."""


@dataclass(frozen=True)
class Evidence:
    """What the chain tells of a transaction of ours that failed."""

    log: str
    """The failing program's last words."""
    hop: int | None = None
    """Which failed, from 0; None: not a swap."""
    pool: str = ""
    """Empty: none among what the swap named."""
    payload: bytes = b""
    """The market message about the pool as the transaction found it; empty: it has no price there."""


class Explainer:
    """Follows a run's journal and finds out why its orders reverted, with little work at any one time.

        explainer.read_on()                # as far as the journal goes now
        explainer.ask(rpc)                 # what the chain tells of the reverts read
        reverts = explainer.explained()    # those of which all is known by now

    Args:
        journal: directory.
        orders: only these; all if there are none.
    """

    def __init__(self, journal: Path, run: int, orders: Collection[int] = ()) -> None:
        self._journal = journal
        self._run = run
        self._orders = frozenset(orders)
        self._reader: JournalReader | None = None
        self._history = History(journal, run)
        self._met: dict[int, None] = {}
        self._unasked: deque[Revert] = deque()
        self._untold: deque[Revert] = deque()
        self._told: list[tuple[Revert, Evidence | None]] = []

    def close(self) -> None:
        """Closes the journal."""
        if self._reader is not None:
            self._reader.close()

    def read_on(self) -> None:
        """Reads what was written since.

        Raises:
            CoreError: there is no such run (yet), or the journal is damaged or just being written.
        """
        self._reader = self._reader or JournalReader(self._journal, self._run)
        for batch in self._reader.batches((lib.SF_MSG_FILL, *history.KINDS)):
            self._history.note(batch, self._reader.place)
            fills = batch.payloads(lib.SF_MSG_FILL)
            for fill in fills[fills["outcome"] == lib.SF_FILL_REVERTED]:
                self._meet(fill)

    def _meet(self, fill: np.void) -> None:
        order = int(fill["order"])
        if order in self._met or (self._orders and order not in self._orders):
            return
        self._met[order] = None
        if len(self._met) > REMEMBERED:
            del self._met[next(iter(self._met))]
        signature = str(Signature.from_bytes(fill["signature"].tobytes()))
        self._unasked.append(Revert(order, int(fill["bot"]), signature, int(fill["slot"]), int(fill["error"])))
        if len(self._unasked) > _MOST:
            self._told.append((self._unasked.popleft(), None))

    def ask(self, rpc: RpcClient, timeout_s: float = math.inf) -> None:
        """Asks the chain about reverts that it was not asked about, and once more about those that it told nothing of.

        Raises:
            RpcUnavailable: the node does not answer; the rest is for the next time.
        """
        deadline = time.monotonic() + timeout_s
        for reverts, last in ((self._untold, True), (self._unasked, False)):
            while reverts and time.monotonic() < deadline:
                told = _evidence(rpc, reverts[0].signature)
                revert = reverts.popleft()
                if told is None and not last:
                    self._untold.append(revert)
                else:
                    self._told.append((revert, told))

    def explained(self, *, ended: bool = False) -> list[Revert]:
        """The reverts of which all is known, each returned once; if the run has `ended`, all that are left.

        Raises:
            CoreError, OSError: the journal cannot be read.
        """
        if ended:
            self._told += [(revert, None) for revert in (*self._untold, *self._unasked)]
            self._untold.clear()
            self._unasked.clear()
        found: dict[int, Revert] = {}
        for made in {revert.order >> 32 for revert, _ in self._told}:  # an earlier run's may end in this one
            told = [(revert, what) for revert, what in self._told if revert.order >> 32 == made]
            if made == self._run:
                found |= _explain(self._history, told, ended=ended)
            else:
                found |= _explain(History(self._journal, made), told, ended=True)
        reverts = [found[revert.order] for revert, _ in self._told if revert.order in found]
        self._told = [(revert, what) for revert, what in self._told if revert.order not in found]
        return reverts


def explain(rpc: RpcClient, journal: Path, run: int, orders: Collection[int] = ()) -> list[Revert]:
    """The reverts of a run, or of these of its orders, from its whole journal; the oldest order first.

    Raises:
        CoreError, OSError: the journal cannot be read.
        RpcUnavailable: the node does not answer.
    """
    explainer = Explainer(journal, run, orders)
    try:
        explainer.read_on()
        explainer.ask(rpc)
        return sorted(explainer.explained(ended=True), key=lambda revert: revert.order)
    finally:
        explainer.close()


def _evidence(rpc: RpcClient, signature: str) -> Evidence | None:
    """What a transaction that failed found; None if the chain does not tell. One transaction at a time: a hundred
    thousand bytes of accounts and logs come with each.

    Raises:
        RpcUnavailable: the node does not answer.
    """
    options = {"encoding": "json", "commitment": "confirmed", "maxSupportedTransactionVersion": 0}
    return _found(rpc.call, *rpc.batch([("simnetFailure", [signature]), ("getTransaction", [signature, options])]))


def _found(call: Call, failure: Any, shown: Any) -> Evidence | None:
    if not failure or not shown or isinstance(failure, RpcError) or isinstance(shown, RpcError):
        return None
    transaction = _transaction(shown)
    last_words = next((line for line in reversed(transaction.logs) if line.startswith("Program log:")), "")
    swaps = [index for index, (program, _) in enumerate(transaction.instructions) if program in BY_PROGRAM]
    if transaction.failed not in swaps:
        return Evidence(last_words)
    number = swaps.index(transaction.failed)
    found = {
        Pubkey.from_string(key): None if shown is None else Account.of(shown, failure["slot"])
        for key, shown in failure["accounts"].items()
    }
    pool = _pool_among(transaction.instructions[transaction.failed][1], found)
    if pool is None:
        return Evidence(last_words, number)
    try:
        payload = _priced(_AsFound(call, found), pool, failure["slot"], failure["unixTimestamp"])
    except (RpcError, CoreError):
        return None
    return Evidence(last_words, number, str(pool), payload)


def _explain(history: History, asked: Sequence[tuple[Revert, Evidence | None]], *, ended: bool) -> dict[int, Revert]:
    """By order: the reverts among these orders of one run; unless it has `ended`, only those of which all was noted."""
    intents = history.intents([revert.order for revert, _ in asked if ended or revert.order <= history.last_order])
    wanted: dict[int, tuple[int, int]] = {}
    for revert, told in asked:
        intent = intents.get(revert.order)
        if intent is not None and told is not None and told.hop is not None and told.pool:
            wanted[revert.order] = int(intent["hop"]["pool"][told.hop]), int(intent["market_seq"])
    known = {each for each in wanted.values() if ended or each[1] <= history.last_seq}
    messages = history.messages(known)
    found: dict[int, Revert] = {}
    for revert, told in asked:
        order = revert.order
        intent = intents.get(order)
        if intent is None:
            if ended:
                found[order] = revert
        elif order not in wanted or wanted[order] in known:
            hops = intent["hop"][: intent["hop_cnt"]]
            quoted_on = messages.get(wanted[order], b"") if order in wanted else b""
            passed = replace(revert, venues=tuple(VENUES[venue] for venue in hops["venue"].tolist()))
            found[order] = passed if told is None else _explained(passed, hops, told, quoted_on)
    return found


def _explained(revert: Revert, hops: np.void, told: Evidence, quoted_on: bytes) -> Revert:
    """`hops`: sf_hop_t of each; `quoted_on`: the last market message about the pool of the hop that failed when the
    order was decided."""
    revert = replace(revert, hop=told.hop, pool=told.pool, cause=UNEXPLAINED, log=told.log)
    if told.hop is None or not told.pool:
        return revert
    hop = hops[told.hop]
    asked = int(hop["min_out"])
    quoted, there = _pays(quoted_on, hop), _pays(told.payload, hop)
    other = _state(quoted_on) != _state(told.payload) and quoted >= asked
    named, needed = tuple(hop["array"][: hop["array_cnt"]].tolist()), _arrays(told.payload, hop)
    moved = other and (there < asked or needed != named)
    return replace(
        revert,
        asked=asked,
        quoted=quoted,
        found=there,
        named=named,
        needed=needed,
        cause=MOVED if moved else UNEXPLAINED,
    )


@dataclass(frozen=True)
class _Transaction:
    failed: int
    """Instruction that failed; -1: the transaction as a whole."""
    instructions: list[tuple[Pubkey, list[Pubkey]]]
    logs: list[str]


def _transaction(got: Mapping[str, Any]) -> _Transaction:
    message, meta = got["transaction"]["message"], got["meta"]
    loaded = meta.get("loadedAddresses") or {"writable": [], "readonly": []}
    keys = [Pubkey.from_string(key) for key in (*message["accountKeys"], *loaded["writable"], *loaded["readonly"])]
    instructions = [
        (keys[one["programIdIndex"]], [keys[index] for index in one["accounts"]]) for one in message["instructions"]
    ]
    error = meta["err"]
    failed = error["InstructionError"][0] if isinstance(error, dict) and "InstructionError" in error else -1
    return _Transaction(failed, instructions, meta["logMessages"] or [])


def _pool_among(keys: Iterable[Pubkey], found: Mapping[Pubkey, Account | None]) -> Pubkey | None:
    for key in keys:
        account = found.get(key)
        if account is None or account.owner not in BY_PROGRAM:
            continue
        try:
            dissect(key, account.owner, account.data)
        except NoPoolError:
            continue
        return key
    return None


class _AsFound(Reader):
    """Reads accounts as a transaction found them; what it did not name is as it is now, and read but once."""

    def __init__(self, call: Call, found: Mapping[Pubkey, Account | None]) -> None:
        super().__init__(call)
        self._known = dict(found)

    def accounts(self, addresses: Iterable[Pubkey], part: tuple[int, int] | None = None) -> dict[Pubkey, Account]:
        """Those of `addresses` that exist, always whole."""
        wanted = list(dict.fromkeys(addresses))
        others = [address for address in wanted if address not in self._known]
        read = super().accounts(others)
        self._known |= {address: read.get(address) for address in others}
        return {address: account for address in wanted if (account := self._known[address]) is not None}


def _priced(reader: Reader, pool: Pubkey, slot: int, unix_s: int) -> bytes:
    """The pool's payload of what `reader` reads."""
    one = find(pool, reader.accounts([pool])[pool], [venue.name for venue in BY_PROGRAM.values()])
    keys = accounts([] if one is None else complete(reader, [one]))
    with PoolStore(pools=1, mints=4) as store:
        store.time(unix_s)
        for key, account in reader.accounts(keys).items():
            store.account(bytes(key), bytes(account.owner), account.data, slot=slot)
        store.slot(slot + 1)
        return store.payloads().get(bytes(pool), b"")


def _pays(payload: bytes, hop: np.void) -> int:
    """What the state behind a market message's head gives for the hop's input; 0 if the swap is refused there."""
    if not payload:
        return 0
    got: Any = ffi.new("sf_quote_t *")
    check(lib.ipc_pool_quote(payload, len(payload), int(hop["a_to_b"]), 1, int(hop["amount_in"]), got))
    return int(got.amount_out) if STATUS[got.status] == "ok" else 0


def _state(payload: bytes) -> bytes:
    return payload[_HEAD.itemsize :]


def _arrays(payload: bytes, hop: np.void) -> tuple[int, ...]:
    """The tick or bin arrays that a swap in the hop's direction has to name."""
    if not payload:
        return ()
    head = np.frombuffer(payload, _HEAD, count=1)[0]
    side = 0 if hop["a_to_b"] else 1
    return tuple(head["array"][side][: head["array_cnt"][side]].tolist())
