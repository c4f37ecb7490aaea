"""Golden rows of Meteora DAMM v2: `pool,unix_time,a_to_b,mode,amount,amount_in,amount_out,post_sqrt`."""

from __future__ import annotations

from typing import Any, NamedTuple

from ipc._core import ffi, lib
from ipc.errors import check
from sniperforge.venues import core
from sniperforge.venues import meteora_damm_v2 as damm
from sniperforge.venues.golden import Swap
from sniperforge.venues.golden.lines import Line
from sniperforge.venues.golden.places import Places, State
from sniperforge.venues.quote import Quote

COLUMNS = ("pool", "unix_time", "a_to_b", "mode", "amount", "amount_in", "amount_out")
_OUTCOME = {"amount_in": "amount_in", "amount_out": "amount_out", "post_sqrt": "sqrt_price"}

_IN_C = {
    "0": lib.sf_meteora_damm_v2_quote_in,
    "1": lib.sf_meteora_damm_v2_quote_partial,
    "2": lib.sf_meteora_damm_v2_quote_out,
}
_IN_PYTHON = {"0": damm.State.quote_in, "1": damm.State.quote_partial, "2": damm.State.quote_out}


class Loaded(NamedTuple):
    """The same pool twice."""

    c: Any  #: sf_meteora_damm_v2_state_t *
    python: damm.State


def decode(data: bytes) -> Loaded:
    """The pool in an account's bytes."""
    state = ffi.new("sf_meteora_damm_v2_state_t *")
    check(lib.sf_meteora_damm_v2_decode(data, len(data), state))
    return Loaded(state, damm.decode_pool(data))


def states(places: Places, of: str) -> list[State]:
    """The pool `of` in each place; its account is all that prices it."""
    return places.states(f"pool {of}", lambda dumps: [decode(dumps.need(of, "pool").data)])


def swap(line: Line) -> Swap:
    """A line."""
    mode = line.text("mode", *_IN_C)
    terms = (line.flag("a_to_b"), line.number("amount"), line.number("unix_time"))

    def c(pool: Loaded) -> Quote:
        return core.quote(_IN_C[mode], pool.c, *terms)

    def python(pool: Loaded) -> Quote:
        return _IN_PYTHON[mode](pool.python, *terms)

    return Swap(line.key("pool"), line.outcome(_OUTCOME), c, python)
