"""Two builds measured in turns: what became slower from one checkout to this one, on a machine that is not still.

    python -m bench turns DIR [CASE ...] [--times 3] [--fail-over 5%]

DIR is another checkout, built. Its cases and ours are measured one after the other, `--times` times each, so that a
machine which becomes slower does so for both. The rounds of all times make one report of each; they are compared, and
kept beside each other below var/bench.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from bench.harness.program import ProgramError
from bench.harness.result import ROOT, Floor, Report, Result


def _floors(reports: Sequence[Report]) -> dict[str, float]:
    """The least of each floor that stands beside a result."""
    found: dict[str, float] = {}
    for report in reports:
        for case in report.cases:
            for result in case.results:
                if result.floor:
                    found[result.floor.name] = min(found.get(result.floor.name, result.floor.value), result.floor.value)
    return found


def _result(same: Sequence[Result], floors: dict[str, float]) -> Result:
    """The best of some, with the rounds of all."""
    whole = [each for each in same if not each.failed] or list(same)
    pick = max if whole[0].unit == "per_second" else min
    best = pick(whole, key=lambda each: each.value)
    absolute = [round_ * (each.floor.value if each.floor else 1.0) for each in whole for round_ in each.rounds]
    if not best.floor:
        return msgspec.structs.replace(best, rounds=absolute)
    floor = Floor(best.floor.name, floors[best.floor.name])
    rounds = [each / floor.value for each in absolute]
    return msgspec.structs.replace(best, floor=floor, ratio=best.value / floor.value, rounds=rounds)


def merged(reports: Sequence[Report], beside: Sequence[Report]) -> Report:
    """One report of several of the same build, with the floors that it shares with those of the other build."""
    floors = _floors([*reports, *beside])
    cases = []
    for case in reports[0].cases:
        others = [found for report in reports for found in report.cases if found.name == case.name]
        results = [
            _result([one for other in others for one in other.results if one.name == result.name], floors)
            for result in case.results
        ]
        hiccups = max((other.hiccups for other in others), key=lambda each: each.get("share", 0.0))
        cases.append(msgspec.structs.replace(case, results=results, hiccups=hiccups))
    return msgspec.structs.replace(reports[0], cases=cases)


def _measured(checkout: Path, names: Sequence[str], out: Path) -> Report:
    """A report of a checkout, by its own harness.

    Raises:
        ProgramError: it made none.
    """
    own = checkout / ".venv" / "bin" / "python"
    command = [str(own if own.exists() else sys.executable), "-m", "bench", *names, "--out", str(out)]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    if not out.exists():
        raise ProgramError(f"{checkout} made no report: {done.stderr.strip()[-500:]}")
    return Report.load(out)


def measure(other: Path, names: Sequence[str], times: int, say: Callable[[str], None]) -> tuple[Report, Report]:
    """The other checkout's report and ours.

    Raises:
        ProgramError: one of the two made none.
    """
    theirs: list[Report] = []
    ours: list[Report] = []
    with tempfile.TemporaryDirectory(prefix="sf-bench-turns-") as scratch:
        for number in range(times):
            turn = [(other, theirs), (ROOT, ours)]
            for checkout, reports in turn if number % 2 == 0 else reversed(turn):
                reports.append(_measured(checkout, names, Path(scratch) / f"{len(theirs)}-{len(ours)}.json"))
                say(f"{number + 1} of {times}: {checkout}")
    return merged(theirs, ours), merged(ours, theirs)
