"""Real arbitrage: every Whirlpool of mainnet at one slot, its cycles listed, and none found better by brute force."""

from __future__ import annotations

import base64
import csv
import gzip
import os
import struct
import zlib

import pytest
from solders.pubkey import Pubkey

from ipc._core import ffi
from sniperforge import base58
from sniperforge.venues import cycles
from sniperforge.venues.store import PoolStore
from tests import whirlpool_cycles
from tests.data import data_dir

TABLE = "accounts/orca_whirlpool/all_pools_slot185759999.csv.gz"

PROGRAM = base58.decode("whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc", 32)
TOKEN_PROGRAM = base58.decode("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA", 32)
BASES = {
    "WSOL": base58.decode("So11111111111111111111111111111111111111112", 32),
    "USDC": base58.decode("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", 32),
}
SLOT, TIME = 185_759_999, 1_680_303_600
POOL_BYTES, ARRAY_BYTES = 653, 9988
MINT_A, MINT_B = slice(101, 133), slice(181, 213)


class Snapshot:
    """All pools as market messages, and the row of each mint."""

    def __init__(self) -> None:
        with gzip.open(data_dir() / TABLE, "rt") as file:
            accounts = [(base58.decode(key, 32), base64.b64decode(data)) for key, data in csv.reader(file)]
        pools = {key: data for key, data in accounts if len(data) == POOL_BYTES}
        mints = {data[place] for data in pools.values() for place in (MINT_A, MINT_B)}
        mint = struct.pack("<I32sQBBI32s", 0, bytes(32), 10**15, 6, 1, 0, bytes(32))
        with PoolStore(pools=2048, mints=2048) as store:
            store.time(TIME)
            for length in (POOL_BYTES, ARRAY_BYTES):
                for key, data in accounts:
                    if len(data) == length:
                        store.account(key, PROGRAM, data, slot=SLOT)
            for key in mints:
                store.account(key, TOKEN_PROGRAM, mint, slot=SLOT)
            store.slot(SLOT + 1)
            assert not store.malformed
            payloads = store.payloads()
        self.updates, self.rows, self.payloads = {}, {}, {}
        for key, payload in payloads.items():
            update = ffi.from_buffer("sf_pool_update_t *", payload)
            self.updates[update.pool], self.payloads[update.pool] = update, payload
            self.rows[pools[key][MINT_A]], self.rows[pools[key][MINT_B]] = update.token_a, update.token_b
        self.pools = len(pools)

    def address(self, number: int) -> str:
        """Of a pool by its row: a Whirlpool's state begins with it."""
        head = ffi.sizeof("sf_pool_update_t")
        return str(Pubkey.from_bytes(self.payloads[number][head : head + 32]))


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return Snapshot()


def test_all_pools_load(snapshot: Snapshot) -> None:
    assert snapshot.pools == len(snapshot.updates) == 1283
    assert sum(update.rate[0] > 0 and update.rate[1] > 0 for update in snapshot.updates.values()) > 300


@pytest.fixture(scope="module")
def pools() -> whirlpool_cycles.Pools:
    return whirlpool_cycles.Pools(data_dir() / TABLE)


@pytest.mark.timeout(600)
@pytest.mark.slow
@pytest.mark.parametrize("name", BASES)
def test_no_cycle_is_missed_and_none_is_better(snapshot: Snapshot, pools: whirlpool_cycles.Pools, name: str) -> None:
    listed = cycles.profitable(snapshot.payloads.values(), base=snapshot.rows[BASES[name]], tokens=2048, pools=2048)
    by_walk = {tuple((snapshot.address(hop.pool), hop.a_to_b) for hop in cycle.hops): cycle for cycle in listed}
    assert len(by_walk) == len(listed) > 100
    for walk, cycle in by_walk.items():  # each amount is what the plain integers say
        assert whirlpool_cycles.profit(pools, walk, cycle.hops[0].amount_in) == cycle.profit > 0
    every = os.environ.get("SNIPERFORGE_ALL_CYCLES")  # minutes; otherwise all that are listed, and one of twelve others
    brute = whirlpool_cycles.search(
        pools,
        Pubkey.from_bytes(BASES[name]),
        lambda walk: bool(every) or walk in by_walk or zlib.crc32(repr(walk).encode()) % 12 == 0,
    )
    assert len(brute) > 90
    better = [found for found in brute if found.edges not in by_walk or found.profit > by_walk[found.edges].profit]
    assert not better
    assert max(found.profit for found in brute) <= listed[0].profit
