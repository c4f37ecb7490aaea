"""Where the accounts that price a swap may be: the snapshots below a directory, and what each makes of a pool."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from ipc.errors import CoreError
from sniperforge.venues.dumps import Account, AmbiguousAccountError, Dumps, MissingAccountError, snapshots, tables


class State(NamedTuple):
    """What one place makes of `what`, in an adapter's own form."""

    what: str
    where: str
    state: Any

    def named(self, stem: str) -> int:
        """How much of a csv file's name, of this stem, speaks of the place; 0 = nothing."""
        path = Path(self.where)
        slot = re.search(r"\d{6,}", stem)
        if path.is_file():
            return len(slot[0]) if slot and slot[0] in path.name else 0
        return len(path.name) if path.name in stem else 0


class Places:
    """The snapshots below a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @cached_property
    def dumps(self) -> list[Dumps]:
        """Single directories, and last all of them together."""
        return snapshots(self.directory)

    def tables(self, owner: str) -> list[Dumps]:
        """The tables of the whole program `owner`."""
        return tables(self.directory, owner)

    def pools(
        self, what: str, is_pool: Callable[[Account], bool], load: Callable[[Dumps, Account], Any]
    ) -> list[State]:
        """Every pool of each place, where a file does not name its own."""

        def build(dumps: Dumps) -> list[Any]:
            found = list(dumps.matching(is_pool))
            if not found:
                raise MissingAccountError(f"{what} is not in {dumps.where}")
            return [load(dumps, account) for account in found]

        return self.states(what, build)

    def states(self, what: str, build: Callable[[Dumps], Iterable[Any]]) -> list[State]:
        """What `build` makes of each place that has all it needs.

        Raises:
            MissingAccountError, AmbiguousAccountError, CoreError, ValueError: none has; about all together.
        """
        found = []
        for dumps in self.dumps[:-1]:
            try:
                found += [State(what, dumps.where, state) for state in build(dumps)]
            except (MissingAccountError, AmbiguousAccountError, CoreError, ValueError):
                continue
        return found or [State(what, self.dumps[-1].where, state) for state in build(self.dumps[-1])]
