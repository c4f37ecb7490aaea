"""Whether `bench compare` can be trusted: pairs of reports of one build, and of a build with a slower stage.

    python -m bench prove-compare [--trials 10] [--stage sign] [--percent 10]

A trial makes three reports of case `tick` (without its fixed-rate runs): two of this build, and one whose stage
`--stage` takes `--percent` longer than it does at the median (`bench/c/delay.h`: the rig's doing, not the product's).
Their rounds take turns, so that a machine which becomes slower does so for all. Compared at the usual threshold, the
first two must not differ in any stage, and the third must have become slower in that stage. `sign` is the stage with
the least noise of its own on a shared machine; a tenth of one bound by memory is less than other programs do to it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from bench import tick
from bench.harness import compare, host, program
from bench.harness.floor import Floors
from bench.harness.program import Record
from bench.harness.result import SCHEMA, Case, Report, commit, latency

ROUNDS, TICKS, HICCUP_MS = 51, 500, 20.0
"""Enough where a shared machine halves and doubles its speed every few rounds: see `compare.FAR_APART`."""
THRESHOLD = 0.05
STAGES = ("book", "arb", "risk", "build", "sign")
"""Those that the rig can delay."""
DELAY = "SNIPERFORGE_BENCH_DELAY"


def _round(delay: str = "") -> list[Record]:
    """One round of the stages."""
    os.environ[DELAY] = delay
    try:
        return program.run("tick", [TICKS, 0])
    finally:
        del os.environ[DELAY]


def _report(rounds: Sequence[Sequence[Record]], floors: Floors) -> Report:
    found, floor = tick.histograms(rounds), floors.latest("division")
    case = Case("tick", tick.TEXT, __doc__ or "", clock=program.clock(rounds[-1]), hiccups=floors.hiccups())
    case.results = [latency(name, found[name], text=text, floor=floor) for name, text in tick.STAGES.items()]
    case.results += [latency(name, found[name], unit="ps", text=text, floor=floor) for name, text in tick.ALONE.items()]
    return Report(SCHEMA, "", commit(), host.facts(), cases=[case])


def trial(stage: str, share: float, say: Callable[[str], None]) -> tuple[bool, bool]:
    """Whether two runs of this build pass, and whether the slower one is found."""
    floors = Floors(HICCUP_MS)
    median = tick.histograms([_round()])[stage][0].percentile(50)
    made: list[list[list[Record]]] = [[], [], []]
    for number in range(ROUNDS):
        floors.measure()
        for turn in range(3):
            which = (number + turn) % 3
            made[which].append(_round(f"{stage}:{median * share:.0f}" if which == 2 else ""))
    first, second, slowed = (_report(rounds, floors) for rounds in made)
    same = compare.compare(first, second, over=THRESHOLD, in_turns=True)
    different = compare.compare(first, slowed, over=THRESHOLD, in_turns=True)
    wrong = [each for each in same if each.verdict == "slower"]
    found = [each for each in different if each.verdict == "slower" and each.name == f"tick {stage}"]
    now = next(each for each in different if each.name == f"tick {stage}")
    say(
        f"same build: {'passes' if not wrong else compare.text(wrong, everything=True)}; "
        f"{stage} {median:.0f} ns + {share:.0%}: {'found' if found else 'NOT FOUND'} "
        f"({now.best:+.1%} best, {now.median:+.1%} median)"
    )
    return not wrong, bool(found)


def prove(trials: int, stage: str, share: float, say: Callable[[str], None]) -> bool:
    """Runs the trials; whether each went as it must."""
    results = [trial(stage, share, say) for _ in range(trials)]
    passed, found = sum(one for one, _ in results), sum(one for _, one in results)
    say(f"same build passes {passed} of {trials}, {share:.0%} in {stage} found {found} of {trials}")
    return passed == found == trials
