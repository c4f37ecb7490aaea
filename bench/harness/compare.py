"""Comparing two reports of one machine, and a short run with the committed baseline of ratios.

A result became slower if both its best and its median round did, by the threshold or more, as a ratio to the machine's
floor and absolutely: a floor that was disturbed moves only ratios, a clock that ran slower only absolutes, and one
disturbed round only one of best and median. Beyond that its rounds must rank behind the other report's so clearly that
rounds of one build would do so in `CHANCE` of all comparisons at most (Mann and Whitney's test, exact and one-sided):
where rounds wander, a distance alone says nothing. And latencies must differ by more than a step of the clock, which
one step of a median is no sign of. Results of fewer than five rounds cannot be compared, nor runs at a
fixed rate beside which other programs were busy; peers and floors are not.

Of two reports whose rounds were made in turns each round is held against the other's beside it: a virtual machine can
be half as fast for some seconds. The median is then that of these changes, and the test that of signs. Pairs between
whose rounds it changed its speed are left out: those further apart than `FAR_APART` times the median distance. A
distance does not say which of the two was slower, so each sign stays as likely where there is no change.
"""

from __future__ import annotations

import math
import statistics
from argparse import ArgumentTypeError
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Literal, NamedTuple

import msgspec

from bench.harness.floor import HICCUPS_HIGH
from bench.harness.host import differences
from bench.harness.result import Case, Report, Result
from bench.harness.table import value_text
from sniperforge.options import number

LOOSE = 10.0
"""How many times its baseline's ratio a short run may have on any machine, whatever else runs there."""
DISK_FLOOR = " write"
"""How the names of floors end that a disk sets (bench/journal.py)."""
LEAST_ROUNDS = 5
CHANCE = 0.005
"""Most that a change may be owed to chance: the rate of false alarms a result, before the threshold lowers it."""
ROUNDING_NS = 1.0
FAR_APART = 3.0
"""Of rounds made in turns: how many times the median distance of its two rounds a pair may have."""

Verdict = Literal["slower", "faster", "same", "not judged"]


class Compared(NamedTuple):
    """One result in both reports; changes are above zero where it became slower."""

    name: str
    a: Result
    b: Result
    best: float
    median: float
    verdict: Verdict
    why: str = ""


def percent(text: str) -> float:
    """The share in `10%`, `10` or `2.5%`; as argparse's `type`.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    value = number(text.removesuffix("%")) / 100
    if not 0 < value < 10:
        raise ArgumentTypeError(f"{text} is no threshold; write more than 0% and less than 1000%, like 10%")
    return value


def _busy(case: Case) -> bool:
    """Whether other programs were busy beside it."""
    return case.hiccups.get("share", 0.0) > HICCUPS_HIGH


def _pairs(a: Report, b: Report) -> Iterator[tuple[str, Result, Result, bool, float]]:
    """Name, both, whether other programs were busy beside either, and the clock's step in ns."""
    other = {f"{case.name} {result.name}": (result, case) for case in b.cases for result in case.results}
    for case in a.cases:
        for result in case.results:
            name = f"{case.name} {result.name}"
            if not result.peer and name in other:
                found, its_case = other[name]
                step = max(each.clock.get("step_ns", 0.0) for each in (case, its_case))
                yield name, result, found, _busy(its_case) or _busy(case), step


def _changes(a: Result, b: Result, in_turns: bool) -> tuple[float, float]:
    """How much slower the best and the median round became: the lesser of ratio and absolute."""
    higher_is_better = a.unit == "per_second"
    pick = max if higher_is_better else min

    def change(x: float, y: float) -> float:
        return (x / y if higher_is_better else y / x) - 1 if x and y else 0.0

    scales = [(1.0, 1.0)]
    if a.floor and b.floor:
        scales.append((a.floor.value, b.floor.value))  # `rounds` are over the floor: this makes them absolute again
    found = []
    for of_a, of_b in scales:
        rounds_a, rounds_b = [each * of_a for each in a.rounds], [each * of_b for each in b.rounds]
        if in_turns:
            middle = statistics.median(map(change, rounds_a, rounds_b))
        else:
            middle = change(statistics.median(rounds_a), statistics.median(rounds_b))
        found.append((change(pick(rounds_a), pick(rounds_b)), middle))
    best, median = (min(each, key=abs) if min(each) * max(each) > 0 else 0.0 for each in zip(*found, strict=True))
    return best, median


