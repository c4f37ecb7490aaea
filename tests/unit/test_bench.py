"""The latency harness: histograms as HdrHistogram's own tools read them, results, comparison, the page, and the figures
in documents."""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import sys
from itertools import combinations
from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from bench import __main__ as command
from bench import soak, turns
from bench.harness import cases, compare, figures, page, program, table
from bench.harness.floor import Floors
from bench.harness.hdr import TOP, Histogram, bucket_of, bucket_range, log_lines
from bench.harness.host import facts
from bench.harness.program import ProgramError
from bench.harness.result import Case, Floor, Rate, Report, Result, Target, latency, single
from ipc.histogram import Histogram as Shared
from sniperforge.config import load
from sniperforge.topology import check

HOST = {"cpu": "a processor", "cores": "2", "virtual": "no", "governor": "performance"}


def report(cases: list[Case], *, host: dict[str, str] = HOST, short: bool = False) -> Report:
    return Report(1, "2026-01-01T00:00:00+00:00", "abc", host, cases=cases, short=short)


def rounds(chosen: random.Random, median: float, *, noise: float = 0.015, count: int = 5) -> list[Histogram]:
    """Rounds of a thing that takes so long, whose median wanders."""
    made = []
    for _ in range(count):
        level = median * (1 + abs(chosen.gauss(0, noise)))
        made.append(Histogram.of(level * chosen.lognormvariate(0, 0.05) for _ in range(1000)))
    return made


# -- histograms --------------------------------------------------------------------------------------------------------


def test_buckets_are_those_of_hdrhistogram() -> None:
    theirs = HdrHistogram(1, TOP, 3)
    for value in [0, 1, 2047, 2048, 2049, 4095, 4096, 10**6, 10**9, TOP, *(3**n for n in range(27))]:
        assert bucket_of(value) == theirs._counts_index_for(value), value
        least, most = bucket_range(bucket_of(value))
        assert least <= value <= most and bucket_of(least) == bucket_of(most) == bucket_of(value)
        assert most - least <= max(value / 1000, 0)


def test_hdrhistogram_reads_ours_and_we_read_its() -> None:
    chosen = random.Random(3)
    values = [int(chosen.lognormvariate(7, 2)) for _ in range(19_997)] + [0, 1, TOP]
    ours, theirs = Histogram.of(values), HdrHistogram(1, TOP, 3)
    for value in values:
        theirs.record_value(value)
    read = HdrHistogram.decode(ours.encode())
    assert read.get_total_count() == len(values)
    for percent in (1, 50, 90, 99, 99.9, 99.99, 100):
        assert read.get_value_at_percentile(percent) == theirs.get_value_at_percentile(percent)
        assert ours.percentile(percent) == theirs.get_value_at_percentile(percent)
    assert Histogram.decode(ours.encode()).counts == ours.counts
    assert Histogram.decode(theirs.encode().decode()).counts == ours.counts


def test_its_log_reader_opens_our_file(tmp_path: Path) -> None:
    tagged = {"tick, one": (Histogram.of([100, 200, 300]), 2.0), "quote": (Histogram.of([5] * 10), 1.0)}
    path = tmp_path / "ours.hlog"
    path.write_text(log_lines(1_700_000_000.0, tagged))
    reader = HistogramLogReader(str(path), HdrHistogram(1, TOP, 3))
    found = {}
    while (histogram := reader.get_next_interval_histogram()) is not None:
        found[histogram.get_tag()] = histogram
    assert {tag: histogram.get_total_count() for tag, histogram in found.items()} == {"tick;_one": 3, "quote": 10}
    assert found["tick;_one"].get_max_value() == 300


def test_percentiles_that_no_sample_supports_are_not_stated() -> None:
    assert list(Histogram.of([1] * 99).quantiles()) == ["p50", "p90"]
    assert list(Histogram.of([1] * 100).quantiles()) == ["p50", "p90", "p99"]
    assert list(Histogram.of([1] * 10_000).quantiles())[-1] == "p99.99"
    assert Histogram().percentile(50) == 0 and Histogram().mean == 0


@pytest.mark.parametrize("text", ["", "AAAAAAAAAAA=", Histogram.of([1]).encode()[:-12]])
def test_what_is_no_histogram_is_refused(text: str) -> None:
    with pytest.raises(Exception, match=r".+"):
        Histogram.decode(text)


