"""Figures in documents come from the committed reports, never from a keyboard.

A document says which figure stands where, in comments that Markdown does not show:

    from bytes to the order <!--bench tick/tick_to_order p50-->681 ns<!--/bench-->
    <!--bench host cpu-->AMD EPYC<!--/bench-->
    <!--bench table tick-->...a table of the case...<!--/bench-->
    <!--bench @hour soak/orders value-->72,000<!--/bench-->          of bench/hour.json instead of bench/report.json

`python -m bench figures` writes what is between; a test holds them together.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from bench.harness.result import ROOT, Case, Report, Result
from bench.harness.table import quantity, rate, ratio_text, value_text

REPORTS = ROOT / "bench"
"""Where they are: `report`, of all cases on one machine, `hour`, of a soak, which may be of another, and
`cascade_lake`, of some cases on a machine with slower cores."""
DOCUMENTS = (ROOT / "README.md", ROOT / "docs" / "proof.md", ROOT / "docs" / "benchmarks.md")
SPAN = re.compile(r"<!--bench (?P<of>@(?P<report>\w+) )?(?P<what>[^>]+?)-->(?P<text>.*?)<!--/bench-->", re.DOTALL)
WORDS = {True: "met", False: "**missed**", None: "not judged"}


class FigureError(ValueError):
    """A document names a figure that the report does not have."""


def _figure(result: Result, name: str) -> str:
    if result.failed:
        return f"FAILED ({result.failed})"
    if name == "ratio" and result.ratio is not None and result.floor is not None:
        return ratio_text(result)
    if name == "value":
        return value_text(result)
    if name == "rate" and result.rate:
        return rate(result.rate.held)
    if name == "floor" and result.floor is not None:
        return quantity(result.floor.value)
    if name in result.percentiles:
        return quantity(result.percentiles[name])
    raise FigureError(f"result {result.name} has no figure {name}")


def _table(case: Case) -> str:
    """A case's results, as Markdown."""
    rows = ["| | ratio to floor | value | p99 | p99.9 | target |", "|---|---|---|---|---|---|"]
    group = ""
    for result in case.results:
        if result.group and result.group != group:
            rows.append(f"| **{result.group}** | | | | | |")
        group = result.group
        name = result.name.removeprefix(f"{group} ")
        ratio = _figure(result, "ratio") if result.ratio is not None and not result.failed else ""
        tail = [quantity(result.percentiles[key]) if key in result.percentiles else "" for key in ("p99", "p99.9")]
        targets = "; ".join(f"{each.text}: {WORDS[each.met]}" for each in result.targets)
        peer = "*" if result.peer else ""
        value = _figure(result, "value")
        rows.append(f"| {name}{peer} | {ratio} | {value} | {tail[0]} | {tail[1]} | {targets} |")
    return "\n\n" + "\n".join(rows) + "\n\n"


def text_of(report: Report, what: str) -> str:
    """What stands between the comments of `what`.

    Raises:
        FigureError: the report has no such figure.
    """
    first, _, rest = what.partition(" ")
    try:
        if first == "host":
            return report.host[rest]
        if first == "report":
            return {"when": report.when[:10], "commit": report.commit}[rest]
        if first == "disturbed":
            share = max(case.hiccups.get("share", 0.0) for case in report.cases)
            return f"{share:.1%}"
        if first == "table":
            return _table(report.case(rest))
        case, _, name = what.partition("/")
        result, _, figure = name.rpartition(" ")
        return _figure(report.case(case).find(result), figure)
    except KeyError as error:
        raise FigureError(f"{what}: {error}") from error


def rendered(report: Callable[[str], Report], document: str) -> str:
    """A document with the reports' figures.

    Args:
        report: the committed report of a name.

    Raises:
        FigureError: it names a figure that its report does not have.
    """

    def span(found: re.Match[str]) -> str:
        text = text_of(report(found["report"] or "report"), found["what"])
        return f"<!--bench {found['of'] or ''}{found['what']}-->{text}<!--/bench-->"

    return SPAN.sub(span, document)


@cache
def committed(name: str) -> Report:
    """The committed report of this name.

    Raises:
        FigureError: there is none.
    """
    try:
        return Report.load(REPORTS / f"{name}.json")
    except OSError as error:
        raise FigureError(f"@{name}: {error}") from error


def update(*, write: bool) -> list[Path]:
    """The documents whose figures are not the committed reports'; `write` makes them so."""
    changed = []
    for path in DOCUMENTS:
        was = path.read_text()
        now = rendered(committed, was)
        if now != was:
            changed.append(path.relative_to(ROOT))
            if write:
                path.write_text(now)
    return changed