@cache
def _arrangements(greater: int, lesser: int) -> list[int]:
    """In how many orders of `greater` and `lesser` values the former win 0, 1, 2... of all pairs: the coefficients of
    the Gaussian binomial, the product of (1 - q^(lesser + i)) / (1 - q^i) for i from 1 to `greater`."""
    most = greater * lesser
    ways = [1] + [0] * most
    for i in range(1, greater + 1):
        for wins in range(most, lesser + i - 1, -1):
            ways[wins] -= ways[wins - lesser - i]
        for wins in range(i, most + 1):
            ways[wins] += ways[wins - i]
    return ways


def chance(greater: Sequence[float], lesser: Sequence[float]) -> float:
    """How often values of one kind would rank as far apart as these or further, the first above the second."""
    pairs = sum((x > y) + (x == y) / 2 for x in greater for y in lesser)
    ways = _arrangements(len(greater), len(lesser))
    return sum(count for wins, count in enumerate(ways) if wins >= pairs) / sum(ways)


def chance_in_turns(greater: Sequence[float], lesser: Sequence[float]) -> float:
    """How often one of each two would be the greater as often as this, or more often, if either could be."""
    wins = int(sum((x > y) + (x == y) / 2 for x, y in zip(greater, lesser, strict=True)))
    ways = sum(math.comb(len(greater), count) for count in range(wins, len(greater) + 1))
    return ways / 2.0 ** len(greater)


def _ranked(a: Result, b: Result, in_turns: bool) -> tuple[float, float]:
    """The chance that b ranks so far behind a, and so far before it, by ratio or absolutely: the greater."""
    by = chance_in_turns if in_turns else chance
    scale = (b.floor.value / a.floor.value) if a.floor and b.floor else 1.0
    slower = faster = 0.0
    for factor in {1.0, scale}:
        high, low = [each * factor for each in b.rounds], list(a.rounds)
        if a.unit == "per_second":
            high, low = low, high
        slower, faster = max(slower, by(high, low)), max(faster, by(low, high))
    return slower, faster


def _steady(a: Result, b: Result) -> tuple[Result, Result]:
    """Both with those rounds between which the machine kept its speed."""
    pairs = list(zip(a.rounds, b.rounds, strict=True))
    apart = [abs(math.log(y / x)) if x and y else math.inf for x, y in pairs]
    most = FAR_APART * statistics.median(apart)
    if not most:  # most pairs are equal: any distance would be too far
        return a, b
    kept = [pair for pair, distance in zip(pairs, apart, strict=True) if distance <= most]
    of_a, of_b = zip(*kept, strict=True)
    return msgspec.structs.replace(a, rounds=list(of_a)), msgspec.structs.replace(b, rounds=list(of_b))


def _within_a_step(a: Result, b: Result, step_ns: float) -> bool:
    """Whether the difference is no more than single readings of the clock can tell; those in ps are means of many."""
    return a.unit == "ns" and a.histogram_unit == "ns" and abs(a.value - b.value) <= step_ns + ROUNDING_NS


def _compared(name: str, a: Result, b: Result, busy: bool, step_ns: float, *, over: float, in_turns: bool) -> Compared:
    if a.failed or b.failed:
        return Compared(name, a, b, 0.0, 0.0, "not judged", a.failed or b.failed)
    if a.floor and b.floor and a.floor.name != b.floor.name:
        return Compared(name, a, b, 0.0, 0.0, "not judged", f"beside {a.floor.name} and {b.floor.name}")
    if busy and (a.rate or b.rate):
        return Compared(name, a, b, 0.0, 0.0, "not judged", "other programs were busy beside a fixed rate")
    if min(len(a.rounds), len(b.rounds)) < LEAST_ROUNDS:
        return Compared(name, a, b, 0.0, 0.0, "not judged", f"fewer than {LEAST_ROUNDS} rounds")
    if in_turns:
        a, b = _steady(a, b)
    best, median = _changes(a, b, in_turns)
    behind, before = _ranked(a, b, in_turns)
    verdict: Verdict = "same"
    if _within_a_step(a, b, step_ns):
        return Compared(name, a, b, best, median, verdict)
    if min(best, median) >= over and behind <= CHANCE:
        verdict = "slower"
    elif max(best, median) <= -over and before <= CHANCE:
        verdict = "faster"
    return Compared(name, a, b, best, median, verdict)


def compare(a: Report, b: Report, *, over: float, in_turns: bool = False) -> list[Compared]:
    """Each result that both have.

    Args:
        over: least change that counts, as a share.
        in_turns: each round of a was made beside that of b, of which there are as many.

    Raises:
        ValueError: the reports are not of one machine in one state, one is a short run, or they have no result in
            common; the text says what differs.
    """
    if a.short or b.short:
        raise ValueError("a short run cannot be compared; leave --short out")
    found = differences(a.host, b.host)
    if found:
        raise ValueError("these reports are not of one machine in one state: " + "; ".join(found))
    compared = [_compared(*pair, over=over, in_turns=in_turns) for pair in _pairs(a, b)]
    if not compared:
        cases = ["the first of " + _cases(a), "the second of " + _cases(b)]
        raise ValueError(f"these reports have no result in common: {', '.join(cases)}; measure the same cases")
    return compared


