"""Recovery's checkpoint follows the running journal, so that a restart reads seconds of it and not days."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec

from ipc.errors import CoreError
from sniperforge import recovery
from sniperforge.processes import give_back
from sniperforge.recovery import RecoveryError, State


class Checkpoints:
    """A thread that reads on in the journal every so often and saves the checkpoint.

    Reading and checksums happen in C without the GIL; only orders, fills and commands come to Python. Starts after
    the processes of the groups were forked.

    Args:
        directory: of the journal.
        state: what the run began with; it is copied.
        period_s: time between two checkpoints.
    """

    def __init__(self, directory: Path, state: State, period_s: float) -> None:
        self._directory = directory
        self._state = msgspec.json.decode(msgspec.json.encode(state), type=State)
        self._period_s = period_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="checkpoints", daemon=True)
        self.saved = 0
        """How many were saved."""
        self.error = ""
        """Why the last one was not; the next is tried all the same."""

    def start(self) -> None:
        self._thread.start()

    def last(self) -> None:
        """Has the thread save one more, now, and end: while an engine stops, so that little is left to read then."""
        self._stop.set()

    def close(self) -> None:
        """Waits until the thread has saved its last one and ended."""
        self.last()
        self._thread.join()

    def _follow(self) -> None:
        last = False
        while not last:
            last = self._stop.wait(self._period_s)
            try:
                recovery.advance(self._directory, self._state)
                recovery.save(self._directory, self._state)
            except (RecoveryError, CoreError, OSError) as error:
                self.error = str(error)
            else:
                self.error = ""
                self.saved += 1
            give_back()
