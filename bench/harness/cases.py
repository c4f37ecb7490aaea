"""Running cases: alone, or all of them into a report."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import import_module
from typing import Protocol, cast

import msgspec

from bench.harness import host, table
from bench.harness.floor import Floors
from bench.harness.program import ProgramError, SkippedError
from bench.harness.result import SCHEMA, Case, Report, commit

HICCUP_MS, HICCUP_MS_SHORT = 300.0, 20.0


def module(name: str) -> CaseModule:
    """The module of a case."""
    return cast(CaseModule, import_module(f"bench.{name}"))


class Measure(Protocol):
    """What a case's module has as `measure`."""

    def __call__(self, floors: Floors, *, short: bool = False) -> Case: ...


class CaseModule(Protocol):
    """What a case's module has."""

    TEXT: str
    measure: Measure
    __doc__: str | None


def measured(measure: Measure, floors: Floors, *, short: bool) -> Case:
    """One case, between two measurements of the floors.

    Raises:
        ProgramError: its program failed.
        SkippedError: this machine cannot run it.
    """
    floors.measure()
    begin = time.monotonic()
    case = measure(floors, short=short)
    case.seconds = round(time.monotonic() - begin, 1)
    floors.measure()
    case.hiccups = floors.hiccups()
    return case


def report(names: Sequence[str], *, short: bool, done: Callable[[Report], None]) -> Report:
    """Measures cases of `bench.<name>`, one after the other; `done` gets the report so far after each. A case whose
    program failed stands in it as failed."""
    floors = Floors(HICCUP_MS_SHORT if short else HICCUP_MS)
    when = datetime.now(UTC).isoformat(timespec="seconds")
    made = Report(schema=SCHEMA, when=when, commit=commit(), host=host.facts(), short=short)
    for name in names:
        case_module = module(name)
        try:
            case = measured(case_module.measure, floors, short=short)
        except (SkippedError, ProgramError) as error:
            case = Case(name, case_module.TEXT, case_module.__doc__ or "")
            if isinstance(error, ProgramError):
                case.failed = str(error)
            else:
                case.skipped.append(str(error))
        made.cases.append(case)
        made.floors = floors.results()
        done(made)
    return made


def run_one(measure: Measure) -> int:
    """The command line of a case's own module. Returns 0 if every target that could be judged was met, 1 if one was
    not, 77 if this machine cannot run the case."""
    parser = argparse.ArgumentParser(description="One case of the latency harness.")
    parser.add_argument("--short", action="store_true", help="seconds instead of minutes; the figures are rough")
    parser.add_argument("--json", action="store_true", help="the case as JSON")
    options = parser.parse_args()
    floors = Floors(HICCUP_MS_SHORT if options.short else HICCUP_MS)
    try:
        case = measured(measure, floors, short=options.short)
    except SkippedError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 77
    except ProgramError as error:
        print(error, file=sys.stderr)
        return 1
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(case), indent=1).decode())
    else:
        print(table.floors_text(floors.results()))
        print(table.case_text(case))
    return 0 if case.met else 1
