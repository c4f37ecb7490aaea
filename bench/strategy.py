"""bench strategy: updates delivered to strategies in Python per second, and from an update to a bot's intent, live.

    python -m bench.strategy [--short] [--json]

Two processes on two cores (one each if there are two): the market, which is also risk, and the strategies tile, which
spins. Throughput: updates are published as fast as the tile takes them (reliable here, so that all are delivered).
Latency: open loop at a fixed rate; begins when the update was intended to be published, ends when its intent is
published (t_pub of the intent).

Beside it, at the same rate: the C bot (bench/c/arb.c; arb and risk in one thread) on a market of two constant-product
pools in which every other update is worth an order; and NautilusTrader's live node (bench/peers/nautilus.py), a
strategy in Python that answers each tick with an order, from the tick handed to its data client to its execution
adapter's submit. That way of NautilusTrader's includes its risk engine, as `C bot and risk` includes ours.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from bench.harness import cases, peers, program
from bench.harness.floor import Floors, line
from bench.harness.hdr import Histogram
from bench.harness.result import Case, Floor, Rate, Result, Target, latency, single
from ipc._core import ffi, lib
from ipc.errors import check
from ipc.tile import Batch, Tile, run
from ipc.topology import Topology
from ipc.views import Instance, now_ns, remove
from sniperforge.records import Record
from sniperforge.strategies import Intent, PoolUpdate, PoolUpdates, Strategy
from sniperforge.tiles.strategies import Strategies

POOLS = 1000
BATCH = 256
_MESSAGE = sum(map(ffi.sizeof, ("sf_message_t", "sf_pool_update_t", "sf_raydium_cpmm_state_t")))
STRIDE = -(-_MESSAGE // 64) * 64
"""Bytes of a slot that holds an update of a Raydium CPMM pool."""
FLOOD_LEAST = 20 * BATCH
"""Updates of a flood; more than fit the link."""
WARM_UP_SECONDS = 0.2
READY_NS = 10_000
"""From then on before an update is due its publisher does nothing but wait for it."""


class _NoConfig(msgspec.Struct):
    pass


class BatchNothing(Strategy):
    """Does nothing with whole batches, but looks at their arrays."""

    Config = _NoConfig

    def on_pools(self, updates: PoolUpdates) -> None:
        if updates.updates["pool"][0] == POOLS or updates.headers["kind"][-1] == 0:
            raise ValueError("not what was published")


class Nothing(Strategy):
    """Does nothing with each update."""

    Config = _NoConfig


class Answer(Strategy):
    """Answers every update with an intent."""

    Config = _NoConfig

    def on_pool(self, pool: PoolUpdate) -> None:
        hop = pool.hop(True, 1_000_000, 990_000)
        self.submit(
            Intent(
                token_in=pool.token_a, token_out=pool.token_b, expected_out=1_000_000, hops=(hop,), cost_lamports=5000
            )
        )


class BatchAnswer(Strategy):
    """The same from a callback on batches."""

    Config = _NoConfig

    def on_pools(self, updates: PoolUpdates) -> None:
        for pool in updates:
            self.look_at(pool)
            hop = pool.hop(True, 1_000_000, 990_000)
            self.submit(
                Intent(
                    token_in=pool.token_a,
                    token_out=pool.token_b,
                    expected_out=1_000_000,
                    hops=(hop,),
                    cost_lamports=5000,
                )
            )


class Timed(Strategies):
    """The product's tile, which also notes when it was handed the first batch and was done with the last."""

    first_ns = 0
    last_ns = 0
    delivered = 0

    def messages(self, source: int, batch: Batch) -> None:
        self.first_ns = self.first_ns or now_ns()
        super().messages(source, batch)
        self.delivered += len(batch)
        self.last_ns = now_ns()


class Market(Tile):
    """The other ends: publishes the market, takes the intents, and notes how long each took."""

    def init(self) -> None:
        self.taken: list[int] = []

    def messages(self, source: int, batch: Batch) -> None:
        for header in batch.structs("sf_message_t"):
            if header.kind == lib.SF_MSG_INTENT:
                self.taken.append(header.t_pub - header.t_origin)


def _topology(state_dir: Path, strategy: type[Strategy]) -> Topology:
    bots = [{"bot": 1, "name": "bench", "class": f"bench.strategy:{strategy.__name__}", "settings": {}}]
    topology = Topology(state_dir=state_dir)
    topology.group("strategies", wait="spin", python=True)
    topology.tile("market", kind="bench", group=None)
    topology.tile("strategies", kind="strategies", group="strategies", params={"bots": json.dumps(bots)}, burst=1)
    topology.link("market", producer="market", depth=1024, slot_bytes=STRIDE)
    topology.link("intent.strategies", producer="strategies", depth=1024, slot_bytes=320)
    topology.edge("market", consumer="strategies")
    topology.edge("intent.strategies", consumer="market")
    topology.table("tokens", writer="market", layout="sf_token_row_t", rows=64)
    topology.validate()
    return topology


