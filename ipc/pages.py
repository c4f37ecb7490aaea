"""The pages of an instance: control words, and each tile's state, counters and histograms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ipc._core import ffi, lib
from ipc.errors import check, text
from ipc.histogram import Histogram

STATES = ("new", "boot", "run", "halt", "done", "fail")
KILLS = ("run", "reduce", "halt")
KILLED_BY = ("none", "person", "signal", "supervisor", "risk")
HISTOGRAMS = ("turn", "stage", "origin", "wait")


def now_ns() -> int:
    """Returns the engine clock: nanoseconds, compatible with CLOCK_MONOTONIC."""
    return int(lib.sf_clock_ns())


class Control:
    """The control words: kill word, trading, supervisor's heartbeat, command words."""

    def __init__(self, pointer: Any, tile_index: Callable[[str], int]) -> None:
        self._control = pointer
        self._tile_index = tile_index

    @property
    def run(self) -> int:
        """The number of this run."""
        return int(self._control.run)

    @property
    def supervisor_pid(self) -> int:
        return int(self._control.supervisor_pid)

    @property
    def created_ns(self) -> int:
        """CLOCK_REALTIME nanoseconds when the instance was created."""
        return int(self._control.created_ns)

    @property
    def kill(self) -> str:
        """The kill word: `run`, `reduce` or `halt`."""
        return KILLS[self._load("kill")]

    @property
    def kill_by(self) -> str:
        """Who raised it last: `none`, `person`, `signal`, `supervisor` or `risk`."""
        return KILLED_BY[self._load("kill_by")]

    @property
    def kill_ns(self) -> int:
        """Engine clock of the last raise."""
        return self._load("kill_ns")

    @property
    def trading(self) -> bool:
        return bool(self._load("trading"))

    @property
    def heartbeat_ns(self) -> int:
        """Engine clock of the supervisor's last sign of life."""
        return self._load("supervisor_heartbeat_ns")

    def raise_kill(self, level: str, *, by: str) -> bool:
        """Raises the kill word to at least `level`; returns whether that changed it.  Any process may."""
        return bool(check(lib.sf_kill_raise(self._control, KILLS.index(level), KILLED_BY.index(by))))

    def lower_kill(self) -> None:
        """Sets the kill word back to `run`.  Supervisor only, when a person resumes."""
        lib.sf_kill_lower(self._control)

    def start_run(self, run: int, *, supervisor_pid: int) -> None:
        """Says which run this is.  Supervisor only, before any tile starts."""
        self._control.supervisor_pid = supervisor_pid
        self._store("run", run)

    def beat(self) -> None:
        """The supervisor's heartbeat.  Supervisor only."""
        self._store("supervisor_heartbeat_ns", now_ns())

    def set_trading(self, trading: bool) -> None:
        """Lets risk pass orders, or not.  Supervisor only."""
        self._store("trading", int(trading))

    def halt_tile(self, tile: str) -> None:
        """Commands a tile to leave its loop.  Supervisor only."""
        lib.sf_command_set(self._control, self._tile_index(tile), lib.SF_COMMAND_HALT)

    def _load(self, word: str) -> int:
        return int(lib.ipc_load(ffi.addressof(self._control, word)))

    def _store(self, word: str, value: int) -> None:
        lib.ipc_store(ffi.addressof(self._control, word), value)


class Cnc:
    """The page of a tile."""

    def __init__(self, pointer: Any) -> None:
        self._cnc = pointer

    @property
    def state(self) -> str:
        """`new`, `boot`, `run`, `halt`, `done` or `fail`."""
        return STATES[self._load("state")]

    @property
    def error(self) -> str:
        """The sentence behind state `fail`."""
        buffer = ffi.new("char[256]")
        lib.sf_cnc_error(self._cnc, buffer)
        return text(buffer)

    @property
    def heartbeat_ns(self) -> int:
        """Engine clock of the last housekeeping."""
        return self._load("heartbeat_ns")

    @property
    def started_ns(self) -> int:
        """Engine clock at state `run`."""
        return self._load("started_ns")

    @property
    def pid(self) -> int:
        return int(self._cnc.pid)

    @property
    def tid(self) -> int:
        return int(self._cnc.tid)

    @property
    def core(self) -> int | None:
        """The core it is pinned to."""
        return None if self._cnc.core == lib.SF_CORE_NONE else int(self._cnc.core)

    def values(self) -> dict[str, int]:
        """Returns all counters and gauges by name."""
        return dict(zip(self._names(), self._words(), strict=False))

    def counters(self) -> dict[str, int]:
        """Returns the counters, which only rise."""
        return {name: word for name, word, gauge in self._named() if not gauge}

    def gauges(self) -> dict[str, int]:
        """Returns the gauges, which are set."""
        return {name: word for name, word, gauge in self._named() if gauge}

    def value(self, name: str) -> int:
        """Returns one counter or gauge, 0 if there is none of that name (yet)."""
        return int(lib.sf_cnc_read(self._cnc, name.encode()))

    def histogram(self, name: str) -> Histogram:
        """Returns a copy of `turn` (ns of a turn that had work), `stage` (from an in-message's publication to
        being done with it), `origin` (from its origin to what was published because of it) or `wait` (from the
        publication of a turn's first in-message to its tile beginning with it)."""
        return Histogram.copy_of(ffi.addressof(self._cnc.hist, HISTOGRAMS.index(name)))

    def _names(self) -> list[str]:
        names = [text(self._cnc.counter_name[i]) for i in range(lib.SF_COUNTER_MAX)]
        return names[: names.index("")] if "" in names else names

    def _words(self) -> list[int]:
        words = ffi.new("uint64_t[]", lib.SF_COUNTER_MAX)
        lib.ipc_counters_copy(self._cnc, words)
        return list(words)

    def _named(self) -> Iterator[tuple[str, int, bool]]:
        gauges = (bool(flag) for flag in self._cnc.counter_is_gauge)
        return zip(self._names(), self._words(), gauges, strict=False)

    def _load(self, word: str) -> int:
        return int(lib.ipc_load(ffi.addressof(self._cnc, word)))
