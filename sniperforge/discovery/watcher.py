"""The list of followed accounts, kept right while the engine runs: arrays as prices move, new pools, cold ones out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from solders.pubkey import Pubkey

from sniperforge.discovery.anatomy import VENUES
from sniperforge.discovery.pools import Found, Pool, accounts_file, array_addresses, complete, find
from sniperforge.discovery.reader import ACCOUNTS_PER_CALL, Account, Call, Reader
from sniperforge.rpc import RpcError, RpcUnavailable

_BACKOFF_S = (1.0, 60.0)
_NOTHING = (0, 0)
_NEW_PER_STEP = 20


class News(Protocol):
    """Who hears of new pools: `Arrivals`."""

    connected: int

    def take(self, most: int) -> list[Pubkey]: ...
    def forget(self, address: Pubkey) -> None: ...


@dataclass(frozen=True)
class Pace:
    """How often the node is asked."""

    refresh_s: float = 1.0
    """Between two reads of up to a hundred pools whose prices may have moved to other arrays."""
    list_s: float = 60.0
    """Between two listings of a venue's pools, where there are no notifications."""
    recheck_s: float = 30.0
    """After which it is looked again if arrays beside a price that has not moved have come into being."""
    retry_s: float = 600.0
    """After which a pool that was not taken may be looked at again."""
    cold_s: float = 900.0
    """A pool that has not been used for so long may make room for a new one."""


