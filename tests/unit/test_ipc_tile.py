"""Tiles in Python: hooks, batches, credits, states."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ipc._core import ffi, lib
from ipc.errors import CoreError
from ipc.link import Consumer, Producer
from ipc.tile import Batch, Tile, run
from ipc.topology import Topology
from ipc.views import Instance
from tests.graphs import created

DEPTH = 64


def graph(*, burst: int = 1, depth_out: int = DEPTH, stay_awake: bool = False) -> Topology:
    """source --numbers, orders--> echo --echoes--> sink, all but echo external."""
    topology = Topology(state_dir=Path("/nonexistent"), stay_awake=stay_awake)
    topology.group("python", python=True)
    topology.tile("source", kind="test", group=None)
    topology.tile("echo", kind="test", group="python", params={"factor": 3}, burst=burst)
    topology.tile("sink", kind="test", group=None)
    topology.link("numbers", producer="source", depth=DEPTH, slot_bytes=64)
    topology.link("orders", producer="source", depth=DEPTH, slot_bytes=128)
    topology.link("echoes", producer="echo", depth=depth_out, slot_bytes=128)
    topology.edge("numbers", consumer="echo")
    topology.edge("orders", consumer="echo", reliable=False)
    topology.edge("echoes", consumer="sink")
    return topology


class Ends:
    """The other ends of the echo's links."""

    def __init__(self, instance: Instance, numbers: Producer, orders: Producer, sink: Consumer) -> None:
        self.instance = instance
        self.numbers = numbers
        self.orders = orders
        self.sink = sink

    def turn(self, seq: int, lost: int) -> None:
        self.numbers.send(lib.SF_MSG_TURN, ffi.new("sf_turn_t *", {"seq": seq, "lost": lost}), t_origin=1000 + seq)


@pytest.fixture
def ends(instance_name: str) -> Iterator[Ends]:
    with created(graph(), instance_name) as instance:
        yield from _ends(instance)


def _ends(instance: Instance) -> Iterator[Ends]:
    with (
        instance.link("numbers").produce() as numbers,
        instance.link("orders").produce() as orders,
        instance.link("echoes").consume("sink") as sink,
    ):
        yield Ends(instance, numbers, orders, sink)


def until(reached: Callable[[], Any], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.0005)


class Echo(Tile):
    """Publishes three times what comes in on `numbers`, and tells of every hook."""

    def init(self) -> None:
        self.calls: list[str] = ["init"]
        self.factor = int(self.params["factor"])
        self.numbers = self.input("numbers")
        self.out = self.output("echoes")
        self.echoed = self.counter("echoed_messages")
        self.largest = self.gauge("largest")
        self.reply = ffi.new("sf_turn_t *")

    def messages(self, source: int, batch: Batch) -> None:
        self.calls.append(f"messages {source} {len(batch)}")
        if source != self.numbers:
            return
        records = batch.records("sf_turn_t")
        assert list(records["seq"]) == [turn.seq for turn in batch.structs("sf_turn_t")]
        assert [m.seq for m in batch] == list(batch.records("sf_message_t")["seq"])
        for header, turn in zip(batch.structs("sf_message_t"), batch.structs("sf_turn_t"), strict=True):
            self.reply.seq = turn.seq * self.factor
            self.publish(self.out, lib.SF_MSG_TURN, self.reply, tag=5, t_origin=header.t_origin)
        self.echoed.add(len(batch))
        self.largest.set(int(records["seq"].max()))

    def house(self, now_ns: int) -> None:
        if self.calls[-1] != "house":
            self.calls.append("house")

    def fini(self) -> None:
        self.calls.append("fini")


