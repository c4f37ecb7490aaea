"""Real arbitrage: every Whirlpool of mainnet at one slot, its cycles listed, and none found better by brute force."""

from __future__ import annotations

import base64
import csv
import gzip
import struct
from collections.abc import Iterator

import pytest

from ipc._core import ffi, lib
from sniperforge import base58
from sniperforge.venues import cycles
from sniperforge.venues.store import PoolStore
from tests.data import data_dir

PROGRAM = base58.decode("whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc", 32)
TOKEN_PROGRAM = base58.decode("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA", 32)
BASES = {
    "WSOL": base58.decode("So11111111111111111111111111111111111111112", 32),
    "USDC": base58.decode("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", 32),
}
SLOT, TIME = 185_759_999, 1_680_303_600
POOL_BYTES, ARRAY_BYTES = 653, 9988
MINT_A, MINT_B = slice(101, 133), slice(181, 213)

Walk = tuple[tuple[int, bool], ...]


class Snapshot:
    """All pools as market messages, and the row of each mint."""

    def __init__(self) -> None:
        path = data_dir() / "accounts/orca_whirlpool/all_pools_slot185759999.csv.gz"
        with gzip.open(path, "rt") as file:
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
        self.quoted = ffi.new("sf_quote_t *")

    def out(self, walk: Walk, amount: int) -> int:
        """What comes out of the last swap; 0 if one fails."""
        for pool, a_to_b in walk:
            payload = self.payloads[pool]
            lib.ipc_pool_quote(payload, len(payload), a_to_b, True, amount, self.quoted)
            if self.quoted.status != lib.SF_QUOTE_OK:
                return 0
            amount = int(self.quoted.amount_out)
        return amount

    def walks(self, base: int) -> Iterator[Walk]:
        """Cycles of two and three swaps that may earn something at the best rates."""
        edges: dict[int, list[tuple[int, bool, int, float]]] = {}
        for number, update in self.updates.items():
            edges.setdefault(update.token_a, []).append((number, True, update.token_b, update.rate[0]))
            edges.setdefault(update.token_b, []).append((number, False, update.token_a, update.rate[1]))
        for one, a, x, first in edges[base]:
            for two, b, y, second in edges[x]:
                if two == one:
                    continue
                if y == base and first * second > 0.999999:
                    yield (one, a), (two, b)
                for three, c, z, third in edges[y] if y != base else ():
                    if z == base and first * second * third > 0.999999:
                        yield (one, a), (two, b), (three, c)

    def best(self, walk: Walk) -> int:
        """The most that brute force finds: inputs by a quarter up, then thirds around the best, then one by one."""
        found, at, amount = 0, 0, 1
        while amount < 2**50:
            profit = self.out(walk, amount) - amount
            if profit > found:
                found, at = profit, amount
            amount += amount // 4 + 1
        low, high = max(at * 3 // 4 - 2, 1), at * 4 // 3 + 2
        while high - low > 50:
            left, right = low + (high - low) // 3, high - (high - low) // 3
            earned = [self.out(walk, amount) - amount for amount in (left, right)]
            found = max(found, *earned)
            if earned[0] < earned[1]:
                low = left
            else:
                high = right
        return max(found, *(self.out(walk, amount) - amount for amount in range(low, high + 1)))


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    if lib.sf_venue_get(lib.SF_VENUE_ORCA_WHIRLPOOL) == ffi.NULL:
        pytest.skip("this build has no row of Orca Whirlpool")
    return Snapshot()


def test_all_pools_load(snapshot: Snapshot) -> None:
    assert snapshot.pools == len(snapshot.updates) == 1283
    assert sum(update.rate[0] > 0 and update.rate[1] > 0 for update in snapshot.updates.values()) > 300


@pytest.mark.parametrize("name", BASES)
def test_no_cycle_is_missed_and_none_is_better(snapshot: Snapshot, name: str) -> None:
    base = snapshot.rows[BASES[name]]
    listed = cycles.profitable(snapshot.payloads.values(), base=base, tokens=2048, pools=2048)
    by_walk = {tuple((hop.pool, hop.a_to_b) for hop in cycle.hops): cycle for cycle in listed}
    assert len(by_walk) == len(listed) > 100
    for walk, cycle in by_walk.items():
        assert snapshot.out(walk, cycle.hops[0].amount_in) == cycle.amount_out > cycle.hops[0].amount_in
    looked_at = 0
    for walk in snapshot.walks(base):
        found = by_walk[walk].profit if walk in by_walk else 0
        # where every token on the way has millions of units, rounding leaves some of them to chance
        assert snapshot.best(walk) <= found + found // 10**6, walk
        looked_at += 1
    assert looked_at >= len(listed)