class Watcher:
    """Keeps `pools` and says when the accounts file has to change.

    Args:
        call: JSON-RPC of the node; a step makes a handful of requests at most.
        pools: those followed now, from `discover`.
        limit: most pools.
        venues: names in `VENUES` whose new pools are wanted; none: pools are only kept.
        pinned: pools that are never given up, whatever their use.
        last_use: when each pool was last used, on the clock of `step`: a market update or an order. A pool that it
            does not know was last used when it was taken.
        news: who hears of new pools; without it they are listed by `pace`.
    """

    def __init__(
        self,
        call: Call,
        pools: Sequence[Pool],
        *,
        limit: int,
        venues: Collection[str] = (),
        pinned: Collection[Pubkey] = (),
        last_use: Callable[[], Mapping[Pubkey, float]] = dict,
        news: News | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.pools = {pool.address: pool for pool in pools}
        self.added = 0
        self.evicted = 0
        self.failures = 0
        """Steps in a row that the node did not answer."""
        self._reader = Reader(call)
        self._limit = limit
        self._venues = tuple(name for name in VENUES if name in venues)
        self._pinned = frozenset(pinned)
        self._last_use = last_use
        self._news = news
        self._pace = pace if pace is not None else Pace()
        self._since: dict[Pubkey, float] = {}
        self._refused: dict[Pubkey, float] = {}
        self._candidates: deque[Pubkey] = deque()
        self._arrays: dict[Pubkey, tuple[Sequence[Pubkey], float]] = {}
        self._seen: dict[str, set[Pubkey]] = {}
        self._changed = False
        self._turn: deque[Pubkey] = deque()
        self._connected = 0
        self._to_list: deque[str] = deque()
        self._refresh_at = self._list_at = self._ask_at = float("-inf")

    def step(self, now: float) -> str | None:
        """Does what is due at `now` (seconds of any clock that does not go back); call it every second or so.

        Returns:
            The accounts file's new text, or None while nothing has changed. A node that does not answer is asked
            again later, less and less often.
        """
        if now < self._ask_at:
            return None
        self._changed = False
        for address in self.pools:
            self._since.setdefault(address, now)
        try:
            self._refresh(now)
            self._look(now)
            self.failures = 0
        except (RpcError, RpcUnavailable):
            self.failures += 1
            self._ask_at = now + min(_BACKOFF_S[0] * 2 ** (self.failures - 1), _BACKOFF_S[1])
        return accounts_file(list(self.pools.values())) if self._changed else None

    # -- arrays of prices that move --------------------------------------------------------------------

    def _refresh(self, now: float) -> None:
        if now < self._refresh_at:
            return
        self._refresh_at = now + self._pace.refresh_s
        found = self._read(self._next_pools())
        if not found:
            return
        extensions = self._reader.accounts(one.anatomy.extension for one in found if one.anatomy.extension is not None)
        due: dict[Pubkey, list[Pubkey]] = {}
        for one in found:
            arrays = array_addresses(one, extensions)
            known, checked = self._arrays.get(one.address, ((), 0.0))
            if arrays != known or now - checked >= self._pace.recheck_s:
                self._arrays[one.address] = (arrays, now)
                own = (one.anatomy.extension, one.anatomy.oracle, *arrays)
                due[one.address] = [key for key in own if key is not None]
        exist = self._reader.owners(key for keys in due.values() for key in keys)
        for address, keys in due.items():
            pool = self.pools[address]
            # none is given up: a price that comes back must not meet arrays as they were when it left
            self.pools[address] = replace(pool, own=tuple(dict.fromkeys([*pool.own, *filter(exist.get, keys)])))
            self._changed |= self.pools[address] != pool

    def _next_pools(self) -> list[Pubkey]:
        if not self._turn:
            self._turn.extend(pool.address for pool in self.pools.values() if VENUES[pool.venue].arrays is not None)
        return [self._turn.popleft() for _ in range(min(len(self._turn), ACCOUNTS_PER_CALL))]

    def _read(self, addresses: Sequence[Pubkey]) -> list[Found]:
        read = self._reader.accounts(address for address in addresses if address in self.pools)
        found = [find(address, account, VENUES) for address, account in read.items()]
        return [one for one in found if one is not None]

    # -- new pools -------------------------------------------------------------------------------------

    def _look(self, now: float) -> None:
        self._list(now)
        if self._news is not None:
            self._candidates.extend(self._news.take(ACCOUNTS_PER_CALL))
        some: list[Pubkey] = []
        while self._candidates and len(some) < _NEW_PER_STEP:
            address = self._candidates.popleft()
            if address not in self.pools and self._refused.get(address, float("-inf")) <= now:
                some.append(address)
        if not some:
            return
        try:
            self._consider(some, self._reader.accounts(some), now)
        except (RpcError, RpcUnavailable):
            self._candidates.extendleft(reversed(some))
            raise

    def _list(self, now: float) -> None:
        """Lists one venue's pools if that is due; without their data."""
        if self._news is not None:
            if self._news.connected != self._connected:
                self._connected = self._news.connected
                self._to_list.extend(name for name in self._venues if name not in self._to_list)
        elif now >= self._list_at and self._venues:
            self._list_at = now + self._pace.list_s / len(self._venues)
            self._to_list.append(self._venues[0])
            self._venues = (*self._venues[1:], self._venues[0])
        if self._to_list:
            name = self._to_list[0]
            listed = set(self._reader.pools(VENUES[name], _NOTHING))
            self._to_list.popleft()
            first = name not in self._seen
            # those that were not taken at the start are no news, unless there is room
            if not first or len(self.pools) < self._limit:
                self._candidates.extend(sorted(listed - self._seen.get(name, set()) - self.pools.keys(), key=str))
            self._seen[name] = listed

    def _consider(self, addresses: Iterable[Pubkey], read: Mapping[Pubkey, Account], now: float) -> None:
        found = [find(key, read[key], self._venues) if key in read else None for key in addresses]
        fresh = [one for one in found if one is not None]
        room = self._limit - len(self.pools) + len(self._cold(now))
        pools = {pool.address: pool for pool in complete(self._reader, fresh[: max(0, room)])}
        self._refused = {key: until for key, until in self._refused.items() if until > now}
        for address in addresses:
            if address not in pools or not self._make_room(now):
                self._refuse(address, now)
                continue
            self.pools[address] = pools[address]
            self._since[address] = now
            self._changed = True
            self.added += 1

    def _refuse(self, address: Pubkey, now: float) -> None:
        self._refused[address] = now + self._pace.retry_s
        if self._news is not None:
            self._news.forget(address)

    # -- cold pools ------------------------------------------------------------------------------------

    def _cold(self, now: float) -> list[Pubkey]:
        """Pools that may be given up, the coldest first."""
        used = self._last_use()
        last: dict[Pubkey, float] = {}
        for address in self.pools:
            if address not in self._pinned:
                since = self._since.setdefault(address, now)
                last[address] = max(used.get(address, since), since)
        return sorted((key for key in last if now - last[key] >= self._pace.cold_s), key=lambda key: last[key])

    def _make_room(self, now: float) -> bool:
        if len(self.pools) < self._limit:
            return True
        cold = self._cold(now)
        if not cold:
            return False
        del self.pools[cold[0]]
        self._arrays.pop(cold[0], None)
        self._since.pop(cold[0], None)
        self._changed = True
        self._refuse(cold[0], now)
        self.evicted += 1
        return True
