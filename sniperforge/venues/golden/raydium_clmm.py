"""Golden rows of Raydium CLMM: `capture,zero_for_one,exact_in,amount,amount_in,amount_out,post_sqrt,post_tick`.

A capture is a JSON file with the pool and the tick arrays right before a swap. It does not have the config account:
the trade rate comes from `clmm_pool_metadata.json` beside it, and the protocol's shares of the fee are not known.
"""

from __future__ import annotations

from base64 import b64decode
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from solders.pubkey import Pubkey

from ipc._core import ffi, lib
from ipc.errors import check
from sniperforge.venues import core
from sniperforge.venues import raydium_clmm as clmm
from sniperforge.venues.dumps import MissingAccountError
from sniperforge.venues.golden import Swap
from sniperforge.venues.golden.lines import GoldenError, Line
from sniperforge.venues.golden.places import Places, State
from sniperforge.venues.quote import Quote
from sniperforge.venues.ticks import PPM

COLUMNS = ("capture", "zero_for_one", "exact_in", "amount", "amount_in", "amount_out")
_OUTCOME = {"amount_in": "amount_in", "amount_out": "amount_out", "post_sqrt": "sqrt_price", "post_tick": "tick"}
"""Column: field of the quote."""

_METADATA = "clmm_pool_metadata.json"


class _Array(msgspec.Struct):
    data_b64: str


class _Swap(msgspec.Struct):
    block_time: int


class _Capture(msgspec.Struct):
    pool_address: str
    pool_b64: str
    tick_arrays: list[_Array]
    swap: _Swap


class _Metadata(msgspec.Struct):
    fee_rate: float


class Captures:
    """States of capture files, the last few kept."""

    def __init__(self, directory: Path) -> None:
        self.paths = {path.name: path for path in directory.rglob("*.json")}
        if _METADATA not in self.paths:
            raise MissingAccountError(f"{_METADATA}, which has the trade rate, is not in {directory}")
        rate = msgspec.json.decode(self.paths[_METADATA].read_bytes(), type=_Metadata).fee_rate
        self.rates = clmm.Rates(round(rate * PPM))
        self.state = lru_cache(maxsize=4)(self._state)

    def _state(self, name: str) -> tuple[Any, clmm.State, int]:
        if name not in self.paths:
            raise MissingAccountError(f"capture {name} is not among the accounts")
        try:
            capture = msgspec.json.decode(self.paths[name].read_bytes(), type=_Capture)
        except msgspec.DecodeError as error:
            raise GoldenError(f"{name} is not a capture: {error}") from error
        data, *arrays = (b64decode(text) for text in (capture.pool_b64, *(a.data_b64 for a in capture.tick_arrays)))
        pool = clmm.decode_pool(data)
        decoded = [clmm.decode_array(array, pool.tick_spacing) for array in arrays]
        work = ffi.new("sf_raydium_clmm_work_t *")
        lib.sf_raydium_clmm_clear(work, bytes(Pubkey.from_string(capture.pool_address)))
        for account in (data, *arrays):
            check(lib.sf_raydium_clmm_account(account, len(account), work))
        lib.sf_raydium_clmm_fee_set(work, ffi.new("sf_clmm_config_t *", {"trade": self.rates.trade}))
        check(lib.sf_raydium_clmm_prepare(work))
        python = clmm.State.of(pool, self.rates, decoded)
        return core.state_of(work), python, capture.swap.block_time

    def in_c(self, name: str, a_to_b: bool, exact_in: bool, amount: int) -> Quote:
        state, _, now = self.state(name)
        function = lib.sf_raydium_clmm_quote_in if exact_in else lib.sf_raydium_clmm_quote_out
        return core.quote(function, state, a_to_b, amount, now)

    def in_python(self, name: str, a_to_b: bool, exact_in: bool, amount: int) -> Quote:
        _, state, now = self.state(name)
        return (state.quote_in if exact_in else state.quote_out)(a_to_b, amount, now)


def states(places: Places, of: str) -> list[State]:
    """The capture `of` in each directory that has it, with the trade rate beside it; or somewhere below."""
    found = sorted(places.directory.rglob(of))
    if not found:
        raise MissingAccountError(f"capture {of} is not in {places.directory}")
    beside = [path.parent for path in found if (path.parent / _METADATA).is_file()]
    return [State(f"capture {of}", str(directory), _captures(directory)) for directory in beside or [places.directory]]


@lru_cache(maxsize=16)
def _captures(directory: Path) -> Captures:
    return Captures(directory)


def swap(line: Line) -> Swap:
    """A line."""
    name = line.text("capture")
    if not name or set(name) & set("/*?["):
        raise line.error("capture", "is no file's name")
    terms = (name, line.flag("zero_for_one"), line.flag("exact_in"), line.number("amount"))

    def c(captures: Captures) -> Quote:
        return captures.in_c(*terms)

    def python(captures: Captures) -> Quote:
        return captures.in_python(*terms)

    return Swap(name, line.outcome(_OUTCOME), c, python)
