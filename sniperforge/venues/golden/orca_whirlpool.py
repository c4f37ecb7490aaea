"""Golden rows of Orca Whirlpool: `pool,a_to_b,exact_in,amount,...,post_sqrt,post_tick,post_liquidity,tick_arrays`.

The accounts are dumps, or a table of the whole program at one slot, lines of `address,base64` (`.csv` or `.csv.gz`).
`tick_arrays` says how many arrays the transaction named.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from solders.pubkey import Pubkey

from ipc._core import ffi, lib
from ipc.errors import check
from sniperforge.venues import core
from sniperforge.venues import orca_whirlpool as orca
from sniperforge.venues.dumps import MissingAccountError
from sniperforge.venues.golden import Swap
from sniperforge.venues.golden.lines import Line
from sniperforge.venues.golden.places import Places, State
from sniperforge.venues.quote import Quote

COLUMNS = ("pool", "a_to_b", "exact_in", "amount", "amount_in", "amount_out", "tick_arrays")
_OUTCOME = {
    "amount_in": "amount_in",
    "amount_out": "amount_out",
    "post_sqrt": "sqrt_price",
    "post_tick": "tick",
    "post_liquidity": "liquidity",
}
"""Column: field of the quote."""


class Snapshot:
    """Pools and tick arrays of one moment, as account bytes and decoded."""

    def __init__(self, accounts: Iterator[tuple[str, bytes]]) -> None:
        self.pools: dict[str, bytes] = {}
        self._arrays: dict[str, list[bytes]] = {}
        for address, data in accounts:
            if data[:8] == orca.POOL_DISCRIMINATOR:
                self.pools[address] = data
            elif data[:8] in (orca.ARRAY_DISCRIMINATOR, orca.DYNAMIC_DISCRIMINATOR):
                at = 9956 if data[:8] == orca.ARRAY_DISCRIMINATOR else 12
                self._arrays.setdefault(str(Pubkey.from_bytes(data[at : at + 32])), []).append(data)

    def pool(self, address: str) -> tuple[bytes, orca.Pool]:
        if address not in self.pools:
            raise MissingAccountError(f"pool {address} is not in the snapshot")
        return self.pools[address], orca.decode_pool(self.pools[address])

    def arrays(self, address: str, tick_spacing: int) -> dict[int, tuple[bytes, dict[int, int]]]:
        """Bytes and net liquidity by tick, by start tick."""
        decoded = [(data, orca.decode_array(data, tick_spacing)) for data in self._arrays.get(address, [])]
        return {array.start: (data, array.net) for data, array in decoded}


class Pool:
    """A pool and its arrays in one snapshot."""

    def __init__(self, snapshot: Snapshot, address: str) -> None:
        self.address = address
        self.data, self.decoded = snapshot.pool(address)
        self.arrays = snapshot.arrays(address, self.decoded.tick_spacing)


@lru_cache(maxsize=8)
def _loaded(pool: Pool, a_to_b: bool, count: int) -> tuple[Any, orca.State]:
    """The pool twice, with the arrays that a transaction of one direction named."""
    starts = orca.array_starts(pool.decoded.tick_spacing, pool.decoded.tick, a_to_b)[:count]
    used = {start: pool.arrays[start] for start in starts if start in pool.arrays}
    work = ffi.new("sf_orca_whirlpool_work_t *")
    lib.sf_orca_whirlpool_clear(work, bytes(Pubkey.from_string(pool.address)))
    for account in (pool.data, *(one for one, _ in used.values())):
        check(lib.sf_orca_whirlpool_account(account, len(account), work))
    check(lib.sf_orca_whirlpool_prepare(work))
    return core.state_of(work), orca.State.of(pool.decoded, {start: net for start, (_, net) in used.items()})


@lru_cache(maxsize=1)
def _snapshots(places: Places) -> list[tuple[str, Snapshot]]:
    """Directories of dumps and tables, and last all dumps together, where those that differ are left out."""
    *single, together = places.dumps
    found = [*single, *places.tables(str(orca.PROGRAM)), together]
    return [(dumps.where, Snapshot((each.address, each.data) for each in dumps.unambiguous())) for dumps in found]


def states(places: Places, of: str) -> list[State]:
    """The pool `of` in each place that has it. Its own account and its tick arrays are all that prices it."""
    found = [(where, snapshot) for where, snapshot in _snapshots(places) if of in snapshot.pools]
    if not found:
        raise MissingAccountError(f"pool {of} is not in {places.directory}")
    return [State(f"pool {of}", where, Pool(snapshot, of)) for where, snapshot in found]


def swap(line: Line) -> Swap:
    """A line."""
    a_to_b, exact_in, amount = line.flag("a_to_b"), line.flag("exact_in"), line.number("amount")
    count = line.number("tick_arrays", 1, 3)

    def c(pool: Pool) -> Quote:
        function = lib.sf_orca_whirlpool_quote_in if exact_in else lib.sf_orca_whirlpool_quote_out
        return core.quote(function, _loaded(pool, a_to_b, count)[0], a_to_b, amount)

    def python(pool: Pool) -> Quote:
        state = _loaded(pool, a_to_b, count)[1]
        return (state.quote_in if exact_in else state.quote_out)(a_to_b, amount)

    return Swap(line.key("pool"), line.outcome(_OUTCOME), c, python)
