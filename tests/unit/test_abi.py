"""The golden list of the shared layouts: every struct, field, offset and size.

A change of `ipc/include/` shows in the diff of abi_golden.txt.  To write it anew:

    .venv/bin/python -m tests.unit.test_abi
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ipc import abi
from ipc._core import ffi, lib
from ipc.layout import dtype

GOLDEN = Path(__file__).with_name("abi_golden.txt")
HOW = "if the change is meant, say why in the commit and run: .venv/bin/python -m tests.unit.test_abi"


def layouts() -> list[str]:
    """All structs of ipc/include, in the order of the headers."""
    text = abi.types()
    names = [name for name in ffi.list_types()[0] if f"}} {name};" in text]
    return sorted(names, key=lambda name: text.index(f"}} {name};"))


def fields(ctype: Any) -> Iterator[str]:
    for name, field in ctype.fields:
        size = ffi.sizeof(field.type)
        yield f"  {field.offset:8} {size:8}  {field.type.cname} {name}"


def listing() -> str:
    lines = [f"abi major {lib.SF_ABI_MAJOR}"]
    for name in layouts():
        ctype = ffi.typeof(name)
        lines += ["", f"{name} {ffi.sizeof(ctype)} bytes", *fields(ctype)]
    lines += ["", "constants"]
    lines += [f"  {name} = {getattr(lib, name)}" for name in abi.constants()]
    return "\n".join(lines) + "\n"


def test_layouts_are_the_golden_ones() -> None:
    assert listing() == GOLDEN.read_text(), HOW


def test_one_hash_everywhere() -> None:
    assert lib.sf_abi_hash() == abi.abi_hash(), "make build: the C core is of other headers than ipc/include"


def test_a_moved_field_of_a_venues_state_is_another_abi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for header in abi.VENUES.glob("*.h"):
        (tmp_path / header.name).write_text(header.read_text() + "\n/* a comment, and a function */\nint f( void );\n")
    was = abi.abi_hash()
    monkeypatch.setattr(abi, "VENUES", tmp_path)
    assert abi.abi_hash() == was
    moved = tmp_path / "raydium_cpmm.h"
    moved.write_text(moved.read_text().replace("  uint64_t reserve[2];\n  uint64_t small;", "  uint64_t small;"))
    assert abi.abi_hash() != was


@pytest.mark.parametrize("name", layouts())
def test_numpy_has_the_same_layout(name: str) -> None:
    array = dtype(name)
    assert array.itemsize == ffi.sizeof(name)
    assert array.fields is not None
    for field, record in ffi.typeof(name).fields:
        if field.startswith("_pad"):
            assert field not in array.fields
            continue
        kind, offset = array.fields[field][:2]
        assert offset == record.offset
        assert kind.itemsize == ffi.sizeof(record.type)
        if record.type.kind == "primitive":
            smallest = ffi.new(f"{name} *")
            setattr(smallest, field, 1)
            assert np.frombuffer(ffi.buffer(smallest), array)[field][0] == 1


@pytest.mark.parametrize("name", layouts())
def test_no_padding_that_is_not_written_down(name: str) -> None:
    end = 0
    for field, record in ffi.typeof(name).fields:
        assert record.offset == end, f"{name}: hidden padding before {field}"
        end += ffi.sizeof(record.type)
    assert end == ffi.sizeof(name), f"{name}: hidden padding at the end"


def test_an_unknown_layout_is_refused() -> None:
    with pytest.raises(KeyError):
        dtype("sf_nothing_t")
    with pytest.raises(KeyError):
        dtype("int")


if __name__ == "__main__":
    GOLDEN.write_text(listing())
