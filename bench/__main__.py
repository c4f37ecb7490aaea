"""`make bench`, `sniperforge bench`: the latency harness.

    python -m bench [CASE ...] [--short] [--json] [--out FILE]   measure, and write FILE and beside it .html and .hlog
    python -m bench soak --minutes 60                            an hour of trading with 50 bots
    python -m bench compare A B [--fail-over 10%]                what became slower from report A to report B
    python -m bench turns DIR [CASE ...]                         the same from checkout DIR to this, in turns
    python -m bench prove-compare [--trials 10]                  whether compare finds a tenth, and only that
    python -m bench baseline REPORT                              its cases into bench/baseline.json, for short runs
    python -m bench html REPORT [FILE]                           the report as one page
    python -m bench figures [--check]                            the documents' figures from the committed reports

Run it on a machine that does nothing else: two busy cores measure each other. docs/benchmarks.md has the method. Exit
codes: 0 every target that could be judged was met (compare: nothing became slower); 1 not so; 2 a wrong command, or
reports that cannot be compared, or of which nothing can be judged.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from bench import prove_compare, soak, turns
from bench.harness import cases, compare, figures, page, table
from bench.harness.program import ProgramError
from bench.harness.result import ROOT, Report
from sniperforge import exits
from sniperforge.options import between, number

CASES = (
    "link",
    "tick",
    "sign",
    "quote",
    "cycles",
    "strategy",
    "journal",
    "udp",
    "websocket",
    "bot",
    "replay",
    "fanout",
    "table",
    "wait",
    "ptile",
    "decode",
    "burst",
    "bots",
    "engine",
    "soak",
)
REPORTS = ROOT / "var" / "bench"
BASELINE = ROOT / "bench" / "baseline.json"


def _minutes(text: str) -> float:
    if 0 < (value := number(text)) <= 1440:
        return value
    raise argparse.ArgumentTypeError(f"{text} must be more than 0 and at most 1440 minutes")


def _unusable(out: Path) -> str:
    """Why a report cannot be kept there; empty if it can: a wrong place would be found only after the first case."""
    if out.suffix in (".html", ".hlog"):
        return f"{out}: the report is JSON, its page and histograms lie beside it; name it {out.with_suffix('.json')}"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return f"{out}: {error.strerror}; name another file"
    if out.is_dir() or not os.access(out if out.exists() else out.parent, os.W_OK):
        return f"{out}: cannot be written; name another file"
    return ""


def _measure(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    texts = "\n".join(f"{name:<10}{cases.module(name).TEXT}" for name in CASES)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"all, unless some are named:\n{texts}")
    parser.add_argument("--short", action="store_true", help="seconds instead of minutes; the figures are rough")
    parser.add_argument("--json", action="store_true", help="the report on standard output")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the report (default: a new one below var/bench)")
    parser.add_argument("--minutes", type=_minutes, metavar="M", help="how long case soak goes on (default: 3)")
    options = parser.parse_args(arguments)
    if options.minutes:
        soak.minutes = options.minutes
    for name in options.cases:
        if name not in CASES:
            print(f"bench: there is no case {name}; there are {', '.join(CASES)}", file=sys.stderr)
            return 2
    out = options.out or REPORTS / f"{time.strftime('%Y%m%dT%H%M%S')}.json"
    if why := _unusable(out):
        print(f"bench: --out {why}", file=sys.stderr)
        return 2

    def done(report: Report) -> None:
        report.save(out)
        if not options.json:
            print(table.case_text(report.cases[-1]), flush=True)

    report = cases.report(options.cases or CASES, short=options.short, done=done)
    out.with_suffix(".html").write_text(page.html(report))
    out.with_suffix(".hlog").write_text(page.histogram_log(report))
    if options.json:
        print(msgspec.json.encode(report).decode())
    else:
        print(table.summary(report))
        print(f"{out}, {out.with_suffix('.html').name}, {out.with_suffix('.hlog').name}")
    return int(not all(case.met for case in report.cases))


def _compare(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench compare", description="What became slower from report A to report B.")
    parser.add_argument("a", type=Path)
    parser.add_argument("b", type=Path)
    parser.add_argument(
        "--fail-over", type=compare.percent, default=0.05, metavar="PERCENT", help="least slowdown that fails (5%%)"
    )
    _add_output(parser)
    options = parser.parse_args(arguments)
    return _judged(Report.load(options.a), Report.load(options.b), options)


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="also list what did not change")
    parser.add_argument("--json", action="store_true", help="every result's verdict as one JSON document")


def _judged(a: Report, b: Report, options: argparse.Namespace) -> int:
    """Prints what changed from a to b; 1 if anything became slower, 2 if nothing could be judged."""
    compared = compare.compare(a, b, over=options.fail_over)
    lost = compare.lost(a, b)
    if options.json:
        print(json.dumps(compare.plain(compared, lost), indent=1))
    else:
        print(compare.text(compared, everything=options.all))
    if lost:
        print(f"not in the second report, so not judged: {'; '.join(lost)}", file=sys.stderr)
    if warning := compare.disturbed(a, b):
        print(warning, file=sys.stderr)
    if all(each.verdict == "not judged" for each in compared):
        raise ValueError("nothing could be judged, so nothing is said of what became slower; --all lists why")
    return int(any(each.verdict == "slower" for each in compared))


def _turns(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="bench turns", description=turns.__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("dir", type=Path, metavar="DIR")
    parser.add_argument("cases", nargs="*", metavar="CASE", default=["tick"], help="tick, unless some are named")
    parser.add_argument("--times", type=between(1, 1000), default=3, metavar="N", help="how often each is measured")
    parser.add_argument("--fail-over", type=compare.percent, default=0.05, metavar="PERCENT")
    _add_output(parser)
    options = parser.parse_args(arguments)
    theirs, ours = turns.measure(
        options.dir.resolve(), options.cases, options.times, lambda line: print(line, file=sys.stderr, flush=True)
    )
    stem = REPORTS / time.strftime("%Y%m%dT%H%M%S")
    theirs.save(stem.with_name(f"{stem.name}-theirs.json"))
    ours.save(stem.with_name(f"{stem.name}-ours.json"))
    print(f"{stem}-theirs.json, {stem.name}-ours.json", file=sys.stderr)
    return _judged(theirs, ours, options)


def _prove_compare(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench prove-compare", description=prove_compare.__doc__)
    parser.formatter_class = argparse.RawTextHelpFormatter
    parser.add_argument("--trials", type=between(1, 1000), default=10, metavar="N")
    parser.add_argument("--stage", default="sign", choices=prove_compare.STAGES, help="which takes longer (sign)")
    parser.add_argument("--percent", type=compare.percent, default=0.1, help="how much longer it takes (10%%)")
    options = parser.parse_args(arguments)
    proved = prove_compare.prove(options.trials, options.stage, options.percent, lambda line: print(line, flush=True))
    return int(not proved)


def _baseline(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench baseline", description="Ratios that short runs are held against.")
    parser.add_argument("report", type=Path)
    options = parser.parse_args(arguments)
    ratios = json.loads(BASELINE.read_text()) | compare.baseline(Report.load(options.report))
    BASELINE.write_text(json.dumps(ratios, indent=1) + "\n")
    print(BASELINE)
    return 0


def _html(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench html", description="A report as one self-contained page.")
    parser.add_argument("report", type=Path)
    parser.add_argument("file", type=Path, nargs="?", help="default: beside the report")
    options = parser.parse_args(arguments)
    report = Report.load(options.report)
    file = options.file or options.report.with_suffix(".html")
    if file.resolve() == options.report.resolve():
        raise ValueError(f"{file} is the report itself; name another file for the page")
    try:
        html = page.html(report)
    except (ValueError, KeyError) as error:
        raise ValueError(f"{options.report} is no report of the harness: {error}") from error
    file.write_text(html)
    print(file)
    return 0


def _figures(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="bench figures", description="The documents' figures, from the committed reports."
    )
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a document differs")
    options = parser.parse_args(arguments)
    changed = figures.update(write=not options.check)
    for path in changed:
        print(f"{path}: {'differs from' if options.check else 'written from'} the committed reports")
    return int(options.check and bool(changed))


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "compare": _compare,
    "turns": _turns,
    "prove-compare": _prove_compare,
    "baseline": _baseline,
    "html": _html,
    "figures": _figures,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line. SIGTERM ends it in order, as Ctrl-C does."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _command(words[0], words[1:]) if words and words[0] in COMMANDS else _measure(words)
    except KeyboardInterrupt:
        print("bench: stopped", file=sys.stderr)
        return exits.INTERRUPTED


def _command(name: str, arguments: Sequence[str]) -> int:
    try:
        return COMMANDS[name](arguments)
    except OSError as error:
        print(f"bench {name}: {error.filename or 'writing'}: {error.strerror}; name another file", file=sys.stderr)
    except (ProgramError, ValueError) as error:
        print(f"bench {name}: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
