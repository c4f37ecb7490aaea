"""Golden rows of Orca Whirlpool: `pool,a_to_b,exact_in,amount,...,post_sqrt,post_tick,post_liquidity,tick_arrays`.

The accounts are a table of the whole program at one slot, lines of `address,base64` (`.csv` or `.csv.gz`), whose
name has the slot of the golden file in it. `tick_arrays` says how many arrays the transaction named.
"""

from __future__ import annotations

import gzip
import re
from base64 import b64decode
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from solders.pubkey import Pubkey

from ipc._core import ffi, lib
from ipc.errors import check
from sniperforge.venues import core
from sniperforge.venues import orca_whirlpool as orca
from sniperforge.venues.dumps import MissingAccountError, load
from sniperforge.venues.golden import FAILED, GoldenRow, failed, lines
from sniperforge.venues.quote import Quote

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


def table(path: Path) -> Iterator[tuple[str, bytes]]:
    """The accounts in a table of `address,base64` lines."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        for line in file:
            address, _, text = line.strip().partition(",")
            yield address, b64decode(text)


def snapshot(csv_path: Path, accounts_dir: Path) -> Snapshot:
    """The table that belongs to a golden file; the dumps in `accounts_dir` if there is none."""
    slot = re.search(r"\d{6,}", csv_path.stem)
    found = [path for path in sorted(accounts_dir.rglob("*.csv*")) if slot and slot[0] in path.name]
    if found:
        return Snapshot(table(found[0]))
    return Snapshot((account.address, account.data) for account in load(accounts_dir))


class Loader:
    """States with the arrays of one direction, the last few kept."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.state = lru_cache(maxsize=8)(self._state)

    def _state(self, address: str, a_to_b: bool, count: int) -> tuple[Any, orca.State]:
        data, pool = self.snapshot.pool(address)
        arrays = self.snapshot.arrays(address, pool.tick_spacing)
        starts = orca.array_starts(pool.tick_spacing, pool.tick, a_to_b)[:count]
        used = {start: arrays[start] for start in starts if start in arrays}
        work = ffi.new("sf_orca_whirlpool_work_t *")
        lib.sf_orca_whirlpool_clear(work, bytes(Pubkey.from_string(address)))
        for account in (data, *(one for one, _ in used.values())):
            check(lib.sf_orca_whirlpool_account(account, len(account), work))
        check(lib.sf_orca_whirlpool_prepare(work))
        return core.state_of(work), orca.State.of(pool, {start: net for start, (_, net) in used.items()})

    def in_c(self, key: tuple[str, bool, int], exact_in: bool, amount: int) -> Quote:
        function = lib.sf_orca_whirlpool_quote_in if exact_in else lib.sf_orca_whirlpool_quote_out
        return core.quote(function, self.state(*key)[0], key[1], amount)

    def in_python(self, key: tuple[str, bool, int], exact_in: bool, amount: int) -> Quote:
        state = self.state(*key)[1]
        return (state.quote_in if exact_in else state.quote_out)(key[1], amount)


def rows(csv_path: Path, accounts_dir: Path) -> Iterator[GoldenRow]:
    """The rows of a file, each from its pool's state in the snapshot."""
    loader = Loader(snapshot(csv_path, accounts_dir))
    for name, line in lines(csv_path, "pool", "a_to_b", "exact_in", "amount", "tick_arrays", *_OUTCOME):
        key = (line["pool"], line["a_to_b"] == "1", int(line["tick_arrays"]))
        swap = (key, line["exact_in"] == "1", int(line["amount"]))
        expected = (
            {quoted: int(line[column]) for column, quoted in _OUTCOME.items()}
            if not failed(line["amount_in"])
            else FAILED
        )
        yield GoldenRow(name, expected, partial(loader.in_c, *swap), partial(loader.in_python, *swap))
