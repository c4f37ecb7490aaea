"""Market messages for tests of strategies: pools, and balances of a wallet that trades on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ipc._core import ffi, lib
from sniperforge.records import Record
from sniperforge.strategies.base import PoolUpdate, PoolUpdates

STRIDE = 256
HEADER: int = ffi.sizeof("sf_message_t")
_HEAD = Record("sf_message_t")
_UPDATE = Record("sf_pool_update_t")


def update_bytes(pool: int, *, a: int, b: int, slot: int = 1, tokens: tuple[int, int] = (0, 1), **about: int) -> bytes:
    """The payload of a pool update of a Raydium CPMM pool with a trade fee of 0.25 %."""
    values = {"pool": pool, "venue": lib.SF_VENUE_RAYDIUM_CPMM, "slot": slot, "reserve_a": a, "reserve_b": b}
    values |= {"token_a": tokens[0], "token_b": tokens[1], "trade_fee_ppm": 2500} | about
    return _UPDATE.build(values)


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
