"""The send tile against a node that misbehaves: one outcome an order, and the right one."""

from __future__ import annotations

import base64
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ipc._core import ffi, lib
from ipc.layout import dtype
from ipc.topology import Topology
from tests.integration.scripted_node import Drop, Refusal, ScriptedNode, Silence, Status, certificates, node
from tests.integration.tile_process import TileProcess, running

MS = 1_000_000


class Send(TileProcess):
    """A sender whose wire, journal and chain are the test."""

    def __init__(self, name: str, state: Path, target: ScriptedNode, **params: object) -> None:
        topology = Topology(state_dir=state)
        topology.group("group", wait="park")
        values: dict[str, object] = {
            "rpc_url": target.rpc_url,
            "connections": 2,
            "before_send": False,
            "timeout_ms": 20_000,
            "rebroadcast_ms": 0,
            "max_rebroadcasts": 0,
            "backoff_min_ms": 2,
            "backoff_max_ms": 20,
        }
        topology.tile("send", kind="send", group="group", params=values | params, burst=8)
        topology.tile("test", kind="test", group=None)
        topology.tile("nobody", kind="test", group=None)
        topology.link("other", producer="test", depth=4, slot_bytes=64)  # so that wire is not link 0
        topology.link("wire", producer="test", depth=256, slot_bytes=1344)
        topology.link("sent", producer="send", depth=256, slot_bytes=128)
        topology.edge("other", consumer="nobody")
        topology.edge("wire", consumer="send")
        topology.edge("sent", consumer="test")
        topology.table("chain", writer="test", layout="sf_chain_row_t", rows=1)
        topology.table("durable", writer="test", layout="sf_durable_row_t", rows=64)
        super().__init__(name, "send", topology, state, "sent")
        self._target = target
        self._wire = self._stack.enter_context(self.instance.link("wire").produce())
        self.block_height(1)

    def order(self, number: int, *, last_height: int = 150, size: int = 300) -> bytes:
        """Puts a signed transaction on `wire` and returns its bytes."""
        wire = ffi.new("sf_wire_t *")
        wire.order, wire.bot, wire.last_valid_block_height = number, 7, last_height
        wire.tx_len, wire.message_off = size, 65
        tx = bytes([1]) + number.to_bytes(8, "little") * 8 + bytes([number & 255]) * (size - 65)
        ffi.memmove(wire.tx, tx, size)
        self._wire.send(lib.SF_MSG_WIRE, wire, tag=7, t_origin=number)
        return tx

    def refuse_upstream(self) -> None:
        """A message of sign's on `wire` that is not for send."""
        self._wire.send(lib.SF_MSG_REFUSED, ffi.new("sf_refused_t *"))

    def durable(self, seq: int, *, row: int = 3) -> None:
        """The journal says that what `wire` carried before seq is on disk."""
        values = np.zeros(1, dtype=dtype("sf_durable_row_t"))[0]
        values["seq"], values["link"] = seq, self.instance.link("wire").index
        self.instance.table("durable").write(row, values)

    def block_height(self, height: int) -> None:
        values = np.zeros(1, dtype=dtype("sf_chain_row_t"))[0]
        values["block_height"] = height
        self.instance.table("chain").write(0, values)

    def sent(self) -> list[tuple[int, int]]:
        """Order and attempt of the SENT messages."""
        found = []
        for sent in self.of_kind(lib.SF_MSG_SENT, "sf_sent_t"):
            assert sent.bot == 7 and sent.lane == lib.SF_LANE_RPC and sent.t_sent
            assert bytes(sent.signature) == sent.order.to_bytes(8, "little") * 8
            found.append((sent.order, sent.attempt))
        return found

    def refused(self) -> list[tuple[int, int]]:
        """Order and reason of the REFUSED messages."""
        return [(it.order, it.reason) for it in self.of_kind(lib.SF_MSG_REFUSED, "sf_refused_t")]

    def wait_outcomes(self, count: int) -> None:
        self.wait(lambda: len(self.messages) >= count, f"{count} outcomes")
        assert len(self.messages) == count

    def connected(self, count: int = 2) -> None:
        self.wait_count("connections_open", count)
        self.wait(lambda: self._target.connections >= count, "connections at the node")


