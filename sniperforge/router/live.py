"""The market of a running instance: its pools table, watched for a moment to see how prices wander."""

from __future__ import annotations

import time
from collections import defaultdict
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from solders.pubkey import Pubkey

from ipc._core import ffi, lib
from ipc.errors import check
from ipc.views import Instance
from sniperforge.journal.records import VENUES
from sniperforge.router.market import Market, MarketError, RoutePool
from sniperforge.router.routes import Route
from sniperforge.router.slippage import Volatility, volatility
from sniperforge.venues.core import STATUS
from sniperforge.venues.quote import Quote

_SAMPLE_S = 0.4  # a slot: what comes and goes within one is no wandering
_UPDATE_OFFSET = ffi.offsetof("sf_pool_row_t", "update")
_HEAD_BYTES = ffi.sizeof("sf_pool_update_t")


class Live(NamedTuple):
    """A market and what is known besides."""

    market: Market
    wallet_tokens: frozenset[str]
    seen: dict[str, Volatility]
    """How the price of each pool wandered while it was watched."""

    def of(self, route: Route) -> list[Volatility]:
        """That of a route's pools."""
        return [self.seen[hop.pool.address] for hop in route.hops]


def read(name: str, watch_s: float) -> Live:
    """The pools of instance `name` as they stand after `watch_s` seconds of watching.

    Raises:
        ipc.errors.CoreError: there is no such instance.
        MarketError: it has no pool that may be traded now.
    """
    with Instance.open(name) as instance:
        samples: dict[int, list[tuple[float, float]]] = defaultdict(list)
        until = time.monotonic() + watch_s
        while True:
            rows = instance.table("pools").read_all()
            now = time.monotonic()
            for number, row in enumerate(rows):
                if price := _price(row):
                    samples[number].append((now, price))
            if now >= until:
                break
            time.sleep(_SAMPLE_S)
        tokens = instance.table("tokens").read_all()
        positions = instance.table("positions").read_all()
    mints = [str(Pubkey.from_bytes(bytes(token["mint"]))) for token in tokens]
    market = Market(f"instance {name}")
    for mint, token in zip(mints, tokens, strict=True):
        market.decimals[mint] = int(token["decimals"])
    seen: dict[str, Volatility] = {}
    for number, row in enumerate(rows):
        address = str(Pubkey.from_bytes(bytes(row["pool"])))
        why = _unusable(row)
        if why:
            market.left_out.append(f"{address}: {why}")
            continue
        update = row["update"]
        payload = row.tobytes()[_UPDATE_OFFSET : _UPDATE_OFFSET + _HEAD_BYTES + int(update["state_bytes"])]
        venue = VENUES[int(update["venue"])].replace(" ", "_")
        pair = mints[int(update["token_a"])], mints[int(update["token_b"])]
        market.add(RoutePool(address, venue, pair, partial(_pays, payload), partial(_impact_ppm, payload)))
        seen[address] = volatility(samples[number])
    if not market.pools:
        raise MarketError(f"instance {name} knows no pool that may be traded now; `sniperforge status` says more")
    held = frozenset(mint for mint, row in zip(mints, positions, strict=False) if row["balance"] or row["fills"])
    return Live(market, held, seen)


def _price(row: np.void) -> float:
    a, b = (float(each) for each in row["update"]["reserve"])
    return b / a if a and b and not row["stale"] else 0.0


def _unusable(row: np.void) -> str:
    update = row["update"]
    if not update["venue"] or row["stale"]:
        return "its accounts are on their way"
    if update["flags"] & lib.SF_POOL_DISABLED:
        return "the program refuses swaps on it, or its tokens cannot be traded"
    return ""


def _ask(payload: bytes, a_to_b: bool, amount: int) -> Any:
    got: Any = ffi.new("sf_quote_t *")
    check(lib.ipc_pool_quote(payload, len(payload), a_to_b, 1, amount, got))
    return got


def _pays(payload: bytes, a_to_b: bool, amount: int) -> Quote:
    got = _ask(payload, a_to_b, amount)
    return Quote(
        int(got.amount_in),
        int(got.amount_out),
        STATUS[got.status],
        int(got.error),
        fee=int(got.fee),
        fee_in_input=got.fee_in_input == 1,
        crossed=int(got.crossed),
    )


def _impact_ppm(payload: bytes, a_to_b: bool, amount: int) -> int:
    return int(_ask(payload, a_to_b, amount).impact_ppm)
