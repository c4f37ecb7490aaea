"""Links against a model of a few lines, with random publishes and reads of any consumer."""

from __future__ import annotations

import os
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ipc._core import lib
from ipc.errors import CoreError
from tests.graphs import one_link

NAME = f"t{os.getpid()}-ring"
DEPTH = 8


class Model:
    """What a link promises: all messages in order; a reliable reader misses none and holds the writer
    back, a lossy one that was overrun goes on at the oldest message that is still there."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.next: dict[str, int] = {}
        self.flushed: dict[str, int] = {}
        self.lost: dict[str, int] = {}

    def credit(self) -> int:
        slowest = min(next for name, next in self.flushed.items() if name.startswith("r"))
        return DEPTH - (len(self.sent) - slowest)

    def read(self, name: str, most: int) -> list[tuple[int, bytes]]:
        first = self.next[name]
        if len(self.sent) - first > DEPTH:  # its slot holds the message of a later lap
            now = first % DEPTH + (len(self.sent) - 1 - first % DEPTH) // DEPTH * DEPTH
            self.lost[name] += now - first
            first = now
        self.next[name] = min(first + most, len(self.sent))
        return [(seq, self.sent[seq]) for seq in range(first, self.next[name])]


class Ring(RuleBasedStateMachine):
    reliable = 2
    lossy = 0
    slot_bytes = 128

    def __init__(self) -> None:
        super().__init__()
        topology = one_link(depth=DEPTH, slot_bytes=self.slot_bytes, reliable=self.reliable, lossy=self.lossy)
        self.instance = topology.create(NAME)
        for tile in self.instance.tiles:
            self.instance.map_writable(tile)
        self.link = self.instance.link("numbers")
        self.model = Model()
        self.opened: list[Any] = [self.link.produce()]
        self.producer = self.opened[0].__enter__()
        self.consumers = {}
        for edge in self.link.edges():
            self.opened.append(self.link.consume(edge.consumer))
            self.consumers[edge.consumer] = self.opened[-1].__enter__()
            self.model.next[edge.consumer] = self.model.flushed[edge.consumer] = self.model.lost[edge.consumer] = 0

    def teardown(self) -> None:
        for opened in reversed(self.opened):
            opened.__exit__(None, None, None)
        self.instance.remove()

    @rule(count=st.integers(1, 2 * DEPTH), data=st.data())
    def publish(self, count: int, data: st.DataObject) -> None:
        for _ in range(count):
            payload = data.draw(st.binary(max_size=self.slot_bytes - 32))
            full = bool(self.reliable) and self.model.credit() == 0
            try:
                self.producer.send(7, payload, tag=len(self.model.sent))
            except CoreError as error:
                assert error.code == lib.SF_ERR_FULL and full
                return
            assert not full
            self.model.sent.append(payload)

    @rule(data=st.data(), most=st.integers(1, 2 * DEPTH))
    def read(self, data: st.DataObject, most: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.consumers)))
        consumer = self.consumers[name]
        expected = self.model.read(name, most)
        got = consumer.receive(most)
        assert [(message.seq, message.payload) for message in got] == expected
        assert [message.tag for message in got] == [message.seq for message in got]
        consumer.flush()
        self.model.flushed[name] = self.model.next[name]
        assert (consumer.seq, consumer.lost) == (self.model.next[name], self.model.lost[name])

    @precondition(lambda self: self.reliable > 0)
    @invariant()
    def credit_is_the_models(self) -> None:
        assert self.producer.credit == self.model.credit()

    @invariant()
    def figures_are_the_models(self) -> None:
        self.producer.publish_state()
        assert self.link.published == len(self.model.sent)
        for edge in self.link.edges():
            assert edge.cursor == self.model.flushed[edge.consumer]
            assert edge.lost == self.model.lost[edge.consumer]


class Pair(Ring):
    """One reliable reader and 64-byte slots: the reader writes back."""

    reliable = 1
    slot_bytes = 64


class Broadcast(Ring):
    reliable = 0
    lossy = 2


class Mixed(Ring):
    reliable = 1
    lossy = 2
    slot_bytes = 64


PROFILE = settings(max_examples=40, stateful_step_count=30)
for machine in (Ring, Pair, Broadcast, Mixed):
    machine.TestCase.settings = PROFILE

TestRing = Ring.TestCase
TestPair = Pair.TestCase
TestBroadcast = Broadcast.TestCase
TestMixed = Mixed.TestCase