@pytest.fixture
def target() -> Iterator[ScriptedNode]:
    with node() as running_node:
        running_node.on_call = accept
        yield running_node


def accept(method: str, params: list[Any]) -> str:
    assert method == "sendTransaction"
    return "signature"


def transactions(target: ScriptedNode) -> list[bytes]:
    for method, params in target.calls:
        options = {"encoding": "base64", "skipPreflight": True, "preflightCommitment": "processed", "maxRetries": 0}
        assert method == "sendTransaction" and params[1] == options
    return [base64.b64decode(params[0], validate=True) for _, params in target.calls]


def test_orders_are_sent_once_each(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    with running(Send(instance_name, tmp_path, target)) as send:
        send.connected()
        send.refuse_upstream()
        expected = [send.order(number, size=size) for number, size in enumerate([65, 66, 67, 500, 1232], 1)]
        send.wait_outcomes(5)
        assert sorted(send.sent()) == [(number, 0) for number in range(1, 6)]
        assert sorted(transactions(target)) == sorted(expected)
        assert {message.t_origin for message in send.messages} == {1, 2, 3, 4, 5}
        assert target.requests == 2  # connections were kept
        send.order(5)  # a number that does not rise is dropped
        send.order(6)
        send.wait_outcomes(6)
        assert send.counter("dropped_orders") == 1 and len(target.calls) == 6


def test_a_thousand_orders(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    with running(Send(instance_name, tmp_path, target, connections=8)) as send:
        send.connected(8)
        expected = []
        for number in range(1, 1001):
            expected.append(send.order(number))
            if number % 100 == 0:
                send.wait_outcomes(number)
        assert sorted(transactions(target)) == sorted(expected)
        assert sorted(send.sent()) == [(number, 0) for number in range(1, 1001)]


def test_an_order_waits_for_the_journal(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    with running(Send(instance_name, tmp_path, target, before_send=True)) as send:
        send.connected()
        for number in (1, 2, 3):
            send.order(number)
        send.wait_count("held_for_journal", 3)
        send.wait_count("orders_queued", 3)
        turns = send.counter("turns")
        send.wait(lambda: send.counter("turns") > turns + 20, "turns")
        assert not target.calls
        send.durable(2)
        send.wait_outcomes(2)
        assert send.sent() == [(1, 0), (2, 0)]
        send.durable(3)
        send.wait_outcomes(3)


@pytest.mark.parametrize("held", [False, True])
def test_the_kill_word(instance_name: str, tmp_path: Path, target: ScriptedNode, held: bool) -> None:
    with running(Send(instance_name, tmp_path, target, before_send=True)) as send:
        send.connected()
        if held:
            send.order(1)
            send.wait_count("orders_queued")
        send.instance.control.raise_kill("halt", by="person")
        if not held:
            send.order(1)
        send.wait_outcomes(1)
        assert send.refused() == [(1, lib.SF_REFUSE_KILLED)] and not target.calls


def test_reduce_does_not_stop_what_risk_let_pass(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    with running(Send(instance_name, tmp_path, target)) as send:
        send.connected()
        send.instance.control.raise_kill("reduce", by="person")
        send.order(1)
        send.wait_outcomes(1)
        assert send.sent() == [(1, 0)]


def test_no_connection_is_a_refusal(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    with running(Send(instance_name, tmp_path, target, timeout_ms=300)) as send:
        send.connected()
        target.refuse_connections()
        send.wait(lambda: send.counter("connections_open") == 0, "the loss")
        begun = time.monotonic()
        send.order(1)
        send.wait_outcomes(1)
        assert 0.25 < time.monotonic() - begun < 15
        assert send.refused() == [(1, lib.SF_REFUSE_LANE)]
        target.listen_again()
        send.connected()
        send.order(2)
        send.wait_outcomes(2)
        assert send.sent() == [(2, 0)]


def test_an_expired_order_is_refused(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    with running(Send(instance_name, tmp_path, target)) as send:
        send.connected()
        send.block_height(151)
        send.order(1, last_height=150)
        send.order(2, last_height=151)
        send.wait_outcomes(2)
        assert send.refused() == [(1, lib.SF_REFUSE_BLOCKHASH)] and send.sent() == [(2, 0)]


@pytest.mark.parametrize("failure", [Drop(), Silence(), Status(500), Status(502), Status(503), Refusal(-32002)])
def test_what_may_be_out_is_sent(instance_name: str, tmp_path: Path, target: ScriptedNode, failure: Exception) -> None:
    def call(method: str, params: list[Any]) -> Any:
        raise failure

    target.on_call = call
    with running(Send(instance_name, tmp_path, target, timeout_ms=300)) as send:
        send.connected()
        send.order(1)
        send.wait_outcomes(1)
        assert send.sent() == [(1, 0)] and send.counter("unknown") == 1
        send.wait(lambda: target.calls, "the node to read it")
        assert len(target.calls) == 1


@pytest.mark.parametrize(
    "failure", [Refusal(-32602), Refusal(-32600), Refusal(-32003), Status(400), Status(403), Status(413)]
)
def test_what_the_node_proves_not_to_have_taken_is_refused(
    instance_name: str, tmp_path: Path, target: ScriptedNode, failure: Exception
) -> None:
    def call(method: str, params: list[Any]) -> Any:
        raise failure

    target.on_call = call
    with running(Send(instance_name, tmp_path, target, rebroadcast_ms=10, max_rebroadcasts=5)) as send:
        send.connected()
        send.order(1)
        send.wait_outcomes(1)
        assert send.refused() == [(1, lib.SF_REFUSE_LANE)] and len(target.calls) == 1


@pytest.mark.parametrize("failure", [Refusal(-32005), Status(429), Status(429, "Retry-After: 0\r\n")])
def test_a_busy_node_is_asked_again_with_the_same_bytes(
    instance_name: str, tmp_path: Path, target: ScriptedNode, failure: Exception
) -> None:
    calls = 0

    def call(method: str, params: list[Any]) -> str:
        nonlocal calls
        calls += 1
        if calls < 4:
            raise failure
        return "signature"

    target.on_call = call
    with running(Send(instance_name, tmp_path, target)) as send:
        send.connected()
        tx = send.order(1)
        send.wait_outcomes(1)
        assert send.sent() == [(1, 0)] and transactions(target) == [tx] * 4
        assert send.counter("not_taken") == 3


def test_a_node_that_stays_busy_is_given_up(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    def call(method: str, params: list[Any]) -> str:
        raise Refusal(-32005)

    target.on_call = call
    with running(Send(instance_name, tmp_path, target, timeout_ms=300)) as send:
        send.connected()
        for number in range(1, 6):  # where the machine stands still for 300 ms it is not asked again, or unknown
            asked = len(target.calls)
            send.order(number)
            send.wait_outcomes(number)
            if (number, lib.SF_REFUSE_LANE) in send.refused() and len(target.calls) > asked + 1:
                return
        raise AssertionError(f"{send.refused()} of {len(target.calls)} calls")


def test_rebroadcast_until_the_limit(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    with running(Send(instance_name, tmp_path, target, rebroadcast_ms=20, max_rebroadcasts=3)) as send:
        send.connected()
        tx = send.order(1)
        send.wait_outcomes(4)
        send.wait(lambda: send.counter("orders_tracked") == 0, "the end of it")
        assert send.sent() == [(1, 0), (1, 1), (1, 2), (1, 3)] and transactions(target) == [tx] * 4
        times = [sent.t_sent for sent in send.of_kind(lib.SF_MSG_SENT, "sf_sent_t")]
        assert all(later - earlier > 19 * MS for earlier, later in itertools.pairwise(times))


@pytest.mark.parametrize("stop", ["expiry", "kill"])
def test_rebroadcast_ends_early(instance_name: str, tmp_path: Path, target: ScriptedNode, stop: str) -> None:
    with running(Send(instance_name, tmp_path, target, rebroadcast_ms=20, max_rebroadcasts=60000)) as send:
        send.connected()
        send.order(1)
        send.wait(lambda: len(send.messages) >= 3, "re-broadcasts")
        if stop == "expiry":
            send.block_height(151)
        else:
            send.instance.control.raise_kill("halt", by="person")
        send.wait(lambda: send.counter("orders_tracked") == 0, "the end of it")
        send.read()
        assert not send.refused()  # it may be out: never refused any more
        assert len(send.sent()) == len(target.calls)


def test_a_lost_answer_is_followed_by_a_rebroadcast(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    calls = 0

    def call(method: str, params: list[Any]) -> str:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise Drop
        return "signature"

    target.on_call = call
    with running(Send(instance_name, tmp_path, target, rebroadcast_ms=60000, max_rebroadcasts=1)) as send:
        send.connected()
        tx = send.order(1)
        send.wait_outcomes(2)
        assert send.sent() == [(1, 0), (1, 1)] and transactions(target) == [tx, tx]


def test_idle_connections_closed_by_the_node_come_back(
    instance_name: str, tmp_path: Path, target: ScriptedNode
) -> None:
    with running(Send(instance_name, tmp_path, target)) as send:
        for number in range(1, 6):
            send.connected()
            connects = send.counter("connects")
            send.order(number)
            send.wait_outcomes(number)
            target.refuse_connections()
            target.listen_again()
            send.wait_count("connects", connects + 2)
        assert send.sent() == [(number, 0) for number in range(1, 6)] and send.counter("unknown") == 0


def test_too_many_orders_are_refused_not_lost(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    with running(Send(instance_name, tmp_path, target, before_send=True, connections=8)) as send:
        send.connected(8)
        for number in range(1, 1101):
            while send._wire.credit == 0:
                send.read()
            send.order(number)
        send.wait(lambda: len(send.messages) == 76, "refusals of what has no place")
        assert send.refused() == [(number, lib.SF_REFUSE_LANE) for number in range(1025, 1101)]
        send.durable(1100)
        send.wait(lambda: len(send.messages) == 1100, "all outcomes")
        assert sorted(send.sent()) == [(number, 0) for number in range(1, 1025)]


def test_tls(instance_name: str, tmp_path: Path) -> None:
    context, authority = certificates(tmp_path)
    with node(context) as target:
        target.on_call = accept
        with running(Send(instance_name, tmp_path, target, ca_path=authority)) as send:
            send.connected()
            expected = [send.order(number, size=1232) for number in range(1, 21)]
            send.wait_outcomes(20)
            assert sorted(transactions(target)) == sorted(expected)
        with running(Send(instance_name, tmp_path, target, ca_path=authority, timeout_ms=300)) as send:
            send.connected()
            target.refuse_connections()
            send.wait(lambda: send.counter("connections_open") == 0, "the loss")
            send.order(1)
            send.wait_outcomes(1)
            assert send.refused() == [(1, lib.SF_REFUSE_LANE)]


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"rpc_url": "ws://localhost:1"}, "http://"),
        ({"connections": 0}, "connections"),
        ({"before_send": 2}, "before_send"),
        ({"backoff_min_ms": 21}, "backoff_min_ms"),
    ],
)
def test_wrong_parameters(
    instance_name: str, tmp_path: Path, target: ScriptedNode, params: dict[str, object], sentence: str
) -> None:
    send = Send(instance_name, tmp_path, target, **params)
    try:
        assert send.process.wait(20) == 1
        assert sentence in send.log.read_text()
    finally:
        send.close()
