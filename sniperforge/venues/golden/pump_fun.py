"""Golden rows of the pump.fun curve: `side,tokens,sol_curve,fee,sol_user,pre_vt,pre_vs,post_vt,post_vs`.

The `pre_` columns are the whole state: the virtual reserves of a curve of January 2025, whose program rounded its fee
of 1 % down. A curve's real reserves are the virtual ones without what every curve of that time began with.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ipc._core import ffi, lib
from sniperforge.venues import core, pump_fun
from sniperforge.venues.golden import FAILED, GoldenRow, failed, lines
from sniperforge.venues.pump_fees import Rates, Schedule

FEE_BPS = 100
TOKENS_NEVER_SOLD = 1_073_000_000_000_000 - 793_100_000_000_000
SOL_NEVER_PAID = 30_000_000_000


def rows(csv_path: Path, accounts_dir: Path) -> Iterator[GoldenRow]:
    """The rows of a file; no account is needed."""
    for name, line in lines(
        csv_path, "side", "tokens", "sol_curve", "fee", "sol_user", "pre_vt", "pre_vs", "post_vt", "post_vs"
    ):
        sell, tokens = line["side"] == "sell", int(line["tokens"])
        virtual = int(line["pre_vt"]), int(line["pre_vs"])
        real = max(0, virtual[0] - TOKENS_NEVER_SOLD), max(0, virtual[1] - SOL_NEVER_PAID)
        curve = ffi.new("sf_pump_fun_state_t *")
        lib.sf_pump_fun_reserves_set(curve, *virtual, *real, FEE_BPS, 0, 1)
        state = pump_fun.State(virtual, real, Schedule(Rates(protocol=FEE_BPS), floor=True))
        expected = (
            FAILED
            if any(failed(line[key]) for key in ("sol_curve", "fee", "sol_user"))
            else {
                "amount_in": tokens if sell else int(line["sol_user"]),
                "amount_out": int(line["sol_user"]) if sell else tokens,
                "fee": int(line["fee"]),
                "reserve_a": int(line["post_vt"]),
                "reserve_b": int(line["post_vs"]),
            }
        )
        in_c = lib.sf_pump_fun_quote_in if sell else lib.sf_pump_fun_quote_out
        in_python = state.quote_in if sell else state.quote_out
        yield GoldenRow(
            name, expected, partial(core.quote, in_c, curve, sell, tokens), partial(in_python, sell, tokens)
        )
