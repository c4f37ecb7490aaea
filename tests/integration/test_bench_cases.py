"""Each case of the harness in its short form: it runs, gives all its results, and none is far from the baseline."""

from __future__ import annotations

import json
import os

import pytest

from bench import prove_compare
from bench.__main__ import BASELINE, CASES
from bench.harness import cases, compare
from bench.harness.floor import Floors
from bench.harness.program import run
from bench.harness.result import Case
from tests.data import data_dir

EXPECTED = json.loads(BASELINE.read_text())
TWO_CORES = ("link", "strategy", "udp", "fanout", "table", "wait", "ptile", "bots")


def test_the_baseline_has_every_case() -> None:
    assert sorted(EXPECTED) == sorted(CASES)


@pytest.mark.parametrize("name", CASES)
def test_short(name: str) -> None:
    if name in TWO_CORES and len(os.sched_getaffinity(0)) < 2:
        pytest.skip("two cores are needed, there is one")
    if name == "burst":
        data_dir("prices")  # the recorded day, of which the case is made
    case: Case = cases.measured(cases.module(name).measure, Floors(cases.HICCUP_MS_SHORT), short=True)
    assert case.name == name and case.method and case.results
    for result in case.results:
        # a slope over a few nanoseconds may be below zero in so short a run
        assert result.value >= 0 or " further " in result.name
        assert not result.percentiles or result.percentiles["p50"] <= result.percentiles["max"]
    assert compare.rotten(case, EXPECTED[name]) == []


def test_a_trial_of_prove_compare_goes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove_compare, "ROUNDS", compare.LEAST_ROUNDS)
    monkeypatch.setattr(prove_compare, "TICKS", 200)
    said: list[str] = []
    prove_compare.trial("sign", 0.1, said.append)  # what it finds in so few ticks is no matter
    assert "same build: " in said[0] and "sign " in said[0]


def test_floors_of_this_machine() -> None:
    found = {record["case"]: record for record in run("floor", [5]) if record["what"] != "clock"}
    assert 0.5 < found["division"]["ns"] < 500
    assert 1 < found["memory"]["ns"] < 100_000
    assert any(name.startswith("line") for name in found) == (len(os.sched_getaffinity(0)) > 1)
    assert any(record["what"] == "hiccup" and 0 <= record["share"] <= 1 for record in found.values())
