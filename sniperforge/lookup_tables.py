"""Address lookup tables of our own: what a swap names, put on the chain, so that routes of many accounts fit a packet.

    pools ──▶ accounts of their swaps ──▶ contents, 256 a table ──▶ CreateLookupTable, ExtendLookupTable ──▶ chain

A transaction names an account of a table by one byte instead of 32, and each table that it uses by 34. So what many
pools share stands in the first table, and what belongs to one pool is never split over two. Appended addresses can be
used from the next slot on, and what stands in a table never changes; a pool or an array that comes later is not in it
until there is a new table.
"""

from __future__ import annotations

import base64
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM
from solders.transaction import VersionedTransaction

from ipc._core import ffi, lib
from ipc.errors import check
from sniperforge import chain
from sniperforge.discovery import Pool, Reader, accounts
from sniperforge.discovery.anatomy import associated
from sniperforge.rpc import RpcClient
from sniperforge.venues.store import PoolStore

PROGRAM = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
TABLES = 16
"""As many as build and sign can know (SF_LOOKUP_TABLE_MAX)."""
ADDRESSES = 256
_HEAD_BYTES = 56
_ADDRESSES_PER_TRANSACTION = 26
_RECENT_SLOTS = 100
_STATUSES = 256
_BYTE_LAMPORTS = 6960
_ACCOUNT_BYTES = 128
_SIGNATURE_LAMPORTS = 5000
_POLL_S = 0.02


class TableError(Exception):
    """A table could not be made; the text says which step the chain refused."""


def contents(rpc: RpcClient, pools: Sequence[Pool], wallet: Pubkey) -> list[list[Pubkey]]:
    """What to put into each table so that swaps of `wallet` through `pools` are short.

    Pools that have no price now are left out, and those for which the tables have no room: the last ones.
    """
    by_pool = swap_accounts(rpc, pools, wallet)
    uses = Counter(key for keys in by_pool.values() for key in keys)
    shared = [key for key, count in uses.most_common() if count > 1][:ADDRESSES]
    tables = [shared]
    placed = set(shared)
    for keys in by_pool.values():
        own = [key for key in keys if key not in placed]
        if len(tables[-1]) + len(own) > ADDRESSES:
            if len(tables) == TABLES:
                break
            tables.append([])
        tables[-1] += own
        placed.update(own)
    return [table for table in tables if table]


def swap_accounts(rpc: RpcClient, pools: Sequence[Pool], wallet: Pubkey) -> dict[Pubkey, list[Pubkey]]:
    """By pool, the accounts that its swaps name, in either direction and with any array that is followed now."""
    keys = accounts(pools)
    read = Reader(rpc.call, commitment="processed").accounts(keys)
    slot = max((account.slot for account in read.values()), default=0)
    with PoolStore(pools=max(len(pools), 1), mints=2 * len(pools) + 2) as store:
        store.time(int(time.time()))
        for key in keys:
            if key in read:
                store.account(bytes(key), bytes(read[key].owner), read[key].data, slot=slot)
        store.slot(slot + 1)
        payloads = store.payloads()
    return {
        pool.address: list(dict.fromkeys([*_named(payloads[bytes(pool.address)], pool, wallet), *pool.own]))
        for pool in pools
        if bytes(pool.address) in payloads
    }


def _named(payload: bytes, pool: Pool, wallet: Pubkey) -> Iterable[Pubkey]:
    users = [
        bytes(associated(wallet, mint, program)) for mint, program in zip(pool.mints, pool.token_programs, strict=True)
    ]
    out: Any = ffi.new("uint8_t[]", 32 * lib.SF_SWAP_ACCOUNT_MAX)
    for a_to_b in (1, 0):
        side_in, side_out = users if a_to_b else reversed(users)
        count = check(lib.ipc_pool_swap_accounts(payload, len(payload), a_to_b, bytes(wallet), side_in, side_out, out))
        for number in range(count):
            key = Pubkey.from_bytes(bytes(ffi.buffer(out, 32 * count))[32 * number : 32 * number + 32])
            if key != wallet:
                yield key


