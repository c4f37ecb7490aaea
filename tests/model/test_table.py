"""Tables against a dictionary."""

from __future__ import annotations

import os
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ipc._core import lib
from ipc.errors import CoreError
from ipc.layout import dtype
from tests.graphs import one_link

NAME = f"t{os.getpid()}-table"
ROWS = 6


class Table(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.instance = one_link(depth=4, slot_bytes=64, rows=ROWS).create(NAME)
        self.instance.map_writable("writer")
        self.table = self.instance.table("tokens")
        self.model: dict[int, tuple[bytes, int]] = {}
        self.writes: dict[int, int] = {}

    def teardown(self) -> None:
        self.instance.remove()

    @rule(row=st.integers(0, ROWS - 1), mint=st.binary(min_size=32, max_size=32), decimals=st.integers(0, 2**32 - 1))
    def write(self, row: int, mint: bytes, decimals: int) -> None:
        record: Any = np.zeros((), dtype("sf_token_row_t"))
        record["mint"] = np.frombuffer(mint, np.uint8)
        record["decimals"] = decimals
        record["lock"] = 12345  # kept by C, not taken from here
        self.table.write(row, record)
        self.model[row] = (mint, decimals)
        self.writes[row] = self.writes.get(row, 0) + 1

    @rule(row=st.integers(0, ROWS - 1))
    def read(self, row: int) -> None:
        if row not in self.model:
            with pytest.raises(CoreError) as refused:
                self.table.read(row)
            assert refused.value.code == lib.SF_ERR_EMPTY
            return
        record = self.table.read(row)
        assert (record["mint"].tobytes(), record["decimals"]) == self.model[row]
        assert record["lock"] == 2 * self.writes[row]

    @rule(row=st.integers(ROWS, 2**32 - 1))
    def read_beyond(self, row: int) -> None:
        with pytest.raises(CoreError) as refused:
            self.table.read(row)
        assert refused.value.code == lib.SF_ERR_ARG

    @invariant()
    def all_rows_are_the_models(self) -> None:
        assert self.table.used == max(self.model, default=-1) + 1
        rows = self.table.read_all()
        assert len(rows) == self.table.used
        for row, record in enumerate(rows):
            found = (record["mint"].tobytes(), record["decimals"]) if record["lock"] else None
            assert found == self.model.get(row)


TestTable = Table.TestCase
TestTable.settings = settings(max_examples=40, stateful_step_count=30)