def test_batches_in_and_messages_out(ends: Ends) -> None:
    tile = Echo(ends.instance, "echo")
    cnc = ends.instance.cnc("echo")
    assert cnc.state == "boot"
    tile.boot()
    assert cnc.state == "run" and tile.turn(0) == 0
    for seq in range(5):
        ends.turn(seq, 0)
    ends.orders.send(9, b"x" * 96)
    while tile.turn(0):
        pass
    replies = ends.sink.receive()
    assert [(m.seq, m.kind, m.tag, m.t_origin) for m in replies] == [
        (i, lib.SF_MSG_TURN, 5, 1000 + i) for i in range(5)
    ]
    assert [ffi.cast("sf_turn_t *", ffi.from_buffer(m.payload)).seq for m in replies] == [0, 3, 6, 9, 12]
    assert sum(int(call.split()[2]) for call in tile.calls if call.startswith("messages 0")) == 5
    assert "messages 1 1" in tile.calls
    tile.close()
    assert tile.calls[-1] == "fini" and cnc.state == "done"
    assert cnc.counters()["echoed_messages"] == 5 and cnc.gauges()["largest"] == 4
    assert cnc.value("messages_in") == 6 and cnc.value("messages_out") == 5
    assert cnc.histogram("origin").count >= 1


def test_run_until_the_supervisor_says_halt(ends: Ends) -> None:
    tile = Echo(ends.instance, "echo")
    cnc = ends.instance.cnc("echo")
    thread = threading.Thread(target=run, args=([tile],))
    thread.start()
    until(lambda: cnc.state == "run")
    first = cnc.heartbeat_ns
    ends.turn(1, 0)
    until(lambda: cnc.value("echoed_messages") == 1)
    until(lambda: cnc.heartbeat_ns > first)
    ends.instance.control.halt_tile("echo")
    thread.join(30)
    assert not thread.is_alive()
    assert tile.calls[0] == "init" and "house" in tile.calls and tile.calls[-1] == "fini"
    assert cnc.state == "done" and ends.instance.control.kill == "run"


