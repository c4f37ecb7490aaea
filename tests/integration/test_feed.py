"""The feed tile against a node that misbehaves in every way a test can think of."""

from __future__ import annotations

import base64
import itertools
import os
import random
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ipc._core import ffi, lib
from ipc.topology import Topology
from sniperforge.base58 import encode
from tests.integration.scripted_node import (
    PING,
    PONG,
    SYSTEM,
    TEXT,
    Refusal,
    ScriptedNode,
    Silence,
    Socket,
    Status,
    certificates,
    frame,
    node,
)
from tests.integration.simnet_process import SimnetProcess, simnet, wait_until
from tests.integration.tile_process import TileProcess, running

COMMITMENT = "processed"


def key(number: int) -> str:
    return encode(bytes([1, number >> 8, number & 255]) + bytes(29))


class Feed(TileProcess):
    """A feed that follows a file of accounts."""

    def __init__(self, name: str, state: Path, target: ScriptedNode, accounts: list[str], **params: object) -> None:
        self.accounts_path = state / "accounts"
        self.accounts_path.write_text("# pools first\n" + "".join(f"{line}\n" for line in accounts))
        topology = Topology(state_dir=state)
        topology.group("group", wait="park")
        values: dict[str, object] = {
            "url": target.websocket_url,
            "rpc_url": target.rpc_url,
            "accounts_path": self.accounts_path,
            "commitment": COMMITMENT,
            "engine": "recv",
            "simulated": True,
            "ping_ms": 50,
            "timeout_ms": 20_000,
            "backoff_min_ms": 5,
            "backoff_max_ms": 50,
            "resync_ms": 0,
            "max_message_kb": 1024,
        }
        topology.tile("feed", kind="feed", group="group", params=values | params, burst=64)
        topology.tile("test", kind="test", group=None)
        topology.link("raw", producer="feed", depth=1024, slot_bytes=1024)
        topology.edge("raw", consumer="test")
        super().__init__(name, "feed", topology, state, "raw")

    def accounts(self, first: int = 0) -> list[tuple[str, int, bytes, int]]:
        """Public key, slot, data and flags of the account messages from `first` on."""
        size = ffi.sizeof("sf_raw_account_t")
        found = []
        for message in self.messages[first:]:
            if message.kind != lib.SF_MSG_ACCOUNT:
                continue
            raw = ffi.from_buffer("sf_raw_account_t *", message.payload[:size])[0]
            data = message.payload[size:]
            assert len(data) == raw.data_len and raw.flags & lib.SF_RAW_SIMULATED
            found.append((encode(bytes(raw.pubkey)), raw.slot, data, raw.flags & lib.SF_RAW_SNAPSHOT))
        return found

    def versions(self) -> list[int]:
        """The write versions of all account messages."""
        found = [message.payload for message in self.messages if message.kind == lib.SF_MSG_ACCOUNT]
        return [ffi.from_buffer("sf_raw_account_t *", payload[:96])[0].write_version for payload in found]

    def wait_live(self, count: int) -> None:
        self.wait(lambda: self.counter("accounts_live") == count, f"{count} live accounts")
        self.read()

    def wait_accounts(self, first: int, count: int) -> None:
        self.wait(lambda: len(self.accounts(first)) == count, f"{count} account messages")

    def wait_closed(self, socket: Socket, code: int) -> None:
        self.wait(lambda: socket.closed_with is not None, "a close frame")
        assert socket.closed_with == code

    def kinds(self, first: int = 0) -> list[int]:
        return [message.kind for message in self.messages[first:]]


@pytest.fixture
def target() -> Iterator[ScriptedNode]:
    with node() as running_node:
        yield running_node


def fill(target: ScriptedNode, count: int, size: int = 165) -> list[str]:
    keys = [key(number) for number in range(count)]
    for number, pubkey in enumerate(keys):
        target.set(pubkey, bytes([number & 255]) * size, number + 1)
    return keys


