"""Golden rows: swaps whose outcome in the real program is known, against the C core and the Python reference.

    csv file ──lines──▶ Swap, one a line ──of──▶ states that the swap may be of ──choice──▶ GoldenRow

The file's name tells the venue: one of `NAMES` is in it, whatever else is. Where it tells none or several, the columns
do. A venue's adapter is the module of its name here, with

    COLUMNS                      what the first line must hold
    swap(line) -> Swap           a line; `Line` checks the cells
    states(places, of) -> [...]  a `State` of each place that prices what `Swap.of` names

A pool may stand in several snapshots below the directory. They are only asked which one is meant if they give different
answers to the rows: the one that the file is named after (a directory's name, or the slot in a table's), else the one
that more rows agree with than with any other.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ipc.errors import CoreError
from sniperforge.venues.dumps import AmbiguousAccountError, MissingAccountError
from sniperforge.venues.golden.lines import GoldenError, Line, header, lines
from sniperforge.venues.golden.places import Places, State
from sniperforge.venues.quote import Quote

NAMES = {
    "ammv4": "raydium_amm_v4",
    "cpmm": "raydium_cpmm",
    "clmm": "raydium_clmm",
    "whirlpool": "orca_whirlpool",
    "orca": "orca_whirlpool",
    "dlmm": "meteora_dlmm",
    "damm": "meteora_damm_v2",
    "pumpswap": "pump_swap",
    "pumpamm": "pump_swap",
    "pumpfun": "pump_fun",
}
"""What in a csv file's name, of which only letters and digits count, tells which venue."""

FAILED = None
"""What a row expects where the program failed: any status but `ok`."""


class Swap(NamedTuple):
    """A line of a file. `of` names what it was a swap of, for `states`; `c` and `python` ask such a state.

    `expected` holds the fields of `Quote` that the file knows, or `FAILED`.
    """

    of: Hashable
    expected: Mapping[str, int] | None
    c: Callable[[Any], Quote]
    python: Callable[[Any], Quote]


class GoldenRow(NamedTuple):
    """A swap and its state."""

    name: str
    expected: Mapping[str, int] | None
    run_c: Callable[[], Quote]
    run_python: Callable[[], Quote]


class _Adapter(Protocol):
    COLUMNS: Sequence[str]

    def swap(self, line: Line) -> Swap: ...
    def states(self, places: Places, of: Any) -> list[State]: ...


def rows(csv_path: Path, accounts_dir: Path, say: Callable[[str], None] = lambda _: None) -> Iterator[GoldenRow]:
    """All rows of a golden file; `accounts_dir` holds the snapshots. `say` is told which one was meant, if rows had to
    tell.

    Raises:
        GoldenError: the venue is not known, a line is not as its adapter's, or an account that prices a swap is
            missing or ambiguous.
    """
    adapter = _adapter(csv_path)
    swaps = [(line.name, adapter.swap(line)) for line in lines(csv_path, adapter.COLUMNS)]
    places = Places(accounts_dir)
    by_subject: dict[Hashable, list[tuple[str, Swap]]] = {}
    for name, swap in swaps:
        by_subject.setdefault(swap.of, []).append((name, swap))
    states = {}
    for of, asked in by_subject.items():
        try:
            states[of] = _choice(csv_path, adapter.states(places, of), [swap for _, swap in asked], say)
        except (MissingAccountError, AmbiguousAccountError, CoreError, ValueError) as error:
            raise GoldenError(f"{csv_path.name}: {asked[0][0]}: {error}") from error
    for name, swap in swaps:
        state = states[swap.of]
        yield GoldenRow(name, swap.expected, partial(swap.c, state), partial(swap.python, state))


def _adapter(csv_path: Path) -> _Adapter:
    stem = "".join(filter(str.isalnum, csv_path.stem.lower()))
    named = {venue for name, venue in NAMES.items() if name in stem}
    if len(named) == 1:
        return _module(*named)
    first = set(header(csv_path))
    fitting = [adapter for venue in {*NAMES.values()} if first.issuperset((adapter := _module(venue)).COLUMNS)]
    if not fitting:
        raise GoldenError(
            f"{csv_path.name}: no venue of this name, nor with these columns; put one of {', '.join(NAMES)} in its name"
        )
    return max(fitting, key=lambda adapter: len(adapter.COLUMNS))


def _module(venue: str) -> _Adapter:
    module: Any = import_module(f"{__name__}.{venue}")
    adapter: _Adapter = module
    return adapter


def _choice(csv_path: Path, found: Sequence[State], swaps: Sequence[Swap], say: Callable[[str], None]) -> Any:
    """The state that the rows are of: see the module."""
    first, *others = found
    answers = [[swap.c(state.state) for swap in swaps] for state in found] if others else []
    if all(answer == answers[0] for answer in answers):
        return first.state
    named = max(found, key=lambda state: state.named(csv_path.stem))
    if most := named.named(csv_path.stem):
        same = [answer for state, answer in zip(found, answers, strict=True) if state.named(csv_path.stem) == most]
        if all(answer == same[0] for answer in same):
            return named.state
    exact = [
        sum(not difference(swap.expected, got) for swap, got in zip(swaps, answer, strict=True)) for answer in answers
    ]
    best = max(exact)
    winners = [index for index, count in enumerate(exact) if count == best]
    if any(answers[index] != answers[winners[0]] for index in winners):
        where = " and ".join(found[index].where for index in winners)
        raise GoldenError(
            f"{first.what} is in {where}, and the rows do not tell which; "
            "name one of the directories, or put its name, or a table's slot, into the name of the csv file"
        )
    chosen = found[winners[0]]
    say(f"{first.what} is in {len(found)} snapshots; {best} of {len(swaps)} rows are of {chosen.where}, which is taken")
    return chosen.state


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
