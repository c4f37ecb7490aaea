"""The C core's venues (`csrc/dex`) from Python: the same state, the same quotes, as `Quote`.

A venue is reached by its real functions, declared in a block `dex: <venue>` of `ipc/binding.h`: an opaque state
(`ffi.new("sf_<venue>_state_t *")`; of a venue with ticks the work it is in), decoders that return 0 or a negative code
(`check` makes an exception of it), and `sf_<venue>_quote_in` and `_quote_out`, which `quote` calls.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ipc._core import ffi, lib
from ipc.errors import check
from sniperforge.venues.quote import Quote

STATUS = {lib.SF_QUOTE_OK: "ok", lib.SF_QUOTE_REFUSED: "refused", lib.SF_QUOTE_EXHAUSTED: "exhausted"}


def state_of(work: Any) -> Any:
    """The state in a `sf_<venue>_work_t *`, which lives as long as it does."""
    return ffi.gc(ffi.addressof(work, "state"), lambda _: work and None)


def quote(function: Callable[..., None], state: Any, a_to_b: bool, amount: int, now: int = 0) -> Quote:
    """What `function` (`lib.sf_<venue>_quote_in` or `_quote_out`) says of `amount`."""
    got = ffi.new("sf_quote_t *")
    function(state, a_to_b, amount, now, got)
    wide = ffi.new("uint64_t[4]")
    lib.ipc_quote_wide(got, wide)
    return Quote(
        amount_in=got.amount_in,
        amount_out=got.amount_out,
        status=STATUS[got.status],
        error=got.error,
        fee=got.fee,
        protocol_fee=got.protocol_fee,
        creator_fee=got.creator_fee,
        fee_in_input=got.fee_in_input == 1,
        reserve_a=got.reserve_a,
        reserve_b=got.reserve_b,
        sqrt_price=wide[0] | wide[1] << 64,
        liquidity=wide[2] | wide[3] << 64,
        tick=got.tick,
        crossed=got.crossed,
    )


def impact_ppm(function: Callable[..., None], state: Any, a_to_b: bool, amount: int, now: int = 0) -> int:
    """How much worse than the price before the swap is, per million, fees not counted."""
    got = ffi.new("sf_quote_t *")
    function(state, a_to_b, amount, now, got)
    return int(got.impact_ppm)


def token_amount(program: bytes, data: bytes, mint: bytes) -> int:
    """The amount in a token account of `mint`, decoded by the core.

    Raises:
        CoreError: it is not one.
    """
    account = ffi.new("sf_token_account_t *")
    held = ffi.from_buffer("uint8_t[]", data)  # which the decoded account points into
    check(lib.sf_token_account_decode(program, held, len(data), account))
    if bytes(ffi.buffer(account.mint, 32)) != mint:
        raise ValueError("token account of another mint")
    return int(account.amount)
