"""The strategy API, the tile that hosts strategies, and the one strategy that comes with the engine."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from ipc._core import lib
from ipc.layout import dtype
from ipc.link import Consumer, Message, Producer
from ipc.tile import run
from ipc.topology import Topology
from ipc.views import Instance
from sniperforge.records import Record
from sniperforge.strategies import Balance, Denied, Fill, Hop, Intent, PoolUpdate, PoolUpdates, Strategy, Token
from sniperforge.strategies.base import Context, TooManyIntents
from sniperforge.tiles.strategies import BotParams, Strategies, StrategyError, intent_bytes, load
from tests.graphs import created
from tests.unit.market import STRIDE, messages, update, update_bytes

INTENT, FILL, DENIED, BALANCE = (Record(f"sf_{name}_t") for name in ("intent", "fill", "denied", "balance"))
SOL, USD, OTHER = "So11111111111111111111111111111111111111112", "E" * 43, "F" * 43


def context(*, intents: int = 8, mints: Sequence[str] = (SOL, USD, OTHER)) -> Context:
    return Context(token=lambda row: Token(row, mints[row], 9), balances={}, intents_per_message=intents)


def swap(pool: int = 7, amount: int = 100) -> Intent:
    return Intent(token_in=0, token_out=1, expected_out=95, hops=[Hop(pool, 1, True, amount, 90)])


# -- updates and intents ----------------------------------------------------------------------------------------------


def test_updates_are_tuples_and_arrays() -> None:
    payloads = [update_bytes(pool, a=10 + pool, b=2**64 - 1, slot=5) for pool in range(3)]
    updates = messages(payloads, first_seq=40)
    assert len(updates) == 3
    assert list(updates) == [updates[0], updates[1], updates[2]]
    second = updates[-2]
    assert isinstance(second, PoolUpdate)
    assert (second.seq, second.kind, second.now_ns, second.pool) == (41, lib.SF_MSG_POOL, 1041, 1)
    assert (second.reserve_a, second.reserve_b, second.unix_s, second.slot) == (11, 2**64 - 1, 1000, 5)
    assert second.payload == payloads[1]
    assert updates.headers["seq"].tolist() == [40, 41, 42]
    assert updates.headers["t_origin"].tolist() == [1040, 1041, 1042]
    assert updates.updates["reserve"][:, 0].tolist() == [10, 11, 12]
    for bad in (3, -4):
        with pytest.raises(IndexError):
            updates[bad]


def test_an_update_is_tradable_unless_stale_or_disabled() -> None:
    assert update(1, a=1, b=1).tradable
    assert update(1, a=1, b=1, flags=lib.SF_POOL_SIMULATED).tradable
    assert not update(1, a=1, b=1, flags=lib.SF_POOL_DISABLED).tradable
    assert not update(1, a=1, b=1, kind=lib.SF_MSG_STALE).tradable


def test_an_intent_becomes_exactly_these_bytes() -> None:
    cause = update(7, a=1, b=1, seq=77, slot=9)
    hops = [Hop(7, 1, True, 100, 50), Hop(8, 4, False, 50, 101, (-7, 3))]
    cycle = Intent(
        token_in=3,
        token_out=3,
        expected_out=120,
        hops=hops,
        cost_lamports=5000,
        tip_lamports=10,
        cu_price_micro_lamports=11,
        cu_limit=12,
        reduce=True,
    )
    row = np.frombuffer(intent_bytes(4, 5, cause, cycle), dtype("sf_intent_t"))[0]
    expected = {
        "intent": 4,
        "bot": 5,
        "kind": lib.SF_INTENT_CYCLE,
        "flags": lib.SF_INTENT_REDUCE,
        "hop_cnt": 2,
        "market_seq": 77,
        "slot": 9,
        "token_in": 3,
        "token_out": 3,
        "amount_in": 100,
        "expected_out": 120,
        "min_out": 101,
        "cost_lamports": 5000,
        "tip_lamports": 10,
        "cu_price_micro_lamports": 11,
        "cu_limit": 12,
    }
    assert {name: int(row[name]) for name in expected} == expected
    assert [tuple(hop[name].tolist() for name in hop.dtype.names) for hop in row["hop"]] == [
        (7, 1, 1, 0, [0, 0, 0], 100, 50),
        (8, 4, 0, 2, [-7, 3, 0], 50, 101),
        (0, 0, 0, 0, [0, 0, 0], 0, 0),
        (0, 0, 0, 0, [0, 0, 0], 0, 0),
    ]
    assert INTENT.named(intent_bytes(1, 5, cause, swap()))["kind"] == lib.SF_INTENT_SWAP


def test_an_intent_that_cannot_be_is_refused() -> None:
    cause = update(7, a=1, b=1)
    for hops in ([], [Hop(1, 1, True, 1, 1)] * 5, [Hop(1, 1, True, 1, 0)]):
        with pytest.raises(ValueError, match=r"hops|min_out"):
            intent_bytes(1, 1, cause, Intent(token_in=0, token_out=1, expected_out=1, hops=hops))
    with pytest.raises(Exception, match=r"format|range|argument"):
        intent_bytes(1, 1, cause, swap(amount=2**64))


class Eager(Strategy):
    """Answers each update with `each` intents."""

    class Config(msgspec.Struct, forbid_unknown_fields=True):
        each: int = 1
        fail_at: int = -1

    config: Config

    def __init__(self, config: Config, context: Context) -> None:
        super().__init__(config, context)
        self.seen: list[Any] = []

    def on_pool(self, pool: PoolUpdate) -> None:
        self.seen.append(pool)
        for _ in range(self.config.each):
            self.submit(swap(pool.pool))
        if len(self.seen) == self.config.fail_at:
            raise ValueError("as told")

    def on_fill(self, fill: Fill) -> None:
        self.seen.append(fill)
        self.submit(swap(1))

    def on_denied(self, denied: Denied) -> None:
        self.seen.append(denied)

    def on_balance(self, balance: Balance) -> None:
        self.seen.append(balance)


def test_intents_are_numbered_and_know_their_cause() -> None:
    strategy = Eager.create({"each": 2}, context())
    strategy.on_pools(messages([update_bytes(pool, a=1, b=1) for pool in (3, 4)], first_seq=10))
    submitted = strategy.context.submitted
    assert [(number, cause.seq, intent.hops[0].pool) for number, cause, intent in submitted] == [
        (1, 10, 3),
        (2, 10, 3),
        (3, 11, 4),
        (4, 11, 4),
    ]
    assert strategy.now_ns == 1011


def test_an_intent_needs_a_cause_and_room() -> None:
    strategy = Eager.create({}, context(intents=2))
    with pytest.raises(RuntimeError, match="look_at"):
        strategy.submit(swap())
    strategy.look_at(update(1, a=1, b=1))
    assert [strategy.submit(swap()), strategy.submit(swap())] == [1, 2]
    with pytest.raises(TooManyIntents):
        strategy.submit(swap())
    strategy.context.next_message()
    assert strategy.submit(swap()) == 3


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("tests.unit.test_strategies", {}, "bots.x.class"),
        ("no.such.module:Class", {}, "bots.x.class.*no"),
        ("tests.unit.test_strategies:Nothing", {}, "bots.x.class.*Nothing"),
        ("tests.unit.test_strategies:context", {}, "is no Strategy"),
        ("tests.unit.test_strategies:Eager", {"speed": 1}, "bots.x.settings.*speed"),
        ("tests.unit.test_strategies:Eager", {"each": "many"}, r"bots.x.settings.each: expected"),
        ("sniperforge.strategies.rebalance:Rebalance", {}, "bots.x.settings.*mints"),
    ],
)
def test_a_wrong_class_or_setting_names_the_key(name: str, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(StrategyError, match=says):
        load(BotParams(bot=1, name="x", class_=name, settings=settings), context())


# -- the tile ---------------------------------------------------------------------------------------------------------


class Host:
    """A strategies tile in a thread, and the other ends of its links."""

    def __init__(self, instance: Instance, ends: ExitStack) -> None:
        self.instance = instance
        self.market: Producer = ends.enter_context(instance.link("market").produce())
        self.fill: Producer = ends.enter_context(instance.link("fill").produce())
        self.denied: Producer = ends.enter_context(instance.link("denied").produce())
        self.intents: Consumer = ends.enter_context(instance.link("intent.strategies").consume("risk"))
        self.tile = Strategies(instance, "strategies")
        self.messages: list[Message] = []
        self.thread = threading.Thread(target=run, args=([self.tile],))
        self.thread.start()
        self.until(lambda: self.cnc.state == "run")

    @property
    def cnc(self) -> Any:
        return self.instance.cnc("strategies")

    def until(self, reached: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 30
        while not reached():
            assert time.monotonic() < deadline, "waited too long"
            time.sleep(0.0005)
            self.messages += self.intents.receive()
            self.intents.flush()

    def pool(self, pool: int, **about: Any) -> None:
        seq = self.market.seq
        self.market.send(lib.SF_MSG_POOL, update_bytes(pool, a=1000, b=1000, **about), tag=pool, t_origin=100 + seq)

    def of_kind(self, kind: int) -> list[Message]:
        return [message for message in self.messages if message.kind == kind]

    def close(self) -> None:
        self.tile.halt()
        self.thread.join(30)
        assert not self.thread.is_alive()


def graph(state_dir: Path, bots: Sequence[dict[str, Any]], burst: int = 16) -> Topology:
    """book --market--> strategies --intents--> risk, with confirm --fill--> and risk --denied--> back to it."""
    topology = Topology(state_dir=state_dir)
    topology.group("python", python=True)
    for name in ("book", "confirm", "risk"):
        topology.tile(name, kind="test", group=None)
    params = {"bots": json.dumps(bots)}
    topology.tile("strategies", kind="strategies", group="python", params=params, burst=burst)
    topology.link("market", producer="book", depth=1024, slot_bytes=STRIDE)
    topology.link("fill", producer="confirm", depth=64, slot_bytes=256)
    topology.link("denied", producer="risk", depth=64, slot_bytes=64)
    topology.link("intent.strategies", producer="strategies", depth=1024, slot_bytes=320)
    for link in ("market", "fill", "denied"):
        topology.edge(link, consumer="strategies", reliable=False)
    topology.edge("intent.strategies", consumer="risk")
    topology.table("tokens", writer="book", layout="sf_token_row_t", rows=64)
    topology.validate()
    return topology


@pytest.fixture
def start(instance_name: str, tmp_path: Path) -> Iterator[Callable[..., Host]]:
    with ExitStack() as stack:

        def start(*bots: dict[str, Any], burst: int = 16) -> Host:
            instance = stack.enter_context(created(graph(tmp_path, bots, burst), instance_name))
            host = Host(instance, stack.enter_context(ExitStack()))
            stack.callback(host.close)
            return host

        yield start


def bot(number: int, **about: Any) -> dict[str, Any]:
    return {"bot": number, "name": f"bot{number}", "class": f"{__name__}:Eager", "settings": about}


def test_updates_go_in_and_intents_come_out(start: Callable[..., Host]) -> None:
    host = start(bot(3), bot(4, each=2))
    for pool in range(20):
        host.pool(pool, slot=pool)
    host.until(lambda: len(host.of_kind(lib.SF_MSG_INTENT)) == 60)
    found = host.of_kind(lib.SF_MSG_INTENT)
    values = [INTENT.named(message.payload) for message in found]
    assert [message.tag for message in found] == [3, 4, 4] * 20
    assert [value["bot"] for value in values] == [3, 4, 4] * 20
    assert [value["market_seq"] for value in values] == [seq for seq in range(20) for _ in range(3)]
    assert [message.t_origin for message in found] == [100 + seq for seq in range(20) for _ in range(3)]
    assert [value["intent"] for value in values if value["bot"] == 4] == list(range(1, 41))
    host.until(lambda: host.cnc.value("intents") == 60)
    assert host.cnc.value("pool_updates") == 20


def test_fills_and_denials_go_to_their_bot_and_balances_to_all(start: Callable[..., Host]) -> None:
    host = start(bot(3, each=0), bot(4, each=0))
    strategies = [each.strategy for each in host.tile._bots]
    host.pool(1)
    host.until(lambda: all(each.seen for each in strategies))
    fill = {"order": 8, "intent": 2, "bot": 4, "outcome": lib.SF_FILL_LANDED, "kind": lib.SF_INTENT_SWAP, "flags": 3}
    fill |= {"token_in": 1, "token_out": 2, "delta_in": -5, "delta_out": 6, "delta_lamports": -7, "fee_lamports": 5}
    host.fill.send(lib.SF_MSG_FILL, FILL.build(fill | {"slot": 11, "error": -1}), tag=4)
    host.until(lambda: len(strategies[1].seen) == 2)
    seen = strategies[1].seen[-1]
    assert isinstance(seen, Fill)
    assert {name: getattr(seen, name) for name in fill if name != "bot"} == {
        k: v for k, v in fill.items() if k != "bot"
    }
    assert (seen.slot, seen.error, seen.simulated, seen.recovered) == (11, -1, True, True)
    host.denied.send(lib.SF_MSG_DENIED, DENIED.build({"intent": 9, "bot": 3, "reason": 5, "have": 6, "allowed": 7}))
    host.until(lambda: len(strategies[0].seen) == 2)
    assert strategies[0].seen[-1] == Denied(9, 5, 6, 7)
    host.fill.send(lib.SF_MSG_BALANCE, BALANCE.build({"token": 2, "amount": 70, "slot": 12, "mint": bytes(32)}))
    host.until(lambda: all(each.seen[-1] == Balance(2, 70, 12) for each in strategies))
    assert strategies[0].context.balances == strategies[1].context.balances == {2: 70}
    assert len(strategies[0].seen) == len(strategies[1].seen) == 3
    # the intent that the fill caused says which market message the bot had seen
    host.until(lambda: host.of_kind(lib.SF_MSG_INTENT))
    assert INTENT.named(host.of_kind(lib.SF_MSG_INTENT)[0].payload)["market_seq"] == 0
    # and the order of the in-links is on record: one turn for each message that was no market message
    host.until(lambda: len(host.of_kind(lib.SF_MSG_TURN)) == 3)
    turns = [Record("sf_turn_t").named(message.payload) for message in host.of_kind(lib.SF_MSG_TURN)]
    assert [(turn["in"], turn["seq"], turn["primary_seq"]) for turn in turns] == [(1, 0, 1), (2, 0, 1), (1, 1, 1)]


def test_an_exception_stops_its_bot_only(start: Callable[..., Host], capsys: pytest.CaptureFixture[str]) -> None:
    host = start(bot(3, fail_at=2), bot(4))
    for pool in range(3):
        host.pool(pool)
        host.until(lambda: len(host.of_kind(lib.SF_MSG_INTENT)) >= (2, 3, 4)[pool])  # noqa: B023
    host.until(lambda: host.cnc.value("bot_errors") == 1)
    assert host.cnc.value("bots_running") == 1
    assert host.cnc.state == "run"
    assert [message.tag for message in host.of_kind(lib.SF_MSG_INTENT)] == [3, 4, 4, 4]
    assert "bot bot3 stopped" in (log := capsys.readouterr().err) and "as told" in log


def test_too_many_intents_on_one_message_stop_the_bot(start: Callable[..., Host]) -> None:
    host = start(bot(3, each=9), bot(4, each=8), burst=16)
    for pool in range(100):
        host.pool(pool)
    host.until(lambda: len(host.of_kind(lib.SF_MSG_INTENT)) == 800)
    assert {message.tag for message in host.of_kind(lib.SF_MSG_INTENT)} == {4}
    assert (host.cnc.value("bot_errors"), host.cnc.state) == (1, "run")


def test_how_updates_are_cut_into_batches_leaves_no_trace() -> None:
    payloads = [update_bytes(pool % 5, a=1000 + pool, b=1000, slot=pool) for pool in range(60)]
    rng = random.Random(2)
    traces = []
    for _ in range(20):
        bots = [Eager.create({"each": each}, context()) for each in (1, 2)]
        trace: list[bytes] = []
        first = 0
        while first < len(payloads):
            count = rng.randrange(1, 20)
            updates = messages(payloads[first : first + count], first_seq=first)
            for each in bots:
                each.on_pools(updates)
            waiting = [(number, each) for number, bot in enumerate(bots) for each in bot.context.submitted]
            waiting.sort(key=lambda each: each[1][1].seq)
            trace += [intent_bytes(number, at, cause, intent) for at, (number, cause, intent) in waiting]
            for each in bots:
                each.context.submitted.clear()
            first += count
        traces.append(trace)
    assert all(trace == traces[0] for trace in traces)


class Tokens(Strategy):
    """Asks for the tokens of each pool."""

    class Config(msgspec.Struct):
        pass

    def __init__(self, config: Any, context: Context) -> None:
        super().__init__(config, context)
        self.tokens: list[Token] = []

    def on_pools(self, updates: PoolUpdates) -> None:
        for row in updates.updates["token_b"].tolist():
            self.tokens.append(self.context.token(row))


def test_tokens_come_from_their_constant_rows(start: Callable[..., Host]) -> None:
    host = start({"bot": 1, "name": "tokens", "class": f"{__name__}:Tokens", "settings": {}})
    row = np.zeros(1, dtype("sf_token_row_t"))
    row["mint"], row["decimals"] = 7, 6
    host.instance.table("tokens").write(5, row)
    host.pool(1, tokens=(0, 5))
    strategy = host.tile._bots[0].strategy
    host.until(lambda: strategy.tokens)
    assert strategy.tokens == [Token(5, "US517G5965aydkZ46HS38QLi7UQiSojurfbQfKCELFx", 6)]
    host.pool(1, tokens=(0, 6))  # never written: the bot is stopped, not the tile
    host.until(lambda: host.cnc.value("bot_errors") == 1)


def test_the_tile_refuses_wrong_settings(instance_name: str, tmp_path: Path) -> None:
    with created(graph(tmp_path, [bot(3, speed=1)]), instance_name) as instance:
        with pytest.raises(StrategyError):
            run([Strategies(instance, "strategies")])
        assert instance.cnc("strategies").state == "fail"
        assert "bots.bot3.settings" in instance.cnc("strategies").error
