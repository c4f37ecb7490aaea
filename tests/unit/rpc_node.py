"""A small HTTP server that answers JSON-RPC as a test says, and can misbehave."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[str, list[Any]], Any]


class Refusal(Exception):
    """Raised by an `Answer` for a JSON-RPC error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class RawNode(ThreadingHTTPServer):
    """Answers each body with (status, bytes) of `respond`."""

    daemon_threads = True

    def __init__(self, respond: Callable[[bytes], tuple[int, bytes]], context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.respond = respond
        self.requests: list[bytes] = []
        self.connections: list[socket.socket] = []
        self.context = context

    @property
    def url(self) -> str:
        """Where it listens."""
        scheme = "https" if self.context else "http"
        return f"{scheme}://127.0.0.1:{self.server_address[1]}"

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self.context is not None:
            connection = self.context.wrap_socket(connection, server_side=True)
        self.connections.append(connection)
        return connection, address

    def close_connections(self) -> None:
        """Ends every connection, as a node does with idle ones."""
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.connections.clear()

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    server: RawNode

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(body)
        status, data = self.server.respond(body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def raw_node(respond: Callable[[bytes], tuple[int, bytes]], context: ssl.SSLContext | None = None) -> Iterator[RawNode]:
    """A running `RawNode`."""
    node = RawNode(respond, context)
    thread = threading.Thread(target=node.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield node
    finally:
        node.shutdown()
        node.close_connections()
        node.server_close()
        thread.join()


@contextlib.contextmanager
def json_node(answer: Answer) -> Iterator[RawNode]:
    """A node whose methods are `answer`; a batch is answered in reverse order, as it may be."""

    def one(request: dict[str, Any]) -> dict[str, Any]:
        about = {"jsonrpc": "2.0", "id": request["id"]}
        try:
            return {**about, "result": answer(request["method"], request["params"])}
        except Refusal as refusal:
            return {**about, "error": {"code": refusal.code, "message": refusal.message}}

    def respond(body: bytes) -> tuple[int, bytes]:
        request = json.loads(body)
        answers = [one(each) for each in reversed(request)] if isinstance(request, list) else one(request)
        return 200, json.dumps(answers).encode()

    with raw_node(respond) as node:
        yield node
