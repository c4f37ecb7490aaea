"""The command that compares emulations, C core and reference: `make differential`."""

from __future__ import annotations

import pytest

from tests import emulation_differential
from tests.emulation import test_emulation_pump_swap


def test_all_cases_are_run_and_summed(capsys: pytest.CaptureFixture[str]) -> None:
    assert emulation_differential.main(["--cases", "3001", "pump_swap"]) == 0
    first, *parts, last = capsys.readouterr().out.splitlines()
    assert first.startswith("3,001 cases of each of 1") and len(parts) == emulation_differential.PROCESSES
    assert last.startswith("pump_swap ") and "3,001 cases" in last and "refused" in last


def test_the_parts_of_the_work_are_all_of_it() -> None:
    chunks = emulation_differential._chunks(["pump_swap", "pump_fun"], 1_000_001, 7)
    assert sum(chunk.cases for chunk in chunks) == 2_000_002 and len(set(chunks)) == len(chunks)
    assert max(chunk.cases for chunk in chunks) <= emulation_differential.CHUNK


def test_a_difference_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def differs(*_: object) -> None:
        raise AssertionError("one says 5, the others 6")

    monkeypatch.setattr(test_emulation_pump_swap, "compare_natively", differs)
    done = emulation_differential._work(emulation_differential._Chunk("pump_swap", 10, 3))
    assert "one says 5" in done.failure and done.differs and not done.outcomes


@pytest.mark.parametrize("argv", [["no_venue"], ["--cases", "0"]])
def test_what_cannot_be_asked(argv: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        emulation_differential.main(argv)
    assert stopped.value.code == 2
