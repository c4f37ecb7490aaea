"""Golden rows of Raydium CPMM: `zero_for_one,exact_in,amount,amount_in,amount_out` on one pool's snapshot."""

from __future__ import annotations

from collections.abc import Iterator
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


class Loaded(NamedTuple):
    """The same pool twice."""

    c: Any  #: sf_raydium_cpmm_state_t *
    python: cpmm.State
    mints: tuple[Pubkey, Pubkey]


def load(dumps: Dumps, account: Account | None = None) -> Loaded:
    """A pool among `dumps`; without `account` the only one."""
    account = account or dumps.only(str(cpmm.PROGRAM), cpmm.POOL_BYTES, "a pool of Raydium CPMM")
    address, _, data, _ = account
    pool = cpmm.decode_pool(Pubkey.from_string(address), data)
    config = dumps.need(str(pool.config), "config").data
    amount_a, amount_b = (
        core.token_amount(bytes(program), dumps.need(str(key), "vault").data, bytes(mint))
        for key, program, mint in zip(pool.vaults, pool.token_programs, pool.mints, strict=True)
    )
    state, config_c = ffi.new("sf_raydium_cpmm_state_t *"), ffi.new("sf_raydium_cpmm_config_t *")
    check(lib.sf_raydium_cpmm_pool_decode(bytes(pool.address), data, len(data), state))
    check(lib.sf_raydium_cpmm_config_decode(config, len(config), config_c))
    check(lib.sf_raydium_cpmm_price(state, amount_a, amount_b, config_c))
    return Loaded(state, cpmm.State.of(pool, cpmm.decode_config(config), (amount_a, amount_b)), pool.mints)


def rows(csv_path: Path, accounts_dir: Path) -> Iterator[GoldenRow]:
    """The rows of a file; the pool is the one whose directory the file is named after.

    The swaps were recorded after the pool had opened, at a time the file does not say.
    """
    loaded = complete(snapshots(accounts_dir, csv_path.stem), load)
    now = loaded.python.open_time
    for name, line in lines(csv_path, "zero_for_one", "exact_in", "amount", "amount_in", "amount_out"):
        a_to_b, exact_in, amount = line["zero_for_one"] == "1", line["exact_in"] == "1", int(line["amount"])
        in_c = lib.sf_raydium_cpmm_quote_in if exact_in else lib.sf_raydium_cpmm_quote_out
        in_python = loaded.python.quote_in if exact_in else loaded.python.quote_out
        yield GoldenRow(
            name,
            FAILED
            if failed(line["amount_in"]) or failed(line["amount_out"])
            else {key: int(line[key]) for key in ("amount_in", "amount_out")},
            partial(core.quote, in_c, loaded.c, a_to_b, amount, now),
            partial(in_python, a_to_b, amount, now),
        )
