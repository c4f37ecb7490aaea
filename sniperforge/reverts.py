"""Orders that reverted, and why: what `requote` finds out about each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MOVED = "moved"
"""The state it found is not the one it was quoted on: there the hop gives less than it asked for, or goes through other
tick or bin arrays than the order could name."""
UNEXPLAINED = "unexplained"
"""Our quote says that it passes there, or it failed otherwise."""
UNKNOWN = "unknown"
"""The chain does not tell, or no longer, what the transaction found; or the journal no longer what was asked for."""

_KEPT = 100


@dataclass(frozen=True, slots=True)
class Revert:
    """One order that reverted. Amounts are base units of what the hop that failed gives."""

    order: int
    bot: int
    signature: str
    slot: int
    error: int
    """The program's own number."""
    venues: tuple[str, ...] = ()
    """Of its hops; empty: the journal does not say what was wanted."""
    hop: int | None = None
    """Which failed, from 0; None: not a swap."""
    pool: str = ""
    asked: int = 0
    quoted: int = 0
    """Of the market message it was quoted on."""
    found: int = 0
    """Of the state it found; 0: the swap is refused there."""
    named: tuple[int, ...] = ()
    """Tick or bin arrays in the order."""
    needed: tuple[int, ...] = ()
    """Those a swap had to name on the state it found."""
    cause: str = UNKNOWN
    log: str = ""
    """The failing program's last words."""

    def text(self) -> str:
        """The revert in one line."""
        where = "" if self.hop is None else f", hop {self.hop + 1} ({self.venues[self.hop]} {self.pool})"
        what = "" if self.hop is None else f": asked for {self.asked}, quoted {self.quoted}, found {self.found}"
        if self.named != self.needed:
            what += f", arrays {list(self.named)} named, {list(self.needed)} needed"
        said = f"; {self.log}" if self.log and self.cause != MOVED else ""
        return f"order {self.order & 0xFFFFFFFF} of bot {self.bot} {self.cause}: error {self.error}{where}{what}{said}"


class Causes:
    """How many orders reverted for each cause, and those that are our own fault."""

    def __init__(self, explained: Iterable[Revert] = ()) -> None:
        self.counts = dict.fromkeys((MOVED, UNEXPLAINED, UNKNOWN), 0)
        self.unexplained: list[Revert] = []
        """The first hundred of them."""
        self.add(explained)

    def add(self, explained: Iterable[Revert]) -> None:
        """Counts these too."""
        for revert in explained:
            self.counts[revert.cause] += 1
            if revert.cause == UNEXPLAINED and len(self.unexplained) < _KEPT:
                self.unexplained.append(revert)

    def text(self) -> str:
        """The causes and how often each: `3 moved, 0 unexplained`; plainly, if the cause of some is not known."""
        text = ", ".join(f"{count} {cause}" for cause, count in self.counts.items() if count or cause != UNKNOWN)
        return text + ("; NOT ALL EXPLAINED: the chain does not tell what those found" if self.counts[UNKNOWN] else "")
