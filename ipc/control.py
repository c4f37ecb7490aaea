"""The control protocol of `CONTROL.md`: its messages, a server and a client.

The server is a plain object for one thread: `poll()` answers what has come in. It
knows nothing of the engine; the supervisor gives it one handler per verb.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import zmq
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator

VERSION = 1
MAX_REQUEST_BYTES = 65_536
_ANSWERS_A_POLL = 16

#: verb -> argument name -> type
VERBS: Mapping[str, Mapping[str, type]] = {
    "ping": {},
    "status": {},
    "config": {},
    "halt": {},
    "reduce": {},
    "resume": {},
    "limit": {"name": str, "value": int},
    "bot": {"name": str, "action": str},
    "stop": {},
}


class ControlError(Exception):
    """An error answer. `code` is one of CONTROL.md's error codes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ControlTimeout(Exception):
    """The supervisor did not answer in time."""


class Request(msgspec.Struct, forbid_unknown_fields=True):
    v: int
    id: str
    verb: str
    args: dict[str, Any] = {}


class ErrorBody(msgspec.Struct, forbid_unknown_fields=True):
    code: str
    message: str


class Answer(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    v: int
    id: str
    ok: bool
    result: Any = None
    error: ErrorBody | None = None


Handler = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class CurveServer:
    """Where control is offered over TCP: `address` is host:port; telemetry is on the next port.

    Attributes:
        secret_file: the server's key pair, a ZeroMQ certificate with mode 0600.
        clients: directory with the public certificates of the clients that may connect.
    """

    address: str
    secret_file: Path
    clients: Path


@dataclass(frozen=True)
class CurveClient:
    """A server over TCP: `address` is host:port, `server_file` its public certificate, `secret_file` our key pair."""

    address: str
    server_file: Path
    secret_file: Path


def load_keys(secret_file: Path) -> tuple[bytes, bytes]:
    """Public and secret key of a ZeroMQ certificate.

    Raises:
        ValueError: the file cannot be read, holds no key pair, or others can read it.
    """
    try:
        mode = secret_file.stat().st_mode
        public, secret = zmq.auth.load_certificate(secret_file)
    except (OSError, ValueError) as error:
        raise ValueError(f"{secret_file}: no ZeroMQ certificate: {error}") from None
    if secret is None:
        raise ValueError(f"{secret_file}: holds no secret key; name the .key_secret file")
    if mode & 0o077:
        raise ValueError(f"{secret_file}: others can read it; run chmod 600 {secret_file}")
    return public, secret


def control_path(directory: Path) -> Path:
    """The control socket of the instance in `directory`."""
    return directory / "control.sock"


def telemetry_path(directory: Path) -> Path:
    """The telemetry socket of the instance in `directory`."""
    return directory / "telemetry.sock"


def parse_request(frame: bytes) -> Request:
    """The request in `frame`.

    Raises:
        ControlError: `malformed`, `version`, `unknown-verb` or `bad-argument`.
    """
    if len(frame) > MAX_REQUEST_BYTES:
        raise ControlError("malformed", f"request has {len(frame)} bytes; at most {MAX_REQUEST_BYTES} are read")
    try:
        request = msgspec.json.decode(frame, type=Request)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ControlError("malformed", f"request is not a control request: {error}") from None
    if not 1 <= len(request.id) <= 64:
        raise ControlError("malformed", "`id` must have 1 to 64 characters")
    if request.v != VERSION:
        raise ControlError("version", f"version {request.v} is not spoken here; use {VERSION}")
    expected = VERBS.get(request.verb)
    if expected is None:
        raise ControlError("unknown-verb", f"verb {request.verb!r} is not known; use one of {', '.join(VERBS)}")
    for name in request.args:
        if name not in expected:
            raise ControlError("bad-argument", f"{request.verb} takes no argument {name!r}")
    for name, kind in expected.items():
        if name not in request.args:
            raise ControlError("bad-argument", f"{request.verb} needs the argument {name!r}")
        value = request.args[name]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ControlError("bad-argument", f"{request.verb}: {name!r} must be of type {kind.__name__}")
    return request


def request_id(frame: bytes) -> str:
    """The id in a frame that could not be read as a request, or the empty string."""
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        decoded = msgspec.json.decode(frame)
        if isinstance(decoded, dict) and isinstance(decoded.get("id"), str):
            return str(decoded["id"])[:64]
    return ""


def answer_frame(frame: bytes, handlers: Mapping[str, Handler]) -> bytes:
    """The one answer to the request in `frame`; never raises."""
    try:
        request = parse_request(frame)
        handler = handlers.get(request.verb)
        if handler is None:
            raise ControlError("refused", f"{request.verb} is not offered here")
        answer = Answer(v=VERSION, id=request.id, ok=True, result=handler(request.args))
    except ControlError as error:
        answer = Answer(v=VERSION, id=request_id(frame), ok=False, error=ErrorBody(code=error.code, message=str(error)))
    except Exception as error:  # a handler's bug must be answered, not kill the supervisor
        answer = Answer(
            v=VERSION,
            id=request_id(frame),
            ok=False,
            error=ErrorBody(code="internal", message=f"{type(error).__name__}: {error}"),
        )
    return msgspec.json.encode(answer)


class Server:
    """ROUTER and PUB sockets of one instance.

    Args:
        directory: the instance directory; sockets are made there with mode 0600.
        handlers: one callable per verb; it gets the arguments and returns the result.
        tcp: offer both over TCP too, with CURVE.

    Raises:
        ValueError: the CURVE keys cannot be used.
        zmq.ZMQError: an address is taken or wrong.
    """

    def __init__(self, directory: Path, handlers: Mapping[str, Handler], tcp: CurveServer | None = None) -> None:
        self._handlers = handlers
        self._context = zmq.Context(io_threads=1)
        self._authenticator: ThreadAuthenticator | None = None
        self.routers = [self._bind(zmq.ROUTER, control_path(directory))]
        self._pubs = [self._bind(zmq.PUB, telemetry_path(directory))]
        self._sequence = itertools.count()
        if tcp is not None:
            self._offer_tcp(tcp)

    def _socket(self, kind: int) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.LINGER, 200)
        socket.setsockopt(zmq.SNDHWM, 1000)
        socket.setsockopt(zmq.MAXMSGSIZE, 16 * MAX_REQUEST_BYTES)
        return socket

    def _offer_tcp(self, tcp: CurveServer) -> None:
        public, secret = load_keys(tcp.secret_file)
        if not any(tcp.clients.glob("*.key")):
            raise ValueError(f"{tcp.clients}: holds no client certificate (*.key); nobody could connect")
        host, _, port = tcp.address.rpartition(":")
        if not host or not port.isdigit():
            raise ValueError(f"control.tcp: {tcp.address!r} is no host:port")
        self._authenticator = ThreadAuthenticator(self._context)
        self._authenticator.start()
        self._authenticator.configure_curve(domain="*", location=str(tcp.clients))
        for kind, sockets, number in ((zmq.ROUTER, self.routers, int(port)), (zmq.PUB, self._pubs, int(port) + 1)):
            socket = self._socket(kind)
            socket.curve_server = True
            socket.curve_publickey, socket.curve_secretkey = public, secret
            socket.bind(f"tcp://{host}:{number}")
            sockets.append(socket)

    def _bind(self, kind: int, path: Path) -> zmq.Socket[bytes]:
        socket = self._socket(kind)
        before = os.umask(0o177)
        try:
            socket.bind(f"ipc://{path}")
        finally:
            os.umask(before)
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
        return socket

    def poll(self) -> bool:
        """Answers what is there, a bounded number of requests; returns whether there may be more.

        The bound keeps a client that asks without end from keeping the server from its other work.
        """
        return sum(self._answer_some(router) for router in self.routers) > 0

    def _answer_some(self, router: zmq.Socket[bytes]) -> bool:
        for _ in range(_ANSWERS_A_POLL):
            try:
                frames = router.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return False
            identity, body = frames[0], frames[1:]
            delimiter = [b""] if body and body[0] == b"" else []
            body = body[len(delimiter) :]
            if len(body) == 1:
                reply = answer_frame(body[0], self._handlers)
            else:
                error = ErrorBody(code="malformed", message=f"a request is one frame, not {len(body)}")
                reply = msgspec.json.encode(Answer(v=VERSION, id="", ok=False, error=error))
            with contextlib.suppress(zmq.Again):
                router.send_multipart([identity, *delimiter, reply], zmq.NOBLOCK)
        return True

    def publish(self, topic: str, payload: object) -> None:
        """Publishes `payload` as JSON under `topic`; never blocks."""
        with contextlib.suppress(zmq.Again):
            frames = [topic.encode(), str(next(self._sequence)).encode(), msgspec.json.encode(payload)]
            for socket in self._pubs:
                socket.send_multipart(frames, zmq.NOBLOCK)

    def close(self) -> None:
        """Closes all sockets."""
        for socket in (*self.routers, *self._pubs):
            socket.close()
        if self._authenticator is not None:
            self._authenticator.stop()
        self._context.term()


