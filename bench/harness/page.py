"""A report as one page that needs nothing else, and as an HdrHistogram log."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape

from bench.harness.floor import HICCUPS_HIGH
from bench.harness.hdr import Histogram, bucket_range, log_lines
from bench.harness.result import PER_NS, Case, Report, Result, Target
from bench.harness.table import quantity, ratio_text, value_text

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 760, 300, 64, 34, 10
LAST = 6
"""Nines of the last percentile drawn: 99.9999."""
COLOURS = ("#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed", "#0891b2", "#be185d", "#65a30d", "#525252", "#b45309")
CURVES = len(COLOURS)

STYLE = """
:root{--ink:#16181d;--soft:#5b6270;--line:#d9dde3;--back:#ffffff;--panel:#f5f6f8;--good:#047857;--bad:#b91c1c}
@media (prefers-color-scheme:dark){:root{--ink:#e7e9ee;--soft:#9aa2b1;--line:#343944;--back:#14161b;--panel:#1d2027;
--good:#34d399;--bad:#f87171}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--back);max-width:72rem;margin:2rem auto;
padding:0 1rem}
h1{font-size:1.5rem;margin:0 0 .2rem}h2{font-size:1.15rem;margin:2.2rem 0 .3rem;border-top:1px solid var(--line);
padding-top:1.2rem}h3{font-size:.95rem;margin:1.2rem 0 .2rem}
p,li{max-width:60rem}.soft{color:var(--soft)}.scroll{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.88rem}
td,th{padding:.2rem .7rem .2rem 0;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
td:first-child,th:first-child,td.words{text-align:left}th{font-weight:600;color:var(--soft)}
tr.group td{font-weight:600;padding-top:.8rem}tr.peer td:first-child{color:var(--soft)}
.met{color:var(--good)}.missed{color:var(--bad);font-weight:600}
.warn{background:var(--panel);border-left:3px solid var(--bad);padding:.5rem .8rem}
pre{background:var(--panel);padding:.8rem;white-space:pre-wrap;font-size:.82rem}
svg{width:100%;max-width:760px;height:auto}svg text{fill:var(--soft);font:11px system-ui,sans-serif}
svg .grid{stroke:var(--line)}
"""


def html(report: Report) -> str:
    """The page."""
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width,initial-scale=1'>",
        f"<title>SniperForge benchmarks, {escape(report.when[:10])}</title><style>{STYLE}</style></head><body>",
        "<h1>SniperForge benchmarks</h1>",
        f"<p class='soft'>{escape(report.when)}, commit {escape(report.commit or 'unknown')}"
        f"{', short run: figures are rough' if report.short else ''}</p>",
        *_verdict(report),
        "<h2>The machine</h2>",
        "<p>What it is, and its own limits in this run. Each result below is a ratio to one of these limits first.</p>",
        _facts(report.host),
        "<h3>Limits</h3>",
        _results(report.floors),
        *[part for case in report.cases for part in _case(case)],
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _verdict(report: Report) -> Iterator[str]:
    judged = [(case, result, each) for case in report.cases for result in case.results for each in result.targets]
    met = sum(each.met is True for _, _, each in judged)
    missed = [(case, result, each) for case, result, each in judged if each.met is False]
    unseen = sum(each.met is None for _, _, each in judged)
    yield f"<p><b>{met} targets met, {len(missed)} missed, {unseen} not judged.</b></p>"
    if missed:
        rows = [
            f"<li><span class='missed'>missed</span> {escape(case.name)} {escape(result.name)}: {escape(each.text)}; "
            f"have {escape(_have(result, each))}</li>"
            for case, result, each in missed
        ]
        yield "<ul>" + "".join(rows) + "</ul>"
    share = max((case.hiccups.get("share", 0.0) for case in report.cases), default=0.0)
    if share > HICCUPS_HIGH:
        yield (
            f"<p class='warn'>Other programs took up to {share:.0%} of a core during this run: medians of short "
            "batches stand, tails and runs at a fixed rate tell of them.</p>"
        )


def _facts(host: dict[str, str]) -> str:
    rows = []
    for fact, value in host.items():
        rows.append(f"<tr><td>{escape(fact.replace('_', ' '))}</td><td class='words'>{escape(value)}</td></tr>")
    return _table(rows)


def _have(result: Result, target: Target) -> str:
    have = target.have or 0.0
    return f"{have:.3g} x" if target.of == "ratio" else value_text(result, have)


def _table(rows: Sequence[str]) -> str:
    return "<div class='scroll'><table>" + "".join(rows) + "</table></div>"


def _results(results: Sequence[Result]) -> str:
    heads = ("", "ratio to floor", "value", "p50", "p90", "p99", "p99.9", "p99.99", "max", "target")
    rows = ["<tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>"]
    group = ""
    for result in results:
        if result.group and result.group != group:
            rows.append(f"<tr class='group'><td colspan='{len(heads)}'>{escape(result.group)}</td></tr>")
        group = result.group
        name = escape(result.name.removeprefix(f"{group} "))
        cells = [f"<td title='{escape(result.text, quote=True)}'>{name}{' (not ours)' if result.peer else ''}</td>"]
        cells += [f"<td>{escape(ratio_text(result))}</td>", f"<td><b>{escape(value_text(result))}</b></td>"]
        for key in ("p50", "p90", "p99", "p99.9", "p99.99", "max"):
            cells.append(f"<td>{quantity(result.percentiles[key]) if key in result.percentiles else ''}</td>")
        cells.append(f"<td class='words'>{_targets(result)}</td>")
        rows.append(f"<tr{' class=peer' if result.peer else ''}>{''.join(cells)}</tr>")
    return _table(rows)


def _targets(result: Result) -> str:
    words = {True: "<span class='met'>met</span>", False: "<span class='missed'>missed</span>", None: "not judged"}
    said = [f"{words[each.met]}: {escape(each.text)}" for each in result.targets]
    if result.failed:
        said.insert(0, f"<span class='missed'>FAILED</span>: {escape(result.failed)}")
    return "; ".join(said)


def _case(case: Case) -> Iterator[str]:
    yield f"<h2>{escape(case.name)}</h2><p>{escape(case.text)}</p>"
    if case.failed:
        yield f"<p class='missed'>FAILED: {escape(case.failed)}</p>"
    yield _results(case.results)
    for group in dict.fromkeys(result.group for result in case.results):
        shown = [result for result in case.results if result.group == group and result.histogram]
        if shown:
            yield f"<h3>{escape(group or case.name)}: by percentile</h3>"
        for first in range(0, len(shown), CURVES):
            yield curves(shown[first : first + CURVES])
    if case.skipped:
        yield "<h3>Left out</h3><ul>" + "".join(f"<li>{escape(each)}</li>" for each in case.skipped) + "</ul>"
    said = []
    if case.clock:
        error = f"calibrated against CLOCK_MONOTONIC to {case.clock['error_ppm']:.2f} ppm"
        said.append(f"TSC {case.clock['tsc_mhz']:.1f} MHz, {error}")
    if case.hiccups:
        gap = quantity(case.hiccups["longest_ns"])
        said.append(f"{case.hiccups['share']:.2%} of a core was taken by others, longest gap {gap}")
    yield f"<p class='soft'>{escape('; '.join(said))}</p>"
    yield f"<details><summary>Method</summary><pre>{escape(case.method.strip())}</pre></details>"


def _points(result: Result) -> Iterator[tuple[float, float]]:
    """Nines of a percentile (1: 90 %, 2: 99 %), and the value there in ns."""
    histogram, per = Histogram.decode(result.histogram), PER_NS[result.histogram_unit]
    count, seen = histogram.count, 0
    for bucket in sorted(histogram.counts):
        value = max(bucket_range(bucket)[1] / per, 1e-3)
        yield -math.log10(1 - seen / count), value
        seen += histogram.counts[bucket]
        above = 1 - seen / count
        yield min(LAST, -math.log10(above)) if above > 0 else min(LAST, math.log10(count)), value


def curves(results: Sequence[Result]) -> str:
    """Values by percentile, both axes logarithmic, as an inline SVG."""
    found = [list(_points(result)) for result in results]
    values = [value for points in found for _, value in points]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) + 1e-9)
    nines = max(1.0, max(nine for points in found for nine, _ in points))

    def x(nine: float) -> float:
        return LEFT + (WIDTH - LEFT - 10) * nine / nines

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (math.log10(value) - low) / max(1, high - low))

    parts = [f"<svg viewBox='0 0 {WIDTH} {HEIGHT + 18 * len(results)}' role='img' aria-label='values by percentile'>"]
    for power in range(low, high + 1):
        at = y(10.0**power)
        parts.append(f"<line class='grid' x1='{LEFT}' x2='{WIDTH - 10}' y1='{at:.1f}' y2='{at:.1f}'/>")
        parts.append(f"<text x='{LEFT - 6}' y='{at + 4:.1f}' text-anchor='end'>{quantity(10.0**power)}</text>")
    for nine, label in enumerate(("0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %")):
        if nine <= nines:
            at = x(nine)
            parts.append(f"<line class='grid' x1='{at:.1f}' x2='{at:.1f}' y1='{TOP}' y2='{HEIGHT - BOTTOM}'/>")
            parts.append(f"<text x='{at:.1f}' y='{HEIGHT - BOTTOM + 16}' text-anchor='middle'>{label}</text>")
    for number, (result, points) in enumerate(zip(results, found, strict=True)):
        colour = COLOURS[number % CURVES]
        path = " ".join(f"{x(nine):.1f},{y(value):.1f}" for nine, value in _thinned(points))
        parts.append(f"<polyline fill='none' stroke='{colour}' stroke-width='1.6' points='{path}'/>")
        at = HEIGHT + 18 * number
        parts.append(f"<rect x='{LEFT}' y='{at - 9}' width='14' height='4' fill='{colour}'/>")
        parts.append(f"<text x='{LEFT + 22}' y='{at - 3}'>{escape(result.name)}</text>")
    return "".join([*parts, "</svg>"])


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Without those that would fall on the pixel of the one before."""
    kept: list[tuple[float, float]] = []
    for nine, value in points:
        if not kept or nine - kept[-1][0] > 0.004 or value > kept[-1][1] * 1.01:
            kept.append((nine, value))
    return kept


def histogram_log(report: Report) -> str:
    """All histograms of a report as an HdrHistogram log; a tag is case, result and unit."""
    tagged = {
        f"{case.name}/{result.name}/{result.histogram_unit}": (Histogram.decode(result.histogram), case.seconds)
        for case in report.cases
        for result in case.results
        if result.histogram
    }
    return log_lines(datetime.fromisoformat(report.when).timestamp(), tagged)
