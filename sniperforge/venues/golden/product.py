"""What golden rows of venues with two reserves have in common: a direction, `exact_in`, `amount`, and the outcome."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sniperforge.venues import core
from sniperforge.venues.golden import Swap
from sniperforge.venues.golden.lines import Line
from sniperforge.venues.quote import Quote


def swap(
    line: Line, of: str, direction: str, quotes: tuple[Any, Any], now: Callable[[Any], tuple[int, ...]] = lambda _: ()
) -> Swap:
    """A line.

    Args:
        of: what the file is about, in words.
        direction: name of its column for the direction.
        quotes: in C, of an exact input and of an exact output.
        now: the time of the swap, by its pool, where a quote needs one.
    """
    exact_in, terms = line.flag("exact_in"), (line.flag(direction), line.number("amount"))

    def c(pool: Any) -> Quote:
        return core.quote(quotes[not exact_in], pool.c, *terms, *now(pool))

    def python(pool: Any) -> Quote:
        found: Quote = (pool.python.quote_in if exact_in else pool.python.quote_out)(*terms, *now(pool))
        return found

    return Swap(of, line.outcome({key: key for key in ("amount_in", "amount_out")}), c, python)
