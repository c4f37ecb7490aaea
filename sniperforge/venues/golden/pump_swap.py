"""Golden rows of PumpSwap: `a_to_b,exact_in,amount,amount_in,amount_out` on one pool's snapshot."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from solders.pubkey import Pubkey

from ipc._core import ffi, lib
from ipc.errors import check
from sniperforge.venues import core, pump_fees, pump_swap
from sniperforge.venues.dumps import Account, Dumps, MissingAccountError, complete, snapshots
from sniperforge.venues.golden import FAILED, GoldenRow, failed, lines


class Loaded(NamedTuple):
    """The same pool twice."""

    c: Any  #: sf_pump_swap_state_t *
    python: pump_swap.State
    mints: tuple[Pubkey, Pubkey]


def _is_pool(account: Account) -> bool:
    return account.owner == str(pump_swap.PROGRAM) and account.data[:8] == pump_swap.POOL_DISCRIMINATOR


def load(dumps: Dumps, account: Account | None = None) -> Loaded:
    """A pool among `dumps`; without `account` the first."""
    account = account or next(filter(_is_pool, dumps), None)
    if account is None:
        raise MissingAccountError(f"a pool of PumpSwap is not in {dumps.where}")
    pool = pump_swap.decode_pool(account.data)
    settings = dumps.need(str(pump_swap.GLOBAL_CONFIG), "global config").data
    fees = dumps.need(str(pump_swap.FEE_CONFIG), "fee config").data
    vaults = [dumps.need(str(vault), "vault") for vault in pool.vaults]
    base, quote = (
        core.token_amount(bytes(Pubkey.from_string(vault.owner)), vault.data, bytes(mint))
        for vault, mint in zip(vaults, pool.mints, strict=True)
    )
    supply = _supply(dumps, pool)

    state, settings_c = ffi.new("sf_pump_swap_state_t *"), ffi.new("sf_pump_swap_global_t *")
    fees_c = ffi.new("sf_pump_fee_config_t *")
    key = bytes(Pubkey.from_string(account.address))
    check(lib.sf_pump_swap_pool_decode(key, account.data, len(account.data), state))
    check(lib.sf_pump_swap_global_decode(settings, len(settings), settings_c))
    check(lib.sf_pump_fee_config_decode(fees, len(fees), fees_c))
    check(lib.sf_pump_swap_price(state, base, quote, supply, settings_c, fees_c))
    python = pump_swap.State.of(
        pool, (base, quote), supply, pump_swap.decode_global(settings), pump_fees.decode_config(fees)
    )
    return Loaded(state, python, pool.mints)


def _supply(dumps: Dumps, pool: pump_swap.Pool) -> int:
    """Supply of the base mint; the fee depends on it only where pump.fun made the pool."""
    mint = str(pool.mints[0])
    if not pool.pumps and mint not in dumps:
        return 0
    (supply,) = struct.unpack_from("<Q", dumps.need(mint, "base mint").data, 36)
    return int(supply)


def rows(csv_path: Path, accounts_dir: Path) -> Iterator[GoldenRow]:
    """The rows of a file; the pool is the one whose directory the file is named after."""
    loaded = complete(snapshots(accounts_dir, csv_path.stem), load)
    for name, line in lines(csv_path, "a_to_b", "exact_in", "amount", "amount_in", "amount_out"):
        a_to_b, exact_in, amount = line["a_to_b"] == "1", line["exact_in"] == "1", int(line["amount"])
        in_c = lib.sf_pump_swap_quote_in if exact_in else lib.sf_pump_swap_quote_out
        in_python = loaded.python.quote_in if exact_in else loaded.python.quote_out
        yield GoldenRow(
            name,
            FAILED
            if failed(line["amount_in"]) or failed(line["amount_out"])
            else {key: int(line[key]) for key in ("amount_in", "amount_out")},
            partial(core.quote, in_c, loaded.c, a_to_b, amount),
            partial(in_python, a_to_b, amount),
        )
