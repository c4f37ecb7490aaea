"""Golden rows of Meteora DAMM v2: `pool,unix_time,a_to_b,mode,amount,amount_in,amount_out,post_sqrt`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ipc._core import ffi, lib
from ipc.errors import check
from sniperforge.venues import core
from sniperforge.venues import meteora_damm_v2 as damm
from sniperforge.venues.dumps import load
from sniperforge.venues.golden import FAILED, GoldenError, GoldenRow, failed, lines

MODE = "mode(0 exact_in,2 exact_out)"

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


def rows(csv_path: Path, accounts_dir: Path) -> Iterator[GoldenRow]:
    """The rows of a file; each names its pool, whose account is all that prices it."""
    dumps, pools = load(accounts_dir), dict[str, Loaded]()
    for name, line in lines(csv_path, "pool", "unix_time", "a_to_b", MODE, "amount", "amount_in", "amount_out"):
        pool, mode = line["pool"], line[MODE]
        if mode not in _IN_C:
            raise GoldenError(f"{csv_path.name}: {name}: mode {mode} is not known")
        if pool not in pools:
            pools[pool] = decode(dumps.need(pool, "pool").data)
        columns = {"amount_in": "amount_in", "amount_out": "amount_out", "sqrt_price": "post_sqrt"}
        ended = failed(line["amount_in"]) or failed(line["amount_out"])
        expected = FAILED if ended else {key: int(line[at]) for key, at in columns.items() if line.get(at)}
        terms = (line["a_to_b"] == "1", int(line["amount"]), int(line["unix_time"]))
        yield GoldenRow(
            name,
            expected,
            partial(core.quote, _IN_C[mode], pools[pool].c, *terms),
            partial(_IN_PYTHON[mode], pools[pool].python, *terms),
        )