def _updates() -> bytes:
    """A batch of pool updates as the market link carries them, without padding between."""
    header = Record("sf_message_t")
    state, update = ffi.new("sf_raydium_cpmm_state_t *"), ffi.new("sf_pool_update_t *")
    state.rates.trade = 2500
    venue = lib.sf_venue_get(lib.SF_VENUE_RAYDIUM_CPMM)
    data = b""
    for number in range(BATCH):
        state.reserve = state.amount = [10**12 + number, 10**13 - number]
        lib.sf_pool_update_fill(venue, state, ffi.sizeof(state[0]), 1, update)
        update.pool, update.slot, update.token_b = number * 7 % POOLS, 1000 + number, 1
        payload = bytes(ffi.buffer(update)) + bytes(ffi.buffer(state))
        head = header.build({"kind": lib.SF_MSG_POOL, "length": len(payload), "t_origin": 1})
        data += (head + payload).ljust(STRIDE, b"\0")
    return data


def _flood(tile: Market, seconds: float) -> None:
    """Publishes as fast as there is credit, and until some of it was taken."""
    data = ffi.from_buffer(_updates())
    end = now_ns() + int(seconds * 1e9)
    published = 0
    while now_ns() < end or published < FLOOD_LEAST:
        code = lib.sf_ptile_publish(tile.pointer, 0, data, STRIDE, BATCH)
        if code == lib.SF_ERR_FULL:
            tile.turn(0)
        else:
            check(code)
            published += BATCH
        if now_ns() > end + 10_000_000_000:
            raise TimeoutError(f"{published} updates taken ten seconds after the end")


def _steady(tile: Market, seconds: float, rate: int) -> float:
    """Publishes updates when they are due, whether or not the ones before were answered; returns the rate held."""
    memory = ffi.new("char[]", _updates())
    header = ffi.cast("sf_message_t *", memory)
    number, events = 0, int(seconds * rate)
    begin, period = now_ns(), 1e9 / rate
    deadline = begin + int(seconds * 1e9) + 5_000_000_000
    last = begin
    while len(tile.taken) < events:
        now, due = now_ns(), begin + int(number * period)
        if number < events and now > due - READY_NS:
            while now < due:
                now = now_ns()
            header.t_origin = due
            code = lib.sf_ptile_publish(tile.pointer, 0, memory, STRIDE, 1)
            if code != lib.SF_ERR_FULL:
                check(code)
                number, last = number + 1, now
                continue
        tile.turn(0)
        if now > deadline:
            raise TimeoutError(f"{len(tile.taken)} of {events} intents five seconds after the last update was due")
    return events * 1e9 / (last - begin + period)


def _market(name: str, seconds: float, rate: int, out: int) -> int:
    """The market's process: floods (rate 0) or keeps a rate, then halts the strategies; tells rate and latencies."""
    with Instance.open(name) as instance:
        tile = Market(instance, "market")
        tile.boot()
        while instance.cnc("strategies").state != "run":
            tile.turn(1_000_000)
        held = 0.0
        try:
            if rate:
                _steady(tile, WARM_UP_SECONDS, rate)
                tile.taken.clear()
                held = _steady(tile, seconds, rate)
            else:
                _flood(tile, seconds)
        finally:
            instance.control.halt_tile("strategies")
        tile.close()
        with os.fdopen(out, "wb") as pipe:
            pipe.write(np.array([int(held), *tile.taken], np.int64).tobytes())
    return 0


def _measure(
    strategy: type[Strategy], seconds: float, rate: int, cores: Sequence[int]
) -> tuple[float, float, npt.NDArray[np.int64]]:
    """Updates delivered per second, the rate held, and latencies in ns."""
    state_dir = Path(tempfile.mkdtemp(prefix="sf-bench-"))
    name = f"bench{os.getpid()}"
    read, write = os.pipe()
    try:
        with _topology(state_dir, strategy).create(name) as instance:
            child = os.fork()
            if not child:
                code = 1
                try:
                    os.sched_setaffinity(0, {cores[0]})
                    os.close(read)
                    code = _market(name, seconds, rate, write)
                finally:
                    os._exit(code)
            os.close(write)
            os.sched_setaffinity(0, {cores[-1]})
            tile = Timed(instance, "strategies")
            run([tile])
            with os.fdopen(read, "rb") as pipe:
                latencies = np.frombuffer(pipe.read(), np.int64)
            _, status = os.waitpid(child, 0)
            if status:
                raise RuntimeError("the market's process failed")
            delivered = tile.delivered * 1e9 / (tile.last_ns - tile.first_ns)
            return delivered, float(latencies[0]), latencies[1:]
    finally:
        os.sched_setaffinity(0, cores)
        remove(name)
        shutil.rmtree(state_dir, ignore_errors=True)


