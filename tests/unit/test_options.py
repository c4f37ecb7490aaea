"""Numbers on command lines: what cannot be meant is refused with a sentence, by every command in the same way."""

from __future__ import annotations

import argparse

import pytest

from sniperforge import cli, exits, options

HUGE = "99999999999999999999999999"


def test_numbers_in_their_range_are_taken() -> None:
    assert [options.whole(text) for text in ("0", "18446744073709551615")] == [0, (1 << 64) - 1]
    assert options.between(-5, 5)("-5") == -5
    assert (options.seconds(0, 10)("2.5"), options.number("-1e3"), options.unix("1700000000")) == (
        2.5,
        -1e3,
        1700000000,
    )
    assert [cli._duration(text) for text in ("90", "60s", "1.5m", "2h", "500ms")] == [90.0, 60.0, 90.0, 7200.0, 0.5]


@pytest.mark.parametrize("text", ["", "-1", "1.5", "nan", "\u0663", "1_000", "18446744073709551616", "9" * 5000])
def test_no_whole_number(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="whole number from 0 to 18446744073709551615"):
        options.whole(text)


@pytest.mark.parametrize("text", ["", "nan", "inf", "1e999", "-1", "11", "1e308", "x"])
def test_no_time(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"is no number|must be from 0 to 10 seconds"):
        options.seconds(0, 10)(text)


SWAP = ["quote", "--pool", "P", "--in", "SOL", "--amount", "1", "--accounts", "."]
TRADE = ["execution-optimize", "--trade-size", "1", "--token", "SOL"]


@pytest.mark.parametrize(
    "command",
    [
        ["performance-stats", "--seconds", "nan"],
        ["performance-stats", "--seconds", "1e308"],
        ["journal", "why", "--order", "-5"],
        ["journal", "list", "--run", "0"],
        ["journal", "tail", "-n", "-1"],
        ["replay", "--run", "-1"],
        ["token-check", "M", "--amount", HUGE],
        [*TRADE, "--watch", "nan"],
        [*TRADE, "--watch", "-1"],
        [*TRADE, "--accounts", ".", "--at", "-5"],
        [*TRADE, "--accounts", ".", "--at", HUGE],
        [*TRADE, "--max-slippage-bps", "nan"],
        [*SWAP, "--amount", str(1 << 64)],
        [*SWAP, "--at", "-1"],
        [*SWAP, "--at", HUGE],
        ["monitor", "--period", "nan"],
        ["monitor", "--count", "-1"],
        ["stop", "--wait", "inf"],
        ["halt", "--timeout-ms", "-1"],
        ["run", "--duration", "9" * 400],
    ],
    ids=" ".join,
)
def test_commands_refuse_what_cannot_be_meant(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(command)
    assert end.value.code == exits.USAGE
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"argument {command[-2]}" in said and ("must be" in said or "is no" in said)


def test_the_doctor_does_not_call_a_configuration_ready_that_cannot_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--set", "topology.huge_pages=3"]) == exits.USAGE
    said = capsys.readouterr()
    assert "topology.huge_pages" in said.err and said.out == ""
