"""The control protocol: every request is answered exactly once, whatever it is."""

from __future__ import annotations

import random
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq
import zmq.auth

from ipc.control import (
    MAX_REQUEST_BYTES,
    VERBS,
    Client,
    ControlError,
    ControlTimeout,
    CurveClient,
    CurveServer,
    Server,
    answer_frame,
    control_path,
    load_keys,
    telemetry_path,
)

HANDLERS = {
    "ping": lambda arguments: {"instance": "t", "arguments": arguments},
    "limit": lambda arguments: arguments,
    "stop": lambda arguments: 1 / 0,
}


def ask(frame: bytes) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(answer_frame(frame, HANDLERS))
    return decoded


def request(**fields: Any) -> bytes:
    return msgspec.json.encode({"v": 1, "id": "a", "verb": "ping"} | fields)


def test_answer_echoes_the_id() -> None:
    assert ask(request(id="x1")) == {"v": 1, "id": "x1", "ok": True, "result": {"instance": "t", "arguments": {}}}


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"", "malformed"),
        (b"\xff\xfe", "malformed"),
        (b"[]", "malformed"),
        (b"[" * 20_000, "malformed"),
        (b'{"v":1,"id":"a"}', "malformed"),
        (request(id=""), "malformed"),
        (request(id="x" * 65), "malformed"),
        (request(id=7), "malformed"),
        (request(extra=1), "malformed"),
        (request(args=[]), "malformed"),
        (request(v=2), "version"),
        (request(v="1"), "malformed"),
        (request(verb="trade"), "unknown-verb"),
        (request(args={"x": 1}), "bad-argument"),
        (request(verb="limit", args={"name": "a"}), "bad-argument"),
        (request(verb="limit", args={"name": "a", "value": "1"}), "bad-argument"),
        (request(verb="limit", args={"name": "a", "value": True}), "bad-argument"),
        (request(verb="status"), "refused"),
        (request(verb="stop"), "internal"),
        (b" " * (MAX_REQUEST_BYTES + 1), "malformed"),
    ],
)
def test_errors_have_a_code_and_a_sentence(frame: bytes, code: str) -> None:
    answer = ask(frame)
    assert answer["ok"] is False
    assert answer["error"]["code"] == code
    assert len(answer["error"]["message"]) > 10


def test_ten_thousand_malformed_requests_are_each_answered() -> None:
    seeded = random.Random(7)
    whole = [request(), request(verb="limit", args={"name": "a", "value": 3}), request(verb="bot", args={"name": "b"})]
    for _ in range(10_000):
        frame = bytearray(seeded.choice(whole))
        for _ in range(seeded.randint(1, 6)):
            match seeded.randrange(4):
                case 0:
                    frame[seeded.randrange(len(frame))] = seeded.randrange(256)
                case 1:
                    del frame[seeded.randrange(len(frame)) :]
                case 2:
                    frame[seeded.randrange(len(frame) + 1) : 0] = seeded.randbytes(seeded.randint(1, 40))
                case _:
                    frame += seeded.choice([b"}", b"{", b'"', b"null", b"[[", b"\\u0000", b"1e999"])
            if not frame:
                frame = bytearray(b"x")
        answer = ask(bytes(frame))
        assert answer["ok"] in (True, False)
        assert answer["ok"] or answer["error"]["message"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Path]:
    stop = threading.Event()
    ready = threading.Event()

    def run() -> None:
        served = Server(tmp_path, HANDLERS)
        ready.set()
        number = 0
        while not stop.is_set():
            served.routers[0].poll(5)
            served.poll()
            served.publish("snapshot", {"number": number})
            number += 1
        served.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(30)
    yield tmp_path
    stop.set()
    thread.join(30)
    assert not thread.is_alive()


def test_client_and_server_over_the_socket(server: Path) -> None:
    with Client(server, timeout_ms=20_000) as client:
        assert client.ask("limit", name="max_open_orders", value=3) == {"name": "max_open_orders", "value": 3}
        with pytest.raises(ControlError, match="not offered") as caught:
            client.ask("halt")
        assert caught.value.code == "refused"


def test_sockets_are_private(server: Path) -> None:
    for path in (control_path(server), telemetry_path(server)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_several_frames_are_one_malformed_request(server: Path) -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(f"ipc://{control_path(server)}")
        socket.send_multipart([b"{}", b"{}"])
        assert socket.poll(20_000)
        assert msgspec.json.decode(socket.recv())["error"]["code"] == "malformed"
        assert not socket.poll(50)


def test_a_req_socket_gets_its_answer(server: Path) -> None:
    with zmq.Context() as context, context.socket(zmq.REQ) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(f"ipc://{control_path(server)}")
        socket.send(request(id="r"))
        assert socket.poll(20_000)
        assert msgspec.json.decode(socket.recv())["id"] == "r"


def test_telemetry_numbers_its_messages(server: Path) -> None:
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SUBSCRIBE, b"snapshot")
        socket.connect(f"ipc://{telemetry_path(server)}")
        assert socket.poll(20_000)
        first, second = socket.recv_multipart(), socket.recv_multipart()
        assert int(second[1]) == int(first[1]) + 1


def test_tcp_is_for_known_curve_keys_only(tmp_path: Path) -> None:
    clients = tmp_path / "clients"
    clients.mkdir()
    _, server_secret = zmq.auth.create_certificates(tmp_path, "server")
    _, client_secret = zmq.auth.create_certificates(clients, "client")
    _, stranger_secret = zmq.auth.create_certificates(tmp_path, "stranger")
    for path in (server_secret, client_secret, stranger_secret):
        Path(path).chmod(0o600)
    with zmq.Context() as context, context.socket(zmq.ROUTER) as probe:
        port = probe.bind_to_random_port("tcp://127.0.0.1", min_port=20_000, max_port=30_000)
    served = Server(tmp_path, HANDLERS, CurveServer(f"127.0.0.1:{port}", Path(server_secret), clients))
    try:
        answers: list[object] = []

        def ask_as(secret: str, timeout_ms: int) -> None:
            who = CurveClient(f"127.0.0.1:{port}", tmp_path / "server.key", Path(secret))
            with Client(who, timeout_ms=timeout_ms) as client:
                try:
                    answers.append(client.ask("ping"))
                except ControlTimeout as error:
                    answers.append(error)

        for who in ((client_secret, 20_000), (stranger_secret, 700)):
            thread = threading.Thread(target=ask_as, args=who)
            thread.start()
            while thread.is_alive():
                served.poll()
                thread.join(0.005)
        assert answers[0] == {"instance": "t", "arguments": {}}
        assert isinstance(answers[1], ControlTimeout)
    finally:
        served.close()


def test_a_readable_secret_is_refused(tmp_path: Path) -> None:
    _, secret = zmq.auth.create_certificates(tmp_path, "server")
    Path(secret).chmod(0o644)
    with pytest.raises(ValueError, match="chmod 600"):
        load_keys(Path(secret))


def test_nobody_there_is_a_timeout(tmp_path: Path) -> None:
    with Client(tmp_path, timeout_ms=30) as client, pytest.raises(ControlTimeout, match="running"):
        client.ask("ping")


def test_the_document_lists_the_same_verbs() -> None:
    text = (Path(__file__).parents[2] / "ipc" / "CONTROL.md").read_text()
    for verb in VERBS:
        assert f"| `{verb}` |" in text
