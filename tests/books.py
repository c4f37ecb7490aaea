"""What the journal says of all runs, held against what the chain says: the test's own bookkeeping.

It reads records and adds them up by itself, so that it does not share a mistake with `sniperforge.recovery`.
"""

from __future__ import annotations

import collections
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from solders.pubkey import Pubkey
from solders.signature import Signature

from ipc._core import lib
from ipc.errors import CoreError
from sniperforge import chain
from sniperforge.journal import Reader, run_files
from sniperforge.journal.records import structure
from sniperforge.rpc import RpcClient

LAMPORTS = "lamports"
_NATIVE = 0xFFFFFFFF
_KINDS = (lib.SF_MSG_ORDER, lib.SF_MSG_WIRE, lib.SF_MSG_SENT, lib.SF_MSG_FILL, lib.SF_MSG_BALANCE)


@dataclass(frozen=True)
class FillRecord:
    """One fill of the journal, its tokens by mint."""

    run: int
    order: int
    outcome: int
    recovered: bool
    signature: str
    deltas: dict[str, int]


@dataclass
class JournalBooks:
    """All runs of a journal."""

    runs: list[int] = field(default_factory=list)
    orders: collections.Counter[int] = field(default_factory=collections.Counter)
    pools: dict[int, list[int]] = field(default_factory=dict)
    """Rows of the pools an order goes through."""
    wires: dict[str, int] = field(default_factory=dict)
    """Signature -> order."""
    sent: dict[int, set[str]] = field(default_factory=dict)
    """Order -> signatures under which it may have left."""
    fills: list[FillRecord] = field(default_factory=list)


def read_journal(directory: Path) -> JournalBooks:
    """Reads every run, up to the end of what is whole of it."""
    books = JournalBooks()
    for run in sorted(run_files(directory)):
        books.runs.append(run)
        mints: dict[int, str] = {}
        rows: list[Any] = []
        with Reader(directory, run) as reader:
            try:
                for record in reader.records(_KINDS):
                    _apply(books, record, mints, rows)
            except CoreError as error:
                if error.code != lib.SF_ERR_DATA:
                    raise
        for row in rows:
            books.fills.append(_fill(run, row, mints))
    return books


def _apply(books: JournalBooks, record: Any, mints: dict[int, str], rows: list[Any]) -> None:
    fields = structure(_LAYOUTS[record.kind], record.payload)
    assert fields is not None
    if record.kind == lib.SF_MSG_BALANCE:
        if int(fields["token"]) != _NATIVE:
            mints[int(fields["token"])] = str(Pubkey.from_bytes(fields["mint"].tobytes()))
    elif record.kind == lib.SF_MSG_FILL:
        rows.append(fields)
    elif record.kind == lib.SF_MSG_ORDER:
        books.orders[int(fields["order"])] += 1
        intent = fields["intent"]
        books.pools[int(fields["order"])] = [int(hop["pool"]) for hop in intent["hop"][: int(intent["hop_cnt"])]]
    elif record.kind == lib.SF_MSG_WIRE:
        books.wires[str(Signature.from_bytes(fields["tx"].tobytes()[1:65]))] = int(fields["order"])
    elif record.kind == lib.SF_MSG_SENT:
        signature = str(Signature.from_bytes(fields["signature"].tobytes()))
        books.sent.setdefault(int(fields["order"]), set()).add(signature)


_LAYOUTS = {
    lib.SF_MSG_ORDER: "sf_order_t",
    lib.SF_MSG_WIRE: "sf_wire_t",
    lib.SF_MSG_SENT: "sf_sent_t",
    lib.SF_MSG_FILL: "sf_fill_t",
    lib.SF_MSG_BALANCE: "sf_balance_t",
}


def _fill(run: int, row: Any, mints: dict[int, str]) -> FillRecord:
    deltas: collections.Counter[str] = collections.Counter()

    def add(token: int, delta: int) -> None:
        if delta:
            assert token in mints, f"run {run}: a fill books {delta} of token row {token}, which has no mint"
            deltas[mints[token]] += delta

    add(int(row["token_in"]), int(row["delta_in"]))
    if row["token_out"] != row["token_in"]:
        add(int(row["token_out"]), int(row["delta_out"]))
    for leg in row["leg"]:
        add(int(leg["token"]), int(leg["delta"]))
    deltas[LAMPORTS] += int(row["delta_lamports"])
    raw = row["signature"].tobytes()
    return FillRecord(
        run=run,
        order=int(row["order"]),
        outcome=int(row["outcome"]),
        recovered=bool(int(row["flags"]) & lib.SF_FILL_RECOVERED),
        signature=str(Signature.from_bytes(raw)) if any(raw) else "",
        deltas=dict(deltas),
    )


