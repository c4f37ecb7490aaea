"""Golden rows of the pump.fun curve: `side,tokens,sol_curve,fee,sol_user,pre_vt,pre_vs,post_vt,post_vs`.

The `pre_` columns are the whole state: the virtual reserves of a curve of January 2025, whose program rounded its fee
of 1 % down. A curve's real reserves are the virtual ones without what every curve of that time began with.
"""

from __future__ import annotations

from typing import Any

from ipc._core import ffi, lib
from sniperforge.venues import core, pump_fun
from sniperforge.venues.golden import Swap
from sniperforge.venues.golden.lines import Line
from sniperforge.venues.golden.places import Places, State
from sniperforge.venues.pump_fees import Rates, Schedule
from sniperforge.venues.quote import Quote

COLUMNS = ("side", "tokens", "sol_curve", "fee", "sol_user", "pre_vt", "pre_vs", "post_vt", "post_vs")
FEE_BPS = 100
TOKENS_NEVER_SOLD = 1_073_000_000_000_000 - 793_100_000_000_000
SOL_NEVER_PAID = 30_000_000_000


def states(places: Places, of: None) -> list[State]:
    """No account is needed: a line has it all."""
    return [State("a curve", str(places.directory), None)]


def swap(line: Line) -> Swap:
    """A line."""
    sell, tokens = line.text("side", "buy", "sell") == "sell", line.number("tokens")
    virtual = line.number("pre_vt"), line.number("pre_vs")
    real = max(0, virtual[0] - TOKENS_NEVER_SOLD), max(0, virtual[1] - SOL_NEVER_PAID)
    curve = ffi.new("sf_pump_fun_state_t *")
    lib.sf_pump_fun_reserves_set(curve, *virtual, *real, FEE_BPS, 0, 1)
    state = pump_fun.State(virtual, real, Schedule(Rates(protocol=FEE_BPS), floor=True))
    amounts = ("tokens", "sol_user") if sell else ("sol_user", "tokens")
    columns = {"sol_curve": "", amounts[0]: "amount_in", amounts[1]: "amount_out", "fee": "fee"}
    expected = line.outcome({**columns, "post_vt": "reserve_a", "post_vs": "reserve_b"})
    if expected:
        del expected[""]  # follows from the others

    def c(_: Any) -> Quote:
        return core.quote(lib.sf_pump_fun_quote_in if sell else lib.sf_pump_fun_quote_out, curve, sell, tokens)

    def python(_: Any) -> Quote:
        return (state.quote_in if sell else state.quote_out)(sell, tokens)

    return Swap(None, expected, c, python)
