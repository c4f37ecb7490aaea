"""Golden rows of Raydium AMM v4: `coin_to_pc,exact_in,amount,amount_in,amount_out` on one pool's snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from solders.pubkey import Pubkey
from solders.token import ID as TOKEN_PROGRAM

from ipc._core import ffi, lib
from ipc.errors import check
from sniperforge.venues import core
from sniperforge.venues import raydium_amm_v4 as amm
from sniperforge.venues.dumps import Account, Dumps, complete, snapshots
from sniperforge.venues.golden import FAILED, GoldenRow, failed, lines


class Loaded(NamedTuple):
    """The same pool twice."""

    c: Any  #: sf_raydium_amm_v4_state_t *
    python: amm.State
    mints: tuple[Pubkey, Pubkey]


def load(dumps: Dumps, account: Account | None = None) -> Loaded:
    """A pool among `dumps`; without `account` the only one."""
    account = account or dumps.only(str(amm.PROGRAM), amm.POOL_BYTES, "a pool of Raydium AMM v4")
    pool = amm.decode_pool(account.data)
    coin, pc = (
        core.token_amount(bytes(TOKEN_PROGRAM), dumps.need(str(vault), "vault").data, bytes(mint))
        for vault, mint in zip(pool.vaults, pool.mints, strict=True)
    )
    state = ffi.new("sf_raydium_amm_v4_state_t *")
    key = bytes(Pubkey.from_string(account.address))
    check(lib.sf_raydium_amm_v4_pool_decode(key, account.data, len(account.data), state))
    check(lib.sf_raydium_amm_v4_vaults(state, coin, pc))
    return Loaded(state, amm.State.of(pool, coin, pc), pool.mints)


def rows(csv_path: Path, accounts_dir: Path) -> Iterator[GoldenRow]:
    """The rows of a file; the pool is the one whose directory the file is named after."""
    loaded = complete(snapshots(accounts_dir, csv_path.stem), load)
    for name, line in lines(csv_path, "coin_to_pc", "exact_in", "amount", "amount_in", "amount_out"):
        a_to_b, exact_in, amount = line["coin_to_pc"] == "1", line["exact_in"] == "1", int(line["amount"])
        in_c = lib.sf_raydium_amm_v4_quote_in if exact_in else lib.sf_raydium_amm_v4_quote_out
        in_python = loaded.python.quote_in if exact_in else loaded.python.quote_out
        yield GoldenRow(
            name,
            FAILED
            if failed(line["amount_in"]) or failed(line["amount_out"])
            else {key: int(line[key]) for key in ("amount_in", "amount_out")},
            partial(core.quote, in_c, loaded.c, a_to_b, amount),
            partial(in_python, a_to_b, amount),
        )
