"""hftbacktest, measured under its own interpreter (`make deps-peers`): prints one JSON object.

    .venv-peers/bin/python bench/peers/hftbacktest.py EVENTS ROUNDS

One asset, EVENTS changes of its best bid or ask that are in memory; loops compiled by numba, each run once before it is
timed, so that compiling is left out. `replay`: time is advanced in one call over all events. `step`: the compiled loop
is given each event by `wait_next_feed`, looks at best bid and ask, and at each 100th cancels its order and submits
another that does not fill.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time

sys.path = [path for path in sys.path if os.path.abspath(path or ".") != os.path.dirname(os.path.abspath(__file__))]
hft = importlib.import_module("hftbacktest")

import numpy as np  # noqa: E402
from numba import njit  # noqa: E402

ORDER_EVERY = 100
START_NS, STEP_NS = 1_000_000_000, 1_000_000
TICK, LOT = 0.1, 0.001


def market(events: int) -> np.ndarray:
    """Changes of the depth, bid and ask in turn, around a price that wanders."""
    data = np.zeros(events, hft.binding.event_dtype)
    number = np.arange(events)
    bid = number % 2 == 0
    side = np.where(bid, hft.BUY_EVENT, hft.SELL_EVENT)
    data["ev"] = hft.DEPTH_EVENT | hft.EXCH_EVENT | hft.LOCAL_EVENT | side
    data["exch_ts"] = START_NS + number * STEP_NS
    data["local_ts"] = data["exch_ts"] + 1000
    data["px"] = np.where(bid, 50_000 - TICK, 50_000 + TICK)
    data["qty"] = 1 + number % 7
    return data


def backtest(data: np.ndarray):
    """The engine over these events."""
    asset = (
        hft.BacktestAsset()
        .data(data)
        .linear_asset(1.0)
        .constant_order_latency(10_000, 10_000)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(TICK)
        .lot_size(LOT)
        .last_trades_capacity(0)
    )
    return hft.HashMapMarketDepthBacktest([asset])


@njit
def replay(engine, total_ns):
    engine.elapse(total_ns)
    return engine.depth(0).best_bid


@njit
def step(engine, every, timeout_ns):
    events, orders, spread = 0, 0, 0.0
    while engine.wait_next_feed(False, timeout_ns) == 2:
        events += 1
        depth = engine.depth(0)
        spread += depth.best_ask - depth.best_bid
        if events % every == 0:
            if orders:
                engine.cancel(0, orders, False)
            engine.clear_inactive_orders(0)
            orders += 1
            engine.submit_buy_order(0, orders, depth.best_bid - 10.0, 1.0, hft.GTC, hft.LIMIT, False)
    return events, orders, spread


def timed(loop, data: np.ndarray, *arguments) -> tuple[float, object]:
    """Events a second, and what the loop returned."""
    engine = backtest(data)
    begin = time.perf_counter()
    got = loop(engine, *arguments)
    seconds = time.perf_counter() - begin
    engine.close()
    return len(data) / seconds, got


def main(words: list[str]) -> int:
    events, rounds = int(words[0]), int(words[1])
    data, small = market(events), market(10_000)
    span = (events + 10) * STEP_NS
    found: dict[str, object] = {"version": hft.__version__}
    timed(replay, small, span)
    found["replay"] = [timed(replay, data, span)[0] for _ in range(rounds)]
    timed(step, small, ORDER_EVERY, 10 * STEP_NS)
    rates = []
    for _ in range(rounds):
        rate, (seen, orders, _) = timed(step, data, ORDER_EVERY, 10 * STEP_NS)
        if seen < events - 1 or orders != seen // ORDER_EVERY:
            raise SystemExit(f"hftbacktest: saw {seen} of {events} events, {orders} orders")
        rates.append(rate)
    found["step"] = rates
    print(json.dumps(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
