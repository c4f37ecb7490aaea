"""Why orders reverted: each is quoted again on the very state it executed on.

    reverted order ──▶ its transaction ──▶ the hop that failed ──▶ accounts it found ──▶ quote ──▶ cause

A hop that found a state which gives less than it asked for has lost a race: the market moved between quote and
execution. Anything else our quote should have known, and is a fault of ours. Which state a failed transaction found
only a simnet tells (`simnetFailure`), of what it still remembers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from solders.pubkey import Pubkey

from ipc._core import ffi, lib
from ipc.errors import check
from ipc.layout import dtype
from sniperforge.discovery import BY_PROGRAM, NoPoolError, dissect
from sniperforge.discovery.pools import accounts, complete, find
from sniperforge.discovery.reader import Account, Call, Reader
from sniperforge.journal import Reader as JournalReader
from sniperforge.journal import run_files
from sniperforge.journal.records import VENUES, decode
from sniperforge.reverts import MOVED, UNEXPLAINED, Revert
from sniperforge.rpc import RpcError
from sniperforge.venues.core import STATUS
from sniperforge.venues.store import PoolStore

_HEAD = dtype("sf_pool_update_t")


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


def explain(
    call: Call, journal: Path, run: int, orders: Collection[int] = (), known: Mapping[str, Evidence] | None = None
) -> list[Revert]:
    """The reverts of a run, or of these of its orders; what is `known` by signature is not asked again.

    Raises:
        CoreError: the journal cannot be read.
        RpcUnavailable: the node does not answer.
    """
    with JournalReader(journal, run) as reader:
        fills = [decode(record.kind, record.payload) for record in reader.records((lib.SF_MSG_FILL,))]
    reverted = {
        fill["order"]: fill
        for fill in fills
        if fill["outcome"] == "reverted" and (not orders or fill["order"] in orders)
    }
    told: dict[int, Evidence] = {}
    for number, fill in reverted.items():
        found = (known or {}).get(fill["signature"]) or evidence(call, fill["signature"])
        if found is not None:
            told[number] = found
    intents: dict[int, dict[str, Any]] = {}
    quoted: dict[int, dict[int, bytes]] = {}
    for made in {number >> 32 for number in reverted} & set(run_files(journal)):  # an earlier run's may end in this one
        asked = _intents(journal, made, reverted)
        intents |= asked
        quoted |= _quoted(journal, made, {number: intent for number, intent in asked.items() if number in told})
    return [
        _explain(fill, intents[number]["hop"], told[number], quoted[number])
        if number in quoted
        else _unknown(fill, intents[number]["hop"] if number in intents else ())
        for number, fill in reverted.items()
    ]


def evidence(call: Call, signature: str) -> Evidence | None:
    """What a transaction that failed found; None where the chain does not tell.

    Raises:
        RpcUnavailable: the node does not answer.
    """
    try:
        failure = call("simnetFailure", signature)
    except RpcError:
        return None
    transaction = _transaction(call, signature) if failure else None
    if transaction is None:
        return None
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
    payload = _priced(call, pool, found, failure["slot"], failure["unixTimestamp"])
    return Evidence(last_words, number, str(pool), payload)


def _intents(journal: Path, run: int, orders: Collection[int]) -> dict[int, dict[str, Any]]:
    """What was wanted with each of these orders, as far as the run made them."""
    with JournalReader(journal, run) as reader:
        written = (decode(record.kind, record.payload) for record in reader.records((lib.SF_MSG_ORDER,)))
        return {order["order"]: order["intent"] for order in written if order["order"] in orders}


def _quoted(journal: Path, run: int, intents: Mapping[int, dict[str, Any]]) -> dict[int, dict[int, bytes]]:
    """By order: the last market message about each pool of its hops when it was decided."""
    due: dict[int, list[tuple[int, int]]] = {}  # by pool: decided at, order
    for number, intent in intents.items():
        for hop in intent["hop"]:
            due.setdefault(hop["pool"], []).append((intent["market_seq"], number))
    quoted: dict[int, dict[int, bytes]] = {number: {} for number in intents}
    if not due:
        return quoted
    pools = np.array(list(due), np.uint32)
    with JournalReader(journal, run) as reader:
        for batch in reader.batches((lib.SF_MSG_POOL,)):
            if not np.isin(batch.headers()["message"]["tag"], pools).any():
                continue
            for record in batch.records():
                for seq, number in due.get(record.tag, ()):
                    if record.seq <= seq:
                        quoted[number][record.tag] = record.payload
    return quoted


def _unknown(fill: Mapping[str, Any], hops: Sequence[Mapping[str, Any]]) -> Revert:
    """What the fill itself says."""
    return Revert(
        order=fill["order"],
        bot=fill["bot"],
        signature=fill["signature"],
        slot=fill["slot"],
        error=fill["error"],
        venues=tuple(VENUES[hop["venue"]] for hop in hops),
    )


def _explain(
    fill: Mapping[str, Any], hops: Sequence[Mapping[str, Any]], told: Evidence, quoted_on: Mapping[int, bytes]
) -> Revert:
    revert = replace(_unknown(fill, hops), hop=told.hop, pool=told.pool, cause=UNEXPLAINED, log=told.log)
    if told.hop is None or not told.pool:
        return revert
    hop = hops[told.hop]
    before = quoted_on.get(hop["pool"], b"")
    quoted, there = _pays(before, hop), _pays(told.payload, hop)
    other = _state(before) != _state(told.payload) and quoted >= hop["min_out"]
    named, needed = tuple(hop["array"][: hop["array_cnt"]]), _arrays(told.payload, hop)
    moved = other and (there < hop["min_out"] or needed != named)
    return replace(
        revert,
        asked=hop["min_out"],
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


def _transaction(call: Call, signature: str) -> _Transaction | None:
    options = {"encoding": "json", "commitment": "confirmed", "maxSupportedTransactionVersion": 0}
    got = call("getTransaction", signature, options)
    if got is None:
        return None
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


def _priced(call: Call, pool: Pubkey, found: Mapping[Pubkey, Account | None], slot: int, unix_s: int) -> bytes:
    """The pool's payload of what a transaction found; what the transaction did not name is as it is now."""
    reader = Reader(call)
    account = found[pool]
    one = None if account is None else find(pool, account, [venue.name for venue in BY_PROGRAM.values()])
    completed = [] if one is None else complete(reader, [one])
    keys = accounts(completed)
    read = reader.accounts(keys)
    with PoolStore(pools=1, mints=4) as store:
        store.time(unix_s)
        for key in keys:
            shown = found[key] if key in found else read.get(key)
            if shown is not None:
                store.account(bytes(key), bytes(shown.owner), shown.data, slot=slot)
        store.slot(slot + 1)
        return store.payloads().get(bytes(pool), b"")


def _pays(payload: bytes, hop: Mapping[str, Any]) -> int:
    """What the state behind a market message's head gives for the hop's input; 0 if the swap is refused there."""
    if not payload:
        return 0
    got: Any = ffi.new("sf_quote_t *")
    check(lib.ipc_pool_quote(payload, len(payload), hop["a_to_b"], 1, hop["amount_in"], got))
    return int(got.amount_out) if STATUS[got.status] == "ok" else 0


def _state(payload: bytes) -> bytes:
    return payload[_HEAD.itemsize :]


def _arrays(payload: bytes, hop: Mapping[str, Any]) -> tuple[int, ...]:
    """The tick or bin arrays that a swap in the hop's direction has to name."""
    if not payload:
        return ()
    head = np.frombuffer(payload, _HEAD, count=1)[0]
    side = 0 if hop["a_to_b"] else 1
    return tuple(head["array"][side][: head["array_cnt"][side]].tolist())
