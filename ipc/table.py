"""A table as Python sees it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ipc._core import ffi, lib
from ipc.errors import CoreError, check
from ipc.layout import dtype

ROW_LAYOUTS = {
    "tokens": "sf_token_row_t",
    "pools": "sf_pool_row_t",
    "chain": "sf_chain_row_t",
    "positions": "sf_position_row_t",
    "bots": "sf_bot_row_t",
    "limits": "sf_limit_row_t",
    "durable": "sf_durable_row_t",
    "events": "sf_event_row_t",
}
"""The layout of the rows of each table."""


class Table:
    """Rows of latest values, read one by one without tearing."""

    def __init__(self, pointer: Any, name: str) -> None:
        self._table = pointer
        self.name = name
        self.rows = int(pointer.row_cnt)
        self.dtype = dtype(ROW_LAYOUTS[name]) if name in ROW_LAYOUTS else np.dtype(f"V{pointer.row_bytes}")
        if self.dtype.itemsize != pointer.row_bytes:
            raise CoreError(
                lib.SF_ERR_ABI, f"table {name}: a row has {pointer.row_bytes} bytes, not those of its layout"
            )

    @property
    def used(self) -> int:
        """Rows [0, used) have been written."""
        return int(lib.ipc_load(ffi.addressof(self._table, "used")))

    def read(self, row: int) -> np.void:
        """Returns a copy of one row.  Raises CoreError: EMPTY if it was never written, ARG if there is none."""
        found = np.zeros(1, dtype=self.dtype)
        check(lib.ipc_row_read(self._table, row, ffi.from_buffer(found)))
        record: np.void = found[0]
        return record

    def read_all(self, first: int = 0, count: int | None = None) -> npt.NDArray[np.void]:
        """Returns a copy of rows, all used ones unless told, each consistent.  An unwritten row has `lock` 0."""
        count = max(self.used - first, 0) if count is None else count
        found = np.zeros(count, dtype=self.dtype)
        check(lib.ipc_table_read(self._table, first, count, ffi.from_buffer(found)))
        return found

    def write(self, row: int, values: npt.NDArray[np.void] | np.void) -> None:
        """Writes one whole row; its lock is kept by C.  Only for the process that is the table's writer."""
        record = np.array(values, dtype=self.dtype)
        check(lib.sf_table_write(self._table, row, ffi.from_buffer(record)))
