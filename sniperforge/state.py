"""The state directory of an instance: what outlives a run, besides journal and wallet.

<state_dir>/lock        held by the guardian while it lives
<state_dir>/run         number of the last run
<state_dir>/killed      there while a person's kill is in force; holds its level
<state_dir>/accounts    accounts the feed follows, in delivery order
<state_dir>/lookup_tables          lookup tables that were made for this instance, one a line
<state_dir>/lookup_tables.<tile>.json  lookup tables that build or sign knows, address -> addresses
<state_dir>/baseline.json  balances of the wallet before the first order ever
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from sniperforge.processes import alive

#: longest wait for the children of a guardian that is gone
_DYING_S = 5.0


class StateLocked(Exception):
    """Another guardian works on this state directory."""


class StateDirectory:
    """Files of one state directory; made with mode 0700 if it is missing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def accounts_path(self) -> Path:
        """File of the accounts the feed follows."""
        return self.path / "accounts"

    @property
    def baseline_path(self) -> Path:
        """File of the wallet's balances before the first order."""
        return self.path / "baseline.json"

    @property
    def open_orders_path(self) -> Path:
        """File of the orders of earlier runs whose outcome is unknown."""
        return self.path / "open_orders.json"

    def own_lookup_tables(self) -> list[str]:
        """Address lookup tables that were made for this instance."""
        path = self.path / "lookup_tables"
        return path.read_text().split() if path.exists() else []

    def add_lookup_tables(self, tables: Iterable[str]) -> None:
        """Remembers tables that were made for this instance: build and sign know them from the next start on."""
        known = dict.fromkeys([*self.own_lookup_tables(), *tables])
        self.write(self.path / "lookup_tables", "".join(f"{table}\n" for table in known))

    def lookup_tables_path(self, tile: str) -> Path:
        """File of the address lookup tables that a tile knows."""
        return self.path / f"lookup_tables.{tile}.json"

    @property
    def journal_path(self) -> Path:
        """Directory of the journal."""
        return self.path / "journal"

    def lock(self) -> int:
        """Takes the lock for the life of this process; returns its descriptor.

        Children share the lock: those of a guardian that was killed may hold it for some milliseconds more.

        Raises:
            StateLocked: somebody else has it.
        """
        fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + _DYING_S
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            holder = os.pread(fd, 32, 0).decode(errors="replace").strip()
            if time.monotonic() > deadline or (holder.isdigit() and alive(int(holder))):
                os.close(fd)
                raise StateLocked(f"{self.path}: already in use by process {holder or 'unknown'}")
            time.sleep(0.01)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        return fd

    def next_run(self) -> int:
        """The number of the run that begins now; durable before it is returned."""
        path = self.path / "run"
        try:
            last = int(path.read_text())
        except (OSError, ValueError):
            last = self._last_journal_run()
        self.write(path, f"{last + 1}\n")
        return last + 1

    def _last_journal_run(self) -> int:
        """The highest run in the journal's file names: a lost `run` file must not give a number twice."""
        names = (path.name.partition("-")[0] for path in self.journal_path.glob("*.sfj"))
        return max((int(name) for name in names if name.isdigit()), default=0)

    def killed(self) -> int:
        """Level of the kill that is in force over restarts; 0 = none."""
        try:
            return 1 if int((self.path / "killed").read_text()) == 1 else 2
        except FileNotFoundError:
            return 0
        except (OSError, ValueError):
            return 2  # a mark that cannot be read still stops trading

    def set_killed(self, level: int) -> None:
        """Keeps a kill of at least `level` over restarts; only `clear_killed` lowers it."""
        self.write(self.path / "killed", f"{max(level, self.killed())}\n")

    def holder(self) -> int:
        """Process of the guardian that holds the lock; 0 if nobody does."""
        try:
            fd = os.open(self.path / "lock", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return 0
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            text = os.read(fd, 32).decode(errors="replace").strip()
            return int(text) if text.isdigit() else -1
        finally:
            os.close(fd)
        return 0

    def clear_killed(self) -> None:
        """Forgets the kill."""
        (self.path / "killed").unlink(missing_ok=True)

    @staticmethod
    def write(path: Path, text: str) -> None:
        """Replaces `path` by `text` in one step, durably."""
        temporary = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.new")
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
