"""Every arbitrage cycle over a set of pools, in exact integers (`csrc/trade/cycles.h`), from market messages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ipc._core import ffi, lib
from ipc.errors import check

NO_LIMIT = 2**63 - 1


@dataclass(frozen=True)
class Hop:
    """One swap of a cycle."""

    pool: int
    a_to_b: bool
    amount_in: int


@dataclass(frozen=True)
class Cycle:
    """Swaps that begin and end in the base token; amounts are the venues' own quotes."""

    hops: tuple[Hop, ...]
    amount_out: int

    @property
    def profit(self) -> int:
        """What it earns without costs, in base units of the base token."""
        return self.amount_out - self.hops[0].amount_in


def profitable(
    payloads: Iterable[bytes], *, base: int, tokens: int, pools: int, hops: int = 3, max_input: int = NO_LIMIT
) -> list[Cycle]:
    """All cycles of two to `hops` swaps over as many pools that earn something, the best first.

    Args:
        payloads: what a market message says of each pool (`sf_pool_update_t`, state); see `PoolStore.payloads`.
        base: row of the token they begin and end in.
        tokens, pools: one more than the largest row of either.
        max_input: most that a cycle puts in.

    Raises:
        CoreError: a pool's numbers are out of range.
        ValueError: a payload is cut off.
    """
    cycles = ffi.new("sf_cycles_t *")
    check(lib.sf_cycles_open(cycles, pools, tokens, hops, 0, max_input))
    try:
        lib.sf_cycles_base(cycles, base)
        for payload in payloads:
            update = ffi.from_buffer("sf_pool_update_t *", payload)
            if len(payload) != ffi.sizeof(update[0]) + update.state_bytes:
                raise ValueError(f"pool {update.pool}: {len(payload)} bytes are not a head and its state")
            check(lib.sf_cycles_update(cycles, update, 0))
        room = 4096
        while True:
            routes = ffi.new("sf_route_t[]", room)
            count = check(lib.ipc_cycles_all(cycles, routes, room))
            if count <= room:
                break
            room = count
    finally:
        lib.sf_cycles_close(cycles)
    found = [
        Cycle(
            tuple(
                Hop(route.edge[hop] >> 1, not route.edge[hop] & 1, route.amount_in[hop]) for hop in range(route.hop_cnt)
            ),
            route.expected_out,
        )
        for route in routes[0:count]
    ]
    return sorted(found, key=lambda cycle: -cycle.profit)
