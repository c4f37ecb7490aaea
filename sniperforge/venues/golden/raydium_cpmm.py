"""Golden rows of Raydium CPMM: `zero_for_one,exact_in,amount,amount_in,amount_out` on one pool's snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from solders.pubkey import Pubkey

from ipc._core import ffi, lib
from ipc.errors import check
from sniperforge.venues import core
from sniperforge.venues import raydium_cpmm as cpmm
from sniperforge.venues.dumps import Account, Dumps, complete, snapshots
from sniperforge.venues.golden import FAILED, GoldenRow, failed, lines
from sniperforge.venues.quote import Quote


class Loaded(NamedTuple):
    """The same pool twice."""

    c: Any  #: sf_pool_update_t *
    python: cpmm.Market
    pool: cpmm.Pool


def load(dumps: Dumps, account: Account | None = None) -> Loaded:
    """A pool among `dumps`; without `account` the only one."""
    account = account or dumps.only(str(cpmm.PROGRAM), cpmm.POOL_BYTES, "a pool of Raydium CPMM")
    address, _, data, _ = account
    pool = cpmm.decode_pool(Pubkey.from_string(address), data)
    config = dumps.need(str(pool.config), "config").data
    vaults = [dumps.need(str(key), "vault").data for key in pool.vaults]
    amounts = [
        core.token_amount(bytes(program), vault, bytes(mint))
        for program, vault, mint in zip(pool.token_programs, vaults, pool.mints, strict=True)
    ]
    update = ffi.new("sf_pool_update_t *")
    check(lib.ipc_cpmm_load(data, len(data), config, len(config), amounts[0], amounts[1], update))
    return Loaded(update, cpmm.market(pool, cpmm.decode_config(config), (amounts[0], amounts[1])), pool)


def quote(other_of: Callable[[int], int], exact_in: bool, amount: int) -> Quote:
    """What `other_of` (0: the program fails) says of `amount`."""
    other = other_of(amount)
    if not other:
        return Quote(0, 0, "refused")
    return Quote(amount, other) if exact_in else Quote(other, amount)


def rows(csv_path: Path, accounts_dir: Path) -> Iterator[GoldenRow]:
    """The rows of a file; the pool is the one whose directory the file is named after."""
    loaded = complete(snapshots(accounts_dir, csv_path.stem), load)
    for name, line in lines(csv_path, "zero_for_one", "exact_in", "amount", "amount_in", "amount_out"):
        a_to_b, exact_in, amount = line["zero_for_one"] == "1", line["exact_in"] == "1", int(line["amount"])
        expected = (
            None
            if failed(line["amount_in"]) or failed(line["amount_out"])
            else {key: int(line[key]) for key in ("amount_in", "amount_out")}
        )
        in_c = partial(lib.sf_cpmm_quote_in if exact_in else lib.sf_cpmm_quote_out, loaded.c, a_to_b)
        in_python = partial(loaded.python.quote_in if exact_in else loaded.python.quote_out, int(not a_to_b))
        yield GoldenRow(
            name,
            FAILED if expected is None else expected,
            partial(quote, in_c, exact_in, amount),
            partial(quote, in_python, exact_in, amount),
        )