@pytest.mark.skipif(not os.access("/dev/cpu_dma_latency", os.W_OK), reason="/dev/cpu_dma_latency cannot be written")
@pytest.mark.parametrize("stay_awake", [True, False])
def test_a_group_that_parks_keeps_the_host_awake_if_asked(instance_name: str, stay_awake: bool) -> None:
    def held() -> bool:
        return any(os.readlink(each.path) == "/dev/cpu_dma_latency" for each in os.scandir("/proc/self/fd"))

    with created(graph(stay_awake=stay_awake), instance_name) as instance:
        child = os.fork()  # it is held for the life of a process
        if not child:
            Echo(instance, "echo").boot()
            os._exit(0 if held() == stay_awake else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert not held()


def test_an_exception_is_state_fail_with_its_sentence(ends: Ends) -> None:
    class Broken(Echo):
        def messages(self, source: int, batch: Batch) -> None:
            raise ValueError("no such pool: 7")

    ends.turn(1, 0)
    with pytest.raises(ValueError, match="no such pool"):
        run([Broken(ends.instance, "echo")])
    cnc = ends.instance.cnc("echo")
    assert (cnc.state, cnc.error) == ("fail", "ValueError: no such pool: 7")
    assert ends.instance.control.kill == "halt"


def test_a_failing_init_never_runs(ends: Ends) -> None:
    class Broken(Echo):
        def init(self) -> None:
            self.calls = []
            self.input("nothing")

    tile = Broken(ends.instance, "echo")
    with pytest.raises(CoreError) as refused:
        run([tile])
    assert refused.value.code == lib.SF_ERR_NOTFOUND
    cnc = ends.instance.cnc("echo")
    assert cnc.state == "fail" and "nothing" in cnc.error
    assert "fini" not in tile.calls


def test_messages_wait_for_credit(instance_name: str) -> None:
    with created(graph(burst=2, depth_out=8), instance_name) as instance:
        for ends in _ends(instance):
            tile = Echo(instance, "echo")
            tile.boot()
            for seq in range(20):
                ends.turn(seq, 0)
            got: list[int] = []
            for _ in range(1000):
                before = ends.sink.seq
                tile.turn(0)
                assert tile.next_seq(0) - before <= 8
                got += [m.seq for m in ends.sink.receive(3)]
                ends.sink.flush()
            assert got == list(range(20))
            tile.close()


def test_poll_comes_only_with_burst_credits(instance_name: str) -> None:
    class Clock(Tile):
        ticks = 0

        def poll(self) -> int:
            for _ in range(2):
                self.publish(0, 1, self.ticks.to_bytes(8, "little"))
                self.ticks += 1
            return 2

    with created(graph(burst=2, depth_out=8), instance_name) as instance:
        for ends in _ends(instance):
            tile = Clock(instance, "echo")
            tile.boot()
            for _ in range(10):
                tile.turn(0)
            assert tile.ticks == 8
            assert len(ends.sink.receive()) == 8
            ends.sink.flush()
            assert tile.turn(0) == 2
            tile.close()


def test_a_bot_tells_in_which_order_it_read(ends: Ends) -> None:
    class Bot(Echo):
        ordered = True

        def messages(self, source: int, batch: Batch) -> None:
            self.calls += [f"{source}:{message.seq}" for message in batch]

    tile = Bot(ends.instance, "echo")
    tile.boot()
    ends.turn(0, 0)
    while tile.turn(0):
        pass
    ends.orders.send(9, b"")
    while tile.turn(0):
        pass
    turns = [
        ffi.cast("sf_turn_t *", ffi.from_buffer(m.payload)) for m in ends.sink.receive() if m.kind == lib.SF_MSG_TURN
    ]
    assert len(turns) == 1
    assert (getattr(turns[0], "in"), turns[0].seq, turns[0].primary_seq) == (1, 0, 1)
    assert [call for call in tile.calls if ":" in call] == ["0:0", "1:0"]
    tile.close()


def test_what_does_not_fit_is_refused(ends: Ends) -> None:
    class Curious(Echo):
        def messages(self, source: int, batch: Batch) -> None:
            for look in (batch.records, batch.structs):
                with pytest.raises(ValueError, match="sf_pool_row_t"):
                    look("sf_pool_row_t")
            self.calls.append("looked")

    tile = Curious(ends.instance, "echo")
    tile.boot()
    with pytest.raises(CoreError) as large:
        tile.publish(0, 1, bytes(97))
    assert large.value.code == lib.SF_ERR_ARG and "97" in str(large.value)
    ends.turn(0, 0)
    while tile.turn(0):
        pass
    assert "looked" in tile.calls
    tile.close()
    with pytest.raises(CoreError) as again:  # a tile runs once in the life of an instance
        Curious(ends.instance, "echo")
    assert again.value.code == lib.SF_ERR_STATE


def test_several_tiles_share_a_thread(instance_name: str) -> None:
    topology = Topology(state_dir=Path("/nonexistent"))
    topology.group("python", python=True)
    topology.tile("source", kind="test", group=None)
    for name in ("a", "b"):
        topology.tile(name, kind="test", group="python")
    topology.link("numbers", producer="source", depth=DEPTH, slot_bytes=64)
    for name in ("a", "b"):
        topology.edge("numbers", consumer=name)

    class Count(Tile):
        seen = 0

        def messages(self, source: int, batch: Batch) -> None:
            self.seen += len(batch)

    with created(topology, instance_name) as instance, instance.link("numbers").produce() as numbers:
        tiles = [Count(instance, "a"), Count(instance, "b")]
        thread = threading.Thread(target=run, args=(tiles,))
        thread.start()
        until(lambda: instance.cnc("b").state == "run")
        for _ in range(10):
            numbers.send(1, b"")
        until(lambda: all(tile.seen == 10 for tile in tiles))
        tiles[0].halt()
        until(lambda: instance.cnc("a").state == "done")
        numbers_before = tiles[1].seen
        numbers.send(1, b"")
        until(lambda: tiles[1].seen == numbers_before + 1)
        tiles[1].halt()
        thread.join(30)
        assert not thread.is_alive()
