"""Figures for people: durations, counts, amounts."""

from __future__ import annotations


def short_ns(value: float | None) -> str:
    """A duration for people: 870 ns, 12.4 µs, 3.1 ms, 2.0 s."""
    if value is None:
        return "-"
    for unit, size in (("ns", 1.0), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)):
        if value < 1000 * size or unit == "s":
            return f"{value / size:.0f} {unit}" if unit == "ns" else f"{value / size:.1f} {unit}"
    return "-"


def short_count(value: float) -> str:
    """A count for people: 950, 12.3k, 4.5M."""
    for unit, size in (("", 1.0), ("k", 1e3), ("M", 1e6), ("G", 1e9)):
        if abs(value) < 1000 * size or unit == "G":
            return f"{value / size:.0f}" if not unit else f"{value / size:.1f}{unit}"
    return str(value)


def amount(units: int, decimals: int) -> str:
    """Base units as a decimal number, exactly."""
    sign = "-" if units < 0 else ""
    text = str(abs(units)).rjust(decimals + 1, "0")
    if not decimals:
        return sign + text
    return f"{sign}{text[:-decimals]}.{text[-decimals:]}"


def count(number: int, noun: str) -> str:
    """A number of things: 1 pool, 2 pools."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