@pytest.mark.parametrize("engine", ["recv", "uring"])
def test_first_read_then_updates(instance_name: str, tmp_path: Path, target: ScriptedNode, engine: str) -> None:
    keys = fill(target, 5)
    with running(Feed(instance_name, tmp_path, target, keys, engine=engine)) as feed:
        feed.wait_live(5)
        assert feed.accounts() == [(pubkey, 100, target.accounts[pubkey].data, 1) for pubkey in keys]
        assert [message.tag for message in feed.messages] == [0, 1, 2, 3, 4]
        first = len(feed.messages)
        before = time.monotonic_ns()
        target.set(keys[3], b"new", 77)
        target.notify(keys[3], slot=101)
        feed.wait(lambda: feed.accounts(first), "the update")
        assert feed.accounts(first) == [(keys[3], 101, b"new", 0)]
        message = feed.messages[first]
        assert before < message.t_origin <= message.t_pub < time.monotonic_ns()
        account = ffi.from_buffer("sf_raw_account_t *", message.payload[:96])[0]
        assert account.lamports == 77 and bytes(account.owner) == bytes(32)
        target.advance()
        feed.wait(lambda: feed.kinds()[-1] == lib.SF_MSG_SLOT, "the slot")
        (slot,) = feed.of_kind(lib.SF_MSG_SLOT, "sf_raw_slot_t", first)
        assert (slot.slot, slot.parent, slot.root) == (101, 100, 69)
        assert feed.versions() == sorted(set(feed.versions()))
        if engine == "uring":
            assert feed.counter("uring_refused") == 0
    assert wait_until(lambda: target.socket.closed_with, 30, "the close frame") == 1000


