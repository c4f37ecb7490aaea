"""bench replay: a recorded market through bots, beside the back-tests of NautilusTrader and hftbacktest, in one run.

    python -m bench.replay [--short] [--json]

An event is one change of a market: here a market message of a constant-product pool (656 bytes: the pool's whole priced
state), at NautilusTrader a quote tick, at hftbacktest a change of the best bid or ask (64 bytes). bench/recording.py
records the market through the product's own book and journal: two pools of one pair, every hundredth swap worth an
order. Then `sniperforge replay --from market` plays it to one bot at a time, in one thread. All engines have their data
in memory when the time begins: ours has been read from the journal and verified, which is stated beside it as `load`.

`Empty`, `Batch`, `Ema`  strategies in Python: a handler an event that does nothing; a handler a batch that takes
                         columns as arrays; a pair of exponential averages an event, an order each hundredth
`arb`                    the C bot of the product: an exact search for cycles on each event, an order each hundredth
`arb from raw`           the same from the chain's bytes, three account messages a swap through `book`

The peers' set-ups stand in bench/peers/*.py. hftbacktest's `step` gives a compiled loop each event, with an order each
hundredth; its `replay` hands over no event. numba's compiling is left out.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench import recording
from bench.harness import cases, peers
from bench.harness.floor import Floors
from bench.harness.result import ROOT, Case, Floor, Result, Target, single
from sniperforge.replay import Recording, replay
from sniperforge.replay.runner import Source
from sniperforge.strategies import Intent, PoolUpdate, PoolUpdates, Strategy

TEXT = "a recorded market through bots in Python and C, beside NautilusTrader and hftbacktest"
SWAPS, ROUNDS, TICKS, EVENTS = 200_000, 5, 50_000, 1_000_000
ORDER_EVERY = recording.GAP_EVERY


class _NoConfig(msgspec.Struct):
    pass


class Empty(Strategy):
    """A handler an event that does nothing."""

    Config = _NoConfig

    def on_pool(self, pool: PoolUpdate) -> None:
        pass


class Batch(Strategy):
    """A handler a batch: the columns of pools and reserves as arrays."""

    Config = _NoConfig

    def on_pools(self, updates: PoolUpdates) -> None:
        columns = updates.updates
        if columns["pool"][-1] > 1 or columns["reserve"][-1, 0] == 0:
            raise ValueError("not what was recorded")


class Ema(Strategy):
    """A pair of exponential averages of the price an event, and an order each hundredth event."""

    Config = _NoConfig

    def __init__(self, config: Any, context: Any) -> None:
        super().__init__(config, context)
        self.fast = self.slow = 0.0
        self.events = 0

    def on_pool(self, pool: PoolUpdate) -> None:
        price = pool.reserve_b / pool.reserve_a
        self.fast += (price - self.fast) * (2 / 11)
        self.slow += (price - self.slow) * (2 / 21)
        self.events += 1
        if self.events % ORDER_EVERY == 0:
            buys = self.events // ORDER_EVERY % 2 == 1
            hop = pool.hop(buys, 1_000_000, 990_000)
            tokens = (pool.token_a, pool.token_b) if buys else (pool.token_b, pool.token_a)
            self.submit(Intent(token_in=tokens[0], token_out=tokens[1], expected_out=995_000, hops=(hop,)))


def _with_bot(made: Recording, strategy: type[Strategy] | None) -> Recording:
    """The recording with one bot: a strategy in Python, or the arb."""
    if strategy is None:
        return dataclasses.replace(made, tiles=[tile for tile in made.tiles if not tile.python])
    bot = {"bot": 9, "name": "bench", "class": f"{__name__}:{strategy.__name__}", "settings": {}}
    tile = next(tile for tile in made.tiles if tile.python)
    params = tile.params | {"bots": json.dumps([bot])}
    return dataclasses.replace(made, tiles=[dataclasses.replace(tile, params=params)])


def _rates(
    made: Recording, bot: type[Strategy] | None, rounds: int, orders: int, source: Source = "market"
) -> list[float]:
    """Events a second, one a round."""
    found = []
    one = _with_bot(made, bot)
    for _ in range(rounds):
        result = replay(one, name=f"bench{os.getpid()}", source=source)
        if abs(result.bots[0].beyond - orders) > 2:
            raise RuntimeError(f"{result.bots[0].beyond} orders of {result.market} events, not {orders}")
        found.append(result.events_per_second)
    return found


def _nautilus(ticks: int, rounds: int) -> dict[str, Result]:
    """NautilusTrader's results by strategy."""
    found = peers.run("nautilus", "backtest", ticks, rounds)
    texts = {
        "empty": "back-test, strategy in Python, empty handler",
        "ema": "back-test, strategy in Python, pair of averages and an order each 100th tick",
    }
    name = f"NautilusTrader {found['version']}"
    return {
        key: single(
            f"NautilusTrader {key}", found[key], unit="per_second", text=f"{name}: {text}", group="python", peer=True
        )
        for key, text in texts.items()
    }


