"""The JSON-RPC client: results, refusals, and nodes that do not behave."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sniperforge.rpc import RpcBusy, RpcClient, RpcError, RpcUnavailable
from tests.unit.rpc_node import Refusal, json_node, raw_node


def answer(method: str, params: list[Any]) -> Any:
    if method == "refuse":
        raise Refusal(-32602, "Invalid params")
    return {"method": method, "params": params}


def test_a_result_comes_back() -> None:
    with json_node(answer) as node, RpcClient(node.url, timeout_ms=20_000) as client:
        assert client.call("getSlot", {"commitment": "confirmed"}) == {
            "method": "getSlot",
            "params": [{"commitment": "confirmed"}],
        }
        request = json.loads(node.requests[0])
        assert request["jsonrpc"] == "2.0"


def test_a_refusal_is_an_error_with_its_code() -> None:
    with json_node(answer) as node, RpcClient(node.url, timeout_ms=20_000) as client:
        with pytest.raises(RpcError, match="refuse: Invalid params") as caught:
            client.call("refuse")
        assert caught.value.code == -32602


def test_a_batch_keeps_its_order_and_holds_refusals() -> None:
    with json_node(answer) as node, RpcClient(node.url, timeout_ms=20_000) as client:
        first, second, third = client.batch([("a", [1]), ("refuse", []), ("b", [2])])
        assert (first["method"], third["params"]) == ("a", [2])
        assert isinstance(second, RpcError)
        assert len(node.requests) == 1
        assert client.batch([]) == []
        assert len(node.requests) == 1


def test_one_connection_is_kept_and_made_again_when_the_node_closed_it() -> None:
    with json_node(answer) as node, RpcClient(node.url, timeout_ms=20_000) as client:
        client.call("a")
        client.call("b")
        assert len(node.connections) == 1
        node.close_connections()
        assert client.call("c")["method"] == "c"


def test_a_node_that_is_not_there_is_unavailable() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        with RpcClient(url, timeout_ms=20_000) as client, pytest.raises(RpcUnavailable, match="ConnectionRefused"):
            client.call("getSlot")


def test_a_node_that_comes_back_is_used_again() -> None:
    with json_node(answer) as node:
        client = RpcClient(node.url, timeout_ms=20_000)
        client.call("a")
        port = node.server_address[1]
    with pytest.raises(RpcUnavailable):
        client.call("b")
    with json_node(answer) as again:
        client = RpcClient(again.url, timeout_ms=20_000)
        assert client.call("c")["method"] == "c"
        assert port
        client.close()


def test_a_silent_node_is_unavailable_after_the_timeout() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        begun = time.monotonic()
        with RpcClient(url, timeout_ms=100) as client, pytest.raises(RpcUnavailable, match=r"[Tt]ime"):
            client.call("getSlot")
        assert 0.05 < time.monotonic() - begun < 20.0


def test_cancel_ends_a_call_that_waits() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        client = RpcClient(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_ms=60_000)
        failures: list[Exception] = []

        def call() -> None:
            try:
                client.call("getSlot")
            except RpcUnavailable as error:
                failures.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        connection, _ = silent.accept()
        connection.recv(1)
        client.cancel()
        thread.join(30)
        assert not thread.is_alive() and failures
        connection.close()
        client.close()


@pytest.mark.parametrize(("status", "kind"), [(429, RpcBusy), (503, RpcBusy), (502, RpcUnavailable)])
def test_http_statuses(status: int, kind: type[Exception]) -> None:
    with (
        raw_node(lambda body: (status, b"slow down")) as node,
        RpcClient(node.url, timeout_ms=20_000) as client,
        pytest.raises(kind, match=str(status)),
    ):
        client.call("getSlot")


@pytest.mark.parametrize(
    "data",
    [b"", b"not json", b"[]", b'{"id": "x", "result": 1}', b'"text"', b"\xff\xfe", b"[" * 100_000, b'{"error": 3}'],
)
def test_an_answer_that_is_no_json_rpc_is_unavailable(data: bytes) -> None:
    with (
        raw_node(lambda body: (200, data)) as node,
        RpcClient(node.url, timeout_ms=20_000) as client,
        pytest.raises(RpcUnavailable),
    ):
        client.call("getSlot")


def test_an_answer_missing_in_a_batch_is_unavailable() -> None:
    with (
        raw_node(lambda body: (200, b"[]")) as node,
        RpcClient(node.url, timeout_ms=20_000) as client,
        pytest.raises(RpcUnavailable, match="getSlot is missing"),
    ):
        client.batch([("getSlot", [])])


def test_random_answers_never_do_anything_else() -> None:
    rng = random.Random(5)
    good = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"value": [1, None, "x"]}}).encode()
    bodies = iter(range(10**9))

    def respond(body: bytes) -> tuple[int, bytes]:
        next(bodies)
        data = bytearray(good)
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        return 200, bytes(data[: rng.randrange(len(data) + 1)])

    with raw_node(respond) as node, RpcClient(node.url, timeout_ms=20_000) as client:
        for _ in range(10_000):
            with contextlib.suppress(RpcError, RpcUnavailable):
                client.call("getSlot")


@pytest.mark.parametrize("url", ["", "localhost:8899", "ws://localhost:8900", "http://"])
def test_a_wrong_url_is_refused_with_the_fix(url: str) -> None:
    with pytest.raises(ValueError, match="use http://host:port"):
        RpcClient(url, timeout_ms=1000)


def test_https_trusts_the_named_certificate_only(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl program to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    command += ["-subj", "/CN=node", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key)]
    subprocess.run([*command, "-out", str(certificate)], check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with raw_node(lambda body: (200, b'{"id": 1, "result": 7}'), context) as node:
        with RpcClient(node.url, timeout_ms=20_000, ca_path=str(certificate)) as client:
            assert client.call("getSlot") == 7
        with RpcClient(node.url, timeout_ms=20_000) as client, pytest.raises(RpcUnavailable, match="CERTIFICATE"):
            client.call("getSlot")
