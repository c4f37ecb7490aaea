"""The store that `book` keeps pools in, without an engine: accounts in, market messages out (csrc/dex/pools.h)."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from ipc._core import ffi, lib
from ipc.errors import check

SLOTS_PER_EPOCH = 432_000


class PoolStore:
    """Pools of every venue, from the bytes of their accounts. Pools come before what prices them."""

    def __init__(self, *, pools: int = 4096, mints: int = 4096, slots_per_epoch: int = SLOTS_PER_EPOCH) -> None:
        self._store: Any = ffi.new("sf_pools_t *")
        self._payload: Any = ffi.new("uint8_t[]", lib.IPC_POOL_BYTES_MAX)
        self._address: Any = ffi.new("uint8_t[32]")
        check(lib.sf_pools_open(self._store, pools, mints, slots_per_epoch))

    def __enter__(self) -> PoolStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        lib.sf_pools_close(self._store)

    def time(self, unix_s: int) -> None:
        """Says what time it is: pools open by it, and quotes are made for it."""
        lib.sf_pools_time(self._store, unix_s)

    def account(self, address: bytes, owner: bytes, data: bytes, *, slot: int, snapshot: bool = True) -> None:
        """Takes an account as of `slot`; `snapshot`: part of a read that is of one moment.

        Raises:
            CoreError: it is longer than any that prices a pool.
        """
        flags = lib.SF_RAW_SNAPSHOT if snapshot else 0
        check(lib.ipc_pools_account(self._store, address, owner, slot, flags, data, len(data)))

    def slot(self, slot: int) -> None:
        """Says that nothing more of earlier slots comes."""
        lib.sf_pools_slot(self._store, slot)

    def reset(self) -> None:
        """Says that what follows is a new read: until then no pool has a price."""
        lib.sf_pools_reset(self._store, 0)

    def payloads(self) -> dict[bytes, bytes]:
        """By address, the pools that have a price: what a market message says of each (`sf_pool_update_t`, state)."""
        found = {}
        for pool in range(self._store.cnt):
            length = lib.ipc_pools_payload(self._store, pool, self._address, self._payload)
            if length:
                found[bytes(self._address)] = bytes(ffi.buffer(self._payload, length))
        return found

    @property
    def malformed(self) -> int:
        """Accounts whose bytes were refused."""
        return int(self._store.count[lib.SF_POOLS_MALFORMED])