class Client:
    """Asks a running supervisor: the one of an instance directory, or one over TCP. Not for use by several threads."""

    def __init__(self, where: Path | CurveClient, *, timeout_ms: int) -> None:
        self._timeout_ms = timeout_ms
        self._context = zmq.Context(io_threads=1)
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        if isinstance(where, CurveClient):
            self._endpoint = f"tcp://{where.address}"
            self._socket.curve_serverkey = zmq.auth.load_certificate(where.server_file)[0]
            self._socket.curve_publickey, self._socket.curve_secretkey = load_keys(where.secret_file)
        else:
            self._endpoint = f"ipc://{control_path(where)}"
        self._socket.connect(self._endpoint)

    def ask(self, verb: str, **arguments: Any) -> Any:
        """The result of `verb`.

        Raises:
            ControlError: the supervisor answered with an error.
            ControlTimeout: it did not answer within `timeout_ms`.
        """
        request = Request(v=VERSION, id=secrets.token_hex(8), verb=verb, args=arguments)
        self._socket.send(msgspec.json.encode(request))
        while self._socket.poll(self._timeout_ms):
            answer = msgspec.json.decode(self._socket.recv(), type=Answer)
            if answer.id != request.id:
                continue
            if answer.error is not None:
                raise ControlError(answer.error.code, answer.error.message)
            return answer.result
        raise ControlTimeout(f"no answer on {self._endpoint} within {self._timeout_ms} ms: is the supervisor running?")

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()
        self._context.term()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
