"""Golden rows of Raydium AMM v4: `coin_to_pc,exact_in,amount,amount_in,amount_out` on one pool's snapshot."""

from __future__ import annotations

from typing import Any, NamedTuple

from solders.pubkey import Pubkey
from solders.token import ID as TOKEN_PROGRAM

from ipc._core import ffi, lib
from ipc.errors import check
from sniperforge.venues import core
from sniperforge.venues import raydium_amm_v4 as amm
from sniperforge.venues.dumps import Account, Dumps
from sniperforge.venues.golden import Swap, product
from sniperforge.venues.golden.lines import Line
from sniperforge.venues.golden.places import Places, State

COLUMNS = ("coin_to_pc", "exact_in", "amount", "amount_in", "amount_out")


class Loaded(NamedTuple):
    """The same pool twice."""

    c: Any  #: sf_raydium_amm_v4_state_t *
    python: amm.State
    mints: tuple[Pubkey, Pubkey]


def load(dumps: Dumps, account: Account) -> Loaded:
    """A pool among `dumps`."""
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


def _is_pool(account: Account) -> bool:
    return (account.owner, len(account.data)) == (str(amm.PROGRAM), amm.POOL_BYTES)


def states(places: Places, of: str) -> list[State]:
    """The pools of each place; a file is about one and does not name it."""
    return places.pools(of, _is_pool, load)


def swap(line: Line) -> Swap:
    """A line."""
    quotes = lib.sf_raydium_amm_v4_quote_in, lib.sf_raydium_amm_v4_quote_out
    return product.swap(line, "a pool of Raydium AMM v4", "coin_to_pc", quotes)