def _hftbacktest(events: int, rounds: int) -> dict[str, Result]:
    """hftbacktest's results by loop."""
    found = peers.run("hftbacktest", events, rounds)
    texts = {"replay": "replay alone", "step": "compiled loop over each event, an order each 100th"}
    name = f"hftbacktest {found['version']}"
    return {
        key: single(
            f"hftbacktest {key}", found[key], unit="per_second", text=f"{name}: {text}", group="compiled", peer=True
        )
        for key, text in texts.items()
    }


def _floor(beside: dict[str, Result], key: str) -> Floor | None:
    """A peer's rate as what ours is held against; None if it was not measured."""
    return Floor(beside[key].name, beside[key].value) if key in beside else None


def _python(made: Recording, rounds: int, orders: int, nautilus: dict[str, Result]) -> list[Result]:
    handler = Target("a handler an event: at least 4 times NautilusTrader", least=4, of="ratio")
    batch = Target("a handler a batch: at least 20 times NautilusTrader", least=20, of="ratio")
    bots: Sequence[tuple[type[Strategy], str, Target, int]] = (
        (Empty, "empty", handler, 0),
        (Batch, "empty", batch, 0),
        (Ema, "ema", handler, orders),
    )
    return [
        single(
            bot.__name__,
            _rates(made, bot, rounds, wanted),
            unit="per_second",
            text=bot.__doc__ or "",
            group="python",
            floor=_floor(nautilus, beside),
            targets=[target],
        )
        for bot, beside, target, wanted in bots
    ]


def measure(floors: Floors, *, short: bool = False) -> Case:
    """Runs the case."""
    case = Case("replay", TEXT, __doc__ or "")
    swaps, rounds = (4_000, 1) if short else (SWAPS, ROUNDS)
    with tempfile.TemporaryDirectory(prefix="sf-bench-replay-", dir=ROOT) as scratch:
        directory = recording.record(Path(scratch) / "state", f"bench{os.getpid()}", swaps)
        made = Recording.open(directory)
        nautilus: dict[str, Result] = {}
        hftbacktest: dict[str, Result] = {}
        if short:
            case.skipped.append("peers: left out of the short form")
        else:
            try:
                nautilus = _nautilus(TICKS, rounds)
                hftbacktest = _hftbacktest(EVENTS, rounds)
            except peers.PeerMissing as error:
                case.skipped.append(str(error))
        orders = swaps // ORDER_EVERY
        case.results += [*nautilus.values(), *_python(made, rounds, orders, nautilus), *hftbacktest.values()]
        faster = Target("faster than hftbacktest's loop with orders", least=1, of="ratio")
        case.results.append(
            single(
                "arb",
                _rates(made, None, rounds, orders),
                unit="per_second",
                text="the C bot: a search for cycles on each event, an order each 100th",
                group="compiled",
                floor=_floor(hftbacktest, "step"),
                targets=[faster],
            )
        )
        rates = _rates(made, None, min(rounds, 2), orders, "raw")
        text = "account messages a second from the chain's bytes through book and the C bot"
        case.results.append(single("arb from raw", rates, unit="per_second", text=text, group="from raw"))
        loads = [replay(_with_bot(made, None), name=f"bench{os.getpid()}", source="market") for _ in range(2)]
        seconds = [each.market / each.load_seconds for each in loads]
        text = "market messages a second read from the journal and verified before a replay, raw between them"
        case.results.append(single("load", seconds, unit="per_second", text=text, group="from raw"))
    return case


if __name__ == "__main__":
    sys.exit(cases.run_one(measure))
