"""Keeps the accounts that the feed follows right while the engine runs: new pools, cold ones, arrays as prices move."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from solders.pubkey import Pubkey

from ipc.views import Instance
from sniperforge.chain import Endpoints
from sniperforge.config import Config
from sniperforge.discovery import Pace, Pool, Watcher
from sniperforge.rpc import RpcClient
from sniperforge.state import StateDirectory

_STEP_S = 0.25


class MarketWatch:
    """A thread with its own connections to the node: it asks no more often than `pools.refresh_ms` says, and nothing
    waits for it.

    Args:
        pools: those followed at the start.
        last_use: when each pool last moved, on the monotonic clock.
    """

    def __init__(
        self,
        config: Config,
        ends: Endpoints,
        state: StateDirectory,
        pools: Sequence[Pool],
        last_use: Callable[[], Mapping[Pubkey, float]],
    ) -> None:
        self.news: deque[str] = deque()
        """What has happened, as sentences; whoever reads them takes them out."""
        self.followed = len(pools)
        """How many pools are followed now."""
        self._config = config
        self._ends = ends
        self._state = state
        self._pools = pools
        self._last_use = last_use
        self._stop = threading.Event()
        self._rpc = RpcClient(ends.rpc_url, timeout_ms=config.chain.timeout_ms, ca_path=config.chain.ca_path)
        self._thread = threading.Thread(target=self._run, name="market watch", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def close(self) -> None:
        """Ends the thread, also one that waits for the node."""
        self._stop.set()
        self._rpc.cancel()
        if self._thread.ident is not None:
            self._thread.join()
        self._rpc.close()

    def _run(self) -> None:
        from sniperforge.discovery.arrivals import Arrivals  # its import takes longer than a start may

        pools = self._config.pools
        pinned = [pool.address for pool in self._pools] if pools.path else []
        wanted = pools.venues if pools.watch and not pools.path else []
        arrivals = None
        if wanted:
            known = [pool.address for pool in self._pools]
            url, ca_path = self._ends.websocket_url, self._config.chain.ca_path
            arrivals = Arrivals(url, venues=wanted, known=known, ca_path=ca_path)
        watcher = Watcher(
            self._rpc.call,
            self._pools,
            limit=max(pools.limit, len(self._pools)),
            venues=wanted,
            pinned=pinned,
            last_use=self._last_use,
            news=arrivals,
            pace=Pace(refresh_s=pools.refresh_ms / 1000, cold_s=pools.cold_s),
        )
        before = set(watcher.pools)
        while not self._stop.wait(_STEP_S):
            text = watcher.step(time.monotonic())
            if text is None:
                continue
            self._state.write(self._state.accounts_path, text)
            now = set(watcher.pools)
            self.followed = len(now)
            self.news.extend(f"pool {key} of {watcher.pools[key].venue} is new" for key in now - before)
            self.news.extend(f"pool {key} has not moved for long and made room" for key in before - now)
            before = now
        if arrivals is not None:
            arrivals.close()


def last_use(instance: Instance) -> dict[Pubkey, float]:
    """When each pool of the instance last moved, on the monotonic clock."""
    rows = instance.table("pools").read_all()
    return {Pubkey.from_bytes(bytes(row["pool"])): int(row["t_origin"]) / 1e9 for row in rows}