def rent_lamports(tables: Sequence[Sequence[Pubkey]]) -> int:
    """What the tables' accounts hold, and give back when they are closed."""
    return sum(_BYTE_LAMPORTS * (_ACCOUNT_BYTES + _HEAD_BYTES + 32 * len(table)) for table in tables)


def fee_lamports(tables: Sequence[Sequence[Pubkey]]) -> int:
    """What the transactions that make the tables cost."""
    extensions = sum(-(-len(table) // _ADDRESSES_PER_TRANSACTION) for table in tables)
    return _SIGNATURE_LAMPORTS * (len(tables) + extensions)


def create(rpc: RpcClient, payer: Keypair, tables: Sequence[Sequence[Pubkey]], *, timeout_s: float) -> list[Pubkey]:
    """Makes a table for each of `tables`, which `payer` pays for and owns; waits until all of them can be used.

    Raises:
        TableError: the chain refused a step, or did not execute it in time.
        ChainUnavailable: it did not confirm them in time.
    """
    deadline = time.monotonic() + timeout_s
    slots = _recent_slots(rpc, len(tables), deadline)
    owner = payer.pubkey()
    made = []
    steps = []
    for slot in slots:
        table, bump = Pubkey.find_program_address([bytes(owner), struct.pack("<Q", slot)], PROGRAM)
        made.append(table)
        steps.append(_instruction(table, owner, struct.pack("<IQB", 0, slot, bump)))
    _execute(rpc, payer, steps, deadline)
    _execute(
        rpc,
        payer,
        [
            _instruction(table, owner, struct.pack("<IQ", 2, len(some)) + b"".join(map(bytes, some)))
            for table, content in zip(made, tables, strict=True)
            for start in range(0, len(content), _ADDRESSES_PER_TRANSACTION)
            for some in (content[start : start + _ADDRESSES_PER_TRANSACTION],)
        ],
        deadline,
    )
    chain.settle(rpc, timeout_s=timeout_s)
    return made


def _recent_slots(rpc: RpcClient, count: int, deadline: float) -> list[int]:
    """Slots of that many blocks: a table's address is made of its owner and one of them."""
    found: list[int] = []

    def enough() -> bool:
        now = int(rpc.call("getSlot", {"commitment": "confirmed"}))
        found[:] = rpc.call("getBlocks", max(0, now - _RECENT_SLOTS), now, {"commitment": "confirmed"})[-count:]
        return len(found) == count

    _until(enough, f"the chain has no {count} blocks yet", deadline)
    return found


def _instruction(table: Pubkey, owner: Pubkey, data: bytes) -> Instruction:
    accounts_ = [
        AccountMeta(table, is_signer=False, is_writable=True),
        AccountMeta(owner, is_signer=True, is_writable=False),
        AccountMeta(owner, is_signer=True, is_writable=True),
        AccountMeta(SYSTEM, is_signer=False, is_writable=False),
    ]
    return Instruction(PROGRAM, data, accounts_)


def _execute(rpc: RpcClient, payer: Keypair, steps: Sequence[Instruction], deadline: float) -> None:
    """A transaction for each step; waits for all of them."""
    latest = rpc.call("getLatestBlockhash", {"commitment": "confirmed"})["value"]["blockhash"]
    waiting = []
    for step in steps:
        message = MessageV0.try_compile(payer.pubkey(), [step], [], Hash.from_string(latest))
        wire = base64.b64encode(bytes(VersionedTransaction(message, [payer]))).decode()
        waiting.append(rpc.call("sendTransaction", wire, {"encoding": "base64", "skipPreflight": True}))

    def done() -> bool:
        for start in range(0, len(waiting), _STATUSES):
            some = waiting[start : start + _STATUSES]
            for signature, status in zip(some, rpc.call("getSignatureStatuses", some)["value"], strict=True):
                if status is None:
                    return False
                if status["err"] is not None:
                    raise TableError(f"lookup table: transaction {signature} failed on the chain: {status['err']}")
        return True

    _until(done, "the transactions that make lookup tables were not executed", deadline)


def _until(found: Callable[[], bool], what: str, deadline: float) -> None:
    while not found():
        if time.monotonic() > deadline:
            raise TableError(f"{what} in time; does the chain stand still?")
        time.sleep(_POLL_S)
