"""Results as a terminal shows them: ratios to the floor first, then the absolute, then a small histogram."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.harness.floor import HICCUPS_HIGH
from bench.harness.hdr import Histogram, bucket_range
from bench.harness.result import PER_NS, Case, Report, Result

BARS = " ▁▂▃▄▅▆▇█"
COLUMNS = 16


def quantity(ns: float) -> str:
    """A time in the unit that suits it."""
    for size, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.1f} ns" if ns < 100 else f"{ns:.0f} ns"


def rate(per_second: float) -> str:
    """So many a second."""
    for size, unit in ((1e6, "M/s"), (1e3, "k/s")):
        if per_second >= size:
            return f"{per_second / size:.3g} {unit}"
    return f"{per_second:.3g} /s"


def value_text(result: Result, value: float | None = None) -> str:
    """A result's headline, or another value of its unit."""
    shown = result.value if value is None else value
    if result.unit == "per_second":
        return rate(shown)
    if result.unit == "bytes":
        return f"{shown / 1e6:.1f} MB"
    if result.unit == "count":
        return f"{shown:,.0f}"
    return f"{shown:.2f} x" if result.unit == "x" else quantity(shown)


def spark(result: Result) -> str:
    """The histogram in a few characters, from p0 to p99.9, both axes logarithmic."""
    if not result.histogram:
        return ""
    histogram = Histogram.decode(result.histogram)
    top = max(histogram.percentile(99.9), 1)
    low = max(bucket_range(min(histogram.counts))[0], 1)
    width = max(math.log(top / low), 1e-9) / COLUMNS
    counts = [0] * COLUMNS
    for bucket, count in histogram.counts.items():
        middle = max(sum(bucket_range(bucket)) / 2, 1)
        if middle <= top:
            counts[min(COLUMNS - 1, max(0, int(math.log(middle / low) / width)))] += count
    most = math.log1p(max(counts))
    bars = "".join(BARS[math.ceil(math.log1p(count) / most * (len(BARS) - 1))] for count in counts)
    unit = PER_NS[result.histogram_unit]
    return f"{quantity(low / unit):>7} {bars} {quantity(top / unit)}"


def ratio_text(result: Result, times: str = "×") -> str:
    """A result's ratio to its floor, in figures that need no exponent; empty where there is none."""
    if result.ratio is None or result.floor is None:
        return ""
    shown = f"{result.ratio:.3g}" if result.ratio < 1000 else f"{result.ratio:,.0f}"
    return f"{shown} {times} {result.floor.name}"


def _targets(result: Result) -> str:
    words = {True: "met", False: "MISSED", None: "not judged"}
    said = [f"{words[target.met]}: {target.text}" for target in result.targets]
    if result.failed:
        said.insert(0, f"FAILED: {result.failed}")
    return "; ".join(said)


def lines(results: Sequence[Result]) -> list[str]:
    """A table of results."""
    rows = [["", "ratio to floor", "value", "p99", "p99.9", "max", "spread", ""]]
    group = ""
    for result in results:
        if result.group and result.group != group:
            rows.append([f"{result.group}:", *[""] * 7])
        group = result.group
        name = result.name.removeprefix(f"{result.group} ") if group else result.name
        found = result.percentiles
        tail = [quantity(found[key]) if key in found else "" for key in ("p99", "p99.9", "max")]
        label = f"{'  ' if group else ''}{name}{'*' if result.peer else ''}"
        rows.append([label, ratio_text(result, "x"), value_text(result), *tail, spark(result), _targets(result)])
    widths = [max(len(row[column]) for row in rows) for column in range(7)]
    text = []
    for row in rows:
        numbers = [cell.rjust(width) for cell, width in zip(row[1:6], widths[1:6], strict=True)]
        text.append("  ".join([row[0].ljust(widths[0]), *numbers, row[6].ljust(widths[6]), row[7]]).rstrip())
    return text


def floors_text(floors: Sequence[Result]) -> str:
    """The machine's limits."""
    return "\n".join(["the machine itself", *lines(floors)])


def case_text(case: Case) -> str:
    """A case with all that was said of it."""
    said = [f"== {case.name}: {case.text} ({case.seconds:g} s)", *lines(case.results)]
    if any(result.peer for result in case.results):
        said.append("* not ours, measured in the same run")
    said += [f"left out: {reason}" for reason in case.skipped]
    if case.failed:
        said.append(f"FAILED: {case.failed}")
    if case.clock:
        said.append("clock: " + ", ".join(f"{name} {value:g}" for name, value in sorted(case.clock.items())))
    if case.hiccups.get("share", 0.0) > HICCUPS_HIGH:
        gap = quantity(case.hiccups["longest_ns"])
        said.append(
            f"other programs took {case.hiccups['share']:.0%} of a core (longest gap {gap}): tails and runs at a"
            " fixed rate tell of them"
        )
    return "\n".join(said)


def summary(report: Report) -> str:
    """What was met and what was not."""
    judged = [(case.name, result, each) for case in report.cases for result in case.results for each in result.targets]
    counts = [sum(each.met is word for _, _, each in judged) for word in (True, False, None)]
    said = [f"{counts[0]} targets met, {counts[1]} missed, {counts[2]} not judged"]
    said += [f"  missed: {case} {result.name}: {each.text}" for case, result, each in judged if each.met is False]
    failed = [(case.name, result) for case in report.cases for result in case.results if result.failed]
    said += [f"  FAILED: {case} {result.name}: {result.failed}" for case, result in failed]
    said += [f"  FAILED: {case.name}: {case.failed}" for case in report.cases if case.failed]
    return "\n".join(said)
