"""Golden rows: swaps whose outcome in the real program is known, against the C core and the Python reference.

A file `<prefix>*.csv` belongs to the adapter of its prefix in `ADAPTERS`. An adapter is a module with

    rows(csv_path, accounts_dir) -> Iterator[GoldenRow]

which loads the state that the file belongs to twice, into C and into the reference, and turns each line into
a `GoldenRow`. `raydium_cpmm.py` is the example to follow.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from sniperforge.venues.quote import Quote

ADAPTERS = {
    "raydium_amm_v4": "raydium_amm_v4",
    "raydium_cpmm": "raydium_cpmm",
    "raydium_clmm": "raydium_clmm",
    "whirlpool": "orca_whirlpool",
    "orca_whirlpool": "orca_whirlpool",
    "meteora_dlmm": "meteora_dlmm",
    "meteora_damm_v2": "meteora_damm_v2",
    "pump_swap": "pump_swap",
    "pump_fun": "pump_fun",
}
"""Start of a csv file's name: module of its adapter."""

FAILED = None
"""What a row expects where the program failed: any status but `ok`."""


class GoldenRow(NamedTuple):
    """One swap. `expected` holds the fields of `Quote` that the file knows, or `FAILED`."""

    name: str
    expected: Mapping[str, int] | None
    run_c: Callable[[], Quote]
    run_python: Callable[[], Quote]


class GoldenError(ValueError):
    """The file is not one that can be run; the text says why."""


def rows(csv_path: Path, accounts_dir: Path) -> Iterator[GoldenRow]:
    """All rows of a golden file; `accounts_dir` holds the snapshots.

    Raises:
        GoldenError: no adapter is of this file's name, or its lines are not as the adapter's.
        MissingAccountError: an account that prices the swaps is not in `accounts_dir`.
    """
    found = [prefix for prefix in ADAPTERS if csv_path.name.startswith(prefix)]
    if not found:
        raise GoldenError(f"{csv_path.name}: no venue of this name; it starts with one of {', '.join(ADAPTERS)}")
    module = ADAPTERS[max(found, key=len)]
    try:
        adapter = import_module(f"{__name__}.{module}")
    except ModuleNotFoundError as error:
        raise GoldenError(f"{csv_path.name}: this build has no {module}") from error
    yield from adapter.rows(csv_path, accounts_dir)


def lines(csv_path: Path, *columns: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Name and columns of each line; the name is `line N: text`.

    Raises:
        GoldenError: one of `columns` is not in the first line, or a line is too short.
    """
    with csv_path.open(newline="") as file:
        reader = csv.DictReader(file)
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if missing:
            raise GoldenError(f"{csv_path.name}: no column {', '.join(missing)} in the first line")
        for row in reader:
            values = {key: value or "" for key, value in row.items() if key is not None}
            yield f"line {reader.line_num}: {','.join(values.values())}", values


def failed(value: str) -> bool:
    """Whether an amount in a file says that the program failed."""
    return value.strip().upper().startswith("ERR")


def difference(expected: Mapping[str, int] | None, got: Quote) -> str:
    """What is off, empty if nothing is."""
    if expected is FAILED:
        return f"gives {got.amount_out} for {got.amount_in}, the program failed" if got.status == "ok" else ""
    if got.status != "ok":
        return f"{got.status} (error {got.error})"
    wrong = [
        f"{name} {getattr(got, name)}, not {value}" for name, value in expected.items() if getattr(got, name) != value
    ]
    return "; ".join(wrong)