def _cases(report: Report) -> str:
    return " ".join(case.name + (" (failed)" if case.failed else "") for case in report.cases) or "no case"


def lost(a: Report, b: Report) -> list[str]:
    """What a has and b has not, of the cases that b was asked for: each a case that failed, or a result."""
    found = []
    for case in b.cases:
        have = {result.name for result in case.results}
        was = [result.name for each in a.cases if each.name == case.name for result in each.results if not result.peer]
        if case.failed and was:
            found.append(f"{case.name}, which failed: {case.failed}")
        else:
            found += [f"{case.name} {name}" for name in was if name not in have]
    return found


def disturbed(*reports: Report) -> str:
    """A warning, if other programs were busy during one of the reports."""
    share = max((case.hiccups.get("share", 0.0) for report in reports for case in report.cases), default=0.0)
    if share <= HICCUPS_HIGH:
        return ""
    return f"other programs took up to {share:.0%} of a core: what looks slower or faster may be their doing"


def text(compared: Sequence[Compared], *, everything: bool) -> str:
    """What changed, the worst first, and how many did not."""
    order: dict[Verdict, int] = {"slower": 0, "faster": 1, "same": 2, "not judged": 3}
    lines = []
    for each in sorted(compared, key=lambda one: (order[one.verdict], -one.median)):
        if each.verdict in ("slower", "faster") or everything:
            change = each.why or f"{each.best:+.1%} best, {each.median:+.1%} median"
            was, now = value_text(each.a), value_text(each.b)
            lines.append(f"{each.verdict:<11}{each.name:<48}{was:>10} -> {now:>10}  {change}")
    counts = {verdict: sum(each.verdict == verdict for each in compared) for verdict in order}
    lines.append(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    if whys := Counter(each.why for each in compared if each.why):
        lines[-1] += " (" + "; ".join(f"{count}: {why}" for why, count in whys.most_common()) + ")"
    return "\n".join(lines)


def plain(compared: Sequence[Compared], lost: Sequence[str]) -> dict[str, object]:
    """The comparison as plain data: each result with its values in its unit, its changes as shares (above zero where it
    became slower) and its verdict, and what the second report lacks."""
    results = [
        {
            "result": each.name,
            "unit": each.a.unit,
            "a": each.a.value,
            "b": each.b.value,
            "best": each.best,
            "median": each.median,
            "verdict": each.verdict,
            "why": each.why,
        }
        for each in compared
    ]
    return {"results": results, "lost": list(lost)}


# -- the baseline ------------------------------------------------------------------------------------------------------


def baseline(report: Report) -> dict[str, dict[str, float | None]]:
    """By case and result what a short run is held against: the ratio to the floor, None where there is none.

    Raises:
        ValueError: a case failed, or the report is of a short run.
    """
    if report.short:
        raise ValueError("a short run is no baseline; measure without --short")
    if failed := [case.name for case in report.cases if case.failed]:
        raise ValueError(f"no baseline without {', '.join(failed)}, which failed; measure again")
    return {
        case.name: {result.name: result.ratio for result in case.results if not result.peer} for case in report.cases
    }


def rotten(case: Case, expected: dict[str, float | None]) -> list[str]:
    """What a run of a case lacks, or has far beyond its baseline; empty if it is sound. Runs at a fixed rate may be
    late, a disk may write for others between its limit and our result, and results that depend on where the cores are,
    or on recorded data, or of which the case says why they were left out (`part of the name: reason`), may be missing.
    """
    left_out = [reason.partition(":")[0] for reason in case.skipped]
    found = {result.name: result for result in case.results}
    wrong = []
    for name, ratio in expected.items():
        if name not in found:
            depends = name.endswith((" near", " far", " stream")) or " further " in name
            if not depends and not any(part in name for part in left_out):
                wrong.append(f"{case.name}: no result {name}")
            continue
        result = found[name]
        have = result.ratio
        on_disk = result.floor is not None and result.floor.name.endswith(DISK_FLOOR)
        if ratio and have and not result.rate and not on_disk:
            # a baseline better than its floor had a disturbed floor: none is held to that
            times = min(ratio, 1.0) / have if result.unit == "per_second" else have / max(ratio, 1.0)
            if times > LOOSE:
                wrong.append(f"{case.name} {name}: {have:.3g} of its floor, baseline {ratio:.3g}")
    return wrong
