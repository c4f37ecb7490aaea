"""NautilusTrader, measured under its own interpreter (`make deps-peers`): prints one JSON object.

    .venv-peers/bin/python bench/peers/nautilus.py backtest TICKS ROUNDS
    .venv-peers/bin/python bench/peers/nautilus.py live SECONDS RATE ROUNDS

backtest: the back-test engine over TICKS quote ticks that are in memory, sorted; `engine.run` alone is timed.
`empty`: a Python strategy that overrides `on_quote_tick` and does nothing. `ema`: a pair of the engine's own
exponential averages updated on each tick, and a market order, now a buy and now a sale, each 100th tick. Logging and
the analysis after a run are off.

live: a trading node in this process, on uvloop, with a data client and an execution client of ours. RATE ticks a second
are handed to the data client's `_handle_data`; a Python strategy answers each with `submit_order`; the time ends where
an adapter begins, in `_submit_order` of the execution client, and begins when the tick was intended to be handed in.
The adapter then rejects the order, so that no orders pile up. The first fifth of a second is left out.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from decimal import Decimal
from typing import ClassVar

import nautilus_trader
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.common.providers import InstrumentProvider
from nautilus_trader.config import (
    BacktestEngineConfig,
    LiveDataClientConfig,
    LiveExecClientConfig,
    LiveExecEngineConfig,
    LiveRiskEngineConfig,
    LoggingConfig,
    StrategyConfig,
    TradingNodeConfig,
)
from nautilus_trader.indicators import ExponentialMovingAverage
from nautilus_trader.live.data_client import LiveMarketDataClient
from nautilus_trader.live.execution_client import LiveExecutionClient
from nautilus_trader.live.factories import LiveDataClientFactory, LiveExecClientFactory
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import QuoteTick
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide, PriceType
from nautilus_trader.model.identifiers import AccountId, ClientId, TraderId
from nautilus_trader.model.objects import AccountBalance, Money, Price, Quantity
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

INSTRUMENT = TestInstrumentProvider.btcusdt_binance()
VENUE = INSTRUMENT.id.venue
SIZE = Quantity.from_str("0.010000")
ORDER_EVERY = 100
WARM_UP_S = 0.2
MONEY = Money(1_000_000_000, USDT)


def tick(number: int, at_ns: int) -> QuoteTick:
    """A quote that wanders."""
    middle = 50_000 + number * 7919 % 1000 / 10
    bid, ask = Price(middle - 0.1, 2), Price(middle + 0.1, 2)
    return QuoteTick(INSTRUMENT.id, bid, ask, SIZE, SIZE, at_ns, at_ns)


class Empty(Strategy):
    def on_start(self) -> None:
        self.subscribe_quote_ticks(INSTRUMENT.id)

    def on_quote_tick(self, tick: QuoteTick) -> None:
        pass


class Ema(Strategy):
    def on_start(self) -> None:
        self.fast = ExponentialMovingAverage(10, PriceType.MID)
        self.slow = ExponentialMovingAverage(20, PriceType.MID)
        self.ticks = 0
        self.subscribe_quote_ticks(INSTRUMENT.id)

    def on_quote_tick(self, tick: QuoteTick) -> None:
        self.fast.handle_quote_tick(tick)
        self.slow.handle_quote_tick(tick)
        self.ticks += 1
        if self.ticks % ORDER_EVERY == 0:
            side = OrderSide.BUY if self.ticks // ORDER_EVERY % 2 else OrderSide.SELL
            self.submit_order(self.order_factory.market(INSTRUMENT.id, side, SIZE))


def backtest(strategy: type[Strategy], ticks: int) -> float:
    """Ticks a second."""
    quiet = LoggingConfig(bypass_logging=True)
    engine = BacktestEngine(BacktestEngineConfig(trader_id=TraderId("BENCH-1"), logging=quiet, run_analysis=False))
    engine.add_venue(VENUE, OmsType.NETTING, AccountType.MARGIN, [MONEY], default_leverage=Decimal(1))
    engine.add_instrument(INSTRUMENT)
    engine.add_data([tick(number, 1_000_000 * (number + 1)) for number in range(ticks)])
    engine.add_strategy(strategy(StrategyConfig()))
    gc.collect()
    begin = time.perf_counter()
    engine.run()
    seconds = time.perf_counter() - begin
    orders = engine.cache.orders_total_count()
    if orders != (ticks // ORDER_EVERY if strategy is Ema else 0):
        raise SystemExit(f"nautilus: {orders} orders of {ticks} ticks")
    engine.dispose()
    return ticks / seconds


# -- live --------------------------------------------------------------------------------------------------------------


class Answer(Strategy):
    def on_start(self) -> None:
        self.subscribe_quote_ticks(INSTRUMENT.id)

    def on_quote_tick(self, tick: QuoteTick) -> None:
        self.submit_order(self.order_factory.market(INSTRUMENT.id, OrderSide.BUY, SIZE))


class Feed(LiveMarketDataClient):
    """Hands in ticks when they are due."""

    begin_ns = 0

    def __init__(self, loop, name, config, msgbus, cache, clock) -> None:
        super().__init__(loop, ClientId(name), VENUE, msgbus, cache, clock, InstrumentProvider())

    async def _connect(self) -> None:
        self._handle_data(INSTRUMENT)

    async def _disconnect(self) -> None:
        pass

    async def _subscribe_quote_ticks(self, command) -> None:
        pass

    async def feed(self, seconds: float, rate: int) -> list[float]:
        """Latencies in ns of the orders after the warm-up, and the rate held."""
        count, warm_up = int(rate * (seconds + WARM_UP_S)), int(rate * WARM_UP_S)
        period, number = 1e9 / rate, 0
        Adapter.submitted.clear()
        begin = last = time.perf_counter_ns()
        while number < count:
            now = time.perf_counter_ns()
            if now >= begin + number * period:
                self._handle_data(tick(number, self._clock.timestamp_ns()))
                last = now
                number += 1
            await asyncio.sleep(0)
        deadline = time.perf_counter() + 5
        while len(Adapter.submitted) < count and time.perf_counter() < deadline:
            await asyncio.sleep(0)
        if len(Adapter.submitted) != count:
            raise SystemExit(f"nautilus: {len(Adapter.submitted)} orders of {count} ticks")
        took = [at - (begin + number * period) for number, at in enumerate(Adapter.submitted)]
        return [count * 1e9 / (last - begin + period), *took[warm_up:]]


class Adapter(LiveExecutionClient):
    """Notes when it is asked to submit, and rejects."""

    submitted: ClassVar[list[int]] = []

    def __init__(self, loop, name, config, msgbus, cache, clock) -> None:
        provider = InstrumentProvider()
        super().__init__(
            loop, ClientId(name), VENUE, OmsType.NETTING, AccountType.MARGIN, USDT, provider, msgbus, cache, clock
        )
        self._set_account_id(AccountId(f"{VENUE}-1"))

    async def _connect(self) -> None:
        balance = AccountBalance(MONEY, Money(0, USDT), MONEY)
        self.generate_account_state([balance], [], True, self._clock.timestamp_ns())

    async def _disconnect(self) -> None:
        pass

    async def _submit_order(self, command) -> None:
        self.submitted.append(time.perf_counter_ns())
        order, now = command.order, self._clock.timestamp_ns()
        self.generate_order_rejected(order.strategy_id, order.instrument_id, order.client_order_id, "bench", now)


class FeedFactory(LiveDataClientFactory):
    made: Feed

    @staticmethod
    def create(loop, name, config, msgbus, cache, clock):
        FeedFactory.made = Feed(loop, name, config, msgbus, cache, clock)
        return FeedFactory.made


class AdapterFactory(LiveExecClientFactory):
    @staticmethod
    def create(loop, name, config, msgbus, cache, clock):
        return Adapter(loop, name, config, msgbus, cache, clock)


def live(seconds: float, rate: int, rounds: int) -> list[list[float]]:
    """Of each round the rate held, and latencies in ns."""
    node = TradingNode(
        TradingNodeConfig(
            trader_id=TraderId("BENCH-1"),
            logging=LoggingConfig(log_level="ERROR"),
            exec_engine=LiveExecEngineConfig(reconciliation=False),
            risk_engine=LiveRiskEngineConfig(max_order_submit_rate="1000000/00:00:01"),
            data_clients={str(VENUE): LiveDataClientConfig()},
            exec_clients={str(VENUE): LiveExecClientConfig()},
            timeout_disconnection=1.0,
            timeout_post_stop=0.1,
        )
    )
    node.add_data_client_factory(str(VENUE), FeedFactory)
    node.add_exec_client_factory(str(VENUE), AdapterFactory)
    node.build()
    node.kernel.cache.add_instrument(INSTRUMENT)
    node.trader.add_strategy(Answer(StrategyConfig()))
    loop = node.get_event_loop()

    async def measured() -> list[list[float]]:
        running = asyncio.ensure_future(node.run_async())
        deadline = time.monotonic() + 30
        while not node.trader.is_running:
            if time.monotonic() > deadline:
                raise SystemExit("nautilus: the node does not start")
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        found = [await FeedFactory.made.feed(seconds, rate) for _ in range(rounds)]
        await node.stop_async()
        running.cancel()
        return found

    return loop.run_until_complete(measured())


def main(words: list[str]) -> int:
    found: dict[str, object] = {"version": nautilus_trader.__version__}
    if words[0] == "backtest":
        ticks, rounds = int(words[1]), int(words[2])
        found["empty"] = [backtest(Empty, ticks) for _ in range(rounds)]
        found["ema"] = [backtest(Ema, ticks) for _ in range(rounds)]
    else:
        runs = live(float(words[1]), int(words[2]), int(words[3]))
        found |= {"held": [held for held, *_ in runs], "latencies_ns": [took for _, *took in runs]}
    print(json.dumps(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