@dataclass(frozen=True)
class ChainBooks:
    """What the chain says of a wallet: signatures it executed for it as payer, with success; and what it holds."""

    executed: dict[str, bool]
    held: dict[str, int]


def read_chain(rpc_url: str, wallet: str) -> ChainBooks:
    """Asks the node for everything `wallet` has paid for, and for its balances."""
    executed: dict[str, bool] = {}
    with RpcClient(rpc_url, timeout_ms=20_000) as rpc:
        before: str | None = None
        while True:
            options: dict[str, Any] = {"limit": 1000, "commitment": "confirmed"}
            if before is not None:
                options["before"] = before
            page: list[dict[str, Any]] = rpc.call("getSignaturesForAddress", wallet, options)
            for row in page:
                transaction = rpc.call(
                    "getTransaction",
                    row["signature"],
                    {"encoding": "json", "commitment": "confirmed", "maxSupportedTransactionVersion": 0},
                )
                if transaction["transaction"]["message"]["accountKeys"][0] == wallet:
                    executed[row["signature"]] = row["err"] is None
            if len(page) < 1000:
                break
            before = page[-1]["signature"]
        held = chain.balances(rpc, Pubkey.from_string(wallet), commitment="confirmed")
    return ChainBooks(executed, held)


def wrong(state_dir: Path, said: ChainBooks) -> list[str]:
    """Everything in which the journal of a stopped engine and the chain disagree; empty if nothing."""
    books = read_journal(state_dir / "journal")
    saved = msgspec.json.decode((state_dir / "baseline.json").read_bytes())["balances"]
    found = [f"order {order} was given {times} times" for order, times in books.orders.items() if times > 1]
    executed_of: dict[int, list[str]] = {}
    for signature in said.executed:
        if signature not in books.wires:
            found.append(f"the chain executed {signature}, which the journal does not know")
        else:
            executed_of.setdefault(books.wires[signature], []).append(signature)
    for order, signatures in executed_of.items():
        if len(signatures) > 1:
            found.append(f"order {order} was executed under {len(signatures)} signatures: {signatures}")
    for order, signatures in books.sent.items():
        if len(signatures) > 1:
            found.append(f"order {order} was sent as {len(signatures)} transactions: {signatures}")
    found += _wrong_fills(books, said)
    booked: collections.Counter[str] = collections.Counter()
    for fill in books.fills:
        booked.update(fill.deltas)
    for mint in sorted(booked.keys() | saved.keys() | said.held.keys()):
        changed = said.held.get(mint, 0) - saved.get(mint, 0)
        if changed != booked[mint]:
            found.append(f"{mint}: booked {booked[mint]:+d}, changed on the chain {changed:+d}")
    return found


def _wrong_fills(books: JournalBooks, said: ChainBooks) -> list[str]:
    found = []
    by_order: dict[int, list[FillRecord]] = {}
    for fill in books.fills:
        by_order.setdefault(fill.order, []).append(fill)
    for order, fills in by_order.items():
        if len(fills) > 1:
            found.append(f"order {order} has {len(fills)} fills: {fills}")
    landed = {int(lib.SF_FILL_LANDED): True, int(lib.SF_FILL_REVERTED): False}
    booked = {fill.signature: fill for fill in books.fills if fill.outcome in landed}
    for signature, success in said.executed.items():
        booking = booked.get(signature)
        if booking is None:
            found.append(f"the chain executed {signature} (order {books.wires.get(signature)}), no fill says so")
        elif landed[booking.outcome] != success:
            found.append(f"{signature}: the chain says success={success}, the fill says outcome {booking.outcome}")
    for signature, booking in booked.items():
        if signature not in said.executed:
            found.append(f"fill of order {booking.order} for {signature}, which the chain does not know")
    return found
