"""Market messages for tests of strategies: pools, and balances of a wallet that trades on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ipc._core import ffi, lib
from sniperforge.records import Record
from sniperforge.strategies.base import PoolUpdate, PoolUpdates

STRIDE = 704
HEADER: int = ffi.sizeof("sf_message_t")
_HEAD = Record("sf_message_t")


def update_bytes(
    pool: int,
    *,
    a: int,
    b: int,
    slot: int = 1,
    tokens: tuple[int, int] = (0, 1),
    trade_fee_ppm: int = 2500,
    **about: Any,
) -> bytes:
    """The payload of a pool update of a Raydium CPMM pool with a trade fee of 0.25 %; `about`: fields of its head."""
    state, update = ffi.new("sf_raydium_cpmm_state_t *"), ffi.new("sf_pool_update_t *")
    state.reserve = state.amount = [a, b]
    state.rates.trade = trade_fee_ppm
    venue = lib.sf_venue_get(lib.SF_VENUE_RAYDIUM_CPMM)
    lib.sf_pool_update_fill(venue, state, ffi.sizeof(state[0]), 1000, update)
    values = {"pool": pool, "slot": slot, "token_a": tokens[0], "token_b": tokens[1]} | about
    for name, value in values.items():
        setattr(update, name, value)
    return bytes(ffi.buffer(update)) + bytes(ffi.buffer(state))


def messages(payloads: Sequence[bytes], *, first_seq: int = 0, kind: int | None = None) -> PoolUpdates:
    """Pool updates as they stand in a tile's buffer."""
    data = b""
    for seq, payload in enumerate(payloads, first_seq):
        header = {"seq": seq, "kind": lib.SF_MSG_POOL if kind is None else kind, "length": len(payload)}
        header |= {"t_origin": 1000 + seq, "t_pub": 2000 + seq}
        data += (_HEAD.build(header) + payload).ljust(STRIDE, b"\0")
    return PoolUpdates(data, STRIDE)


def update(pool: int, *, a: int, b: int, seq: int = 0, kind: int | None = None, **about: Any) -> PoolUpdate:
    """One pool update."""
    return messages([update_bytes(pool, a=a, b=b, **about)], first_seq=seq, kind=kind)[0]