# -- results -----------------------------------------------------------------------------------------------------------


def test_a_result_is_that_of_the_quietest_round_in_ratios_first() -> None:
    made = [Histogram.of([200.0] * 100), Histogram.of([100.0] * 100), Histogram.of([150.0] * 100)]
    target = [Target("under 3 lines", most=3, of="ratio"), Target("p99 under 50", most=50, of="p99")]
    result = latency("x", made, floor=Floor("line near", 50.0), targets=target)
    assert (result.value, result.ratio, result.rounds) == (100.0, 2.0, [4.0, 2.0, 3.0])
    assert [each.met for each in result.targets] == [True, False]
    assert not Case("c", "", "", results=[result]).met
    assert "MISSED: p99 under 50" in "\n".join(table.lines([result]))


def test_a_failed_run_meets_nothing() -> None:
    result = single("x", [1.0], unit="ns", targets=[Target("under 2", most=2)])
    assert result.targets[0].met
    result = Result(name="x", value=1.0, failed="the rate was not held", targets=[Target("under 2", most=2)]).judge()
    assert result.targets[0].met is None and not Case("c", "", "", results=[result]).met


def test_reports_survive_the_disk_and_others_are_refused(tmp_path: Path) -> None:
    saved = report([Case("c", "t", "m", results=[latency("x", [Histogram.of([1, 2, 3])], floor=Floor("f", 2.0))])])
    saved.save(tmp_path / "r.json")
    assert Report.load(tmp_path / "r.json") == saved
    for text in ("{}", "[", '{"x":' + "[" * 100_000, json.dumps({"schema": 2, "when": "", "commit": "", "host": {}})):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(ValueError, match=r"bad\.json"):
            Report.load(tmp_path / "bad.json")


def test_facts_of_this_machine() -> None:
    found = facts()
    assert {"cpu", "kernel", "governor", "idle_states", "isolated", "transparent_huge_pages", "huge_pages"} <= set(
        found
    )
    assert {"mitigations", "virtual"} <= set(found) and all(found.values())