def test_late_and_repeated_updates_are_dropped(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    keys = fill(target, 2)
    with running(Feed(instance_name, tmp_path, target, keys)) as feed:
        feed.wait_live(2)
        first = len(feed.messages)
        target.set(keys[0], b"a")
        target.notify(keys[0], keys[0], slot=105)  # the second is a repetition
        target.set(keys[0], b"b")
        target.notify(keys[0], slot=105)  # another state of the same slot
        target.set(keys[0], b"a")
        target.notify(keys[0], slot=105)  # back again: not a repetition of the one before
        target.notify(keys[0], slot=104)  # late
        target.notify(keys[0], slot=106)  # a new slot, even with the same bytes
        target.notify(keys[1], slot=106)
        feed.wait(lambda: len(feed.accounts(first)) >= 5, "the updates")
        assert [(slot, data) for pubkey, slot, data, _ in feed.accounts(first) if pubkey == keys[0]] == [
            (105, b"a"),
            (105, b"b"),
            (105, b"a"),
            (106, b"a"),
        ]
        assert feed.counter("duplicates_dropped") == 1
        assert feed.counter("stale_dropped") == 1
        assert feed.counter("notifications") == 7


def test_many_accounts_are_read_at_one_slot(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    keys = fill(target, 250)
    slots = itertools.chain([100, 101, 102], itertools.repeat(103))

    def read(method: str, params: list[Any]) -> Any:
        target.slot = next(slots)
        return target.read(params)

    target.on_call = read
    with running(Feed(instance_name, tmp_path, target, keys)) as feed:
        feed.wait_live(250)
        assert [(pubkey, flags) for pubkey, _, _, flags in feed.accounts()] == [(pubkey, 1) for pubkey in keys]
        assert len({slot for _, slot, _, _ in feed.accounts()}) == 1
        assert feed.counter("mixed_reads") == 0


def test_a_read_that_never_is_of_one_slot_says_so(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    keys = fill(target, 150)

    def read(method: str, params: list[Any]) -> Any:
        target.slot += 1
        return target.read(params)

    target.on_call = read
    with running(Feed(instance_name, tmp_path, target, keys)) as feed:
        feed.wait_live(150)
        assert [pubkey for pubkey, _, _, _ in feed.accounts()] == keys
        assert {flags for _, _, _, flags in feed.accounts()} == {0}
        assert feed.counter("mixed_reads") == 1
        feed.wait(lambda: "could not be read at one slot" in feed.log.read_text(), "the sentence")


def test_updates_during_the_first_read_follow_it(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    keys = fill(target, 3)
    answers = 0

    def read(method: str, params: list[Any]) -> Any:
        nonlocal answers
        answers += 1
        if answers < 20:  # the updates come while the node is asked again and again
            raise Refusal(-32005, "Node is unhealthy")
        return target.read(params, slot=101)

    target.on_call = read
    with running(Feed(instance_name, tmp_path, target, keys)) as feed:
        feed.wait(lambda: answers, "a call")
        old = [target.accounts[pubkey].data for pubkey in keys]
        for slot, data in ((99, b"late"), (101, b"same slot"), (102, b"newer"), (103, b"newest")):
            target.set(keys[1], data)
            target.notify(keys[1], slot=slot)
        target.set(keys[1], b"read")
        feed.wait_live(3)
        assert feed.accounts() == [
            (keys[0], 101, old[0], 1),
            (keys[1], 101, b"read", 1),
            (keys[2], 101, old[2], 1),
            (keys[1], 101, b"same slot", 0),
            (keys[1], 102, b"newer", 0),
            (keys[1], 103, b"newest", 0),
        ]
        assert feed.counter("stale_dropped") == 1
        assert feed.counter("read_failures") == 19


@pytest.mark.parametrize("engine", ["recv", "uring"])
def test_a_lost_connection_resets_and_reads_again(
    instance_name: str, tmp_path: Path, target: ScriptedNode, engine: str
) -> None:
    keys = fill(target, 3)
    with running(Feed(instance_name, tmp_path, target, keys, engine=engine)) as feed:
        feed.wait_live(3)
        for round_number in range(3):
            first = len(feed.messages)
            target.set(keys[0], bytes([round_number]))
            target.slot -= 5  # even a chain that went back is taken as it is now
            target.abort()
            feed.wait_accounts(first, 3)
            assert feed.kinds(first)[:4] == [lib.SF_MSG_RESET, 1, 1, 1]
            assert feed.accounts(first) == [(pubkey, target.slot, target.accounts[pubkey].data, 1) for pubkey in keys]
            feed.wait_live(3)
        assert feed.counter("reconnects") == feed.counter("connection_losses") == 3
        target.set(keys[2], b"after")
        target.notify(keys[2])
        feed.wait(lambda: feed.accounts()[-1][2] == b"after", "an update on the new connection")


def test_a_node_that_is_away_is_tried_again(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    keys = fill(target, 2)
    with running(Feed(instance_name, tmp_path, target, keys)) as feed:
        feed.wait_live(2)
        target.refuse_connections()
        feed.wait_count("connect_failures", 4)
        assert feed.counter("connected") == 0
        target.listen_again()
        feed.wait_live(2)
        assert feed.kinds().count(lib.SF_MSG_RESET) == 1
        assert "secret" not in feed.log.read_text()


def test_silence_is_death(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    keys = fill(target, 1)
    with running(Feed(instance_name, tmp_path, target, keys, timeout_ms=200, ping_ms=20)) as feed:
        feed.wait_live(1)
        # on one connection, and 15 pings take longer than the time-out: one that nothing kept alive would be dead
        feed.wait(lambda: target.socket.pings >= 15, "pings that keep a quiet connection alive")
        target.answers_pings = False
        feed.wait_count("silent_deaths", feed.counter("silent_deaths") + 1)
        target.answers_pings = True
        feed.wait(lambda: feed.counter("reconnects") and feed.counter("accounts_live") == 1, "a new connection")


def test_too_many_requests(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    keys = fill(target, 4)
    refusals = iter(range(3))
    upgrades = iter(range(2))

    def call(method: str, params: list[Any]) -> Any:
        if next(refusals, None) is not None:
            raise Status(429, "Retry-After: 0\r\n")
        return None

    def upgrade() -> None:
        number = next(upgrades, None)
        if number is not None:
            raise Status(429, "Retry-After: 1\r\n" if number else "")

    refused: dict[str, int] = {}

    def subscribe(method: str, params: list[Any]) -> None:
        if params and params[0] == keys[2]:
            refused[keys[2]] = refused.get(keys[2], 0) + 1
            if refused[keys[2]] < 4:
                raise Refusal(429 if refused[keys[2]] == 1 else -32005)

    target.on_call, target.on_upgrade, target.on_subscribe = call, upgrade, subscribe
    begun = time.monotonic()
    with running(Feed(instance_name, tmp_path, target, keys)) as feed:
        feed.wait_live(4)
        assert time.monotonic() - begun >= 1  # Retry-After was heeded
        assert feed.counter("rate_limited") == 2 and feed.counter("reads_limited") == 6
        assert target.upgrades == 3 and refused[keys[2]] == 4
        # the accounts that were accepted did not wait for the one that was not
        assert [pubkey for pubkey, _, _, _ in feed.accounts()] == [keys[0], keys[1], keys[3], keys[2]]


def test_a_subscription_that_is_never_answered_is_asked_again(
    instance_name: str, tmp_path: Path, target: ScriptedNode
) -> None:
    keys = fill(target, 2)
    asked = 0

    def subscribe(method: str, params: list[Any]) -> None:
        nonlocal asked
        if params and params[0] == keys[1]:
            asked += 1
            if asked < 2:
                raise Silence

    target.on_subscribe = subscribe
    with running(Feed(instance_name, tmp_path, target, keys, timeout_ms=200, ping_ms=20)) as feed:
        feed.wait_live(2)
        silent = feed.counter("silent_deaths")  # the machine stood still: the one reason for a new connection
        assert asked >= 2 and feed.counter("subscribe_failures") + silent >= 1
        assert target.upgrades <= 1 + silent + feed.counter("connect_failures")


def test_new_accounts_in_the_file(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    keys = fill(target, 4)
    with running(Feed(instance_name, tmp_path, target, keys[:2])) as feed:
        feed.wait_live(2)
        first = len(feed.messages)
        part = tmp_path / "part"
        part.write_text("".join(f"{pubkey}  # comment\r\n" for pubkey in keys))
        os.rename(part, feed.accounts_path)
        feed.wait_live(4)
        assert [(pubkey, flags) for pubkey, _, _, flags in feed.accounts(first)] == [(keys[2], 1), (keys[3], 1)]
        part.write_text("not a key\n")
        os.rename(part, feed.accounts_path)
        feed.wait_count("file_errors")
        target.set(keys[0], b"still there")
        target.notify(keys[0])
        feed.wait(lambda: feed.accounts()[-1][2] == b"still there", "an update")


def test_accounts_that_leave_the_file(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    keys = fill(target, 4)
    with running(Feed(instance_name, tmp_path, target, keys)) as feed:

        def follow(*listed: str) -> None:
            part = tmp_path / "part"
            part.write_text("".join(f"{pubkey}\n" for pubkey in listed))
            os.rename(part, feed.accounts_path)

        feed.wait_live(4)
        first = len(feed.messages)
        follow(keys[0], keys[3])
        feed.wait_live(2)
        feed.wait_accounts(first, 2)
        assert [(pubkey, data, flags) for pubkey, _, data, flags in feed.accounts(first)] == [
            (keys[1], b"", 0),
            (keys[2], b"", 0),
        ]
        feed.wait(lambda: set(target.socket.subscriptions) == {"slot", keys[0], keys[3]}, "the ends of subscriptions")
        assert feed.counter("accounts") == feed.counter("dropped_accounts") == 2
        first = len(feed.messages)
        target.set(keys[1], b"back with other bytes")
        follow(*keys[:2], keys[3])
        feed.wait_live(3)
        feed.wait_accounts(first, 1)
        assert feed.accounts(first)[0][::2] == (keys[1], b"back with other bytes")
        target.set(keys[1], b"and followed")
        target.notify(keys[1])
        feed.wait(lambda: feed.accounts()[-1][2] == b"and followed", "an update")
        part = tmp_path / "part"
        part.write_text("not a key\n")
        os.rename(part, feed.accounts_path)
        feed.wait_count("file_errors")
        assert feed.counter("accounts_live") == 3 and feed.counter("malformed_shape") == 0


def test_resync_repairs_what_was_lost(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    keys = fill(target, 3)
    with running(Feed(instance_name, tmp_path, target, keys, resync_ms=30)) as feed:
        feed.wait_live(3)
        feed.wait_count("resyncs", 2)
        assert feed.counter("repaired_accounts") == 0 and len(feed.accounts()) == 3
        target.set(keys[1], b"nobody was told")
        target.slot = 110
        feed.wait_count("repaired_accounts")
        assert feed.accounts()[-1] == (keys[1], 110, b"nobody was told", 0)
        assert len(feed.accounts()) == 4


def test_fragments_pings_and_bad_messages(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    keys = fill(target, 2)
    # no pings: their answers would come between the pieces of a frame
    with running(Feed(instance_name, tmp_path, target, keys, ping_ms=3_000_000, timeout_ms=3_600_000)) as feed:
        feed.wait_live(2)
        target.set(keys[0], bytes(range(256)))
        whole = target.notification(keys[0], slot=120)
        pieces = [whole[:1], b"", whole[1:300], whole[300:]]
        stream = frame(TEXT, pieces[0], fin=False) + frame(PING, b"in between")
        stream += frame(0, pieces[1], fin=False) + frame(0, pieces[2], fin=False)
        stream += frame(PONG, b"") + frame(0, pieces[3])
        for byte in range(0, len(stream), 7):
            target.raw(stream[byte : byte + 7])
        feed.wait(lambda: feed.accounts()[-1][1] == 120, "the update in fragments")

        bad = [b"", b"{", b"[]", b'{"jsonrpc":"2.0"}', b"\xff\xfe", whole[:-1]]
        bad += [b'{"jsonrpc":"2.0","id":9999,"result":1}', whole.replace(b'"base64"', b'"base58"')]
        bad += [whole.replace(b"AAEC", b"AA*C"), whole.replace(SYSTEM.encode(), b"0OIl")]
        bad += [whole.replace(b'"subscription":', b'"subscription":9')]
        for message in bad:
            target.raw(frame(TEXT, message))
        target.set(keys[1], b"alive")
        target.notify(keys[1], slot=121)
        feed.wait(lambda: feed.accounts()[-1] == (keys[1], 121, b"alive", 0), "an update after bad messages")
        assert feed.counter("malformed_json") == 4  # "", "{", not UTF-8, cut
        assert feed.counter("malformed_shape") == 4
        assert feed.counter("malformed_data") == 2
        assert feed.counter("unknown_subscriptions") == 1
        assert feed.counter("connection_losses") == 0


def test_broken_streams_are_reset(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    keys = fill(target, 1)
    broken = [
        b"\xc1\x00",  # reserved bit
        b"\x81\x81\x00\x00\x00\x00a",  # masked
        b"\x83\x00",  # unknown opcode
        b"\x80\x01a",  # a continuation of nothing
        b"\x81\x7f" + (1 << 40).to_bytes(8, "big"),  # too large
        frame(8, b"\x03\xe9bye"),  # a close
    ]
    with running(Feed(instance_name, tmp_path, target, keys)) as feed:
        for number, data in enumerate(broken, 1):
            feed.wait_count("syncs", number)
            feed.wait_live(1)
            socket = target.socket
            target.raw(data)
            feed.wait_count("connection_losses", number)
            feed.wait_closed(socket, {5: 1009, 6: 1001}.get(number, 1002))
        assert feed.counter("malformed_frames") == 5


def test_an_account_too_large_for_a_slot(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    keys = fill(target, 3)
    target.set(keys[0], bytes(897))
    target.set(keys[1], bytes(896))
    with running(Feed(instance_name, tmp_path, target, keys)) as feed:
        feed.wait(lambda: len(feed.accounts()) == 2, "the others")
        assert [pubkey for pubkey, _, _, _ in feed.accounts()] == keys[1:]
        assert feed.counter("oversized_accounts") == 1
        feed.wait(lambda: keys[0] in feed.log.read_text(), "its name in the log")
        del target.accounts[keys[2]]


def test_missing_accounts(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    keys = fill(target, 2)
    del target.accounts[keys[0]]
    with running(Feed(instance_name, tmp_path, target, keys)) as feed:
        feed.wait_live(2)
        assert feed.counter("missing_accounts") == 1
        target.set(keys[0], b"now")
        target.notify(keys[0], slot=101)
        feed.wait(lambda: feed.accounts()[-1] == (keys[0], 101, b"now", 0), "the account that was made")


@pytest.mark.parametrize("commitment", ["confirmed", "finalized"])
def test_slots_of_slower_commitments_follow_the_accounts(
    instance_name: str, tmp_path: Path, target: ScriptedNode, commitment: str
) -> None:
    keys = fill(target, 2)
    with running(Feed(instance_name, tmp_path, target, keys, commitment=commitment)) as feed:
        feed.wait_live(2)
        feed.wait(lambda: feed.kinds()[-1] == lib.SF_MSG_SLOT, "the slot of the read")
        first = len(feed.messages)
        target.advance()  # of a slot whose accounts come later
        target.notify(keys[0], keys[1], slot=101)
        feed.wait(lambda: len(feed.kinds(first)) == 3, "slot and accounts")
        assert feed.kinds(first) == [lib.SF_MSG_SLOT, lib.SF_MSG_ACCOUNT, lib.SF_MSG_ACCOUNT]
        assert target.calls[0][1][1]["commitment"] == commitment


@pytest.mark.parametrize("engine", ["recv", "uring"])
def test_tls(instance_name: str, tmp_path: Path, engine: str) -> None:
    context, authority = certificates(tmp_path)
    with node(context) as target:
        keys = fill(target, 120, 600)
        with running(Feed(instance_name, tmp_path, target, keys, ca_path=authority, engine=engine)) as feed:
            feed.wait_live(120)
            for number in range(50):
                target.set(keys[number], bytes([number]) * 600)
                target.notify(keys[number], slot=101)
            feed.wait(lambda: len(feed.accounts()) == 170, "updates")
            assert feed.accounts()[-1] == (keys[49], 101, bytes([49]) * 600, 0)
            target.abort()
            feed.wait(lambda: feed.counter("syncs") == 2, "a second sync")


@pytest.mark.parametrize("case", ["unknown authority", "wrong name"])
def test_tls_refuses_what_it_cannot_verify(instance_name: str, tmp_path: Path, case: str) -> None:
    context, authority = certificates(tmp_path, name="localhost" if case == "unknown authority" else "elsewhere")
    if case == "unknown authority":
        other = tmp_path / "other"
        other.mkdir()
        _, authority = certificates(other)
    with node(context) as target, running(Feed(instance_name, tmp_path, target, [key(1)], ca_path=authority)) as feed:
        feed.wait_count("connect_failures", 3)
        assert feed.counter("connects") == 0
        feed.wait(lambda: "TLS handshake refused" in feed.log.read_text(), "the sentence")


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"commitment": "max"}, "commitment"),
        ({"engine": "epoll"}, "engine"),
        ({"url": "http://localhost:1"}, "ws://"),
        ({"url": "nonsense"}, "URL"),
        ({"url": "ws://no-such-host.invalid:1"}, "no-such-host.invalid"),
        ({"ping_ms": 20_000}, "ping_ms"),
        ({"backoff_min_ms": 51}, "backoff_min_ms"),
        ({"accounts_path": "/nonexistent/accounts"}, "/nonexistent/accounts"),
        ({"ca_path": "/nonexistent/ca", "url": "wss://localhost:1"}, "/nonexistent/ca"),
        ({"timeout_ms": "soon"}, "timeout_ms"),
    ],
)
def test_wrong_parameters(
    instance_name: str, tmp_path: Path, target: ScriptedNode, params: dict[str, object], sentence: str
) -> None:
    feed = Feed(instance_name, tmp_path, target, [key(1)], **params)
    try:
        assert feed.process.wait(20) == 1
        assert sentence in feed.log.read_text()
        assert "secret" not in feed.log.read_text()
    finally:
        feed.close()


def test_a_bad_line_in_the_file_stops_the_start(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    feed = Feed(instance_name, tmp_path, target, [key(1), "0OIl"])
    try:
        assert feed.process.wait(20) == 1
        assert "line 3" in feed.log.read_text()
    finally:
        feed.close()


@pytest.mark.parametrize("engine", ["recv", "uring"])
def test_a_burst_with_back_pressure_arrives_whole(
    instance_name: str, tmp_path: Path, target: ScriptedNode, engine: str
) -> None:
    keys = fill(target, 10)
    updates = 20000
    with running(Feed(instance_name, tmp_path, target, keys, engine=engine)) as feed:
        feed.wait_live(10)
        first = len(feed.messages)
        for begin in range(0, updates, 500):
            data = []
            for number in range(begin, begin + 500):
                target.set(keys[number % 10], number.to_bytes(8, "little"))
                data.append(frame(TEXT, target.notification(keys[number % 10], slot=101 + number)))
            target.raw(b"".join(data))
        feed.wait(lambda: len(feed.messages) - first >= updates, "all updates")
        assert [data for _, _, data, _ in feed.accounts(first)] == [n.to_bytes(8, "little") for n in range(updates)]


def test_back_pressure_is_not_silence(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    """Once in three tries: a machine that stands still for the time-out is silence."""
    (pubkey,) = fill(target, 1)

    def connection_kept(first_slot: int) -> bool:
        with running(Feed(instance_name, tmp_path, target, [pubkey], timeout_ms=200, ping_ms=20)) as feed:
            feed.wait_live(1)
            first = len(feed.messages)
            for number in range(3000):
                target.set(pubkey, number.to_bytes(8, "little"))
                target.notify(pubkey, slot=first_slot + number)
            until = time.monotonic() + 0.6  # nothing is taken from the link for three time-outs
            while time.monotonic() < until:
                time.sleep(0.01)
            feed.wait(lambda: feed.counter("silent_deaths") or len(feed.messages) - first >= 3000, "all updates")
            return feed.counter("connects") == 1 and not feed.counter("connection_losses")

    assert any(connection_kept(101 + 3000 * number) for number in range(3))


def test_ten_thousand_malformed_inputs(instance_name: str, tmp_path: Path, target: ScriptedNode) -> None:
    """Random damage to frames and texts: the tile lives, and goes on after each new connection."""
    keys = fill(target, 2)
    rng = random.Random(11)
    with running(Feed(instance_name, tmp_path, target, keys)) as feed:
        feed.wait_live(2)
        whole = target.notification(keys[0], slot=130)
        done = 0
        while done < 10000:
            feed.wait(lambda: feed.counter("accounts_live") == 2 and target.sockets, "live")
            batch = []
            for _ in range(200):
                text = bytearray(whole)
                for _ in range(rng.randint(1, 5)):
                    text[rng.randrange(len(text))] = rng.choice(b'{}[]",:\\0189abz\x00\xff')
                data = bytearray(frame(TEXT, bytes(text)))
                if rng.random() < 0.005:  # the frame too
                    data[rng.randrange(4)] = rng.randrange(256)
                batch.append(bytes(data))
            done += len(batch)
            target.raw(b"".join(batch))
        target.abort()
        syncs = feed.counter("syncs")
        feed.wait(lambda: feed.counter("syncs") > syncs and feed.counter("accounts_live") == 2, "live again")
        assert feed.counter("malformed_json") > 1000
        target.set(keys[1], b"alive")
        target.notify(keys[1], slot=200)
        feed.wait(lambda: feed.accounts()[-1][2] == b"alive", "an update in the end")


# -- against simnet ---------------------------------------------------------------------------------

CPMM = "CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C"
CPMM_ALONE = ("--set", 'market.venues=["raydium_cpmm"]')


def market_accounts(chain: SimnetProcess) -> list[str]:
    """Pools first, then their vaults, as the engine orders them."""
    filters = [{"dataSize": 637}]
    found = chain.call("getProgramAccounts", CPMM, {"encoding": "base64", "filters": filters})
    pools = {entry["pubkey"]: base64.b64decode(entry["account"]["data"][0]) for entry in found}
    vaults = [encode(data[at : at + 32]) for data in pools.values() for at in (72, 104)]
    assert pools
    return [*pools, *vaults]


def state(chain: SimnetProcess, keys: list[str]) -> dict[str, bytes]:
    """What the chain holds of accounts now."""
    found: dict[str, bytes] = {}
    for first in range(0, len(keys), 100):
        part = keys[first : first + 100]
        options = {"encoding": "base64", "commitment": COMMITMENT}
        value = chain.call("getMultipleAccounts", part, options)["value"]
        found |= {key: base64.b64decode(entry["data"][0]) for key, entry in zip(part, value, strict=True)}
    return found


def end_faults(chain: SimnetProcess, faults: dict[str, float]) -> None:
    """Switches the faults off, and time: the request itself may meet with one."""
    for _ in range(100):
        try:
            chain.call("simnetSetFaults", dict.fromkeys(faults, 0.0) | {"stall_slots": True})
            return
        except urllib.error.HTTPError as error:
            assert error.code == 429


def follow(feed: Feed, seconds: float) -> dict[str, bytes]:
    """Reads for a while; returns the last state of every account, checking the order of each one's slots."""
    until = time.monotonic() + seconds
    feed.wait(lambda: time.monotonic() > until, "time")
    last: dict[str, bytes] = {}
    slots: dict[str, int] = {}
    for message in feed.messages:
        if message.kind == lib.SF_MSG_RESET:
            last, slots = {}, {}
        if message.kind != lib.SF_MSG_ACCOUNT:
            continue
        raw = ffi.from_buffer("sf_raw_account_t *", message.payload[:96])[0]
        pubkey = encode(bytes(raw.pubkey))
        assert raw.slot >= slots.get(pubkey, 0)
        slots[pubkey] = raw.slot
        last[pubkey] = message.payload[96:]
    return last


#: counters that a fault lets rise, and how far they are waited for
EFFECTS = {
    "duplicate_notifications": {"duplicates_dropped": 11},
    "drop_notifications": {"repaired_accounts": 1},
    "too_many_requests": {"reads_limited": 1},
    "close_sockets": {"reconnects": 3},
}


@pytest.mark.parametrize(
    "faults",
    [
        {},
        {"duplicate_notifications": 0.3},
        {"drop_notifications": 0.1, "too_many_requests": 0.2},
        {"close_sockets": 0.2, "duplicate_notifications": 0.1},
    ],
    ids=["none", "duplicated", "dropped and limited", "closed"],
)
def test_simnet(instance_name: str, tmp_path: Path, faults: dict[str, float]) -> None:
    """A lively market: in the end the feed has told exactly what the chain holds."""
    flags = ["--pools", "40", "--speed", "10", "--set", "market.trades_per_second=40", *CPMM_ALONE]
    seen = {"notifications": 300, "resyncs": 2}
    for name in faults:
        seen |= EFFECTS[name]
    with simnet(tmp_path, *flags) as chain:
        keys = market_accounts(chain)
        params = {"url": chain.websocket_url, "rpc_url": chain.rpc_url, "resync_ms": 200}
        target = cast("ScriptedNode", SimpleNamespace(websocket_url="", rpc_url=""))
        chain.call("simnetSetFaults", faults)
        with running(Feed(instance_name, tmp_path, target, keys, **params)) as feed:
            feed.wait_count("syncs")
            for name, count in seen.items():
                feed.wait_count(name, count)
            end_faults(chain, faults)
            feed.wait_live(len(keys))
            feed.wait_count("resyncs", feed.counter("resyncs") + 2)
            assert follow(feed, 0.1) == state(chain, keys)
            for what in ("json", "shape", "data", "frames"):
                assert feed.counter(f"malformed_{what}") == 0
            assert feed.counter("silent_deaths") == 0
            if not faults:
                assert feed.counter("connects") == 1 and feed.counter("repaired_accounts") == 0


def test_simnet_is_killed_and_comes_back(instance_name: str, tmp_path: Path) -> None:
    with simnet(tmp_path, "--pools", "10", "--speed", "10", *CPMM_ALONE) as chain:
        keys = market_accounts(chain)
        params = {"url": chain.websocket_url, "rpc_url": chain.rpc_url}
        target = cast("ScriptedNode", SimpleNamespace(websocket_url="", rpc_url=""))
        with running(Feed(instance_name, tmp_path, target, keys, **params)) as feed:
            for number in (1, 2):
                feed.wait_count("syncs", number)
                follow(feed, 0.3)
                chain.kill()
                feed.wait(lambda: feed.counter("connected") == 0, "the loss")
                chain.start(port=int(str(params["rpc_url"]).rpartition(":")[2]))
            feed.wait_count("syncs", 3)
            chain.call("simnetSetFaults", {"stall_slots": True})
            feed.wait_live(len(keys))
            assert follow(feed, 0.3) == state(chain, keys)
            assert feed.kinds().count(lib.SF_MSG_RESET) == 2
