"""Golden rows of Raydium CPMM: `zero_for_one,exact_in,amount,amount_in,amount_out` on one pool's snapshot."""

from __future__ import annotations

from typing import Any, NamedTuple

from solders.pubkey import Pubkey

from ipc._core import ffi, lib
from ipc.errors import check
from sniperforge.venues import core
from sniperforge.venues import raydium_cpmm as cpmm
from sniperforge.venues.dumps import Account, Dumps
from sniperforge.venues.golden import Swap, product
from sniperforge.venues.golden.lines import Line
from sniperforge.venues.golden.places import Places, State

COLUMNS = ("zero_for_one", "exact_in", "amount", "amount_in", "amount_out")


class Loaded(NamedTuple):
    """The same pool twice."""

    c: Any  #: sf_raydium_cpmm_state_t *
    python: cpmm.State
    mints: tuple[Pubkey, Pubkey]


def load(dumps: Dumps, account: Account) -> Loaded:
    """A pool among `dumps`."""
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


def _is_pool(account: Account) -> bool:
    return (account.owner, len(account.data)) == (str(cpmm.PROGRAM), cpmm.POOL_BYTES)


def states(places: Places, of: str) -> list[State]:
    """The pools of each place; a file is about one and does not name it."""
    return places.pools(of, _is_pool, load)


def swap(line: Line) -> Swap:
    """A line. The swaps were recorded after the pool had opened, at a time the file does not say."""
    quotes = lib.sf_raydium_cpmm_quote_in, lib.sf_raydium_cpmm_quote_out
    return product.swap(line, "a pool of Raydium CPMM", "zero_for_one", quotes, lambda pool: (pool.python.open_time,))
