"""Shared structs as tuples, and base58."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from ipc.layout import dtype
from sniperforge import base58
from sniperforge.records import Record

FILL = Record("sf_fill_t")


@pytest.mark.parametrize("name", ["sf_order_t", "sf_wire_t", "sf_fill_t", "sf_balance_t", "sf_pool_row_t"])
def test_a_record_reads_and_writes_what_numpy_does(name: str) -> None:
    record, shape = Record(name), dtype(name)
    data = random.Random(name).randbytes(shape.itemsize)
    values = record.named(data)
    row = np.frombuffer(data, shape)[0]
    for field, value in values.items():
        found: Any = row
        for part in field.replace("[", ".").replace("]", "").split("."):
            found = found[int(part) if part.isdigit() else part]
        assert (found.tobytes() if isinstance(value, bytes) else found) == value, field
    again = np.frombuffer(record.build(values), shape)[0]
    assert record.named(again.tobytes()) == values
    assert record.size == shape.itemsize


def test_a_record_knows_its_fields() -> None:
    with pytest.raises(KeyError):
        FILL.build({"price": 1})
    with pytest.raises(KeyError):
        Record("sf_fill_t", ["order", "price"])
    with pytest.raises(ValueError, match="order of memory"):
        Record("sf_fill_t", ["intent", "order"])


def test_base58_reads_what_it_writes_and_refuses_the_rest() -> None:
    rng = random.Random(1)
    for size in (32, 64):
        for zeros in range(4):
            data = bytes(zeros) + rng.randbytes(size - zeros)
            assert base58.decode(base58.encode(data), size) == data
    assert base58.encode(bytes(32)) == "1" * 32
    assert base58.decode("So11111111111111111111111111111111111111112", 32)[:1] == b"\x06"
    for text in ("", "0" * 32, "l" * 44, "1" * 31, "1" * 33, "ä", "z" * 44):
        with pytest.raises(ValueError, match=r"base58|spells"):
            base58.decode(text, 32)