def test_a_program_that_does_not_end_or_is_not_built_fails_its_case_alone() -> None:
    with pytest.raises(ProgramError, match="bench x: the program did not end within 0 s"):
        program.records("x", [sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.1)
    with pytest.raises(ProgramError, match=r"bench no/such: the program is not built: .*no/such"):
        program.build("no/such")


@pytest.mark.parametrize(
    "words",
    [
        ["soak", "--minutes", "0"],
        ["soak", "--minutes", "nan"],
        ["turns", ".", "--times", "0"],
        ["prove-compare", "--trials", "0"],
        ["prove-compare", "--stage", "none"],
    ],
)
def test_a_command_that_would_measure_nothing_is_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        command.main(words)
    assert refused.value.code == 2


# -- files that are not what they should be ----------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["AAAA", "!!!!not", Histogram.of([1]).encode()[:24], Histogram.of([1]).encode()[:-12]])
def test_a_damaged_histogram_is_refused_by_name(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = latency("x", [Histogram.of([1, 2, 3])])
    result.histogram = text
    report([Case("c", "t", "m", results=[result])]).save(tmp_path / "r.json")
    assert command.main(["html", str(tmp_path / "r.json")]) == 2
    assert "r.json is no report of the harness" in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()


def test_a_floor_of_nothing_is_no_report(tmp_path: Path) -> None:
    result = Result(name="x", value=1.0, floor=Floor("f", 0.0), ratio=1.0)
    report([Case("c", "t", "m", results=[result])]).save(tmp_path / "r.json")
    with pytest.raises(ValueError, match=r"r\.json"):
        Report.load(tmp_path / "r.json")


def test_a_page_is_not_written_over_its_report_nor_where_it_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "r.json"
    report([]).save(made)
    was = made.read_bytes()
    assert command.main(["html", str(made), str(made)]) == 2
    assert "is the report itself" in capsys.readouterr().err and made.read_bytes() == was
    assert command.main(["html", str(made), str(tmp_path / "none" / "r.html")]) == 2
    assert capsys.readouterr().err.endswith("r.html: No such file or directory; name another file\n")
    assert command.main(["compare", str(made), str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"bench compare: {tmp_path}: Is a directory; name another file\n"


@pytest.mark.parametrize("name", ["r.html", "r.hlog", "", "file/r.json"])
def test_a_place_for_the_report_is_refused_before_it_is_measured(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cases, "report", lambda *_, **__: pytest.fail("measured"))
    (tmp_path / "file").write_text("")
    assert command.main(["link", "--out", str(tmp_path / name)]) == 2
    assert str(tmp_path / name) in capsys.readouterr().err


# -- comparison --------------------------------------------------------------------------------------------------------


def stages(chosen: random.Random, *, delay: float = 0.0, floor: float = 5.0) -> Report:
    """Three stages; `delay` is the share by which the second is slower."""
    times = {"book": 250.0, "arb": 280.0 * (1 + delay), "risk": 190.0}
    beside = Floor("division", floor)
    made = [latency(name, rounds(chosen, ns), floor=beside) for name, ns in times.items()]
    rate = single("rate", [1e9 / histogram.percentile(50) for histogram in rounds(chosen, 300)], unit="per_second")
    return report([Case("tick", "", "", results=[*made, rate])])


def test_a_stage_slowed_by_a_tenth_is_found_and_the_same_build_passes() -> None:
    for seed in range(10):
        chosen = random.Random(seed)
        compared = compare.compare(stages(chosen), stages(chosen, delay=0.1), over=0.05)
        assert [each.name for each in compared if each.verdict == "slower"] == ["tick arb"]
        compared = compare.compare(stages(chosen), stages(chosen), over=0.05)
        assert {each.verdict for each in compared} == {"same"}
        compared = compare.compare(stages(chosen, delay=0.1), stages(chosen), over=0.05)
        assert [each.name for each in compared if each.verdict == "faster"] == ["tick arb"]


def test_the_chance_of_a_ranking_is_exact() -> None:
    for greater, lesser in ((3, 4), (5, 5), (2, 6)):
        orders = [set(chosen) for chosen in combinations(range(greater + lesser), greater)]
        wins = [sum(x > y for x in order for y in set(range(greater + lesser)) - order) for order in orders]
        for order, won in zip(orders, wins, strict=True):
            rest = set(range(greater + lesser)) - order
            exact = sum(other >= won for other in wins) / len(wins)
            assert compare.chance(sorted(order), sorted(rest)) == pytest.approx(exact)
    assert compare.chance([2.0] * 5, [1.0] * 5) == pytest.approx(1 / 252)
    assert compare.chance([1.0] * 5, [1.0] * 5) == 0.5


def test_the_chance_of_many_rounds_takes_no_memory() -> None:
    assert compare.chance([2.0] * 90, [1.0] * 90) == pytest.approx(1 / math.comb(180, 90))
    assert sum(compare._arrangements(90, 80)) == math.comb(170, 80)


def test_rounds_that_wander_are_no_slowdown() -> None:
    a, b = stages(random.Random(1)), stages(random.Random(1))
    a.case("tick").find("arb").rounds = [50.0, 56.0, 60.0, 53.0, 58.0]
    b.case("tick").find("arb").rounds = [54.0, 55.0, 64.0, 62.0, 69.0]  # best and median are slower, but they mix
    assert {each.verdict for each in compare.compare(a, b, over=0.05)} == {"same"}


def test_a_step_of_the_clock_is_no_slowdown() -> None:
    a, b = stages(random.Random(1)), stages(random.Random(1), delay=0.1)
    for one in (a, b):
        one.case("tick").clock = {"step_ns": 10.0}
    assert "slower" in {each.verdict for each in compare.compare(a, b, over=0.05)}
    a.case("tick").clock = {"step_ns": 40.0}
    assert {each.verdict for each in compare.compare(a, b, over=0.05)} == {"same"}


def test_reports_measured_in_turns_are_compared_as_one() -> None:
    chosen = random.Random(5)
    ours, theirs = [], []
    for drift in (1.0, 1.3, 0.9):  # the machine becomes slower and faster, for both
        for made, delay in ((theirs, 0.0), (ours, 0.1)):
            one = stages(chosen, delay=delay)
            for result in one.case("tick").results:
                result.value *= drift
                result.rounds = [each * (1 / drift if result.unit == "per_second" else drift) for each in result.rounds]
            made.append(one)
    a, b = turns.merged(theirs, ours), turns.merged(ours, theirs)
    assert {len(result.rounds) for result in a.case("tick").results} == {15}
    found = compare.compare(a, b, over=0.05)
    assert {each.name for each in found if each.verdict == "slower"} <= {"tick arb"}
    arb = next(each for each in found if each.name == "tick arb")
    assert arb.best == pytest.approx(0.1, abs=0.03) and arb.a.floor == arb.b.floor


def test_a_disturbed_floor_slows_nothing() -> None:
    chosen = random.Random(1)
    compared = compare.compare(stages(chosen), stages(chosen, floor=4.0), over=0.05)
    assert {each.verdict for each in compared} == {"same"}


def test_only_reports_of_one_machine_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = stages(random.Random(1)), stages(random.Random(2))
    b.host = HOST | {"governor": "powersave"}
    a.save(tmp_path / "a.json")
    b.save(tmp_path / "b.json")
    assert command.main(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 2
    assert "governor: performance and powersave" in capsys.readouterr().err
    with pytest.raises(ValueError, match="short"):
        compare.compare(a, report([], short=True), over=0.1)


def test_compare_says_what_became_slower(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stages(random.Random(1)).save(tmp_path / "a.json")
    stages(random.Random(2), delay=0.25).save(tmp_path / "b.json")
    files = [str(tmp_path / "a.json"), str(tmp_path / "b.json")]
    assert command.main(["compare", *files, "--fail-over", "10%"]) == 1
    assert "slower     tick arb" in capsys.readouterr().out
    assert command.main(["compare", *files, "--fail-over", "40%"]) == 0
    assert command.main(["compare", *reversed(files)]) == 0
    assert command.main(["compare", files[0], str(tmp_path / "none.json")]) == 2
    capsys.readouterr()
    assert command.main(["compare", *files, "--fail-over", "10%", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    (arb,) = [each for each in told["results"] if each["result"] == "tick arb"]
    assert (arb["verdict"], arb["unit"]) == ("slower", "ns") and arb["b"] > arb["a"] and arb["median"] > 0.1
    assert told["lost"] == []


def test_a_comparison_that_judges_nothing_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = stages(random.Random(1))
    for result in a.case("tick").results:
        result.rounds = result.rounds[:1]
    a.save(tmp_path / "a.json")
    assert command.main(["compare", str(tmp_path / "a.json"), str(tmp_path / "a.json")]) == 2
    assert "nothing could be judged" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "x", "0", "-5%", "1e9"])
def test_thresholds_that_mean_nothing(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r".+"):
        compare.percent(text)


def test_a_wrong_threshold_is_told_a_right_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        command.main(["compare", "a.json", "b.json", "--fail-over", "0"])
    assert refused.value.code == 2 and "like 10%" in capsys.readouterr().err


def test_what_the_second_report_has_lost_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = stages(random.Random(1)), stages(random.Random(1))
    a.cases.append(Case("link", "", "", results=list(a.case("tick").results)))
    a.cases.append(Case("other", "", "", results=list(a.case("tick").results)))
    b.cases.append(Case("link", "", "", failed="it broke"))
    b.case("tick").results = [result for result in b.case("tick").results if result.name != "arb"]
    b.case("tick").find("risk").rounds = [1.0]
    assert compare.lost(a, b) == ["tick arb", "link, which failed: it broke"] and compare.lost(a, a) == []
    a.save(tmp_path / "a.json")
    b.save(tmp_path / "b.json")
    assert command.main(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 0
    said = capsys.readouterr()
    assert "tick arb; link, which failed: it broke" in said.err and "(1: fewer than 5 rounds)" in said.out


def test_reports_with_nothing_in_common_do_not_compare() -> None:
    a = stages(random.Random(1))
    for b in (report([]), report([Case("tick", "", "", failed="it broke")])):
        with pytest.raises(ValueError, match="no result in common"):
            compare.compare(a, b, over=0.05)


def test_a_failed_or_single_round_is_not_judged() -> None:
    a, b = stages(random.Random(1)), stages(random.Random(1), delay=0.5)
    a.case("tick").find("arb").failed = "the rate was not held"
    b.case("tick").find("risk").rounds = [1.0]
    verdicts = {each.name: each.verdict for each in compare.compare(a, b, over=0.05)}
    assert verdicts["tick arb"] == verdicts["tick risk"] == "not judged"


def test_a_fixed_rate_beside_busy_programs_is_not_judged() -> None:
    a, b = stages(random.Random(1)), stages(random.Random(1), delay=0.5)
    a.case("tick").find("arb").rate = b.case("tick").find("arb").rate = Rate(1e5, 1e5)
    assert {each.name: each.verdict for each in compare.compare(a, b, over=0.05)}["tick arb"] == "slower"
    b.case("tick").hiccups = {"share": 0.3, "longest_ns": 1e6}
    assert {each.name: each.verdict for each in compare.compare(a, b, over=0.05)}["tick arb"] == "not judged"
    assert "30%" in compare.disturbed(a, b) and not compare.disturbed(a)


def test_rounds_in_turns_are_held_against_each_other() -> None:
    """A machine that is half as fast for some rounds hides a tenth from whole reports, and not from pairs of rounds."""
    chosen, apart = random.Random(5), 0
    for _ in range(20):
        speeds = [chosen.choice((100.0, 200.0)) for _ in range(15)]
        speeds[:2] = 100.0, 200.0
        made = [
            report([Case("c", "", "", results=[latency("r", [Histogram.of([x * y] * 100) for x in each])])])
            for y in (1.0, 1.01, 1.1)
            for each in ([speed * (1 + abs(chosen.gauss(0, 0.01))) for speed in speeds],)
        ]
        first, second, slower = made
        assert compare.compare(first, second, over=0.05, in_turns=True)[0].verdict == "same"
        assert compare.compare(first, slower, over=0.05, in_turns=True)[0].verdict == "slower"
        assert compare.compare(slower, first, over=0.05, in_turns=True)[0].verdict == "faster"
        apart += compare.compare(first, slower, over=0.05)[0].verdict == "slower"
    assert apart < 15
    assert compare.chance_in_turns([2.0] * 5, [1.0] * 5) == 1 / 32
    assert compare.chance_in_turns([2.0, 2.0, 1.0], [1.0, 1.0, 1.0]) == 1 / 2


def test_pairs_between_which_the_machine_changed_its_speed_are_left_out() -> None:
    """Of 51 pairs, in 16 the machine was slow for the first build alone, and in four for the second alone: 16 of 51
    hide a tenth from the test of signs. A build three times as slow loses no pair; equal rounds stay."""
    chosen = random.Random(6)
    slow_for = ["first"] * 16 + ["second"] * 4 + ["both"] * 10 + ["neither"] * 21

    def made(which: str, factor: float) -> Report:
        each = [(220.0 if at in (which, "both") else 100.0) * factor * chosen.uniform(1.0, 1.02) for at in slow_for]
        return report([Case("c", "", "", results=[latency("r", [Histogram.of([x] * 100) for x in each])])])

    def verdict(a: Report, b: Report) -> str:
        return compare.compare(a, b, over=0.05, in_turns=True)[0].verdict

    assert verdict(made("first", 1.0), made("second", 1.0)) == "same"
    assert verdict(made("first", 1.0), made("second", 1.1)) == "slower"
    assert verdict(made("first", 1.0), made("second", 3.0)) == "slower"
    assert verdict(made("second", 1.1), made("first", 1.0)) == "faster"
    still = report([Case("c", "", "", results=[latency("r", [Histogram.of([100.0] * 100)] * 51)])])
    assert verdict(still, still) == "same"


def test_a_short_run_is_held_against_the_baseline_loosely() -> None:
    made = stages(random.Random(1))
    expected = compare.baseline(made)["tick"]
    assert set(expected) == {"book", "arb", "risk", "rate"}
    case = stages(random.Random(2), delay=3.0).case("tick")
    assert compare.rotten(case, expected) == []
    assert compare.rotten(case, expected | {"gone": 1.0, "lossy-64 far": 1.0}) == ["tick: no result gone"]
    case.skipped = ["gone far away: no road", "gone: left out here"]
    assert compare.rotten(case, expected | {"gone": 1.0}) == []
    case = stages(random.Random(2), delay=30.0).case("tick")
    assert [line.split(":")[0] for line in compare.rotten(case, expected)] == ["tick arb"]
    assert compare.rotten(case, {"arb": 0.01}) != [] and compare.rotten(case, {"book": 0.0}) == []
    case.find("arb").floor = Floor("4 KiB write", 1.0)
    assert compare.rotten(case, expected) == []


def test_a_case_that_fails_is_said_and_the_others_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    class Module:
        TEXT = "a case"

        def __init__(self, error: str) -> None:
            self.error = error

        def measure(self, floors: Floors, *, short: bool = False) -> Case:
            if self.error:
                raise ProgramError(self.error)
            return Case("good", "", "")

    modules = {"bad": Module("it broke"), "good": Module("")}
    monkeypatch.setattr(cases, "module", modules.__getitem__)
    seen: list[int] = []
    made = cases.report(["bad", "good"], short=True, done=lambda so_far: seen.append(len(so_far.cases)))
    assert seen == [1, 2] and made.case("bad").failed == "it broke" and not made.case("bad").met
    assert made.case("good").met and "FAILED: bad: it broke" in table.summary(made)
    assert "it broke" in table.case_text(made.case("bad")) and "it broke" in page.html(made)
    with pytest.raises(ValueError, match="short"):
        compare.baseline(made)
    made.short = False
    with pytest.raises(ValueError, match="bad"):
        compare.baseline(made)


# -- what a person sees ------------------------------------------------------------------------------------------------


def test_the_page_needs_nothing_else() -> None:
    chosen = random.Random(1)
    result = latency("a <b>", rounds(chosen, 1000), floor=Floor("line far", 100.0), targets=[Target("under 1", most=1)])
    case = Case("c", "text & text", "method <m>", [result], ["x: no such thing"], {"tsc_mhz": 2.0, "error_ppm": 0.1})
    case.hiccups = {"share": 0.5, "longest_ns": 1e6}
    html = page.html(report([case]))
    assert not re.search(r"(src|href)=|@import|url\(|<script", html)
    for part in ("a &lt;b&gt;", "text &amp; text", "method &lt;m&gt;", "<polyline", "missed", "50% of a core"):
        assert part in html
    assert page.histogram_log(report([case])).count("Tag=") == 1


def test_the_page_shows_the_ratios_of_the_documents_and_every_curve() -> None:
    made = [latency(f"r{n}", [Histogram.of([14_000.0] * 9)], floor=Floor("division", 5.0)) for n in range(11)]
    html = page.html(report([Case("c", "", "", results=made)]))
    assert html.count("<td>2,801 × division</td>") == 11 and "e+" not in html
    assert html.count("<polyline") == 11 and html.count("<svg") == 2


def test_small_histograms_and_units() -> None:
    assert table.quantity(0.5) == "0.5 ns" and table.quantity(1234) == "1.23 us" and table.quantity(2e9) == "2 s"
    assert table.rate(2.5e6) == "2.5 M/s"
    shown = table.spark(latency("x", rounds(random.Random(1), 1000)))
    assert "█" in shown and "us" in shown
    assert table.spark(single("x", [1.0], unit="ns")) == ""


def test_documents_have_the_figures_of_the_committed_reports() -> None:
    assert figures.update(write=False) == [], "run: python -m bench figures"


def test_figures_between_comments() -> None:
    result = latency("r", [Histogram.of([700.0] * 1000)], floor=Floor("division", 5.0))
    other = latency("r", [Histogram.of([90.0] * 1000)], floor=Floor("division", 5.0))
    made = {
        "report": report([Case("c", "", "", results=[result])]),
        "hour": report([Case("c", "", "", results=[other])], host=HOST | {"cpu": "another"}),
    }.__getitem__
    text = "x <!--bench c/r p50-->?<!--/bench--> y <!--bench @hour c/r p50--><!--/bench--> of"
    assert figures.rendered(made, f"{text} <!--bench @hour host cpu-->none<!--/bench-->") == (
        "x <!--bench c/r p50-->700 ns<!--/bench--> y <!--bench @hour c/r p50-->90.0 ns<!--/bench--> of "
        "<!--bench @hour host cpu-->another<!--/bench-->"
    )
    assert "| r | 140 × division | 700 ns |" in figures.rendered(made, "<!--bench table c--><!--/bench-->")
    for wrong in ("c/none value", "c/r p17", "none/r value", "host none", "nonsense"):
        with pytest.raises(figures.FigureError):
            figures.rendered(made, f"<!--bench {wrong}--><!--/bench-->")


def test_a_report_that_is_not_committed_is_said() -> None:
    with pytest.raises(figures.FigureError, match=r"@none: .*none\.json"):
        figures.rendered(figures.committed, "<!--bench @none host cpu--><!--/bench-->")


# -- the soak ----------------------------------------------------------------------------------------------------------


def test_growth_is_a_slope_that_no_single_sample_moves() -> None:
    chosen = random.Random(1)
    at = [20.0 * number for number in range(100)]
    noise = [chosen.gauss(0, 40_000) for _ in at]
    flat = [20e6 + each for each in noise]
    flat[-1] += 8e6
    assert abs(soak.growth(at, flat)) < 50_000
    leak = [20e6 + 1_000 * when + each for when, each in zip(at, noise, strict=True)]
    assert soak.growth(at, leak) == pytest.approx(1_000 * at[-1], rel=0.05)


def test_drift_is_told_absolutely_and_beside_a_control() -> None:
    disturbed = [100, 101, 150, 102, 180, 99, 100, 140, 103]
    still = [10.0] * 27
    assert soak.drift([*disturbed, 90, *disturbed[1:], *disturbed], still) == (0.0, 0.0)
    aged = [*disturbed, *disturbed, *(each * 1.1 for each in disturbed)]
    assert soak.drift(aged, still) == pytest.approx((0.1, 0.1))
    machine = [10.0] * 18 + [11.0] * 9
    assert soak.drift(aged, machine) == pytest.approx((0.1, 0.0)), "the machine became slower, not the engine"
    assert soak.drift([*disturbed] * 3, [11.0] * 18 + [10.0] * 9) == pytest.approx((0.0, 0.1))
    assert soak.drift([100, 101], [10, 10]) is None


def test_a_median_is_interpolated_within_its_bucket() -> None:
    found = Shared()
    for value in range(1000, 1400):
        found.add(value)
    assert soak.median_of(found) == pytest.approx(1200, rel=0.005)
    assert found.quantile(0.5) != soak.median_of(found)


def test_what_a_soak_must_hold() -> None:
    seen = soak.Seen(at_s=[20.0 * number for number in range(1, 61)])
    seen.sizes = {"risk": [10_000_000 + 20_000 * number for number in range(60)], "simnet": [10**8 + 10**6] * 60}
    seen.windows = {"book": [100.0] * 20 + [103.0] * 40, "arb": [100.0] * 20 + [110.0] * 40}
    seen.windows["build"] = [100.0] * 20 + [110.0] * 40
    still, slower = [10.0] * 60, [10.0] * 20 + [11.0] * 40
    seen.controls = {"book": still, "arb": still, "build": slower}
    seen.lost = 1
    summary = {"books_equal_chain": True, "reverted": {"unexplained": 0}}
    met = {result.name: [target.met for target in result.targets] for result in soak.results(seen, summary)}
    assert met["risk"] == [True] and met["simnet"] == [] and met["book"] == [True] and met["arb"] == [False]
    assert met["build"] == [True], "so did the control"
    assert met["control"] == []
    assert met["lost messages"] == [False] and met["missed heartbeats"] == met["books"] == [True]
    seen.kept_off = 0.1
    drifts = [r.targets[0].met for r in soak.results(seen, summary) if r.name in seen.windows]
    assert drifts == [None, None, None], "other programs were busy"
    seen.sizes["risk"] = [10_000_000 + 40_000 * number for number in range(60)]
    assert [r.targets[0].met for r in soak.results(seen, summary) if r.name == "risk"] == [False]


def test_the_fifty_bots_are_a_configuration(tmp_path: Path) -> None:
    file = tmp_path / "soak.toml"
    file.write_text(soak.configuration(parks=True))
    config = load([file])
    kinds = [type(bot).__name__ for bot in config.bots.values()]
    assert kinds.count("ArbConfig") == soak.C_BOTS and kinds.count("StrategyConfig") == soak.PYTHON_BOTS
    assert len({bot.bot for bot in config.bots.values()}) == soak.C_BOTS + soak.PYTHON_BOTS
    check(config)
