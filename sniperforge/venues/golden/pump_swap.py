"""Golden rows of PumpSwap: `a_to_b,exact_in,amount,amount_in,amount_out` on one pool's snapshot."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from solders.pubkey import Pubkey

from ipc._core import ffi, lib
from ipc.errors import check
from sniperforge.venues import core, pump_fees, pump_swap
from sniperforge.venues.dumps import Account, Dumps
from sniperforge.venues.golden import Swap, product
from sniperforge.venues.golden.lines import Line
from sniperforge.venues.golden.places import Places, State

COLUMNS = ("a_to_b", "exact_in", "amount", "amount_in", "amount_out")


class Loaded(NamedTuple):
    """The same pool twice."""

    c: Any  #: sf_pump_swap_state_t *
    python: pump_swap.State
    mints: tuple[Pubkey, Pubkey]


def _is_pool(account: Account) -> bool:
    return account.owner == str(pump_swap.PROGRAM) and account.data[:8] == pump_swap.POOL_DISCRIMINATOR


def load(dumps: Dumps, account: Account) -> Loaded:
    """A pool among `dumps`."""
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


def states(places: Places, of: str) -> list[State]:
    """The pools of each place; a file is about one and does not name it."""
    return places.pools(of, _is_pool, load)


def swap(line: Line) -> Swap:
    """A line."""
    quotes = lib.sf_pump_swap_quote_in, lib.sf_pump_swap_quote_out
    return product.swap(line, "a pool of PumpSwap", "a_to_b", quotes)
