"""Subscriptions over the WebSocket, bad input on it, and the fault switches."""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from sniperforge.simnet.encoding import base64_encode
from tests.integration.simnet_process import RpcFailure, SimnetProcess, simnet, wait_until

SOL = 1_000_000_000
FLAGS = ("--pools", "4", "--mints", "4", "--set", 'market.venues=["raydium_cpmm"]')
FUZZ_INPUTS = 10_000
QUIET = {
    "latency_ms": 0,
    "drop_notifications": 0.0,
    "duplicate_notifications": 0.0,
    "close_sockets": 0.0,
    "too_many_requests": 0.0,
    "drop_transactions": 0.0,
    "stall_slots": False,
}


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimnetProcess]:
    with simnet(tmp_path_factory.mktemp("websocket"), *FLAGS, "--speed", "4") as process:
        yield process


@pytest.fixture(autouse=True)
def quiet(process: SimnetProcess) -> Iterator[None]:
    """Faults end with the test that asked for them."""
    yield
    process.call("simnetSetFaults", QUIET)


class Client:
    """A plain WebSocket client that keeps what it hears."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.heard: list[dict[str, Any]] = []
        self.number = 0

    def request(self, method: str, *params: Any) -> dict[str, Any]:
        """Send a request and return its answer."""
        self.number += 1
        body = {"jsonrpc": "2.0", "id": self.number, "method": method, "params": list(params)}
        self.connection.send(json.dumps(body))
        while True:
            message = json.loads(self.connection.recv(30))
            if message.get("id") == self.number:
                return dict(message)
            self.heard.append(message)

    def subscribe(self, method: str, *params: Any) -> int:
        """Subscribe and return the number."""
        return int(self.request(f"{method}Subscribe", *params)["result"])

    def next(self, subscription: int, seconds: float = 30.0) -> Any:
        """The next notification of a subscription."""
        deadline = time.monotonic() + seconds
        while True:
            for number, message in enumerate(self.heard):
                if message["params"]["subscription"] == subscription:
                    return self.heard.pop(number)["params"]["result"]
            self.heard.append(json.loads(self.connection.recv(max(0.0, deadline - time.monotonic()))))


@contextmanager
def client(process: SimnetProcess) -> Iterator[Client]:
    """A connected client."""
    with connect(process.websocket_url, max_size=None) as connection:
        yield Client(connection)


def test_processed_confirmed_and_finalized_in_this_order(process: SimnetProcess) -> None:
    key = str(Keypair().pubkey())
    with client(process) as one:
        levels = ("processed", "confirmed")
        watched = [one.subscribe("account", key, {"commitment": level, "encoding": "base64"}) for level in levels]
        process.call("requestAirdrop", key, SOL)
        seen = [one.next(number) for number in watched]
        assert [each["value"]["lamports"] for each in seen] == [SOL, SOL]
        assert seen[0]["context"]["slot"] == seen[1]["context"]["slot"]
        slot = one.subscribe("slot")
        told = one.next(slot)
        assert told["slot"] > told["parent"] >= told["root"]


def test_every_swap_notifies_pool_and_vaults_alike(process: SimnetProcess) -> None:
    """A reader that pairs pool and vault updates by their number must find as many of each."""
    pools = process.endpoints["market"]["pools"]
    with client(process) as one:
        names: dict[int, tuple[int, str]] = {}
        for number, pool in enumerate(pools):
            for kind, key in (("pool", pool["address"]), ("a", pool["vaults"][0]), ("b", pool["vaults"][1])):
                options = {"commitment": "processed", "encoding": "base64"}
                names[one.subscribe("account", key, options)] = (number, kind)
        counts: dict[tuple[int, int], list[str]] = {}
        slot_watch = one.subscribe("slot")
        first, last = one.next(slot_watch)["slot"], 0
        while last < first + 12:
            message = json.loads(one.connection.recv(30))["params"]
            if message["subscription"] == slot_watch:
                last = message["result"]["slot"]
            elif message["subscription"] in names:
                number, kind = names[message["subscription"]]
                counts.setdefault((message["result"]["context"]["slot"], number), []).append(kind)
        whole = {key: kinds for key, kinds in counts.items() if first < key[0] < last}
        assert len(whole) > 3
        for kinds in whole.values():
            assert kinds.count("pool") == kinds.count("a") == kinds.count("b")


def test_programs_logs_roots_and_unsubscribing(process: SimnetProcess) -> None:
    program = next(iter(process.endpoints["emulated"]))
    with client(process) as one:
        options = {"commitment": "processed", "encoding": "base64", "filters": [{"dataSize": 637}]}
        pools = one.subscribe("program", program, options)
        logs = one.subscribe("logs", {"mentions": [program]}, {"commitment": "processed"})
        everything = one.subscribe("logs", "all", {"commitment": "processed"})
        root = one.subscribe("root")
        addresses = {pool["address"] for pool in process.endpoints["market"]["pools"]}
        assert one.next(pools)["value"]["pubkey"] in addresses
        told = one.next(logs)["value"]
        assert told["err"] is None and any(program in line for line in told["logs"])
        assert one.next(everything)["value"]["signature"]
        assert one.next(root) >= 0
        for kind, number in (("program", pools), ("logs", logs), ("logs", everything), ("root", root)):
            assert one.request(f"{kind}Unsubscribe", number)["result"] is True
            refusal = one.request(f"{kind}Unsubscribe", number)["error"]
            assert refusal == {"code": -32602, "message": "Invalid subscription id."}


def test_a_late_signature_subscription_is_answered_at_once(process: SimnetProcess) -> None:
    key = str(Keypair().pubkey())
    signature = process.call("requestAirdrop", key, SOL)
    wait_until(lambda: process.call("getSignatureStatuses", [signature])["value"][0], 30, "an airdrop")
    with client(process) as one:
        number = one.subscribe("signature", signature, {"commitment": "processed"})
        assert one.next(number)["value"] == {"err": None}
        assert "error" in one.request("signatureUnsubscribe", number)


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("accountSubscribe", [], -32602),
        ("accountSubscribe", ["abc"], -32602),
        ("logsSubscribe", [{"mentions": []}], -32602),
        ("logsSubscribe", ["some"], -32602),
        ("programSubscribe", ["1" * 32, {"commitment": "late"}], -32602),
        ("blockSubscribe", ["all"], -32601),
        ("voteSubscribe", [], -32601),
        ("getSlot", [], -32601),
        ("UnSubscribe", [], -32601),
    ],
)
def test_bad_subscriptions(process: SimnetProcess, method: str, params: list[Any], code: int) -> None:
    with client(process) as one:
        assert one.request(method, *params)["error"]["code"] == code


def test_malformed_frames_and_messages(process: SimnetProcess) -> None:
    """Random bytes as messages on one socket, then random bytes below the protocol on many."""
    dice = random.Random(99)
    with client(process) as one:
        for _ in range(FUZZ_INPUTS // 2):
            body = dice.randbytes(dice.randrange(1, 60))
            if dice.random() < 0.5:
                method = dice.choice(["accountSubscribe", "logsSubscribe", "programSubscribe", "slotUnsubscribe", "x"])
                values = [dice.choice([None, 5, "1" * 32, {}, {"filters": 3}, [], {"mentions": [7]}]) for _ in range(2)]
                body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": values}).encode()
            one.connection.send(body)
            while True:
                message = json.loads(one.connection.recv(30))
                if "params" not in message:
                    break
            assert "result" in message or message["error"]["message"]
    host, port = process.websocket_url.removeprefix("ws://").split(":")
    upgrade = (
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    for number in range(300):
        with socket.create_connection((host, int(port)), 30) as plain:
            if number % 3:
                plain.sendall(upgrade)
                assert plain.recv(4096).startswith(b"HTTP/1.1 101")
            plain.sendall(dice.randbytes(dice.randrange(1, 400)))
    host, port = process.rpc_url.removeprefix("http://").split(":")
    for number in range(300):
        with socket.create_connection((host, int(port)), 30) as plain:
            head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n" if number % 2 else b""
            plain.sendall(head + dice.randbytes(dice.randrange(1, 400)))
    status = process.call("simnetStatus")
    assert status["counters"].get("internal_errors", 0) == 0
    assert "Traceback" not in process.log.read_text()


def test_dropped_and_duplicated_notifications(process: SimnetProcess) -> None:
    keys = [str(Keypair().pubkey()) for _ in range(2)]
    with client(process) as one:
        process.call("simnetSetFaults", {"duplicate_notifications": 1.0})
        number = one.subscribe("account", keys[0], {"commitment": "processed", "encoding": "base64"})
        process.call("requestAirdrop", keys[0], SOL)
        assert one.next(number) == one.next(number)
        process.call("simnetSetFaults", {"duplicate_notifications": 0.0, "drop_notifications": 1.0})
        number = one.subscribe("account", keys[1], {"commitment": "processed", "encoding": "base64"})
        process.call("requestAirdrop", keys[1], SOL)
        counters = partial(process.call, "simnetStatus")
        wait_until(lambda: counters()["counters"].get("notifications_dropped"), 30, "a notification to be dropped")
        with pytest.raises(TimeoutError):
            one.next(number, 0.2)


def test_closed_sockets(process: SimnetProcess) -> None:
    with client(process) as one:
        process.call("simnetSetFaults", {"close_sockets": 1.0})
        with pytest.raises(ConnectionClosed):
            one.connection.recv(30)
    process.call("simnetSetFaults", {"close_sockets": 0.0})
    with client(process) as one:
        assert one.next(one.subscribe("slot"))["slot"]


def test_latency_delays_answers_and_notifications(process: SimnetProcess) -> None:
    with client(process) as one:
        process.call("simnetSetFaults", {"latency_ms": 300})
        begun = time.monotonic()
        process.call("getSlot")
        assert time.monotonic() - begun >= 0.3
        begun = time.monotonic()
        one.subscribe("slot")
        assert time.monotonic() - begun >= 0.3


def test_stalled_slots(process: SimnetProcess) -> None:
    process.call("simnetSetFaults", {"stall_slots": True})
    slot = process.call("getSlot", {"commitment": "processed"})
    with pytest.raises(RpcFailure, match="Node is unhealthy") as failure:
        process.call("getHealth")
    assert failure.value.code == -32005
    key = str(Keypair().pubkey())
    process.call("requestAirdrop", key, SOL)
    deadline = time.monotonic() + 0.5  # five slots
    while time.monotonic() < deadline:
        assert process.call("getSlot", {"commitment": "processed"}) == slot
        assert process.call("getBalance", key, {"commitment": "processed"})["value"] == 0
    process.call("simnetSetFaults", {"stall_slots": False})
    wait_until(lambda: process.call("getSlot", {"commitment": "processed"}) > slot, 30, "slots again")
    wait_until(lambda: process.call("getBalance", key, {"commitment": "processed"})["value"], 30, "the airdrop")


def test_a_transaction_is_processed_within_milliseconds(tmp_path: Path) -> None:
    with simnet(tmp_path, *FLAGS) as process:
        delays = sorted(_delays(process))
    assert delays[len(delays) // 2] < 0.03


def _delays(process: SimnetProcess) -> list[float]:
    """Seconds from sending each of some transfers to its notification."""
    wallet = Keypair()
    process.call("requestAirdrop", str(wallet.pubkey()), 100 * SOL)
    options = {"commitment": "processed"}
    wait_until(lambda: process.call("getBalance", str(wallet.pubkey()), options)["value"], 30, "an airdrop")
    delays = []
    with client(process) as one:
        number = one.subscribe("account", str(wallet.pubkey()), {"commitment": "processed", "encoding": "base64"})
        for amount in range(30):
            latest = process.call("getLatestBlockhash", options)["value"]["blockhash"]
            move = transfer(
                TransferParams(from_pubkey=wallet.pubkey(), to_pubkey=Keypair().pubkey(), lamports=SOL + amount)
            )
            message = MessageV0.try_compile(wallet.pubkey(), [move], [], Hash.from_string(latest))
            text = base64_encode(bytes(VersionedTransaction(message, [wallet])))
            begun = time.monotonic()
            process.call("sendTransaction", text, {"encoding": "base64", "skipPreflight": True})
            one.next(number)
            delays.append(time.monotonic() - begun)
    return delays