TEXT = "updates delivered to a Python strategy, and event to its intent, beside NautilusTrader's live node"
SECONDS, ROUNDS, RATES = 1.0, 5, (1_000, 10_000)
DELIVERED: dict[type[Strategy], list[Target]] = {
    BatchNothing: [Target("over 1 M updates/s in batches", least=1e6)],
    Nothing: [],
}
INTENT = "update to intent"
P50 = Target("p50 under 5 us", most=5_000)
ANSWERS: tuple[type[Strategy], ...] = (Answer, BatchAnswer)
C_BOT = {"update_to_intent": "C bot", "update_to_order": "C bot and risk"}
C_BOT_TEXT = "arb over two pools: its exact search and the routes' quotes, to the "


def _peer(case: Case, seconds: float, rounds: int) -> Result | None:
    """NautilusTrader's live node at the lower rate; None if it is not there."""
    try:
        found = peers.run("nautilus", "live", seconds, RATES[0], rounds)
    except peers.PeerMissing as error:
        case.skipped.append(str(error))
        return None
    text = f"NautilusTrader {found['version']}, live node: tick handed in to its adapter's submit"
    histograms = [Histogram.of(each) for each in found["latencies_ns"]]
    result = latency(f"NautilusTrader at {RATES[0]}/s", histograms, text=text, group=INTENT, peer=True)
    return _held(result, RATES[0], max(found["held"]))


def _held(result: Result, asked: float, held: float) -> Result:
    """The result with its rate; failed if that was not held."""
    result.rate = Rate(asked, held)
    if held < 0.99 * asked:
        result.failed = f"the rate was not held: {held:,.0f} of {asked:,.0f} a second"
    return result


def _sooner(peer: Result | None, times: int) -> list[Target]:
    """To be that many times sooner than the peer was, in the same run and at the same rate."""
    return [Target(f"p50 {times} times sooner than NautilusTrader", most=peer.value / times)] if peer else []


def _c_bot(seconds: float, rounds: int, rate: int, floor: Floor | None, targets: list[Target]) -> list[Result]:
    """The C bot at a rate; the targets are those of its intent."""
    runs = [program.run("arb", [rate, seconds]) for _ in range(rounds)]
    records = [{record.get("case", record["what"]): record for record in found} for found in runs]
    held = max(float(each["schedule"]["rate_held"]) for each in records)
    return [
        _held(
            latency(
                f"{name} at {rate}/s",
                [program.histogram(each[key]) for each in records],
                text=C_BOT_TEXT + ("intent" if key == "update_to_intent" else "order"),
                group=INTENT,
                floor=floor,
                targets=targets if key == "update_to_intent" else (),
            ),
            rate,
            held,
        )
        for key, name in C_BOT.items()
    ]


def measure(floors: Floors, *, short: bool = False) -> Case:
    """Runs the case."""
    case = Case("strategy", TEXT, __doc__ or "")
    cores = sorted(os.sched_getaffinity(0))
    seconds, rounds = (0.2, 1) if short else (SECONDS, ROUNDS)
    for strategy, targets in DELIVERED.items():
        rates = [_measure(strategy, seconds, 0, cores)[0] for _ in range(rounds)]
        name = f"delivered to {strategy.__name__}"
        text = strategy.__doc__ or ""
        case.results.append(single(name, rates, unit="per_second", text=text, group="delivered", targets=targets))
    limit = line(floors.results())
    floor = Floor(limit.name, limit.value) if limit else None
    peer: Result | None = None
    if short:
        case.skipped.append("peers: left out of the short form")
    else:
        peer = _peer(case, seconds, rounds)
    for strategy in ANSWERS:
        for rate in RATES:
            found = [_measure(strategy, seconds, rate, cores) for _ in range(rounds)]
            held = [one for one in found if one[1] >= 0.99 * rate] or found
            histograms = [Histogram.of(latencies) for _, _, latencies in held]
            name, text = f"{strategy.__name__} at {rate}/s", strategy.__doc__ or ""
            targets = [P50, *(_sooner(peer, 10) if rate == RATES[0] else [])]
            result = latency(name, histograms, text=text, group=INTENT, floor=floor, targets=targets)
            case.results.append(_held(result, rate, max(one[1] for one in held)))
    for rate in RATES:
        targets = _sooner(peer, 100) if rate == RATES[0] else []
        case.results += _c_bot(seconds, rounds, rate, floor, targets)
    if peer:
        case.results.append(peer)
    return case


if __name__ == "__main__":
    sys.exit(cases.run_one(measure))
