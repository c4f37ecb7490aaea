"""The lines of a golden csv file: cells that are checked, and errors that name file, line, column and value."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from solders.pubkey import Pubkey

_U64 = 1 << 64
_WIDE = 1 << 128


class GoldenError(ValueError):
    """The file is not one that can be run; the text says why."""


class Line:
    """One line; `name` is `line N: text`."""

    def __init__(self, file: str, number: int, cells: Mapping[str, str]) -> None:
        self.name = f"line {number}: {','.join(cells.values())}"
        self._where = f"{file}: line {number}"
        self._cells = cells

    def error(self, column: str, advice: str) -> GoldenError:
        """What is wrong with a cell."""
        return GoldenError(f"{self._where}: column {column}: {self._cells[column]!r} {advice}")

    def text(self, column: str, *allowed: str) -> str:
        """A word, one of `allowed` if there are any."""
        value = self._cells[column].strip()
        if allowed and value not in allowed:
            raise self.error(column, f"is not known; use {' or '.join(allowed)}")
        return value

    def flag(self, column: str) -> bool:
        """0 or 1."""
        return self.text(column, "0", "1") == "1"

    def number(self, column: str, least: int = 0, most: int = _U64 - 1) -> int:
        """A whole number; without limits of 64 bits."""
        text = self._cells[column].strip()
        if not text.removeprefix("-").isdecimal():
            raise self.error(column, "is no whole number; every row needs one there")
        if not least <= (value := int(text)) <= most:
            raise self.error(column, f"is out of range; use {least} to {most}")
        return value

    def key(self, column: str) -> str:
        """A public key."""
        try:
            return str(Pubkey.from_string(self._cells[column].strip()))
        except ValueError:
            raise self.error(column, "is no public key; write 32 bytes in base58") from None

    def outcome(self, columns: Mapping[str, str]) -> dict[str, int] | None:
        """What the program did, as fields of `Quote` by column, those that are there; None (`golden.FAILED`) if one of
        them begins with ERR. Amounts have to be there."""
        if any(self._cells.get(column, "").strip().upper().startswith("ERR") for column in columns):
            return None
        signed = {"tick": (-(1 << 31), (1 << 31) - 1)}
        wide = {"sqrt_price": (0, _WIDE - 1), "liquidity": (0, _WIDE - 1)}
        return {
            quoted: self.number(column, *(signed | wide).get(quoted, ()))
            for column, quoted in columns.items()
            if quoted not in signed | wide or self._cells.get(column, "").strip()
        }


def _name(cell: str) -> str:
    """A column's name, without what stands behind it in brackets."""
    return cell.partition("(")[0].strip()


def _records(csv_path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        with csv_path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            for record in reader:
                if any(cell.strip() for cell in record):
                    yield reader.line_num, record
    except UnicodeDecodeError as error:
        raise GoldenError(f"{csv_path.name}: byte {error.start} is no UTF-8; save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise GoldenError(f"{csv_path.name}: line {reader.line_num}: {error}; save it as CSV") from None


def header(csv_path: Path) -> list[str]:
    """The columns of a file."""
    return [_name(cell) for cell in next(_records(csv_path), (0, []))[1]]


def lines(csv_path: Path, columns: Sequence[str]) -> Iterator[Line]:
    """The lines of a file whose first line has at least `columns`.

    Raises:
        GoldenError: one of `columns` is not in the first line, or it is no csv file.
    """
    names = header(csv_path)
    missing = [column for column in columns if column not in names]
    if missing:
        raise GoldenError(
            f"{csv_path.name}: no column {', '.join(missing)} in the first line, which has {', '.join(names) or 'none'}"
            "; columns are parted by commas"
        )
    for number, record in list(_records(csv_path))[1:]:
        cells = {name: record[at] if at < len(record) else "" for at, name in enumerate(names)}
        yield Line(csv_path.name, number, cells)
