"""Fault switches: what the network between a client and its node does to a trader, on demand."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from sniperforge.simnet.config import FaultsConfig, faults_from_table


class Faults:
    """The switches as they stand; the dice are seeded, so that a single-client run can be repeated."""

    def __init__(self, config: FaultsConfig, seed: int) -> None:
        self.config = config
        self._random = random.Random(seed)

    def change(self, changes: Mapping[str, Any]) -> None:
        """Set some switches.  Raises ConfigError naming the key and the fix; then none is changed."""
        self.config = faults_from_table(self.config, changes)

    def happens(self, share: float) -> bool:
        """Throw the dice: true in `share` of the calls."""
        return share > 0.0 and self._random.random() < share


class DelayLine:
    """Runs what is put into it `latency_ms` later, in order, then `after`; at once while the latency is zero."""

    def __init__(
        self, faults: Faults, loop: asyncio.AbstractEventLoop, after: Callable[[], None] | None = None
    ) -> None:
        self._faults = faults
        self._after = after
        self._loop = loop
        self._waiting: deque[tuple[float, Callable[[], None]]] = deque()

    def put(self, action: Callable[[], None]) -> None:
        """Run `action` when its time has come."""
        latency = self._faults.config.latency_ms / 1000
        if not latency and not self._waiting:
            action()
            return
        self._waiting.append((self._loop.time() + latency, action))
        if len(self._waiting) == 1:
            self._loop.call_at(self._waiting[0][0], self._run)

    def _run(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._loop.time():
            self._waiting.popleft()[1]()
        if self._after is not None:
            self._after()
        if self._waiting:
            self._loop.call_at(self._waiting[0][0], self._run)
