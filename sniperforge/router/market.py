"""What a trade can go through: pools that answer what they pay, from account dumps or from a running instance."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from spl.token.constants import TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID, WRAPPED_SOL_MINT

from ipc.errors import CoreError
from sniperforge.venues import pools
from sniperforge.venues.dumps import Dumps, MissingAccountError, snapshots
from sniperforge.venues.quote import Quote

WSOL = str(WRAPPED_SOL_MINT)
SYMBOLS: Mapping[str, str] = {
    "SOL": WSOL,
    "WSOL": WSOL,
    "USDC": "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
    "USDT": "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB",
}
"""Names people use for mints; any other token is named by its mint."""
_DECIMALS = {WSOL: 9, SYMBOLS["USDC"]: 6, SYMBOLS["USDT"]: 6}
_MINT_DECIMALS_OFFSET = 44
_MINT_BYTES = 82
_TOKEN_PROGRAMS = frozenset({str(TOKEN_PROGRAM_ID), str(TOKEN_2022_PROGRAM_ID)})


Answer = TypeVar("Answer")


class MarketError(ValueError):
    """There is no market to trade on, or a token is not known in it; the text says what to do."""


@dataclass(frozen=True)
class RoutePool:
    """A pool that can be asked. `pays(a_to_b, amount_in)` is exact, base units, at the market's own time.

    `impact_ppm` of the same swap is how much worse its price is than the price before it, fees not counted.
    """

    address: str
    venue: str
    mints: tuple[str, str]
    pays: Callable[[bool, int], Quote]
    impact_ppm: Callable[[bool, int], int]
    notes: tuple[str, ...] = ()
    """What was taken for granted."""


@dataclass(frozen=True)
class Hop:
    """One pool in one direction."""

    pool: RoutePool
    a_to_b: bool

    @property
    def mint_in(self) -> str:
        return self.pool.mints[0 if self.a_to_b else 1]

    @property
    def mint_out(self) -> str:
        return self.pool.mints[1 if self.a_to_b else 0]

    def pays(self, amount_in: int) -> Quote:
        return self.pool.pays(self.a_to_b, amount_in)


@dataclass
class Market:
    """Pools by the token they take.

    Attributes:
        where: what it was read from, for people.
        decimals: of each mint that is known.
        left_out: sentences on pools that could not be priced.
    """

    where: str
    decimals: dict[str, int] = field(default_factory=lambda: dict(_DECIMALS))
    left_out: list[str] = field(default_factory=list)
    pools: list[RoutePool] = field(default_factory=list)
    leaving: dict[str, list[Hop]] = field(default_factory=lambda: defaultdict(list))

    def add(self, pool: RoutePool) -> None:
        self.pools.append(pool)
        for a_to_b in (True, False):
            hop = Hop(pool, a_to_b)
            self.leaving[hop.mint_in].append(hop)

    def token(self, name: str) -> str:
        """The mint of a symbol or mint.

        Raises:
            MarketError: no pool here trades it.
        """
        mint = SYMBOLS.get(name.upper(), name)
        if mint not in self.leaving:
            raise MarketError(f"no pool of {self.where} trades {name}; name a token of it by symbol or mint")
        return mint

    def decimals_of(self, mint: str) -> int:
        """Decimals of a mint.

        Raises:
            MarketError: its mint account was not read.
        """
        if mint not in self.decimals:
            raise MarketError(f"the mint account {mint} is not in {self.where}, so its decimals are not known; add it")
        return self.decimals[mint]


def name_of(mint: str) -> str:
    """A symbol where there is one, else the mint."""
    if mint == WSOL:
        return "SOL"
    return next((symbol for symbol, known in SYMBOLS.items() if known == mint), mint)


def from_dumps(directory: Path, now: int | None = None) -> Market:
    """All pools among the dumps below `directory`; each directory of dumps is one moment.

    Args:
        now: unix seconds of the trade, where fees depend on it; the clock by default.

    Raises:
        MarketError: there is none.
        AmbiguousPoolError, AmbiguousAccountError: one of them is there at two moments.
    """
    market = Market(str(directory))
    at = int(time.time()) if now is None else now
    places = snapshots(directory)
    for dumps in places[:-1]:
        _mints(market, dumps)
    for address in dict.fromkeys(pool.address for dumps in places[:-1] for pool in dumps.matching(pools.is_pool)):
        try:
            priced = pools.load_from(places, address)
        except pools.AmbiguousPoolError:
            raise
        except (MissingAccountError, CoreError, ValueError) as error:
            market.left_out.append(f"{address}: {error}")
            continue
        coin, money = priced.mints
        if coin is None:
            market.left_out.append(
                f"{address}: a bonding curve does not name its coin, and no mint account in {directory} has this "
                "curve; add the coin's mint account"
            )
            continue
        market.add(
            RoutePool(
                address,
                priced.venue,
                (str(coin), str(money)),
                partial(_at, priced.c[0], at),
                partial(_at, priced.impact[0], at),
                priced.notes,
            )
        )
    if not market.pools:
        raise MarketError(f"{directory} holds no pool that can be priced; name a directory of account dumps")
    return market


def _at(ask: Callable[[bool, int, int], Answer], now: int, a_to_b: bool, amount: int) -> Answer:
    return ask(a_to_b, amount, now)


def _mints(market: Market, dumps: Dumps) -> None:
    for account in dumps.unambiguous():
        if account.owner in _TOKEN_PROGRAMS and len(account.data) != 165 and len(account.data) >= _MINT_BYTES:
            market.decimals[account.address] = account.data[_MINT_DECIMALS_OFFSET]
